"""The ratio of two learned densities (ANODE) knows nothing of how the inputs of either were scaled."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler

from hepflows import flows, training


def density(x, m, marginals, seed=1):
    torch.manual_seed(seed)
    flow = flows.autoregressive_flow(2, 1, transforms=2, spline=5, hidden=(16, 16), marginals=marginals)
    flow.standardise_from(x, m)
    training.fit(flow, x, m, epochs=3, batch_size=256, seed=seed, progress=False)
    return lambda x, m: training.log_prob_batched(flow, x, m)


@pytest.fixture
def events(rng):
    """Correlated, skewed, with a mass that they depend on: (x, m)."""
    m = rng.uniform(3, 4, (2000, 1))
    first = rng.exponential(0.2 * m)
    return np.concatenate([first, rng.beta(2, 3, (2000, 1)) + 0.3 * first], axis=1), m


@pytest.mark.parametrize("marginals", [None, 8])
def test_anode_ratio_is_invariant_under_the_range_of_one_scaler(events, marginals):
    """p_inner is trained on inputs in another range, and the Jacobian of that scaler put in by hand; p_outer is not."""
    x, m = events
    inside = (m[:, 0] > 3.3) & (m[:, 0] < 3.7)
    outer = density(x[~inside], m[~inside], marginals)(x[inside], m[inside])
    ratios = []
    for low, high in ((0, 1), (-3, 7), (0, 1000)):
        scaler = MinMaxScaler((low, high)).fit(x[inside])
        scaled = scaler.transform(x[inside])
        inner = density(scaled, m[inside], marginals)(scaled, m[inside]) + np.log(scaler.scale_).sum()
        ratios.append(inner - outer)
    assert np.std(ratios[0]) > 0.05  # there is something that could change
    for other in ratios[1:]:
        # to float32, through three epochs; a Jacobian left out or of the wrong sign is 2 log 10 at least
        np.testing.assert_allclose(other, ratios[0], atol=0.02)

"""Both definitions of the largest weight against brute force, and accept-reject against its distribution."""

import numpy as np
import pytest
import torch
from scipy import optimize

from hepflows import evaluate
from hepflows.errors import InputError


@pytest.fixture
def weights(rng):
    return rng.lognormal(sigma=1.5, size=400)


@pytest.mark.parametrize("events", [400, 150, 20, 1])
def test_bootstrap_maximum_is_the_median_over_replicas(weights, rng, events):
    maxima = weights[rng.integers(len(weights), size=(20_000, events))].max(1)
    result = evaluate.bootstrap_maximum(weights, events)
    # the median of all replicas: half of them lie on either side of it, within the statistics of the drawn ones
    assert (maxima <= result).mean() > 0.5 - 0.02 and (maxima < result).mean() < 0.5 + 0.02


def test_bootstrap_maximum_of_as_many_events_is_the_largest_weight(weights):
    assert evaluate.bootstrap_maximum(weights) == weights.max()


@pytest.mark.parametrize("share", [1e-3, 1e-2, 0.3, 0.9])
def test_overweight_maximum_leaves_its_share(weights, share):
    def excess(maximum):
        return np.maximum(weights - maximum, 0).sum() / weights.sum() - share

    expected = optimize.brentq(excess, 0, weights.max(), xtol=1e-13)
    assert evaluate.overweight_maximum(weights, share) == pytest.approx(expected, rel=1e-9)


def test_equal_weights_are_all_kept():
    weights = np.full(50, 3.0)
    assert evaluate.unweighting_efficiency(weights, evaluate.bootstrap_maximum(weights)) == 1.0
    assert evaluate.overweight_maximum(weights) == pytest.approx(3 * (1 - 1e-3))


def test_accepted_events_follow_the_weights():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(200_000, generator=generator)
    rows, weights = evaluate.accept_reject(x, 0.5, generator)  # half of the events exceed the maximum
    assert len(rows) / len(x) == pytest.approx(0.75, abs=5 * 0.43 / 200_000**0.5)
    assert torch.allclose(weights, (x[rows].double() / 0.5).clamp_min(1.0))
    mean = float((weights * x[rows]).sum() / weights.sum())
    assert mean == pytest.approx(2 / 3, abs=5 * 0.25 / len(rows) ** 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.bootstrap_maximum([1.0, -1.0]), "weights: expected no negative one"),
        (lambda: evaluate.bootstrap_maximum([0.0, 0.0]), "weights: expected no negative one and not only zeros"),
        (lambda: evaluate.bootstrap_maximum([1.0], 0), "events: expected a positive integer, got 0"),
        (lambda: evaluate.overweight_maximum([1.0], 1.0), "share: expected a number between 0 and 1, got 1.0"),
        (lambda: evaluate.unweighting_efficiency([1.0], 0.0), "maximum: expected a positive number, got 0.0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()

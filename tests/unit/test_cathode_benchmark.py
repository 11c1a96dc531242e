"""The peer of the CATHODE benchmark is a flow, and its recipe works on a small scale."""

import numpy as np
import pytest
import torch

from benchmarks import cathode
from benchmarks.affine_flow import AffineFlow


@pytest.fixture
def flow():
    torch.manual_seed(3)
    flow = AffineFlow(features=3, blocks=4, units=20).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    flow.settle(torch.randn(500, 3).double(), torch.randn(500, 1).double())
    return flow


def test_density_is_that_of_the_map_to_the_base(flow):
    """log p(x) = log N(u) + log |det du/dx|, the determinant by autograd; the base's u by running the layers."""

    def to_base(x, c):
        for number, layer in enumerate(flow.layers):
            x, _ = layer(x[None] if x.ndim == 1 else x, c)
            x = x.flip(1) if number % 2 else x
        return x[0]

    for _ in range(5):
        x, c = torch.randn(3).double(), torch.randn(1, 1).double()
        jacobian = torch.autograd.functional.jacobian(lambda x, c=c: to_base(x, c), x)
        base = torch.distributions.Normal(0, 1).log_prob(to_base(x, c)).sum()
        expected = base + torch.linalg.slogdet(jacobian)[1]
        assert flow.log_prob(x[None], c).item() == pytest.approx(expected.item(), abs=1e-9)


def test_draws_are_the_inverse(flow):
    c = torch.randn(50, 1).double()
    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(1)
        drawn = flow.sample(c)
        torch.manual_seed(1)
        noise = torch.randn(50, 3)
    finally:
        torch.set_default_dtype(torch.float32)
    x = drawn
    with torch.no_grad():
        for number, layer in enumerate(flow.layers):
            x, _ = layer(x, c)
            x = x.flip(1) if number % 2 else x
    np.testing.assert_allclose(x, noise, atol=1e-8)


def test_scaling_goes_back_and_says_what_it_cannot_scale(rng):
    values = rng.uniform(2, 5, (300, 2))
    scale = cathode.Logit(values)
    scaled = scale(values)
    inner = np.isfinite(scaled).all(1)
    assert 296 <= inner.sum() < 300  # the ends of the range have no logit
    np.testing.assert_allclose(scale.inverse(scaled[inner]), values[inner])
    assert np.isnan(scale(np.array([[1.0, 3.0]]))[0, 0])


def test_both_recipes_run_on_little_data():
    x, m = cathode.mixture(seed=1, events=6000, strength=10)
    data, held = x[cathode.inside(m)], cathode.held_out(m, seed=1)[cathode.inside(m)]
    theirs, _, done = cathode.walkthrough_template(x, m, seed=1, epochs=2)
    mine, _ = cathode.our_template(x, m, seed=1, epochs=2)
    assert done == 2 and len(mine) == 4 * len(data) and len(theirs) == 4 * np.sum(~held)
    for drawn in (mine, theirs):
        assert np.all(np.isfinite(drawn)) and np.all(np.abs(drawn.mean(0) / data.mean(0) - 1) < 1)
    score, done = cathode.walkthrough_score(data, held, theirs, seed=1, epochs=2)
    assert done == 2
    for found in (cathode.judge(score), cathode.judge(cathode.our_score(data, mine, seed=1, trees=1))):
        assert 0 <= found["sic_1e-3"] < 32 and 30 < found["background_events"] < 45

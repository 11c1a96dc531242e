"""Preprocessing inside the flow: inverse, Jacobian, normal marginals, and densities that do not depend on it."""

import numpy as np
import pytest
import torch
from scipy import stats

from hepflows import flows, integrate
from hepflows.errors import InputError
from hepflows.flows.marginals import NormalMarginals


def skewed(events, seed=0):
    """A mass-like and a ratio-like feature, correlated, with exactly known density."""
    rng = np.random.default_rng(seed)
    first = rng.gamma(2.0, 50.0, events)
    return np.stack([first, rng.beta(2.0, 5.0, events) + 0.001 * first], axis=1)


@pytest.fixture
def fitted():
    transform = NormalMarginals(2, knots=24).double()
    transform.set_from(skewed(20_000))
    return transform


def test_is_the_identity_before_it_has_seen_data():
    x = 3 * torch.randn(50, 2).double()
    z, log_det = NormalMarginals(2).double()(x)
    torch.testing.assert_close(z, x)
    torch.testing.assert_close(log_det, torch.zeros(50).double())


def test_marginals_become_normal(fitted):
    z, _ = fitted(torch.from_numpy(skewed(5000, seed=1)))
    for column in z.numpy().T:  # independent events: the knots' own error is that of 20,000
        assert stats.kstest(column, "norm").statistic < 1.95 * np.sqrt(1 / 5000 + 1 / 20_000)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_inverse(fitted, dtype, tolerance):
    transform = fitted.to(dtype)
    z = torch.linspace(-6, 6, 401, dtype=dtype).repeat(2, 1).t()  # the tails, too
    x, log_det = transform.inverse(z)
    again, log_det_back = transform(x)
    torch.testing.assert_close(again, z, rtol=0, atol=tolerance)
    torch.testing.assert_close(log_det, -log_det_back, rtol=0, atol=10 * tolerance)


def test_log_determinant_is_that_of_autograd(fitted):
    x = torch.from_numpy(skewed(200, seed=2))
    x = torch.cat([x, torch.tensor([[-30.0, -0.5], [3000.0, 4.0]]).double()]).requires_grad_()
    z, log_det = fitted(x)
    (slopes,) = torch.autograd.grad(z.sum(), x)  # the Jacobian is diagonal
    torch.testing.assert_close(log_det, slopes.log().sum(1), rtol=0, atol=1e-10)
    assert torch.isfinite(slopes).all() and (slopes > 0).all()


@pytest.mark.parametrize("knots", [8, 32])
def test_flow_with_marginals_is_normalised_in_the_units_of_the_data(knots):
    torch.manual_seed(knots)
    flow = flows.autoregressive_flow(2, marginals=knots, hidden=(16, 16)).double()
    x = skewed(20_000)
    flow.standardise_from(x)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    box = np.concatenate([x, [[-20.0, -0.3], [1200.0, 2.0]]])

    def log_prob(points):
        return flow.log_prob(torch.from_numpy(points)).detach()

    result = integrate.density_integral(log_prob, box, count=60_000, rng=1)
    assert result.uncertainty < 0.02
    assert abs(result.value - 1) < 4 * result.uncertainty + 0.002


def test_density_does_not_depend_on_the_range_of_the_scaler():
    """The same features in other units: log p shifts by the Jacobian of the units, for every event alike."""
    x, scale = skewed(5000), np.array([1000.0, 0.1])
    values = []
    for factor in (1.0, scale):
        torch.manual_seed(3)
        flow = flows.autoregressive_flow(2, marginals=16, hidden=(16, 16)).double().standardise_from(x * factor)
        values.append(flow.log_prob(torch.from_numpy(x * factor)).detach() + np.log(factor * np.ones(2)).sum())
    torch.testing.assert_close(values[0], values[1], rtol=0, atol=1e-6)


def test_saved_flow_keeps_its_marginals(tmp_path):
    x = torch.from_numpy(skewed(2000)).float()
    flow = flows.autoregressive_flow(2, marginals=16, hidden=(8,)).standardise_from(x)
    flows.save(flow, tmp_path / "flow.pt")
    torch.testing.assert_close(flows.load(tmp_path / "flow.pt").log_prob(x), flow.log_prob(x))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: NormalMarginals(2, knots=2), "knots: expected an integer of at least 3"),
        (lambda: NormalMarginals(2).set_from(np.ones((10, 3))), r"features: expected shape \(events, 2\)"),
        (lambda: NormalMarginals(2).set_from(np.ones((1000, 2))), "quantiles all differ"),
        (lambda: flows.coupling_flow(2, domain="unit", marginals=8), "marginals: expected None on the domain 'unit'"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()

"""The integrator against integrals that are known, and against integrands that are not what they should be."""

import math
import warnings

import numpy as np
import pytest
import torch
from scipy import stats

from hepflows import integrands
from hepflows.errors import InputError
from hepflows.integrate import Integrator, UnderTrainedWarning
from hepflows.integrate.estimate import combine, part_of_points, stratified
from hepflows.integrate.grid import SmoothMap, VegasGrid
from hepflows.integrate.integrand import NonFiniteWarning
from hepflows.integrate.losses import LOSSES, divergence
from hepflows.integrate.replay import Replay

SMALL = dict(transforms=3, spline=6, hidden=(32,))
TRAINING = dict(evaluations=8000, batch_size=512, progress=False)


def two_channels(x, channel):
    """Integrals 1 and 3: a peak in the first coordinate, and one in the second."""
    peak = stats.norm(0.5, 0.1)
    values = torch.stack([torch.from_numpy(peak.pdf(x[:, i].numpy())) for i in (0, 1)], 1)
    return values[torch.arange(len(x)), channel] * (1 + 2 * channel)


@pytest.mark.parametrize(
    "integrand",
    [
        integrands.gaussian(2),
        integrands.camel(4),
        integrands.annulus(),
        integrands.polynomial(3),
        integrands.gaussian(1),
    ],
    ids=lambda integrand: f"{integrand.name} {integrand.dims}",
)
def test_value_is_the_exact_integral(integrand):
    integrator = Integrator(integrand, integrand.dims, **SMALL, seed=1)
    history = integrator.train(**TRAINING)
    result = integrator.integrate(8000)
    assert abs(result.value - integrand.integral) < 5 * result.error
    assert result.relative_error < 1e-2
    assert history.spread[-1] < history.spread[0] or history.spread[-1] < 0.1
    assert integrator.evaluations == result.evaluations <= 16_000


def test_every_evaluation_is_counted():
    calls = []
    integrator = Integrator(lambda x: calls.append(len(x)) or x[:, 0], 2, **SMALL)
    integrator.train(**TRAINING)
    assert abs(integrator.evaluations - 8000) < 10
    integrator.integrate(5000)
    integrator.sample(100)
    integrator.unweight(100)
    assert integrator.evaluations == sum(calls)


def test_same_seed_same_result():
    values = []
    for _ in range(2):
        integrator = Integrator(integrands.camel(2), 2, **SMALL, seed=4)
        integrator.train(**TRAINING)
        values.append(integrator.integrate(4000).value)
    assert values[0] == values[1]


def test_errors_are_honest_without_training():
    """Only scramblings: the width of the pulls within its own statistics; Sobol points are better."""
    integrand, pulls, errors = integrands.gaussian(2), [], {True: [], False: []}
    for seed in range(50):
        for sobol in (True, False):
            result = Integrator(integrand, 2, transforms=1, hidden=(4,), seed=seed).integrate(24 * 128, sobol=sobol)
            errors[sobol].append(result.error)
        pulls.append((result.value - integrand.integral) / result.error)
    # Student's t of 23 degrees of freedom, a little wider for the two halves that weight each other
    assert abs(np.mean(pulls)) < 4 / math.sqrt(50) and 0.7 < np.std(pulls) < 1.5
    assert np.median(errors[True]) < 0.4 * np.median(errors[False])


def test_channels_are_added():
    integrator = Integrator(two_channels, 2, channels=2, **SMALL)
    integrator.train(**TRAINING)
    result = integrator.integrate(8000)
    exact = 4 * (stats.norm.cdf(5) - stats.norm.cdf(-5))
    assert abs(result.value - exact) < 5 * result.error and result.relative_error < 1e-2
    fractions = integrator.proposal.fractions
    assert fractions[1] > 2 * fractions[0] and float(fractions.sum()) == pytest.approx(1)
    sample = integrator.sample(20_000)
    shares = [float(sample.weights[sample.channel == c].sum()) / len(sample.weights) for c in (0, 1)]
    assert shares == pytest.approx([1, 3], rel=0.1)


def test_unweighted_events_follow_the_integrand():
    integrator = Integrator(integrands.camel(2), 2, **SMALL, seed=2)
    integrator.train(**TRAINING)
    events = integrator.unweight(5000)
    assert events.x.shape == (5000, 2) and 0.1 < events.efficiency <= 1
    assert float((events.weights - 1).mean()) < 0.01
    exact = integrands.camel(2)
    # the mean of the first coordinate is 1/2 by symmetry
    assert abs(float(events.x[:, 0].mean()) - 0.5) < 5 * float(events.x[:, 0].std()) / math.sqrt(5000)
    assert float(integrator.sample(5000).weights.mean()) == pytest.approx(exact.integral, rel=0.05)


@pytest.mark.parametrize(("permutation", "base_bins"), [("soft", 16), ("random", 4), ("reverse", None)])
def test_points_stay_inside_of_the_open_box(permutation, base_bins):
    seen = []
    architecture = dict(permutation=permutation, base_bins=base_bins, **SMALL)
    integrator = Integrator(lambda x: seen.append(x) or 1 / x[:, 0].sqrt(), 3, **architecture)
    integrator.train(2000, batch_size=256, progress=False)
    integrator.integrate(2000)
    x = torch.cat(seen)
    assert x.dtype == torch.float64 and float(x.min()) > 0 and float(x.max()) < 1


@pytest.mark.parametrize("loss", LOSSES)
def test_training_helps_with_every_loss(loss):
    integrator = Integrator(integrands.camel(2), 2, **SMALL)
    history = integrator.train(**TRAINING, loss=loss)
    assert history.loss_name[-1] == loss and history.loss_name[0] == "kl"
    assert float(np.mean(history.loss[-20:])) < 0.2
    assert history.spread[-1] < 0.5


def normal(mean):
    """log of a normal density of width 1."""
    return torch.distributions.Normal(torch.as_tensor(mean, dtype=torch.float64), 1.0).log_prob


@pytest.mark.parametrize("loss", ["kl", "chi2"])
def test_divergence_and_its_gradient_are_the_analytic_ones(loss, generator):
    """Normal p and q at distance a, points from a mixture of both: KL = a^2 / 2, chi2 = exp(a^2) - 1."""
    x = torch.randn(400_000, generator=generator, dtype=torch.float64)
    x[::2] += 0.5
    log_m = torch.logaddexp(normal(0.0)(x), normal(0.5)(x)) - math.log(2)
    mean = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    value = divergence(loss, normal(0.0)(x), normal(mean)(x), log_m)
    (gradient,) = torch.autograd.grad(value, mean)
    expected = {"kl": (0.125, 0.5), "chi2": (math.exp(0.25) - 1, math.exp(0.25))}[loss]
    assert value.item() == pytest.approx(expected[0], abs=0.01)
    assert float(gradient) == pytest.approx(expected[1], abs=0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_at_the_target_no_point_has_a_gradient(loss):
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    log_q = normal(0.0)(x).requires_grad_()
    (gradient,) = torch.autograd.grad(divergence(loss, normal(0.0)(x), log_q, normal(0.3)(x)), log_q)
    # the clipped weight of 1 is c arcsinh(1/c), not quite 1
    assert gradient.abs().max() < (1e-3 if loss == "clipped_chi2" else 1e-12)


def test_replay_knows_the_density_of_its_mixture(generator):
    """Uniform points and points of density 2 y: f / m averages to the integral, with the mixture in m."""
    replay = Replay(1, 1)
    zeros = torch.zeros(20_000, dtype=torch.long)
    u = torch.rand(2, 20_000, 1, generator=generator)
    for y, log_density in (
        (u[0], lambda y, c: torch.zeros(len(y), dtype=torch.float64)),
        (u[1].sqrt(), lambda y, c: (2 * y[:, 0].double()).log()),
    ):
        replay.add(y, zeros, (3 * y[:, 0].double() ** 2).log(), log_density)
    expected = torch.log((1 + 2 * replay.y[:, 0].double()) / 2)
    torch.testing.assert_close(replay.log_m, expected)
    assert float(replay.channel_integrals()) == pytest.approx(1, abs=0.02)


def test_smooth_map_is_invertible_and_follows_the_grid(generator):
    grid, channel = VegasGrid(2, 1), torch.zeros(5000, dtype=torch.long)
    for _ in range(4):
        y = torch.rand(5000, 2, generator=generator, dtype=torch.float64)
        x, log_jacobian = grid.forward(y, channel)
        torch.testing.assert_close(grid.log_density(x, channel), -log_jacobian)
        grid = grid.adapted(y, channel, torch.exp(-50 * (x[:, 0] - 0.3) ** 2) * log_jacobian.exp())
    smooth = SmoothMap(grid, 16)
    y = torch.rand(5000, 2, generator=generator, dtype=torch.float64)
    x, log_jacobian = smooth.forward(y, channel)
    back, again = smooth.inverse(x, channel)
    torch.testing.assert_close(back, y, rtol=0, atol=1e-9)
    torch.testing.assert_close(again, log_jacobian, rtol=0, atol=1e-7)
    assert float(x[:, 0].mean()) == pytest.approx(0.3, abs=0.03) and float(x[:, 1].mean()) == pytest.approx(
        0.5, abs=0.03
    )
    # dx/dy integrates to 1 along each axis
    assert float(log_jacobian.exp().mean()) == pytest.approx(1, abs=0.1)


def test_combination_is_unbiased_where_weights_and_variances_go_together(rng):
    """Skewed weights, few points: weighting by variances of the same points is biased by far, crossing is not."""
    naive, crossed, errors = [], [], []
    zeros = torch.zeros(40, dtype=torch.long)
    for _ in range(2000):
        samples = [torch.from_numpy(rng.exponential(size=40)) for _ in range(2)]
        estimates = [stratified(sample, zeros, 1) for sample in samples]
        inverse = [1 / variance for _, variance in estimates]
        naive.append(sum(v * i for (v, _), i in zip(estimates, inverse, strict=True)) / sum(inverse))
        value, error = combine([part_of_points(sample, zeros, 1) for sample in samples])
        crossed.append(value)
        errors.append(error)
    spread = np.std(crossed) / math.sqrt(len(crossed))
    assert abs(np.mean(crossed) - 1) < 4 * spread
    assert np.mean(naive) - 1 < -4 * spread
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(crossed), rel=0.1)


def test_an_untrained_flow_is_reported():
    def spike(x):
        return torch.exp(-((x - 0.3) / 0.01).square().sum(1))

    with pytest.warns(UnderTrainedWarning, match="train with more evaluations"):
        result = Integrator(spike, 3, **SMALL, seed=1).integrate(20_000)
    assert result.largest_share > 0.05 or result.chi2_per_dof > 1


def test_a_trained_flow_is_not():
    integrator = Integrator(integrands.camel(2), 2, **SMALL)
    integrator.train(**TRAINING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert integrator.integrate(4000).chi2_per_dof < 2


def once_nan(x):
    values = x[:, 0].clone()
    if not once_nan.done:
        values[3], once_nan.done = math.nan, True
    return values


def test_single_values_that_are_not_finite_are_counted_with_a_warning():
    once_nan.done = False
    integrator = Integrator(once_nan, 2, **SMALL)
    with pytest.warns(NonFiniteWarning, match="1 of .* values were not finite, such as nan at x = "):
        result = integrator.integrate(4000)
    assert result.nonfinite == 1


BAD = [
    (lambda x: x[:, 0].log().log(), "values were not finite, such as nan at x = "),
    (lambda x: torch.full((len(x),), math.inf), "values were not finite, such as inf at x = "),
    (lambda x: x[:, 0] - 0.5, "integrand: expected no negative value, got -0"),
    (lambda x: x, r"integrand: expected a tensor of shape \(\d+,\), one number a point, got shape \(\d+, 2\)"),
    (lambda x: x[:, 0].numpy(), r"integrand: expected a tensor of shape .* got ndarray"),
    (lambda x: x[:, 0] + 1j, "integrand: expected real numbers, got torch.complex128"),
    (lambda x: torch.zeros(len(x)), "integrand: expected f > 0"),
    (lambda x: ((x - 0.5).abs().amax(1) < 0.005).double(), "integrand: expected f > 0 at 20 points or more, got"),
]


@pytest.mark.parametrize(("integrand", "message"), BAD)
def test_bad_integrands_stop_the_training(integrand, message):
    with pytest.raises(InputError, match=message):
        Integrator(integrand, 2, **SMALL).train(**TRAINING)


@pytest.mark.parametrize(("integrand", "message"), BAD[:-1])
def test_bad_integrands_stop_the_integration(integrand, message):
    with pytest.raises(InputError, match=message):
        Integrator(integrand, 2, **SMALL).integrate(4000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Integrator("x", 2), "integrand: expected a function of points"),
        (lambda: Integrator(torch.sum, 0), "dims: expected a positive integer, got 0"),
        (lambda: Integrator(torch.sum, 2, channels=0), "channels: expected a positive integer, got 0"),
        (lambda: Integrator(torch.sum, 2, base_bins=7), "base_bins: expected 2, 4, 8, 16, 32, 64 or None, got 7"),
        (lambda: Integrator(torch.sum, 2).train(10), "evaluations: expected an integer of at least 1000, got 10"),
        (lambda: Integrator(torch.sum, 2).train(loss="mse"), "loss: expected one of kl, chi2, clipped_chi2, got 'mse'"),
        (lambda: Integrator(torch.sum, 2).train(reuse=0), "reuse: expected a positive number, got 0"),
        (lambda: Integrator(torch.sum, 2).integrate(3), "n: expected an integer of at least 64, got 3"),
        (lambda: Integrator(torch.sum, 2).unweight(0.5), "n: expected an integer of at least 1, got 0.5"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(InputError, match=message):
        call()

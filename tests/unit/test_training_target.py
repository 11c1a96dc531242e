"""Training on a function: gradients against quadrature, closed forms, exact integrals, and targets that go wrong."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate as quadrature
from scipy import stats
from torch import nn

from hepflows import flows, integrate, targets, training
from hepflows.errors import InputError
from hepflows.training import target as target_module
from hepflows.training.target import DIVERGENCES


class Gaussian(nn.Module):
    """q = N(mu, sigma^2) in one dimension, with the methods of a flow."""

    def __init__(self, mu=0.0, sigma=1.0):
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(float(mu), dtype=torch.float64))
        self.log_sigma = nn.Parameter(torch.tensor(math.log(sigma), dtype=torch.float64))

    def log_prob(self, x):
        z = (x[:, 0] - self.mu) / self.log_sigma.exp()
        return -0.5 * z**2 - self.log_sigma - 0.5 * math.log(2 * math.pi)

    def sample_and_log_prob(self, count, *, generator=None, gradients=False):
        with torch.set_grad_enabled(gradients):
            u = torch.randn(count, 1, generator=generator, dtype=torch.float64)
            x = self.mu + self.log_sigma.exp() * u
            return x, self.log_prob(x)

    def sample(self, count, *, generator=None):
        return self.sample_and_log_prob(count, generator=generator)[0]


TWO_PEAKS = targets.GaussianMixture([[-1.0], [1.5]], widths=[0.8, 0.6], fractions=[0.6, 0.4])
INTEGRAL = 7.0


def log_f(x):
    return TWO_PEAKS.log_prob(x) + math.log(INTEGRAL)


def divergence_of(name, mu, log_sigma):
    """The divergence between N(mu, sigma^2) and the two peaks; the trapezoid rule is exact for such smooth tails."""
    x = np.linspace(-9, 9, 20_001)
    log_q = stats.norm.logpdf(x, mu, math.exp(log_sigma))
    log_p = np.log(0.6 * stats.norm.pdf(x, -1.0, 0.8) + 0.4 * stats.norm.pdf(x, 1.5, 0.6))
    p, q = np.exp(log_p), np.exp(log_q)
    integrand = {"reverse_kl": q * (log_q - log_p), "weighted_kl": p * (log_p - log_q), "chi2": (p - q) ** 2 / q}
    return quadrature.trapezoid(integrand[name], x)


def a_run(flow, divergence, batch_size=4000, seed=0):
    settings = {"seed": seed, "learning_rate": 1e-3, "batch_size": batch_size, "steps": 1, "seconds": None}
    run = target_module._Run(flow, log_f, divergence, settings)
    run.step = 1
    return run


# ---------------------------------------------------------------- the divergences and their gradients


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_loss_and_gradient_agree_with_quadrature(divergence):
    flow = Gaussian(mu=0.3, sigma=1.6)
    run = a_run(flow, divergence)
    parameters = [flow.mu, flow.log_sigma]
    losses, gradients = [], []
    for _ in range(100):
        surrogate, loss, log_weights = run.loss()
        losses.append(loss.item())
        gradients.append([gradient.item() for gradient in torch.autograd.grad(surrogate, parameters)])
    at, h = (0.3, math.log(1.6)), 1e-4
    offset = math.log(INTEGRAL) if divergence == "reverse_kl" else 0.0
    error = np.std(losses) / math.sqrt(len(losses))
    # the batch normalises its own weights: a bias of the order 1 / batch_size
    assert np.mean(losses) == pytest.approx(divergence_of(divergence, *at) - offset, abs=4 * error + 2e-3)
    for number, estimates in enumerate(np.array(gradients).T):
        up, down = (tuple(value + sign * h * (index == number) for index, value in enumerate(at)) for sign in (1, -1))
        exact = (divergence_of(divergence, *up) - divergence_of(divergence, *down)) / (2 * h)
        error = estimates.std() / math.sqrt(len(estimates))
        assert abs(exact) > 20 * error  # the test would see a wrong factor or sign
        assert estimates.mean() == pytest.approx(exact, abs=4 * error + 2e-3)


@pytest.mark.parametrize("divergence", ["weighted_kl", "chi2"])
def test_no_gradient_noise_remains_at_the_optimum(divergence, monkeypatch):
    flow = Gaussian(mu=-0.4, sigma=0.7)
    run = a_run(flow, divergence, batch_size=100)
    run.log_target = lambda x: flow.log_prob(x).detach() + 3.0
    surrogate, loss, _ = run.loss()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    for gradient in torch.autograd.grad(surrogate, [flow.mu, flow.log_sigma]):
        assert abs(gradient.item()) < 1e-12


def test_what_is_subtracted_takes_noise_away():
    """Near the optimum, here in the mean: without it as noisy as a likelihood."""
    flow = Gaussian(mu=0.0, sigma=1.4)
    run = a_run(flow, "weighted_kl", batch_size=500)
    with_it, without = [], []
    for _ in range(200):
        log_q, _, w = run._at_fixed_points()
        for surrogate, found in ((-((w - 1) * log_q).mean(), with_it), (-(w * log_q).mean(), without)):
            found.append(torch.autograd.grad(surrogate, flow.mu, retain_graph=True)[0].item())
    error = math.hypot(np.std(with_it), np.std(without)) / math.sqrt(200)
    assert np.mean(with_it) == pytest.approx(np.mean(without), abs=4 * error)
    assert np.std(with_it) < 0.7 * np.std(without)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_gaussian_finds_the_gaussian(divergence, seed):
    flow = Gaussian()

    def target(x):
        return 2.0 - 0.5 * ((x[:, 0] - 1.2) / 0.6) ** 2

    history = training.fit_to_target(
        flow, target, divergence=divergence, steps=300, batch_size=500, learning_rate=0.03, seed=seed, progress=False
    )
    assert flow.mu.item() == pytest.approx(1.2, abs=0.02)
    assert flow.log_sigma.exp().item() == pytest.approx(0.6, abs=0.02)
    exact = 2.0 + math.log(0.6 * math.sqrt(2 * math.pi))
    assert history.log_integral[-1] == pytest.approx(exact, abs=0.02)
    assert history.ess_fraction[-1] > 0.98 > 0.9 > history.ess_fraction[0]
    assert history.loss[-1] == pytest.approx(-exact if divergence == "reverse_kl" else 0.0, abs=0.02)


def test_reverse_kl_seeks_a_mode_and_weighted_kl_covers_both():
    """One normal density against two far peaks: the forward minimum has the mean and variance of the target."""
    mixture = targets.GaussianMixture([[-3.0], [3.0]], widths=0.5, fractions=[0.3, 0.7])
    found = {}
    for divergence in ("reverse_kl", "weighted_kl"):
        flow = Gaussian(mu=1.0, sigma=3.0)
        training.fit_to_target(
            flow,
            mixture.log_prob,
            divergence=divergence,
            steps=400,
            batch_size=1000,
            learning_rate=0.03,
            progress=False,
        )
        found[divergence] = flow.mu.item(), flow.log_sigma.exp().item()
    mean, width = 0.4 * 3, math.sqrt(0.25 + 9 * (1 - 0.4**2))
    assert found["weighted_kl"] == pytest.approx((mean, width), abs=0.1)
    assert found["reverse_kl"] == pytest.approx((3.0, 0.5), abs=0.05)


# ---------------------------------------------------------------- flows


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_flow_on_the_unit_box_gives_the_exact_integral(divergence):
    camel = targets.Camel(2)
    flow = flows.coupling_flow(2, transforms=2, spline=6, hidden=(16,), domain="unit", permutation="reverse")
    history = training.fit_to_target(
        flow, camel.log_f, divergence=divergence, steps=120, batch_size=512, learning_rate=1e-2, progress=False
    )
    x, log_q = flow.sample_and_log_prob(20_000, generator=torch.Generator().manual_seed(1))
    result = integrate.importance_sampling(camel.log_f(x), log_q)
    assert abs(result.value - camel.integral) < 4 * result.uncertainty
    assert result.relative_uncertainty < 0.004  # flat points: 0.007
    assert np.mean(history.ess_fraction[-10:]) > 0.85 > 0.6 > history.ess_fraction[0]


def test_target_may_vanish_and_need_no_derivative_at_fixed_points():
    """numpy only, and zero in half of the box."""

    def log_half(x):
        return torch.as_tensor(np.where(x.detach().numpy()[:, 0] < 0.5, np.log(2.0), -np.inf))

    flow = flows.coupling_flow(2, transforms=2, spline=6, hidden=(16,), domain="unit", permutation="reverse")
    options = dict(steps=80, batch_size=256, learning_rate=1e-2, progress=False)
    history = training.fit_to_target(flow, log_half, divergence="weighted_kl", **options)
    assert history.ess_fraction[0] == pytest.approx(0.5, abs=0.1)
    assert np.mean(history.ess_fraction[-10:]) > 0.9
    with pytest.raises(InputError, match="got a result without gradient; the divergences weighted_kl and chi2"):
        training.fit_to_target(flow, log_half, divergence="reverse_kl", **options)


def test_history_is_that_of_every_step():
    flow = Gaussian()
    history = training.fit_to_target(flow, log_f, steps=7, batch_size=50, progress=False)
    assert history.step == list(range(1, 8)) and history.evaluations == [50 * step for step in history.step]
    assert {len(values) for values in history.to_dict().values() if isinstance(values, list)} == {7}
    assert history.stopped_by == "steps" and not flow.training


def test_ess_and_integral_of_given_weights():
    weights = torch.tensor([1.0, 2.0, 0.0, 5.0], dtype=torch.float64)
    log_mean, ess = target_module.integral_and_ess(weights.log() + 800)
    assert log_mean.item() == pytest.approx(math.log(2) + 800)
    assert ess.item() == pytest.approx(4 / 7.5)


def test_same_seed_same_weights_and_the_global_generator_is_left_alone():
    found = []
    for seed in (3, 3, 4):
        torch.manual_seed(11)
        flow = Gaussian()
        training.fit_to_target(flow, log_f, steps=5, batch_size=20, seed=seed, progress=False)
        found.append((flow.mu.item(), torch.rand(1).item()))
    assert found[0] == found[1] and found[0][0] != found[2][0] and found[0][1] == found[2][1]


def test_seconds_bound_the_training():
    history = training.fit_to_target(Gaussian(), log_f, steps=10**6, seconds=0.3, batch_size=20, progress=False)
    assert history.stopped_by == "seconds" and 0.3 <= history.seconds[-1] < 5
    assert len(history.step) < 10**6


def test_interruption_leaves_a_flow_that_can_be_used():
    calls = []

    def impatient(x):
        calls.append(len(x))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return log_f(x)

    flow = Gaussian()
    with pytest.raises(KeyboardInterrupt):
        training.fit_to_target(flow, impatient, batch_size=20, progress=False)
    assert not flow.training and flow.mu.item() != 0


# ---------------------------------------------------------------- what goes wrong is named


def spoiled(value):
    """log f with one value in its place wherever x < -1."""
    return lambda x: torch.where(x[:, 0] < -1, value, log_f(x))


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_value_that_is_not_finite_is_located(divergence, value):
    flow = Gaussian()
    with pytest.raises(training.NonFiniteLoss, match=rf"log f is {value} at x = \[-\d.*in step 1") as raised:
        training.fit_to_target(flow, spoiled(value), divergence=divergence, batch_size=100, progress=False)
    assert raised.value.batch == 1 and len(raised.value.rows) > 5
    assert flow.mu.item() == 0 and not flow.training


def test_gradient_that_is_not_finite_is_refused_before_the_step():
    flow = Gaussian()

    def kink(x):  # its derivative at zero, and so everywhere, is NaN
        return log_f(x) + (x[:, 0] * 0).square().sum().sqrt()

    with pytest.raises(training.NonFiniteLoss, match="gradient is not finite in step 1, though f is"):
        training.fit_to_target(flow, kink, batch_size=20, progress=False)
    assert flow.mu.item() == 0


def test_reverse_kl_needs_a_positive_target():
    with pytest.raises(InputError, match=r"log_target: expected f > 0 wherever the flow draws, got f = 0 at x = \[-"):
        training.fit_to_target(Gaussian(), spoiled(-math.inf), batch_size=100, progress=False)


def frozen():
    flow = Gaussian()
    flow.requires_grad_(False)
    return flow


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(divergence="js"), "divergence: expected one of reverse_kl, weighted_kl, chi2, got 'js'"),
        (dict(steps=0), "steps: expected an integer of at least 1, got 0"),
        (dict(steps=True), "steps: expected an integer"),
        (dict(schedule="plateau"), "schedule: expected one of"),
        (dict(batch_size=0), "batch_size: expected an integer of at least 1, got 0"),
        (dict(seconds=-1), "seconds: expected a positive number"),
        (dict(learning_rate=0), "learning_rate: expected a positive number"),
        (dict(seed=-1), "seed: expected"),
        (dict(flow=frozen()), "flow: expected at least one trainable parameter"),
        (dict(log_target=lambda x: x), r"log_target: expected a tensor of shape \(1024,\), .* got shape \(1024, 1\)"),
        (dict(log_target=lambda x: 1.0), r"log_target: expected a tensor of shape \(1024,\), .* got float"),
        (
            dict(log_target=lambda x: torch.full((len(x),), -math.inf), divergence="chi2"),
            "log_target: expected f > 0 at some of the flow's 1024 points in step 1, got none",
        ),
    ],
)
def test_bad_input_is_named(options, words):
    arguments = dict(flow=Gaussian(), log_target=log_f, progress=False) | options
    with pytest.raises(InputError, match=words):
        training.fit_to_target(arguments.pop("flow"), arguments.pop("log_target"), **arguments)

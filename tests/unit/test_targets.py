"""The targets against quadrature, published integrals and their own draws."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from hepflows import targets
from hepflows.errors import InputError

MODES = dict(means=[[-1.0, 0.5], [2.0, -1.0], [0.0, 3.0]], widths=[0.3, 0.5, 0.8], fractions=[2, 1, 1])


def reference_density(x, means, widths, fractions):
    """The mixture by scipy, one multivariate normal a mode."""
    shares = np.array(fractions) / np.sum(fractions)
    modes = [
        stats.multivariate_normal(mean, width**2 * np.eye(len(mean))) for mean, width in zip(means, widths, strict=True)
    ]
    return sum(share * mode.pdf(x) for share, mode in zip(shares, modes, strict=True))


# ---------------------------------------------------------------- GaussianMixture


def test_mixture_density_is_that_of_scipy(rng):
    x = rng.normal(size=(200, 2)) * 2
    log_p = targets.GaussianMixture(**MODES).log_prob(torch.as_tensor(x))
    np.testing.assert_allclose(log_p, np.log(reference_density(x, **MODES)), rtol=1e-10)


def test_one_width_and_equal_fractions_are_the_default():
    plain = targets.GaussianMixture([[0.0], [4.0]], widths=0.5)
    spelled = targets.GaussianMixture([[0.0], [4.0]], widths=[0.5, 0.5], fractions=[3, 3])
    x = torch.linspace(-1, 5, 7)[:, None]
    assert torch.equal(plain.log_prob(x), spelled.log_prob(x))
    assert plain.log_prob(x).dtype == torch.float32


def test_far_from_all_modes_the_logarithm_stays_finite():
    log_p = targets.GaussianMixture(**MODES).log_prob(torch.full((1, 2), 100.0))
    assert torch.isfinite(log_p).all() and log_p < -1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mixture_draws_have_the_right_fractions_and_shapes(seed):
    mixture = targets.GaussianMixture(**MODES)
    x = mixture.sample(40_000, torch.Generator().manual_seed(seed))
    mode = mixture.mode_of(x, within=4.0)
    # the modes are so far apart that within 4 widths only their own draws lie: P(|z| < 4) in two dimensions
    inside = 1 - math.exp(-8)
    expected = 40_000 * inside * np.array([0.5, 0.25, 0.25])
    counts = np.array([(mode == k).sum().item() for k in range(3)])
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-4
    for k in range(3):
        squares = ((x[mode == k] - mixture.means[k]) / mixture.widths[k]).square().sum(1)
        assert stats.kstest(squares.numpy(), "chi2", args=(2,)).pvalue > 1e-4


def test_mode_of_knows_the_widths():
    mixture = targets.GaussianMixture([[0.0], [3.0]], widths=[1.0, 0.1])
    # 2.2 lies closer to 3 than to 0, but 8 of its widths away
    assert mixture.mode_of(torch.tensor([[0.1], [2.2], [3.0], [9.0]])).tolist() == [0, 0, 1, -1]
    assert mixture.mode_of(torch.tensor([[2.2]]), within=2.0).tolist() == [-1]


# ---------------------------------------------------------------- Camel


@pytest.mark.parametrize("dimensions, published", [(2, 0.98166), (4, 0.963657), (8, 0.928635), (16, 0.862363)])
def test_camel_has_the_published_integrals(dimensions, published):
    assert targets.Camel(dimensions).integral == pytest.approx(published, abs=6e-6)


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.5])
def test_camel_integral_agrees_with_quadrature(sigma):
    camel = targets.Camel(2, sigma)

    def f(y, x):
        return math.exp(camel.log_f(torch.tensor([[x, y]], dtype=torch.float64)).item())

    by_quadrature = integrate.dblquad(f, 0, 1, 0, 1, epsabs=1e-6)[0]
    assert camel.integral == pytest.approx(by_quadrature, abs=1e-6)


def test_camel_is_the_formula(rng):
    x = rng.random((50, 3))
    humps = sum(np.exp(-np.sum((x - centre) ** 2, axis=1) / 0.04) for centre in (1 / 3, 2 / 3))
    expected = np.log(0.5 * humps / (0.2 * np.sqrt(np.pi)) ** 3)
    np.testing.assert_allclose(targets.Camel(3).log_f(torch.as_tensor(x)), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_camel_draws_follow_the_function(seed):
    """Each coordinate has the density of one dimension, and draws above 1/2 in all coordinates have their share."""
    camel, sigma = targets.Camel(3), 0.2
    x = camel.sample(20_000, torch.Generator().manual_seed(seed)).double().numpy()
    assert x.shape == (20_000, 3) and x.min() >= 0 and x.max() <= 1

    def hump(low, high, centre):
        return 0.5 * (special.erf((high - centre) / sigma) - special.erf((low - centre) / sigma))

    def cumulative(t):
        return sum(hump(0, t, c) for c in (1 / 3, 2 / 3)) / sum(hump(0, 1, c) for c in (1 / 3, 2 / 3))

    for column in x.T:
        assert stats.kstest(column, cumulative).pvalue > 1e-4
    share = sum(hump(0.5, 1, c) ** 3 for c in (1 / 3, 2 / 3)) / sum(hump(0, 1, c) ** 3 for c in (1 / 3, 2 / 3))
    found = int((x > 0.5).all(1).sum())
    assert stats.binomtest(found, len(x), share).pvalue > 1e-4


@pytest.mark.parametrize("target", [targets.Camel(2), targets.GaussianMixture(**MODES)], ids=["camel", "mixture"])
def test_the_generator_decides_the_draws(target):
    first, again, other = (target.sample(5, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert first.dtype == torch.float32 and first.shape == (5, 2)
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "bad, words",
    [
        (lambda: targets.GaussianMixture([1.0, 2.0]), r"means: expected shape \(modes, dimensions\), got \(2,\)"),
        (lambda: targets.GaussianMixture("text"), "means: expected numbers"),
        (lambda: targets.GaussianMixture([[math.nan]]), "means: expected finite numbers"),
        (lambda: targets.GaussianMixture([[0.0]], widths=0.0), "widths: expected 1 positive numbers"),
        (lambda: targets.GaussianMixture([[0.0]], widths=[1, 2]), "widths: expected 1 positive numbers"),
        (lambda: targets.GaussianMixture([[0.0]], fractions=[-1]), "fractions: expected 1 positive numbers"),
        (lambda: targets.GaussianMixture([[0.0]]).log_prob(torch.zeros(4)), r"x: expected shape \(n, 1\), got \(4,\)"),
        (lambda: targets.GaussianMixture([[0.0]]).sample(0), "n: expected a positive integer, got 0"),
        (lambda: targets.Camel(0), "dimensions: expected a positive integer, got 0"),
        (lambda: targets.Camel(2, sigma=-1), "sigma: expected a positive number, got -1"),
        (lambda: targets.Camel(2).log_f(torch.zeros(4, 3)), r"x: expected shape \(n, 2\), got \(4, 3\)"),
        (lambda: targets.Camel(2).sample(1.5), "n: expected a positive integer, got 1.5"),
    ],
)
def test_bad_input_is_named(bad, words):
    with pytest.raises(InputError, match=words):
        bad()

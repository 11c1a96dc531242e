"""The CRPS of draws against the closed form of a Gaussian, and of points."""

import numpy as np
import pytest
from scipy import integrate, stats

from hepflows.errors import InputError
from hepflows.evaluate import crps


def of_gaussian(z):
    """CRPS of a standard Gaussian at z (Gneiting and Raftery 2007)."""
    return z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)


@pytest.mark.parametrize("draws", (2, 7, 300))
@pytest.mark.parametrize("seed", range(3))
def test_gaussian_without_bias_for_any_number_of_draws(seed, draws):
    rng = np.random.default_rng(seed)
    mean, sigma, z = rng.normal(size=(4000, 2)), np.array([0.5, 30.0]), rng.normal(size=(4000, 2)) * 2
    sample = mean[:, None] + sigma * rng.normal(size=(4000, draws, 2))
    difference = (crps(mean + sigma * z, sample) - sigma * of_gaussian(z)) / sigma
    error = difference.std(0, ddof=1) / np.sqrt(4000)
    assert np.all(np.abs(difference.mean(0)) < 4 * error)
    assert np.all(error < 1.2 / np.sqrt(4000 * draws) * 2)


def test_the_integral_that_defines_it():
    rng = np.random.default_rng(4)
    sample, truth = rng.exponential(size=41), 0.7
    pairs = np.abs(sample[:, None] - sample).sum() / 2

    def integrand(t):
        return (np.mean(sample < t) - (truth < t)) ** 2

    defined = integrate.quad(integrand, -1, 10, points=np.sort(np.append(sample, truth)), limit=500)[0]
    # the integral takes the draws as the distribution itself, where a pair of the same draw counts as zero
    expected = defined + pairs / 41**2 - pairs / (41 * 40)
    assert crps([[truth]], sample[None, :, None])[0, 0] == pytest.approx(expected, rel=1e-6)


def test_draws_that_agree_are_a_point_and_order_does_not_count():
    rng = np.random.default_rng(5)
    truth, point = rng.normal(size=(2, 50, 3))
    np.testing.assert_allclose(crps(truth, np.repeat(point[:, None], 9, 1)), np.abs(truth - point), atol=1e-12)
    draws = rng.normal(size=(50, 9, 3))
    np.testing.assert_allclose(crps(truth, draws), crps(truth, draws[:, rng.permutation(9)]), atol=1e-12)


def test_the_right_width_has_the_lowest_score():
    rng = np.random.default_rng(6)
    truth, sample = rng.normal(size=(20_000, 1)), rng.normal(size=(20_000, 30, 1))
    scores = {width: crps(truth, width * sample) for width in (0.7, 1.0, 1.4)}
    for width in (0.7, 1.4):
        loss = scores[width] - scores[1.0]
        assert loss.mean() > 4 * loss.std() / np.sqrt(len(loss))


def test_bad_input():
    with pytest.raises(InputError, match="at least 2"):
        crps(np.zeros((3, 1)), np.zeros((3, 1, 1)))
    with pytest.raises(InputError, match="draws"):
        crps(np.zeros((3, 1)), np.zeros((2, 5, 1)))
    with pytest.raises(InputError, match="truth"):
        crps(np.array([[np.nan]]), np.zeros((1, 5, 1)))

"""Importance sampling against integrals that are known."""

import math

import numpy as np
import pytest
from scipy import stats

from hepflows import integrate
from hepflows.errors import InputError


def test_value_and_error_are_mean_and_standard_error_of_the_weights(rng):
    weights, log_q = rng.exponential(size=500), rng.normal(size=500)
    result = integrate.importance_sampling(np.log(weights) + log_q, log_q)
    assert result.value == pytest.approx(weights.mean(), rel=1e-12)
    assert result.uncertainty == pytest.approx(stats.sem(weights), rel=1e-12)
    assert result.relative_uncertainty == pytest.approx(stats.sem(weights) / weights.mean(), rel=1e-12)
    assert result.evaluations == 500


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pulls_of_a_known_integral_are_standard_normal(seed):
    """f = 3 N(x; 0, 1) with points from a wider normal density: 300 estimates."""
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=1.7, size=(300, 1000))
    log_f, log_q = math.log(3) + stats.norm.logpdf(x), stats.norm.logpdf(x, scale=1.7)
    results = [integrate.importance_sampling(*pair) for pair in zip(log_f, log_q, strict=True)]
    pulls = [(result.value - 3) / result.uncertainty for result in results]
    assert abs(np.mean(pulls)) < 4 / math.sqrt(300)
    assert abs(np.std(pulls) - 1) < 4 / math.sqrt(600)


def test_the_error_vanishes_where_q_is_proportional_to_f(rng):
    log_q = rng.normal(size=100)
    result = integrate.importance_sampling(log_q + math.log(7), log_q)
    assert result.value == pytest.approx(7, rel=1e-12) and result.uncertainty < 1e-12


def test_points_where_f_vanishes_count():
    result = integrate.importance_sampling([0.0, -np.inf, 0.0, -np.inf], np.zeros(4))
    assert result.value == 0.5
    nothing = integrate.importance_sampling([-np.inf, -np.inf], [0.0, 0.0])
    assert (nothing.value, nothing.uncertainty, nothing.relative_uncertainty) == (0, 0, math.inf)


def test_large_logarithms_do_not_overflow():
    result = integrate.importance_sampling([-800.0, -801.0], [-805.0, -805.0])
    assert result.value == pytest.approx((math.exp(5) + math.exp(4)) / 2)


@pytest.mark.parametrize(
    "log_f, log_q, words",
    [
        ([1.0], [1.0], "log_f: expected at least 2 points"),
        ([1.0, 2.0], [1.0], "log_q: expected shape"),
        ([1.0, np.nan], [1.0, 1.0], "log_f: expected finite numbers or -inf"),
        ([1.0, np.inf], [1.0, 1.0], "log_f: expected finite numbers or -inf"),
        ([1.0, 1.0], [1.0, -np.inf], "log_q: expected finite numbers"),
        (1.0, 1.0, "log_f: expected shape"),
    ],
)
def test_bad_input_is_named(log_f, log_q, words):
    with pytest.raises(InputError, match=words):
        integrate.importance_sampling(log_f, log_q)


def test_density_integral_of_a_correlated_normal(rng):
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    normal = stats.multivariate_normal([3.0, -1.0], covariance)
    result = integrate.density_integral(normal.logpdf, normal.rvs(50_000, random_state=rng), count=40_000, rng=rng)
    assert result.uncertainty < 0.01
    assert abs(result.value - 1) < 4 * result.uncertainty + 1e-3  # a thousandth lies outside of the box
    wrong = integrate.density_integral(
        lambda x: normal.logpdf(x) + 0.3, normal.rvs(50_000, random_state=rng), count=40_000, rng=rng
    )
    assert wrong.value == pytest.approx(math.exp(0.3), rel=0.02)


def test_density_integral_names_bad_input(rng):
    with pytest.raises(InputError, match="uniform: expected a fraction"):
        integrate.density_integral(lambda x: x[:, 0], rng.normal(size=(10, 2)), uniform=0)
    with pytest.raises(InputError, match="events: expected values that vary"):
        integrate.density_integral(lambda x: x[:, 0], np.ones((10, 2)))

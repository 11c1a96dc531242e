"""The half-width of a residual against the Gaussian, where it and its error are known."""

import numpy as np
import pytest
from scipy import stats

from hepflows.errors import InputError
from hepflows.evaluate import half_width


@pytest.mark.parametrize("seed", range(5))
def test_gaussian_with_outliers(seed):
    sigma, events = 3.0, 20_000
    residual = sigma * np.random.default_rng(seed).standard_normal(events)
    width, error = half_width(residual)
    quantile = stats.norm.ppf(0.84)
    # Variance of a central sample quantile p (1 - p) / (n f^2), and the covariance of the two.
    variance = 2 * (0.84 * 0.16 - 0.16 * 0.16) / (events * stats.norm.pdf(quantile) ** 2) / 4
    expected_error = sigma * np.sqrt(variance)
    assert abs(width - sigma * quantile) < 4 * expected_error
    assert 0.6 < error / expected_error < 1.5
    residual[:20] = 1e9
    assert abs(half_width(residual).value - width) < 0.02 * width


def test_bad_input():
    with pytest.raises(InputError, match="residual"):
        half_width(np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="bootstrap"):
        half_width(np.arange(5.0), bootstrap=1)

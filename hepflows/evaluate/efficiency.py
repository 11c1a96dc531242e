"""The fraction of events that pass a cut, fitted beside a window and interpolated: a background that is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, xlogy
from scipy.stats import chi2

from hepflows.errors import InputError
from hepflows.evaluate.binned import as_edges, bins_inside, check_bins, maximum, powers
from hepflows.evaluate.checks import as_array, as_count


@dataclass(frozen=True)
class EfficiencyFit:
    """logit epsilon_i = sum_k c_k u_i^k, fitted to the bins outside the window.

    edges (bins + 1,); efficiency and expected events behind the cut (bins,), in the window, too; coefficients c and
    their covariance; total: events in the window before the cut; events, uncertainty: how many of these are expected to
    pass, and the standard deviation of that from the fit; p_value: of the deviance of the fitted bins.
    """

    edges: np.ndarray
    efficiency: np.ndarray
    expected: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    total: float
    events: float
    uncertainty: float
    p_value: float


def fit_efficiency(
    passed: ArrayLike, total: ArrayLike, edges: ArrayLike, window: tuple[float, float], degree: int = 1
) -> EfficiencyFit:
    """Fit the efficiency of a cut outside a window by maximum binomial likelihood, and predict the window.

        k_i ~ Binomial(N_i, epsilon_i),   logit epsilon_i = sum_{k <= degree} c_k u_i^k,   u = log m, scaled to [-1, 1]

        B = sum_{i in window} N_i epsilon_i,   sigma_B from the inverse Fisher information

    The events before the cut, N_i, are given: how they fluctuate is the same before and behind the cut, and no part of
    the error. All events in the window before the cut are taken for background: with a signal, B is too high by its
    share there.

    Args:
        passed: events behind the cut in each bin, shape (bins,).
        total: events before the cut, shape (bins,).
        edges: edges of the bins, increasing and positive, shape (bins + 1,).
        window: (low, high), two of the edges.
        degree: of the polynomial; 0 is a constant efficiency.

    Raises:
        InputError: wrong shapes, negative counts, more events behind the cut than before, edges that do not increase, a
            window that is not made of bins or too few bins with events beside it.
    """
    edges = as_edges(edges)
    counts, total = (as_array(name, value, (len(edges) - 1,)) for name, value in (("passed", passed), ("total", total)))
    if np.any(counts < 0) or np.any(counts > total):
        raise InputError("passed: expected numbers between 0 and those of `total`, got others")
    degree, inside = as_count("degree", degree, minimum=0), bins_inside(edges, window)
    check_bins(counts, inside, degree)
    if not np.any(counts[~inside] < total[~inside]):
        raise InputError("passed: expected a cut that some events outside the window fail, got none")

    used = ~inside & (total > 0)
    polynomial = powers(np.sqrt(edges[1:] * edges[:-1]), edges, degree + 1)
    overall = counts[used].sum() / total[used].sum()

    def model(eta):
        mean = total[used] * expit(eta)
        log_likelihood = counts[used] @ eta - total[used] @ np.logaddexp(0.0, eta)
        return mean, mean * expit(-eta), float(log_likelihood)

    start = float(np.log(overall / (1 - overall)))
    coefficients, covariance = maximum(counts[used], polynomial[used], start, model)
    efficiency = expit(polynomial @ coefficients)
    expected = total * efficiency
    gradient = (expected * (1 - efficiency))[inside] @ polynomial[inside]
    freedom = np.count_nonzero(used) - degree - 1
    return EfficiencyFit(
        edges=edges,
        efficiency=efficiency,
        expected=expected,
        coefficients=coefficients,
        covariance=covariance,
        total=float(total[inside].sum()),
        events=float(expected[inside].sum()),
        uncertainty=float(np.sqrt(gradient @ covariance @ gradient)),
        p_value=float(chi2.sf(_deviance(counts[used], total[used], expected[used]), freedom)),
    )


def _deviance(counts, total, expected):
    """Twice the logarithm of the likelihood ratio of each bin's own efficiency to the fitted one."""
    failed = total - counts
    return 2 * float(np.sum(xlogy(counts, counts / expected) + xlogy(failed, failed / (total - expected))))

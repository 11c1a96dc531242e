"""A smooth falling spectrum, fitted beside a window and predicted inside it: the background of a bump hunt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from hepflows.errors import InputError
from hepflows.evaluate.binned import as_edges, bins_inside, check_bins, maximum, powers
from hepflows.evaluate.checks import as_array, as_count

POINTS_OF_THE_INVERSE = 2001


@dataclass(frozen=True)
class SpectrumFit:
    """mu_i = w_i exp(sum_k c_k u_i^k), fitted to the bins outside the window.

    edges (bins + 1,), in the unit of the mass; expected (bins,) events, in the window, too; coefficients c and their
    covariance; window (low, high); events, uncertainty: the prediction for the whole window and its standard deviation
    from the fit; p_value: of the deviance of the fitted bins, if they hold enough events for a chi^2.
    """

    edges: np.ndarray
    expected: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    window: tuple[float, float]
    events: float
    uncertainty: float
    p_value: float

    def sample(self, count: int, rng: np.random.Generator | int | None = None) -> np.ndarray:
        """`count` masses in the window, drawn from the fitted curve: shape (count,), by inversion of its integral."""
        count, rng = as_count("count", count, minimum=1), np.random.default_rng(rng)
        mass = np.linspace(*self.window, POINTS_OF_THE_INVERSE)
        density = np.exp(powers(mass, self.edges, len(self.coefficients)) @ self.coefficients)
        cumulated = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.interp(rng.random(count) * cumulated[-1], cumulated, mass)


def fit_spectrum(counts: ArrayLike, edges: ArrayLike, window: tuple[float, float], degree: int = 4) -> SpectrumFit:
    """Fit a histogram outside a window by maximum Poisson likelihood, and predict the window.

        n_i ~ Poisson(mu_i),   mu_i = w_i exp(sum_{k <= degree} c_k u_i^k),   u = log m, scaled to [-1, 1]

    with w_i the width of bin i. log mu is linear in c: the likelihood has one maximum, and Newton's steps find it. The
    prediction's error is J C J^T with C the inverse Fisher information.

    Args:
        counts: events in each bin, shape (bins,).
        edges: edges of the bins, increasing and positive, shape (bins + 1,).
        window: (low, high), two of the edges.
        degree: of the polynomial.

    Raises:
        InputError: wrong shapes, negative counts, edges that do not increase, a window that is not made of bins or too
            few bins with events beside it.
    """
    edges = as_edges(edges)
    counts = as_array("counts", counts, (len(edges) - 1,))
    if np.any(counts < 0):
        raise InputError(f"counts: expected numbers of at least 0, got {counts.min()}")
    degree, inside = as_count("degree", degree, minimum=0), bins_inside(edges, window)
    check_bins(counts, inside, degree)

    width = np.diff(edges)
    polynomial = powers(np.sqrt(edges[1:] * edges[:-1]), edges, degree + 1)

    def model(eta):
        with np.errstate(over="ignore"):
            mean = width[~inside] * np.exp(eta)
            return mean, mean, float(counts[~inside] @ eta - np.sum(mean))

    start = float(np.log(counts[~inside].sum() / width[~inside].sum()))
    coefficients, covariance = maximum(counts[~inside], polynomial[~inside], start, model)
    expected = width * np.exp(polynomial @ coefficients)
    gradient = expected[inside] @ polynomial[inside]
    freedom = np.count_nonzero(~inside) - degree - 1
    return SpectrumFit(
        edges=edges,
        expected=expected,
        coefficients=coefficients,
        covariance=covariance,
        window=(float(window[0]), float(window[1])),
        events=float(expected[inside].sum()),
        uncertainty=float(np.sqrt(gradient @ covariance @ gradient)),
        p_value=float(chi2.sf(_deviance(counts[~inside], expected[~inside]), freedom)),
    )


def _deviance(counts, expected):
    ratio = np.where(counts > 0, counts / expected, 1.0)
    return 2 * float(np.sum(counts * np.log(ratio) - (counts - expected)))

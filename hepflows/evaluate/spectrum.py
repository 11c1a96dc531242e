"""A smooth falling spectrum, fitted beside a window and predicted inside it: the background of a bump hunt."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_count

NEWTON_STEPS = 100
POINTS_OF_THE_INVERSE = 2001


@dataclass(frozen=True)
class SpectrumFit:
    """mu_i = s_i exp(sum_k c_k u_i^k), fitted to the bins outside the window.

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
    _scale: tuple[float, float] = field(repr=False)
    _has_shape: bool = field(repr=False)

    def sample(self, count: int, rng: np.random.Generator | int | None = None) -> np.ndarray:
        """`count` masses in the window, drawn from the fitted curve: shape (count,), by inversion of its integral.

        Raises InputError for a fit with `shape`, which is known in bins only.
        """
        if self._has_shape:
            raise InputError("sample: expected a fit without `shape`, whose curve is known between the bins' centres")
        count, rng = as_count("count", count, minimum=1), np.random.default_rng(rng)
        mass = np.linspace(*self.window, POINTS_OF_THE_INVERSE)
        density = np.exp(_powers(mass, self._scale, len(self.coefficients)) @ self.coefficients)
        cumulated = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.interp(rng.random(count) * cumulated[-1], cumulated, mass)


def fit_spectrum(
    counts: ArrayLike, edges: ArrayLike, window: tuple[float, float], degree: int = 4, shape: ArrayLike | None = None
) -> SpectrumFit:
    """Fit a histogram outside a window by maximum Poisson likelihood, and predict the window.

        n_i ~ Poisson(mu_i),   mu_i = s_i exp(sum_{k <= degree} c_k u_i^k),   u = log m, scaled to [-1, 1]

    log mu is linear in c: the likelihood has one maximum, and Newton's steps find it. Without `shape`, s_i is the width
    of bin i and the polynomial describes the spectrum itself. With `shape` the polynomial is a correction to it: degree
    0 is a common factor, degree 1 a slope. The prediction's error is J C J^T with C the inverse Fisher information.

    Args:
        counts: events in each bin, shape (bins,).
        edges: edges of the bins, increasing and positive, shape (bins + 1,).
        window: (low, high), two of the edges.
        degree: of the polynomial.
        shape: what the spectrum is compared with, shape (bins,), positive.

    Raises:
        InputError: wrong shapes, negative counts, edges that do not increase, a window that is not made of bins or too
            few bins with events beside it.
    """
    edges = as_array("edges", edges, (None,))
    if len(edges) < 2 or edges[0] <= 0 or np.any(np.diff(edges) <= 0):
        raise InputError("edges: expected at least two positive numbers in increasing order")
    counts = as_array("counts", counts, (len(edges) - 1,))
    if np.any(counts < 0):
        raise InputError(f"counts: expected numbers of at least 0, got {counts.min()}")
    size = np.diff(edges) if shape is None else as_array("shape", shape, (len(counts),))
    if np.any(size <= 0):
        raise InputError(f"shape: expected positive numbers, got {size.min()}")
    degree, inside = as_count("degree", degree, minimum=0), _bins_inside(edges, window)
    if np.count_nonzero(counts[~inside]) <= degree + 1:
        raise InputError(f"counts: expected more than {degree + 1} bins with events outside the window, got too few")

    scale = (float(np.log(edges[0])), float(np.log(edges[-1])))
    powers = _powers(np.sqrt(edges[1:] * edges[:-1]), scale, degree + 1)
    coefficients, covariance = _maximum(counts[~inside], powers[~inside], size[~inside])
    expected = size * np.exp(powers @ coefficients)
    gradient = expected[inside] @ powers[inside]
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
        _scale=scale,
        _has_shape=shape is not None,
    )


def _powers(mass, scale, number):
    u = 2 * (np.log(mass) - scale[0]) / (scale[1] - scale[0]) - 1
    return np.vander(u, number, increasing=True)


def _bins_inside(edges, window):
    low, high = as_array("window", window, (2,))
    tolerance = 1e-9 * edges[-1]
    if low >= high or not all(np.any(np.abs(edges - edge) <= tolerance) for edge in (low, high)):
        raise InputError(f"window: expected (low, high), both among the edges of the bins, got ({low:g}, {high:g})")
    return (edges[:-1] >= low - tolerance) & (edges[1:] <= high + tolerance)


def _maximum(counts, powers, size):
    """Coefficients of highest Poisson likelihood, and the inverse of the Fisher information there."""
    coefficients = np.zeros(powers.shape[1])
    coefficients[0] = np.log(counts.sum() / size.sum())
    value = _log_likelihood(counts, powers, size, coefficients)
    for _ in range(NEWTON_STEPS):
        expected = size * np.exp(powers @ coefficients)
        information = powers.T @ (expected[:, None] * powers)
        step = np.linalg.solve(information, powers.T @ (counts - expected))
        # A step that goes too far is halved: the likelihood has one maximum, so this ends there.
        while (new := _log_likelihood(counts, powers, size, coefficients + step)) < value - 1e-9 * abs(value):
            step /= 2
        coefficients, value = coefficients + step, new
        if np.abs(step).max() < 1e-9:
            break
    expected = size * np.exp(powers @ coefficients)
    return coefficients, np.linalg.inv(powers.T @ (expected[:, None] * powers))


def _log_likelihood(counts, powers, size, coefficients):
    exponent = powers @ coefficients
    with np.errstate(over="ignore"):
        return float(counts @ exponent - np.sum(size * np.exp(exponent)))


def _deviance(counts, expected):
    ratio = np.where(counts > 0, counts / expected, 1.0)
    return 2 * float(np.sum(counts * np.log(ratio) - (counts - expected)))

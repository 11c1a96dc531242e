"""What fits beside a window have in common: bins, polynomials of log m, and Newton's way to the highest likelihood."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array

NEWTON_STEPS = 100


def as_edges(edges: ArrayLike) -> np.ndarray:
    """Edges of bins of a mass: positive and increasing; InputError otherwise."""
    edges = as_array("edges", edges, (None,))
    if len(edges) < 2 or edges[0] <= 0 or np.any(np.diff(edges) <= 0):
        raise InputError("edges: expected at least two positive numbers in increasing order")
    return edges


def bins_inside(edges: np.ndarray, window: ArrayLike) -> np.ndarray:
    """Mask of the bins that make up the window, shape (bins,); InputError if it is not made of bins."""
    low, high = as_array("window", window, (2,))
    tolerance = 1e-9 * edges[-1]
    if low >= high or not all(np.any(np.abs(edges - edge) <= tolerance) for edge in (low, high)):
        raise InputError(f"window: expected (low, high), both among the edges of the bins, got ({low:g}, {high:g})")
    return (edges[:-1] >= low - tolerance) & (edges[1:] <= high + tolerance)


def check_bins(counts: np.ndarray, inside: np.ndarray, degree: int):
    """InputError unless the bins outside the window hold enough to fit a polynomial of this degree.

    With more such bins than the polynomial can have zeros the likelihood has its maximum at finite coefficients.
    """
    filled = np.count_nonzero(counts[~inside])
    if filled <= degree:
        raise InputError(f"counts: expected more than {degree} bins with events outside the window, got {filled}")


def powers(mass: np.ndarray, edges: np.ndarray, number: int) -> np.ndarray:
    """1, u, u^2 .. with u = log m, scaled to [-1, 1] between the outer edges: shape (masses, number)."""
    low, high = np.log(edges[0]), np.log(edges[-1])
    return np.vander(2 * (np.log(mass) - low) / (high - low) - 1, number, increasing=True)


def maximum(counts: np.ndarray, powers: np.ndarray, start: float, model: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients c of highest likelihood of eta = sum_k c_k u^k, and the inverse of the Fisher information there.

    `model(eta)` gives the expected counts, their variances and the log-likelihood of the counts, for which eta is the
    natural parameter (log mu of a Poisson, logit of a binomial): there is one maximum. `start` is c_0 of a constant.
    """
    coefficients = np.zeros(powers.shape[1])
    coefficients[0] = start
    expected, variance, value = model(powers @ coefficients)
    for _ in range(NEWTON_STEPS):
        step = np.linalg.solve(powers.T @ (variance[:, None] * powers), powers.T @ (counts - expected))
        # A step that goes too far is halved: the likelihood has one maximum, so this ends there.
        while (new := model(powers @ (coefficients + step)))[2] < value - 1e-9 * abs(value):
            step /= 2
        coefficients, (expected, variance, value) = coefficients + step, new
        if np.abs(step).max() < 1e-9:
            break
    return coefficients, np.linalg.inv(powers.T @ (variance[:, None] * powers))

"""Integrals by importance sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array


@dataclass(frozen=True)
class Integral:
    """An integral and its standard error, in the units of f times the volume; evaluations: number of points."""

    value: float
    uncertainty: float
    evaluations: int

    @property
    def relative_uncertainty(self) -> float:
        """uncertainty / |value|."""
        return self.uncertainty / abs(self.value) if self.value else float("inf")


def importance_sampling(log_f: ArrayLike, log_q: ArrayLike) -> Integral:
    """Integral of f >= 0 from points that were drawn with the density q.

        I = int f dx = E_q[f/q]  ~  (1/N) sum_i f(x_i) / q(x_i),   sigma^2 = Var(f/q) / N,   x_i ~ q

    The error knows only what the points know: where q draws nothing, nothing is missed in it.

    Args:
        log_f: log f(x_i), shape (n,), n >= 2; -inf where f = 0.
        log_q: log q(x_i), shape (n,).

    Raises:
        InputError: wrong or different shapes, fewer than two points, or NaN and infinities other than f = 0.
    """
    log_f = as_array("log_f", log_f, (None,), allow_minus_infinity=True)
    log_q = as_array("log_q", log_q, (len(log_f),))
    count = len(log_f)
    if count < 2:
        raise InputError("log_f: expected at least 2 points for a standard error, got 1")
    log_weights = log_f - log_q
    largest = log_weights.max()
    if largest == -np.inf:
        return Integral(0.0, 0.0, count)
    weights = np.exp(log_weights - largest)  # the squares cannot overflow
    scale = float(np.exp(largest))
    return Integral(scale * float(weights.mean()), scale * float(weights.std(ddof=1)) / np.sqrt(count), count)

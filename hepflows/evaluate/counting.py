"""Significance of an excess: more events than the background explains, and how surprising that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from scipy.stats import norm

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_count

EXACT = 1e-9  # a control region with 1 / EXACT events for each in the signal region is as good as an exact background


@dataclass(frozen=True)
class Excess:
    """A count beside its background; z in standard deviations (negative for a deficit), p_value = P(z or more)."""

    observed: float
    background: float
    uncertainty: float
    z: float
    p_value: float


def excess(observed: float, background: float, uncertainty: float = 0.0, total: float | None = None) -> Excess:
    """Significance of `observed` events over a background B +- sigma, from the profile likelihood ratio.

        Z^2 = 2 [n log(n (B + s) / (B^2 + n s)) - (B^2 / s) log(1 + s (n - B) / (B (B + s)))],   s = sigma^2,

    with the sign of n - B: the formula of Li and Ma (Astrophys. J. 272 (1983) 317, eq. 17) for a background that was
    measured with B^2 / s events in a control region. For s = 0 it is 2 [n log(n/B) - (n - B)]. Z is standard normal
    without a signal where the counts are not small.

    With `total`, the n are those of N = total events that pass a cut, and B = epsilon N: n is binomial, not Poisson,
    and epsilon was measured with M = B (N - B) / s events, of which epsilon M pass. Of N + M events n + epsilon M pass,
    and if the efficiency is common to both,

        Z^2 = 2 sum over {pass, fail} x {N, M} of k log(k / expected k).

    For epsilon -> 0 the two agree. The Poisson formula takes for an error of n how N fluctuates, although B follows N:
    its Z is too narrow by sqrt(1 - epsilon).

    Args:
        observed: number n of events.
        background: expected number B > 0.
        uncertainty: standard deviation sigma of B, statistical and systematic together.
        total: number N of events before the cut, above n and B; None for a Poisson count.

    Raises:
        InputError: numbers that are not finite, a negative count or uncertainty, a background that is not positive, or
            a total that does not exceed the background and reach the count.
    """
    numbers = dict(observed=observed, background=background, uncertainty=uncertainty)
    n, b, sigma = (float(as_array(name, np.atleast_1d(value), (1,))[0]) for name, value in numbers.items())
    for name, value in (("observed", n), ("uncertainty", sigma)):
        if value < 0:
            raise InputError(f"{name}: expected a number of at least 0, got {value}")
    if b <= 0:
        raise InputError(f"background: expected a positive number of events, got {b}")
    half = _poisson(n, b, sigma**2) if total is None else _binomial(n, b, sigma**2, _checked(total, n, b))
    z = float(np.sign(n - b) * np.sqrt(2 * max(half, 0.0)))
    return Excess(n, b, sigma, z, float(norm.sf(z)))


def _checked(total, n, b):
    total = float(as_array("total", np.atleast_1d(total), (1,))[0])
    if total <= b or total < n:
        raise InputError(
            f"total: expected more than the background ({b:g}) and at least the count ({n:g}), got {total:g}"
        )
    return total


def _poisson(n, b, s):
    """Half of Z^2 for a count n ~ Poisson."""
    if s < EXACT * b:
        return xlogy(n, n / b) - (n - b)
    return xlogy(n, n * (b + s) / (b**2 + n * s)) - b**2 / s * np.log1p(s * (n - b) / (b * (b + s)))


def _binomial(n, b, s, total):
    """Half of Z^2 for a count n ~ Binomial(total)."""
    if s < EXACT * b:
        return xlogy(n, n / b) + xlogy(total - n, (total - n) / (total - b))
    control = b * (total - b) / s
    counts = np.array([[n, total - n], [b / total * control, (1 - b / total) * control]])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return float(np.sum(xlogy(counts, counts / expected)))


def global_p_value(local_z: float, largest_z: ArrayLike) -> tuple[float, float]:
    """P(somewhere at least `local_z`) without a signal, and its standard error: the look-elsewhere correction.

        p = (1 + #{toys whose largest Z is at least local_z}) / (1 + #toys),

    which is never zero: a p-value cannot be smaller than the number of toys allows.

    Args:
        local_z: the largest local significance that was seen.
        largest_z: the largest one in each background-only toy, shape (toys,).

    Raises:
        InputError: wrong shape or numbers that are not finite.
    """
    largest = as_array("largest_z", largest_z, (None,))
    local = float(as_array("local_z", np.atleast_1d(local_z), (1,))[0])
    p = (1 + np.count_nonzero(largest >= local)) / (1 + len(largest))
    return float(p), float(np.sqrt(p * (1 - p) / len(largest)))


def independent_windows_p_value(local_p: float, windows: int) -> float:
    """Sidak's correction p = 1 - (1 - p_local)^windows: the global p-value if the windows were independent.

    Raises InputError for a local p-value outside [0, 1] or fewer than one window.
    """
    windows = as_count("windows", windows, minimum=1)
    local = float(as_array("local_p", np.atleast_1d(local_p), (1,))[0])
    if not 0 <= local <= 1:
        raise InputError(f"local_p: expected a number between 0 and 1, got {local}")
    return float(-np.expm1(windows * np.log1p(-local))) if local < 1 else 1.0

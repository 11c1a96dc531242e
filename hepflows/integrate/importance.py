"""Integrals by importance sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_count


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


def density_integral(
    log_prob: Callable,
    events: ArrayLike,
    count: int = 100_000,
    bins: int = 40,
    uniform: float = 0.1,
    rng: np.random.Generator | int | None = None,
) -> Integral:
    """int p(x) dx of a density over the box that the events fill: 1 for a density whose Jacobian is right.

    Points come from a density q that owes nothing to p, the product of the features' histograms:
        q(x) = prod_d [(1 - u) h_d(x_d) + u / (b_d - a_d)],   [a_d, b_d] the range of the events,
    where h_d has bins of equal content, as VEGAS has. What p puts outside of the box counts as missing. A density's own
    samples could not find a wrong Jacobian: it stands in their density, too.

    Args:
        log_prob: function of points (n, d) that returns log p, shape (n,).
        events: where p lives, shape (n, d).
        count: number of points.
        bins: of each histogram.
        uniform: fraction u of each feature's points that are spread evenly, so that no tail is left out.
        rng: numpy generator or its seed.

    Raises:
        InputError: wrong shapes, numbers that are not finite or out of range, or a feature with too few values.
    """
    events = as_array("events", events, (None, None))
    count, bins = as_count("count", count, minimum=2), as_count("bins", bins, minimum=1)
    if not 0 < uniform < 1:
        raise InputError(f"uniform: expected a fraction between 0 and 1, got {uniform}")
    rng = np.random.default_rng(rng)
    points, log_q = np.empty((count, events.shape[1])), np.zeros(count)
    for feature, values in enumerate(events.T):
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
        if len(edges) < 2:
            raise InputError(f"events: expected values that vary, got one value in column {feature}")
        inside = np.histogram(values, edges)[0] / len(values)
        low, high = edges[0], edges[-1]
        chosen = rng.choice(len(inside), size=count, p=inside)
        points[:, feature] = np.where(
            rng.random(count) < uniform,
            rng.uniform(low, high, count),
            rng.uniform(edges[chosen], edges[chosen + 1]),
        )
        bin_of = np.clip(np.searchsorted(edges, points[:, feature], side="right") - 1, 0, len(inside) - 1)
        log_q += np.log((1 - uniform) * inside[bin_of] / np.diff(edges)[bin_of] + uniform / (high - low))
    return importance_sampling(log_prob(points), log_q)

"""Effective sample size of weighted events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array


@dataclass(frozen=True)
class EffectiveSampleSize:
    """(sum w)^2 / sum w^2 as a number of events, as a fraction of all events, and the fraction's standard error."""

    events: float
    fraction: float
    fraction_uncertainty: float


def effective_sample_size(weights: ArrayLike) -> EffectiveSampleSize:
    """Effective sample size (sum w)^2 / sum w^2, and its fraction f = <w>^2 / <w^2> of the number of events.

    The uncertainty of f is that of linear error propagation in <w> and <w^2>; it is itself only as good as the sample
    is: a weight tail that was never sampled is invisible to it. Negative weights are allowed.

    Args:
        weights: event weights, shape (n,), any unit.

    Raises:
        InputError: wrong shape, a weight that is not finite, or all weights zero.
    """
    weights = as_array("weights", weights, (None,))
    largest = np.abs(weights).max()
    if largest == 0:
        raise InputError(f"weights: expected at least one that is not zero, got {len(weights)} zeros")
    weights = weights / largest  # scale-free, and the squares cannot overflow
    mean, mean_square = weights.mean(), np.square(weights).mean()
    fraction = mean**2 / mean_square
    # d f = 2 <w> d<w> / <w^2> - <w>^2 d<w^2> / <w^2>^2, written per event.
    influence = 2 * mean * (weights - mean) / mean_square - fraction * (weights**2 - mean_square) / mean_square
    return EffectiveSampleSize(
        events=float(len(weights) * fraction),
        fraction=float(fraction),
        fraction_uncertainty=float(influence.std() / np.sqrt(len(weights))),
    )

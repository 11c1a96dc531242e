"""Unweighting: what fraction of weighted events survives accept-reject, and which weight counts as the largest."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array


def bootstrap_maximum(weights: ArrayLike, events: int | None = None) -> float:
    """Definition (a): the median, over bootstrap replicas of the weights, of the largest weight (arXiv:2001.10028).

    A replica has as many `events` as the sample, or another number. The median over all replicas needs no random
    numbers: of n weights in increasing order it is the first w_(j) with P(maximum <= w_(j)) = (j/n)^events >= 1/2. With
    events = n that is the largest weight of the sample: it stands in 63 % of the replicas. So the definition depends
    on the size of the sample, which belongs to the result.

    Raises InputError for negative weights, only zeros, or `events` below 1.
    """
    weights = np.sort(_weights(weights))
    events = len(weights) if events is None else events
    if isinstance(events, bool) or not isinstance(events, int) or events < 1:
        raise InputError(f"events: expected a positive integer, got {events!r}")
    place = math.ceil(len(weights) * 0.5 ** (1 / events) - 1e-9)
    return float(weights[max(place, 1) - 1])


def overweight_maximum(weights: ArrayLike, share: float = 1e-3) -> float:
    """Definition (b): w_max such that what exceeds it, sum (w - w_max)+ / sum w, is `share` of the integral.

    Raises InputError for negative weights, only zeros, or a share not between 0 and 1.
    """
    weights = np.sort(_weights(weights))[::-1]
    if not isinstance(share, float) or not 0 < share < 1:
        raise InputError(f"share: expected a number between 0 and 1, got {share!r}")
    sums, count = weights.cumsum(), np.arange(1, len(weights) + 1)
    # With w_max between the k-th and the next weight, the excess is sum_k - k w_max: linear in w_max.
    excess_at_next = sums - count * np.append(weights[1:], 0.0)
    k = int(np.argmax(excess_at_next >= share * sums[-1]))
    return float((sums[k] - share * sums[-1]) / count[k])


def unweighting_efficiency(weights: ArrayLike, maximum: float) -> float:
    """<w> / w_max: the fraction of events that accept-reject keeps.

    Events above the maximum count with their full weight, as in the lecture's table.
    """
    if not 0 < maximum < math.inf:
        raise InputError(f"maximum: expected a positive number, got {maximum!r}")
    return float(_weights(weights).mean() / maximum)


def accept_reject(
    weights: torch.Tensor, maximum: float, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the events kept, each with probability min(1, w / w_max), and their weights max(1, w / w_max)."""
    ratio = torch.as_tensor(weights).double() / maximum
    rows = (torch.rand(len(ratio), dtype=ratio.dtype, generator=generator) < ratio).nonzero()[:, 0]
    return rows, ratio[rows].clamp_min(1.0)


def _weights(weights):
    weights = as_array("weights", weights, (None,))
    if (weights < 0).any() or not weights.any():
        raise InputError(f"weights: expected no negative one and not only zeros, got a minimum of {weights.min():.4g}")
    return weights

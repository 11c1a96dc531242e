"""How far is a predicted distribution from the one value that came true? The continuous ranked probability score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array


def crps(truth: ArrayLike, draws: ArrayLike) -> np.ndarray:
    """CRPS = E|X - x| - E|X - X'| / 2 of each event and feature, in the units of x; small is good.

    X and X' are independent draws from the conditional density, x is the truth: the integral over t of
    [P(X < t) - 1(x < t)]^2 (Gneiting and Raftery, J. Am. Stat. Assoc. 102 (2007) 359). From m draws the
    second term is a mean over the m (m - 1) / 2 different pairs, so that the estimate has no bias, whatever m; of the
    sorted draws, sum_(j<k) |x_j - x_k| = sum_j (2 j - m - 1) x_j. A single answer without a distribution has
    X = X', and its CRPS is the absolute error: a distribution can so be compared with a point.

    Args:
        truth: true features, shape (n, d).
        draws: independent draws from the conditional density of each event, shape (n, m, d), m >= 2.

    Returns:
        Array of shape (n, d): its mean over the events is the score, and its scatter gives the error.

    Raises:
        InputError: wrong shape, a number that is not finite, or a single draw.
    """
    truth = as_array("truth", truth, (None, None))
    draws = as_array("draws", draws, (len(truth), None, truth.shape[1]))
    count = draws.shape[1]
    if count < 2:
        raise InputError("draws: expected at least 2 of each event, got 1; the CRPS of a point is its absolute error")
    distance = np.abs(draws - truth[:, np.newaxis]).mean(1)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    pairs = np.einsum("j,njd->nd", ranks, np.sort(draws, axis=1))
    return distance - pairs / (count * (count - 1))

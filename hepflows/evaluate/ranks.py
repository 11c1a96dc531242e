"""The rank of the truth among draws: the one statistic behind coverage and the probability integral transform.

If truth and draws come from the same density, the rank of the truth among the m + 1 numbers is uniform, and so

    u = (k + (t + 1) U) / (m + 1),   k draws below the truth, t equal to it, U uniform in (0, 1)

is *exactly* uniform in (0, 1) for any m and with any ties. The naive fraction k / m is not: it has m + 1 steps and its
step at 1 would count as "outside" of every region, which biases coverage by about 1 / m.
"""

from __future__ import annotations

import numpy as np


def rank(truth: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of draws below the truth and equal to it; truth (n, ...), draws (n, m, ...), results (n, ...)."""
    truth = truth[:, np.newaxis]
    return (draws < truth).sum(axis=1), (draws == truth).sum(axis=1)


def randomised(below: np.ndarray, ties: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """u = (k + (t + 1) U) / (m + 1), strictly between 0 and 1."""
    u = (below + (ties + 1) * rng.random(below.shape)) / (draws + 1)
    return np.clip(u, np.finfo(float).tiny, np.nextafter(1.0, 0.0))


def probability_between(below: np.ndarray, ties: np.ndarray, draws: int, low: float, high: float) -> np.ndarray:
    """P(low < u < high | k, t): the mean over U done by hand, so that no random number is needed."""
    overlap = np.minimum(high * (draws + 1), below + ties + 1) - np.maximum(low * (draws + 1), below)
    return np.clip(overlap / (ties + 1), 0.0, 1.0)

"""Probability integral transform: the truth's quantile in its own conditional density is uniform, or q is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from hepflows.errors import InputError
from hepflows.evaluate import ranks
from hepflows.evaluate.checks import as_array, as_count


@dataclass(frozen=True)
class PitUniformity:
    """Histogram of the PIT values of each feature beside what uniform values give.

    edges (bins + 1,); counts (d, bins); a uniform PIT has `expected` +- `band` (one standard deviation) in every bin;
    ks_statistic and ks_p_value (d,): Kolmogorov-Smirnov test against the uniform distribution.
    """

    edges: np.ndarray
    counts: np.ndarray
    expected: float
    band: float
    ks_statistic: np.ndarray
    ks_p_value: np.ndarray


def probability_integral_transform(
    truth: ArrayLike, draws: ArrayLike, rng: np.random.Generator | int | None = 0
) -> np.ndarray:
    """PIT u = P_q(x' < x_i | c_i) of each feature as a randomised rank: exactly uniform in (0, 1) if q is calibrated.

    u = (k + (t + 1) U) / (m + 1) with k draws below the truth, t equal to it and U uniform in (0, 1).

    Args:
        truth: true features, shape (n, d).
        draws: independent draws from the conditional density of each event, shape (n, m, d).
        rng: numpy generator (or its seed) that breaks ties.

    Returns:
        Array of shape (n, d).

    Raises:
        InputError: wrong shape or a number that is not finite.
    """
    truth = as_array("truth", truth, (None, None))
    draws = as_array("draws", draws, (len(truth), None, truth.shape[1]))
    below, ties = ranks.rank(truth, draws)
    return ranks.randomised(below, ties, draws.shape[1], np.random.default_rng(rng))


def pit_uniformity(pit: ArrayLike, bins: int = 20) -> PitUniformity:
    """Are PIT values uniform? Counts in `bins` equal bins, expected n/bins +- sqrt(n/bins (1 - 1/bins)), and a KS test.

    Args:
        pit: values in [0, 1], shape (n, d).
        bins: number of bins.

    Raises:
        InputError: wrong shape, values outside [0, 1], or fewer than two bins.
    """
    pit = as_array("pit", pit, (None, None))
    bins = as_count("bins", bins, minimum=2)
    if pit.min() < 0 or pit.max() > 1:
        raise InputError(f"pit: expected values in [0, 1], got a range of [{pit.min():g}, {pit.max():g}]")
    edges = np.linspace(0, 1, bins + 1)
    counts = np.array([np.histogram(column, edges)[0] for column in pit.T])
    tests = [stats.kstest(column, "uniform") for column in pit.T]
    return PitUniformity(
        edges=edges,
        counts=counts,
        expected=len(pit) / bins,
        band=float(np.sqrt(len(pit) / bins * (1 - 1 / bins))),
        ks_statistic=np.array([test.statistic for test in tests]),
        ks_p_value=np.array([test.pvalue for test in tests]),
    )

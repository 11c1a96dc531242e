"""Coverage: how often the regions that a conditional density calls 68 % contain the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate import ranks
from hepflows.evaluate.checks import as_array, as_levels


@dataclass(frozen=True)
class Coverage:
    """Coverage at each credibility level, with its uncertainty (one standard deviation).

    levels (L,); coverage and uncertainty (L,), or (L, d) for d features; events n and draws m that it is made from.
    """

    levels: np.ndarray
    coverage: np.ndarray
    uncertainty: np.ndarray
    events: int
    draws: int

    def at(self, level: float) -> tuple:
        """(coverage, uncertainty) at one of the levels; InputError if it is not among them."""
        found = np.flatnonzero(np.isclose(self.levels, level, rtol=0, atol=1e-12))
        if not found.size:
            raise InputError(f"level: expected one of {self.levels.tolist()}, got {level}")
        return self.coverage[found[0]], self.uncertainty[found[0]]


def _coverage(contained: list[np.ndarray], levels: np.ndarray, draws: int) -> Coverage:
    events = len(contained[0])
    covered = np.array([one_level.mean(axis=0) for one_level in contained])
    # Wilson's half-width at one standard deviation: the binomial sqrt(c (1 - c) / n), but not zero at c = 0 or 1.
    uncertainty = np.sqrt(covered * (1 - covered) / events + 1 / (4 * events**2)) / (1 + 1 / events)
    return Coverage(levels, covered, uncertainty, events, draws)


def highest_density_coverage(
    flow_log_prob_truth: ArrayLike, flow_log_prob_draws: ArrayLike, levels: ArrayLike = (0.68, 0.95)
) -> Coverage:
    """Coverage of highest-density regions: the fraction of events with P_q(log q(x'|c_i) > log q(x_i|c_i)) <= level.

    The probability is that of x' ~ q(.|c_i), estimated by the rank of log q(x_i|c_i) among m draws. Its discreteness is
    averaged out (see `hepflows.evaluate.ranks`): for a calibrated q the expectation is the level itself, for every m.
    For a wrong q the expectation is that for infinite m, smeared by sqrt(level (1 - level) / m) in level.

    Args:
        flow_log_prob_truth: log q(x_i|c_i) in nats, shape (n,); -inf (truth where q is zero) is allowed.
        flow_log_prob_draws: log q(x_ij|c_i) of independent draws x_ij ~ q(.|c_i), shape (n, m).
        levels: credibility levels between 0 and 1, shape (L,).

    Raises:
        InputError: wrong shape, NaN or +inf, or a level outside (0, 1).
    """
    levels = as_levels(levels)
    truth = as_array("flow_log_prob_truth", flow_log_prob_truth, (None,), allow_minus_infinity=True)
    draws = as_array("flow_log_prob_draws", flow_log_prob_draws, (len(truth), None), allow_minus_infinity=True)
    # In the negated densities "lower" means "denser", so the rank counts the draws that are denser than the truth.
    denser, ties = ranks.rank(-truth, -draws)
    contained = [ranks.probability_between(denser, ties, draws.shape[1], 0.0, level) for level in levels]
    return _coverage(contained, levels, draws.shape[1])


def central_coverage(truth: ArrayLike, draws: ArrayLike, levels: ArrayLike = (0.68, 0.95)) -> Coverage:
    """Coverage of central intervals, feature by feature: truth between the (1 - level)/2 and (1 + level)/2 quantiles.

    Rank-based, so a calibrated density covers exactly its level on average, for every number of draws m.

    Args:
        truth: true features, shape (n, d).
        draws: independent draws from the conditional density of each event, shape (n, m, d).
        levels: credibility levels between 0 and 1, shape (L,).

    Raises:
        InputError: wrong shape, a number that is not finite, or a level outside (0, 1).
    """
    levels = as_levels(levels)
    truth = as_array("truth", truth, (None, None))
    draws = as_array("draws", draws, (len(truth), None, truth.shape[1]))
    below, ties = ranks.rank(truth, draws)
    contained = [
        ranks.probability_between(below, ties, draws.shape[1], (1 - level) / 2, (1 + level) / 2) for level in levels
    ]
    return _coverage(contained, levels, draws.shape[1])

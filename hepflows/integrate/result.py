"""What an integration says: value, error, and whether one should believe it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from scipy import stats

# Reported as under-trained: so improbable a chi2, or one point with so large a share of the integral.
IMPROBABLE = 1e-6
LARGE_SHARE = 0.05


class UnderTrainedWarning(UserWarning):
    """The flow does not follow the integrand well enough for its error to be trusted."""


@dataclass(frozen=True)
class Iteration:
    """One estimate: mean and plain Monte Carlo error of `points` weights."""

    value: float
    error: float
    points: int


@dataclass(frozen=True)
class IntegrationResult:
    """An integral with its standard error, in the units of the integrand.

    iterations: the independent estimates in it; chi2_per_dof: their scatter about their mean over their plain Monte
    Carlo errors, squared (below 1 where Sobol points do what they are for); largest_share: share of the largest weight
    in the sum of all; evaluations: all of the integrator's so far, training included; nonfinite: values that were NaN
    or infinite and counted as zero.
    """

    value: float
    error: float
    chi2_per_dof: float
    largest_share: float
    evaluations: int
    nonfinite: int
    iterations: tuple[Iteration, ...]

    @property
    def relative_error(self) -> float:
        """error / |value|."""
        return self.error / abs(self.value) if self.value else float("inf")

    def warn_if_under_trained(self) -> None:
        """UnderTrainedWarning for iterations that contradict each other, or one point that makes the integral."""
        dof = len(self.iterations) - 1
        if stats.chi2.sf(self.chi2_per_dof * dof, dof) < IMPROBABLE:
            reason = f"iterations contradict each other, chi2/dof = {self.chi2_per_dof:.1f} with dof = {dof}"
        elif self.largest_share > LARGE_SHARE:
            reason = f"one point makes {100 * self.largest_share:.0f} % of the integral"
        else:
            return
        warnings.warn(
            f"{reason}: the true error may be larger; train with more evaluations", UnderTrainedWarning, stacklevel=3
        )


def chi2_per_dof(iterations: list[Iteration]) -> float:
    """sum_k (I_k - <I>)^2 / s_k^2 over the degrees of freedom, with <I> weighted by points.

    Not by 1/s_k^2: an estimate without its rare large weights is low and looks precise, and would draw <I> to itself.
    """
    mean = sum(i.value * i.points for i in iterations) / sum(i.points for i in iterations)
    pulls = [(i.value - mean) / i.error if i.error else 0.0 for i in iterations]
    return sum(pull**2 for pull in pulls) / max(1, len(iterations) - 1)

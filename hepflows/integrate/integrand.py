"""The integrand as the integrator calls it: counted, and checked at every point."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch

from hepflows.errors import InputError

# Up to this fraction of NaN and infinite values is set to zero, counted and warned of; more is an error.
TOLERATED = 1e-3


class NonFiniteWarning(UserWarning):
    """The integrand was NaN or infinite at some points, which were counted as zero."""


class CountedIntegrand:
    """f(x) or f(x, channel), at points x (n, dims) in the unit box: counts its evaluations and checks the values.

    `evaluations`: points so far; `nonfinite`: how many of them gave NaN or infinity. Values come back in float64.
    Raises InputError for a wrong shape or type, a negative value, or more than one NaN or infinity in 1000 points.
    """

    def __init__(self, function: Callable[..., torch.Tensor], dims: int, channels: int | None):
        if not callable(function):
            raise InputError(f"integrand: expected a function of points (n, {dims}), got {function!r}")
        self.function, self.dims, self.channels = function, dims, channels
        self.evaluations = self.nonfinite = 0

    def __call__(self, x: torch.Tensor, channel: torch.Tensor | None) -> torch.Tensor:
        with torch.no_grad():
            values = self.function(x) if self.channels is None else self.function(x, channel)
        if not isinstance(values, torch.Tensor) or values.shape != x.shape[:1]:
            what = f"shape {tuple(values.shape)}" if isinstance(values, torch.Tensor) else type(values).__name__
            raise InputError(f"integrand: expected a tensor of shape ({len(x)},), one number a point, got {what}")
        if values.is_complex():
            raise InputError(f"integrand: expected real numbers, got {values.dtype}")
        values = values.detach().to(x)
        self.evaluations += len(x)
        bad = ~torch.isfinite(values)
        if bad.any():
            self._report(bad, values, x)
            values = torch.where(bad, 0.0, values)
        if (values < 0).any():
            row = int((values < 0).nonzero()[0])
            raise InputError(f"integrand: expected no negative value, got {values[row]:.4g} at x = {shown(x[row])}")
        return values

    def _report(self, bad, values, x):
        self.nonfinite += int(bad.sum())
        row = int(bad.nonzero()[0])
        message = (
            f"integrand: {self.nonfinite} of {self.evaluations} values were not finite, "
            f"such as {values[row].item()} at x = {shown(x[row])}"
        )
        if self.nonfinite > max(1, TOLERATED * self.evaluations):
            raise InputError(message)
        warnings.warn(message + "; they were counted as zero", NonFiniteWarning, stacklevel=4)


def shown(point: torch.Tensor) -> list[float]:
    """Four digits of each coordinate."""
    return [float(f"{value:.4g}") for value in point.tolist()]

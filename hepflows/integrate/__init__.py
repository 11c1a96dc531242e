"""Integrals by importance sampling: from weights that are given, and with a flow that learns where to draw."""

from hepflows.integrate.importance import Integral, density_integral, importance_sampling
from hepflows.integrate.integrator import Integrator
from hepflows.integrate.result import IntegrationResult, UnderTrainedWarning

__all__ = [
    "Integral",
    "IntegrationResult",
    "Integrator",
    "UnderTrainedWarning",
    "density_integral",
    "importance_sampling",
]

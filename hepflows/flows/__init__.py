"""Normalizing flows: fast splines, coupling and autoregressive transforms, built by three functions."""

from hepflows.flows.affine import Affine
from hepflows.flows.autoregressive import MaskedAutoregressive
from hepflows.flows.build import autoregressive_flow, coupling_flow, inverse_autoregressive_flow, load
from hepflows.flows.coupling import Coupling
from hepflows.flows.flow import Flow, save
from hepflows.flows.linear import LearnableLinear, SoftPermutation, Standardise
from hepflows.flows.splines import CircularSpline, RationalQuadraticSpline, UnitSpline

__all__ = [
    "Affine",
    "CircularSpline",
    "Coupling",
    "Flow",
    "LearnableLinear",
    "MaskedAutoregressive",
    "RationalQuadraticSpline",
    "SoftPermutation",
    "Standardise",
    "UnitSpline",
    "autoregressive_flow",
    "coupling_flow",
    "inverse_autoregressive_flow",
    "load",
    "save",
]

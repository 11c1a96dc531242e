"""Tree amplitudes of massless partons and leptons, batched over events, differentiable, in both precisions."""

from hepflows.physics.amplitudes.colour import colour_sum, four_quark_matrix, quark_line_matrix, trace_matrix
from hepflows.physics.amplitudes.gluons import GluonCurrents, gluon_amplitude
from hepflows.physics.amplitudes.quark_line import LeptonPair, QuarkLine
from hepflows.physics.amplitudes.spinors import Legs

__all__ = [
    "GluonCurrents",
    "Legs",
    "LeptonPair",
    "QuarkLine",
    "colour_sum",
    "four_quark_matrix",
    "gluon_amplitude",
    "quark_line_matrix",
    "trace_matrix",
]

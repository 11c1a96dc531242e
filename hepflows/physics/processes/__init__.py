"""Cross sections as integrands on the unit cube: f(x) in pb, with `dims` and `channels`."""

from hepflows.physics.processes.couplings import Electroweak, StrongCoupling
from hepflows.physics.processes.electron_positron import ElectronPositronJets
from hepflows.physics.processes.three_jets import quark_pair_cross_section, three_jet_cross_section
from hepflows.physics.processes.vector_boson import VectorBosonJets

__all__ = [
    "ElectronPositronJets",
    "Electroweak",
    "StrongCoupling",
    "VectorBosonJets",
    "quark_pair_cross_section",
    "three_jet_cross_section",
]

"""Phase space from the unit cube, with exact weights."""

from hepflows.physics.phase_space.breit_wigner import BreitWigner
from hepflows.physics.phase_space.multichannel import MultiChannel
from hepflows.physics.phase_space.proton import ProtonEvents, ProtonPhaseSpace
from hepflows.physics.phase_space.rambo import Rambo
from hepflows.physics.phase_space.sequential import SequentialDecay
from hepflows.physics.phase_space.two_body import boost, mass_squared, two_body_decay

__all__ = [
    "BreitWigner",
    "MultiChannel",
    "ProtonEvents",
    "ProtonPhaseSpace",
    "Rambo",
    "SequentialDecay",
    "boost",
    "mass_squared",
    "two_body_decay",
]

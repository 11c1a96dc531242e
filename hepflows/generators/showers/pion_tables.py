"""Ionisation of pions: restricted energy loss and knock-on electrons, on the grid of `tables`."""

from functools import lru_cache

import numpy as np

from hepflows.generators.showers.cross_sections import ELECTRON_MASS
from hepflows.generators.showers.layout import MATERIALS
from hepflows.generators.showers.stopping import density_effect
from hepflows.generators.showers.tables import nodes

PION_MASS = 139.57
KNOCK_ON_CUT = 1.0
BETHE = 0.307075  # K = 4 pi N_A r_e^2 m_e c^2 [MeV cm2 / mol]

# Variance of the restricted loss per length [MeV2 / mm] of a relativistic particle: K/2 Z/A rho T_cut.
STRAGGLING = tuple(
    0.5 * BETHE * material.charge / material.mass * material.density * KNOCK_ON_CUT / 10 for material in MATERIALS
)


def largest_transfer(kinetic):
    """Largest energy [MeV] that a pion can give to an electron at rest."""
    gamma = kinetic / PION_MASS + 1
    ratio = ELECTRON_MASS / PION_MASS
    return 2 * ELECTRON_MASS * (gamma**2 - 1) / (1 + 2 * gamma * ratio + ratio**2)


def restricted_loss(kinetic, material):
    """Bethe's energy loss [MeV/mm] without electrons above the cut (PDG review, passage through matter)."""
    gamma = kinetic / PION_MASS + 1
    momentum2 = gamma**2 - 1
    beta2 = momentum2 / gamma**2
    largest = largest_transfer(kinetic)
    cut = np.minimum(KNOCK_ON_CUT, largest)
    logarithm = np.log(2 * ELECTRON_MASS * momentum2 * cut / material.excitation**2)
    delta = density_effect(kinetic / PION_MASS, material.density_effect)
    bracket = 0.5 * logarithm - 0.5 * beta2 * (1 + cut / largest) - 0.5 * delta
    return BETHE * material.charge / material.mass * material.density / 10 / beta2 * np.maximum(bracket, 0.1)


def knock_on_rate(kinetic, material):
    """Electrons above the cut per mm (before the spin factor 1 - beta^2 T / T_max, applied when one is drawn)."""
    beta2 = 1 - (kinetic / PION_MASS + 1) ** -2.0
    inverse = np.maximum(1 / KNOCK_ON_CUT - 1 / largest_transfer(kinetic), 0)
    return 0.5 * BETHE * material.charge / material.mass * material.density / 10 / beta2 * inverse


@lru_cache(maxsize=1)
def pion_tables():
    """Array [material, node, 2]: restricted loss [MeV/mm] and rate of knock-on electrons [1/mm]."""
    grid = nodes()
    return np.array(
        [np.stack([restricted_loss(grid, m), knock_on_rate(grid, m)], axis=1) for m in MATERIALS], dtype=np.float64
    )

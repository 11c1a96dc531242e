"""The calorimeter of CaloGAN (arXiv:1712.10321), in numbers: 80 sheets of lead in argon, three layers of cells.

Beam along +z at x = y = 0; the front face is at z = -240 mm. A cell's energy is all that is deposited in its volume, in
lead and in argon, so the readout adds no sampling fluctuation.
"""

from dataclasses import dataclass

import numpy as np

AVOGADRO = 6.02214076e23


@dataclass(frozen=True)
class Material:
    """An element: Z, A [g/mol], density [g/cm3], radiation length [g/cm2], mean excitation energy [MeV].

    `density_effect` holds Sternheimer's C, x0, x1, a, k (Atomic Data and Nuclear Data Tables 30 (1984) 261).
    """

    name: str
    charge: float
    mass: float
    density: float
    radiation_length: float
    excitation: float
    density_effect: tuple

    @property
    def atoms(self):
        """Atoms per cm3."""
        return self.density * AVOGADRO / self.mass

    @property
    def electrons(self):
        """Electrons per cm3."""
        return self.atoms * self.charge


# Radiation lengths, mean excitation energies: Particle Data Group, atomic and nuclear properties. The argon is as dense
# as in CaloGAN's Geant4 geometry (1.390 g/cm3).
LEAD = Material("lead", 82.0, 207.2, 11.35, 6.37, 823e-6, (6.2018, 0.3776, 3.8073, 0.09359, 3.1608))
ARGON = Material("liquid argon", 18.0, 39.95, 1.390, 19.55, 188e-6, (5.2146, 0.2000, 3.0000, 0.19559, 3.0000))
MATERIALS = (LEAD, ARGON)

LEAD_THICKNESS, ARGON_THICKNESS, SHEETS = 2.0, 4.0, 80
PERIOD = LEAD_THICKNESS + ARGON_THICKNESS
HALF_DEPTH, HALF_WIDTH, HALF_READOUT = 240.0, 500.0, 240.0
LAYER_ENDS = (-150.0, 197.0, 240.0)
# Cells in x (phi) and y (eta): 160 x 5, 40 x 40 and 40 x 80 mm2.
LAYER_SHAPES = ((3, 96), (12, 12), (12, 6))
LAYER_SLICES = (slice(0, 288), slice(288, 432), slice(432, 504))
CELLS = 504
# Behind the cells: what each layer holds outside of the readout.
TOTAL_CELLS = CELLS + 3


def sandwich():
    """Radiation length [mm], effective charge, critical energy [MeV] and Moliere radius [mm] of lead and argon mixed.

    Critical energies E_c = 2.66 MeV (X0 Z / A)^1.1 with X0 in g/cm2, Moliere radius R_M = 21.2 MeV X0 / E_c, mixtures
    by weight (Grindhammer and Peters, hep-ex/0001020).
    """
    masses = LEAD_THICKNESS * LEAD.density, ARGON_THICKNESS * ARGON.density
    weights = np.array(masses) / sum(masses)
    lengths = np.array([material.radiation_length for material in MATERIALS])
    charges = np.array([material.charge for material in MATERIALS])
    critical = 2.66 * (lengths * charges / np.array([material.mass for material in MATERIALS])) ** 1.1
    density = sum(masses) / PERIOD
    radiation_length = 1 / np.sum(weights / lengths)
    losses = np.sum(weights * critical / lengths)
    return (
        10 * radiation_length / density,
        np.sum(weights * charges),
        radiation_length * losses,
        10 * 21.2 / losses / density,
    )

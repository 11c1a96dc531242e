"""Everything that the Monte Carlo looks up, on one energy grid that is found without a logarithm.

The grid has 32 nodes in each factor of two, at 2^e (1 + k / 32): a floating-point number holds e and k in its leading
bits. Between nodes all is linear in energy.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hepflows.generators.showers import cross_sections as cs
from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.layout import MATERIALS
from hepflows.generators.showers.stopping import inverse_transport_length, restricted_stopping_power

_LOWEST_EXPONENT, _HIGHEST_EXPONENT = -7, 18  # 0.0078 MeV to 262 GeV
_NODE_BITS = 5
_SHIFT = 52 - _NODE_BITS
_OFFSET = (1023 + _LOWEST_EXPONENT) << 52
_MASK = (1 << _SHIFT) - 1
_FRACTION = 1.0 / (1 << _SHIFT)

LOWEST, HIGHEST = 2.0**_LOWEST_EXPONENT, 2.0**_HIGHEST_EXPONENT


class Tables(NamedTuple):
    """Rates per mm and losses in MeV per mm, node by node.

    majorant [node]: the larger total rate of photons in lead and argon. photon [material, node, 4]: rates of pair
    production, Compton, photoelectric and photonuclear absorption, summed up. electron [charge, material, node, 5]:
    continuous loss, 1 / lambda_1, and the rates of bremsstrahlung, knock-on electrons and annihilation, summed up;
    charge 0 is the electron, 1 the positron.
    """

    majorant: np.ndarray
    photon: np.ndarray
    electron: np.ndarray


def nodes():
    """Energies of the grid [MeV]."""
    exponents = np.arange(_LOWEST_EXPONENT, _HIGHEST_EXPONENT + 1)
    grid = np.ldexp(1 + np.arange(2**_NODE_BITS) / 2**_NODE_BITS, exponents[:, None]).ravel()
    return grid[: (len(exponents) - 1) * 2**_NODE_BITS + 1]


@compiled
def locate(energy):
    """Node below an energy between LOWEST and HIGHEST, and the fraction of the way to the next."""
    bits = np.float64(energy).view(np.int64) - _OFFSET
    return bits >> _SHIFT, (bits & _MASK) * _FRACTION


@compiled
def between(below, above, part):
    """Linear interpolation."""
    return below + part * (above - below)


@lru_cache(maxsize=1)
def tables():
    """Build the tables (once)."""
    grid = nodes()
    photon = np.array([_photon_rates(grid, material) for material in MATERIALS])
    electron = np.array(
        [
            [
                [_electron_rates(kinetic, material, cut, positron) for kinetic in grid]
                for material, cut in zip(MATERIALS, cs.KNOCK_ON_CUTS, strict=True)
            ]
            for positron in (False, True)
        ]
    )
    return Tables(photon[:, :, -1].max(axis=0), photon, electron)


def _photon_rates(grid, material):
    per_atom = (
        cs.pair_production(grid, material.charge),
        material.charge * cs.compton(grid),
        cs.photoelectric(grid, material),
        cs.photonuclear(grid, material),
    )
    return np.cumsum(per_atom, axis=0).T * material.atoms / 10


def _electron_rates(kinetic, material, cut, positron):
    loss = restricted_stopping_power(kinetic, material, cut, positron) + cs.soft_bremsstrahlung(kinetic, material)
    rates = (
        cs.bremsstrahlung_rate(kinetic, material),
        cs.knock_on(kinetic, cut, positron)[0] * material.electrons,
        cs.annihilation(kinetic) * material.electrons if positron else 0.0,
    )
    return np.array([loss, inverse_transport_length(kinetic, material, positron), *np.cumsum(rates)]) / 10

"""What the three shower data sets have in common: incident energies, columns and how they are stored."""

from functools import partial

import numpy as np

from hepflows.datasets.table import Column
from hepflows.generators.recipe import Recipe
from hepflows.generators.showers.layout import LAYER_SHAPES, LAYER_SLICES

LOWEST_ENERGY, HIGHEST_ENERGY = 1.0, 100.0  # GeV
CHUNK_EVENTS = 250
GEV = 1e-3


def energy_levels():
    """Energies [GeV] at which a cell is stored: 0, and 0.1 keV to 110 GeV in steps of E / (30 + 15 sqrt(E / MeV)).

    3 % below 100 keV, 1.3 % at 10 MeV, 0.2 % at 1 GeV: the largest cells carry the sums, the many small ones cost bits.
    """
    levels = [0.0, 1e-4]
    while levels[-1] < 1.1e5:
        levels.append(levels[-1] * (1 + 1 / (30 + 15 * np.sqrt(levels[-1]))))
    return np.array(levels) * GEV


LEVELS = energy_levels()

COLUMNS = (
    Column("energy", "GeV", "incident energy, kinetic for e+ and pi+"),
    *(
        Column(
            f"layer_{layer}",
            "GeV",
            f"energy deposited in the cells of layer {layer}, {shape[0]} in x times {shape[1]} in y",
            shape=shape,
            levels=LEVELS,
        )
        for layer, shape in enumerate(LAYER_SHAPES)
    ),
)


def make_recipe(name, version, deposits):
    """Recipe of showers; `deposits(energies, generator)` gives the energies in MeV of 504 or more cells per event."""
    # A partial of functions of modules can be sent to other processes, a function inside a function cannot.
    return Recipe(name, version, COLUMNS, CHUNK_EVENTS, partial(simulate, deposits), requires=("numba",))


def simulate(deposits, events, seeds):
    """Showers of one chunk: {column: array} in GeV."""
    energies = seeds.generator(0).uniform(LOWEST_ENERGY, HIGHEST_ENERGY, events)
    cells = deposits(energies / GEV, seeds.generator(1)) * GEV
    layers = {
        f"layer_{layer}": cells[:, where].reshape(-1, *shape)
        for layer, (where, shape) in enumerate(zip(LAYER_SLICES, LAYER_SHAPES, strict=True))
    }
    return {"energy": energies, **layers}

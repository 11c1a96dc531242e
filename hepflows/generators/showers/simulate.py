"""Showers of given energies: the compiled loops behind NumPy arrays."""

import numpy as np

from hepflows.errors import InputError
from hepflows.generators.showers import random_numbers
from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.electromagnetic import cascade
from hepflows.generators.showers.layout import HALF_DEPTH, TOTAL_CELLS
from hepflows.generators.showers.stack import new_stack, push
from hepflows.generators.showers.tables import HIGHEST, tables

KINDS = {"e-": -1.0, "gamma": 0.0, "e+": 1.0}


def electromagnetic_showers(kind, energies, generator):
    """Showers of "e+", "e-" or "gamma" of kinetic energies [MeV] that enter at x = y = 0 along z.

    Returns the energies deposited (events, 507) in MeV, cells and then what each layer holds outside of the readout,
    and the energy not deposited (events,). `generator` is a numpy Generator.
    """
    if kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    energies = checked_energies(energies)
    return _showers(KINDS[kind], energies, new_stack(), tables(), random_numbers.state(generator))


def checked_energies(energies):
    """Energies as a float64 vector; raises InputError unless all are within what the tables hold."""
    energies = np.atleast_1d(np.asarray(energies, dtype=np.float64))
    if energies.ndim != 1 or not np.all((energies >= 1.0) & (energies < 0.9 * HIGHEST)):
        raise InputError(f"energies: expected a vector of 1 to {0.9 * HIGHEST:.0f} MeV, got {energies!r}")
    return energies


@compiled
def _showers(kind, energies, stack, tables, state):
    deposits = np.zeros((len(energies), TOTAL_CELLS))
    lost = np.zeros(len(energies))
    for event in range(len(energies)):
        push(stack, 0, kind, energies[event], 0.0, 0.0, -HALF_DEPTH + 1e-6, (0.0, 0.0, 1.0))
        lost[event] = cascade(stack, 1, deposits[event], tables, state)
    return deposits, lost

"""Longitudinal kinematics of a proton-proton collision; GeV, c = 1."""

import numpy as np

from hepflows.errors import InputError

LHC_ENERGY = 13000.0  # centre-of-mass energy sqrt(s) in GeV


def gluon_pair(x1, x2, sqrt_s=LHC_ENERGY):
    """(p_z, E) of two massless partons: p_z = (x1 - x2) sqrt(s) / 2, E = (x1 + x2) sqrt(s) / 2, in GeV.

    x1 moves along +z, x2 along -z; arrays of one shape. Raises InputError for a fraction outside (0, 1).
    """
    for name, fraction in (("x1", x1), ("x2", x2)):
        values = np.asarray(fraction)
        if not np.all((values > 0) & (values < 1)):
            raise InputError(
                f"{name}: expected momentum fractions between 0 and 1, got {values.min()} to {values.max()}"
            )
    return (x1 - x2) * sqrt_s / 2, (x1 + x2) * sqrt_s / 2


def momentum_fractions(pz, energy, sqrt_s=LHC_ENERGY):
    """(x1, x2) of a pair with p_z and E in GeV: x = (E +- p_z) / sqrt(s), the inverse of `gluon_pair`."""
    return (energy + pz) / sqrt_s, (energy - pz) / sqrt_s


def log_mass_and_rapidity(pz, energy):
    """log m = log(E^2 - p_z^2) / 2 (m in GeV) and Y = artanh(p_z / E) of a system moving along the beam.

    Raises InputError unless E > |p_z|.
    """
    pz, energy = np.asarray(pz, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    if not np.all(energy > np.abs(pz)):
        raise InputError("energy: expected E > |p_z| in every event, got an event with E <= |p_z|")
    return 0.5 * np.log((energy - pz) * (energy + pz)), np.arctanh(pz / energy)

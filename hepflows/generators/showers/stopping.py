"""Ionisation and multiple scattering of electrons and positrons: what happens along a step, not at a point."""

import numpy as np

from hepflows.generators.showers.cross_sections import (
    CLASSICAL_RADIUS_SQUARED,
    ELECTRON_MASS,
    FINE_STRUCTURE,
    knock_on,
)

HBAR_C = 197.327e-13  # MeV cm
BOHR_RADIUS = 0.529177e-8  # cm


def density_effect(kinetic, parameters):
    """Sternheimer's density correction delta of a particle of Lorentz factor kinetic / mass + 1 = gamma.

    `kinetic` in units of the mass; delta = 2 ln 10 x - C + a (x1 - x)^k between x0 and x1, x = log10(beta gamma).
    """
    c, x0, x1, a, k = parameters
    x = 0.5 * np.log10(kinetic * (kinetic + 2))
    linear = 2 * np.log(10) * x - c
    return np.where(x < x0, 0.0, np.where(x < x1, linear + a * np.maximum(x1 - x, 0) ** k, linear))


def collision_stopping_power(kinetic, material, positron):
    """Energy loss in collisions [MeV/cm]: Berger and Seltzer's formula (ICRU report 37)."""
    tau = kinetic / ELECTRON_MASS
    beta2 = 1 - (tau + 1) ** -2.0
    if positron:
        t = tau + 2
        mix = 2 * np.log(2) - beta2 / 12 * (23 + 14 / t + 10 / t**2 + 4 / t**3)
    else:
        mix = 1 - beta2 + (tau**2 / 8 - (2 * tau + 1) * np.log(2)) / (tau + 1) ** 2
    logarithm = np.log(tau**2 * (tau + 2) / 2 * (ELECTRON_MASS / material.excitation) ** 2)
    factor = 2 * np.pi * CLASSICAL_RADIUS_SQUARED * ELECTRON_MASS * material.electrons / beta2
    return factor * (logarithm + mix - density_effect(tau, material.density_effect))


def restricted_stopping_power(kinetic, material, cut, positron):
    """The same [MeV/cm] without knock-on electrons above the cut: these are made one by one."""
    hard = knock_on(kinetic, cut, positron)[1] * material.electrons
    return collision_stopping_power(kinetic, material, positron) - hard


# Ratio of the first transport cross section of Liljequist and others, Journal of Applied Physics 62 (1987) 342 and 68
# (1990) 3061, in the parametrisation of Geant4's Urban model, to the screened Rutherford formula below. Spin and charge
# matter (Mott): in lead, electrons turn 20 % faster and positrons 20 % slower. Joined by hand between 10 and 50 MeV.
_RATIO_ENERGIES = np.log([0.4, 0.7, 1.0, 2.0, 4.0, 7.0, 10.0, 20.0, 50.0])
_RATIOS = {
    (82.0, False): (1.240, 1.228, 1.218, 1.197, 1.176, 1.161, 1.152, 1.000, 0.918),
    (82.0, True): (0.794, 0.782, 0.780, 0.788, 0.804, 0.819, 0.827, 0.870, 0.918),
    (18.0, False): (0.893, 0.886, 0.884, 0.885, 0.890, 0.894, 0.896, 0.896, 0.890),
    (18.0, True): (0.819, 0.812, 0.812, 0.818, 0.827, 0.836, 0.841, 0.860, 0.890),
}


def inverse_transport_length(kinetic, material, positron):
    """1 / lambda_1 [1/cm] of elastic scattering: the mean cosine after a path s is exp(-s / lambda_1).

    Screened Rutherford scattering on nucleus and electrons, Z (Z + 1), with Moliere's screening angle; the finite size
    of the nucleus ends the large angles at high momentum. Brought to the partial-wave results by the ratios above.
    """
    momentum = np.sqrt(kinetic * (kinetic + 2 * ELECTRON_MASS))
    beta = momentum / (kinetic + ELECTRON_MASS)
    charge = material.charge
    thomas_fermi = 0.885 * BOHR_RADIUS * charge ** (-1 / 3)
    born = (FINE_STRUCTURE * charge / beta) ** 2
    screening = (HBAR_C / (2 * momentum * thomas_fermi)) ** 2 * (1.13 + 3.76 * born)
    nucleus = 1.2e-13 * material.mass ** (1 / 3)
    reach = np.minimum(2.0, 3 * (HBAR_C / (momentum * nucleus)) ** 2) / (2 * screening)
    strength = charge * (charge + 1) * CLASSICAL_RADIUS_SQUARED * (ELECTRON_MASS / (momentum * beta)) ** 2
    rutherford = material.atoms * 2 * np.pi * strength * (np.log1p(reach) - reach / (1 + reach))
    return rutherford * np.interp(np.log(kinetic), _RATIO_ENERGIES, _RATIOS[charge, bool(positron)])

"""Cross sections of photons, electrons and positrons: NumPy functions of energy [MeV], tabulated once by `tables`.

Per atom or per electron in cm2; what the Monte Carlo does with them is in `sampling` and `electromagnetic`.
"""

import numpy as np
from scipy.integrate import trapezoid

ELECTRON_MASS = 0.51099895  # MeV
FINE_STRUCTURE = 1 / 137.035999
CLASSICAL_RADIUS_SQUARED = 7.940787e-26  # cm2

# Bremsstrahlung photons below are part of the continuous energy loss; so are knock-on electrons below the second cuts,
# which are the ranges of 0.7 mm in lead and argon.
PHOTON_CUT = 0.1
KNOCK_ON_CUTS = (1.0, 0.35)
# Beyond this energy the Coulomb correction is applied to the screened Bethe-Heitler formulas, as in EGS4 (SLAC-265).
COULOMB_ENERGY = 50.0


def coulomb_correction(charge):
    """f(Z) of Davies, Bethe and Maximon, a^2 [1/(1+a^2) + 0.20206 - 0.0369 a^2 + ...], a = alpha Z (PDG review)."""
    a2 = (FINE_STRUCTURE * charge) ** 2
    return a2 * (1 / (1 + a2) + 0.20206 - 0.0369 * a2 + 0.0083 * a2**2 - 0.002 * a2**3)


def screening(delta):
    """Screening functions phi1, phi2 of Butcher and Messel, Nuclear Physics 20 (1960) 15."""
    beyond = 21.12 - 4.184 * np.log(delta + 0.952)
    first = np.where(delta <= 1, 20.867 - 3.242 * delta + 0.625 * delta**2, beyond)
    second = np.where(delta <= 1, 20.209 - 1.930 * delta - 0.086 * delta**2, beyond)
    return first, second


def pair_production(energy, charge):
    """Total pair production on an atom: Urban's fit to the data of Hubbell, Gimm and Overbo (5 %, 1.5 MeV to 100 GeV).

    sigma = Z (Z + 1) [F1(X) + F2(X) Z + F3(X) / Z], X = ln(E / m) (Geant4 physics reference manual).
    """
    at = np.maximum(energy, 1.5)
    x = np.log(at / ELECTRON_MASS)
    f1 = np.polyval([-2.8333e-1, 1.2575e1, -2.0028e2, 1.2949e3, -1.9625e3, 8.7842e2], x)
    f2 = np.polyval([2.3586e-3, -9.0815e-2, 1.3063, -8.2381, 1.7692e1, -1.0342e1], x)
    f3 = np.polyval([6.5372e-1, -2.0467e1, 2.1773e2, -8.6749e2, 1.1161e3, -4.5263e2], x)
    sigma = charge * (charge + 1) * (f1 + f2 * charge + f3 / charge) * 1e-30
    threshold = np.clip((energy - 2 * ELECTRON_MASS) / (1.5 - 2 * ELECTRON_MASS), 0, 1)
    return np.maximum(sigma, 0) * threshold**2


def compton(energy):
    """Klein and Nishina's total cross section of an electron at rest."""
    k = energy / ELECTRON_MASS
    log = np.log1p(2 * k)
    bracket = (1 + k) / k**2 * (2 * (1 + k) / (1 + 2 * k) - log / k) + log / (2 * k) - (1 + 3 * k) / (1 + 2 * k) ** 2
    return 2 * np.pi * CLASSICAL_RADIUS_SQUARED * bracket


# Photoelectric mass attenuation [cm2/g] at energies in MeV. Up to 0.8 MeV: tables of Elam, Ravel and Sieber, Radiation
# Physics and Chemistry 63 (2002) 121, as in xraydb; above from memory of NIST's XCOM, +-10 %.
_LEAD = (
    ((0.01, 125.6), (0.013, 63.5), (0.0131, 156.1), (0.0151, 106.3), (0.0159, 150.7), (0.02, 83.97), (0.03, 28.86))
    + ((0.04, 13.35), (0.05, 7.293), (0.06, 4.432), (0.08, 2.013), (0.0879, 1.552), (0.0881, 7.300), (0.1, 5.237))
    + ((0.15, 1.815), (0.2, 0.8464), (0.3, 0.2929), (0.4, 0.1417), (0.5, 0.08258), (0.6, 0.05406), (0.8, 0.02871))
    + ((1.0, 0.0181), (1.5, 0.0083), (2.0, 0.0050), (3.0, 0.0026), (5.0, 0.00124), (10.0, 0.0005), (100.0, 4e-5))
)
_ARGON = (
    ((0.01, 62.32), (0.02, 8.207), (0.03, 2.403), (0.04, 0.9908), (0.05, 0.4946), (0.06, 0.2793), (0.08, 0.1128))
    + ((0.1, 0.05564), (0.15, 0.01544), (0.2, 6.281e-3), (0.3, 1.831e-3), (0.4, 7.98e-4), (0.5, 4.345e-4))
    + ((0.6, 2.721e-4), (0.8, 1.381e-4), (1.0, 8e-5), (2.0, 1.8e-5), (10.0, 1.5e-6), (100.0, 1e-7))
)
_PHOTOELECTRIC = {82.0: np.log(np.array(_LEAD).T), 18.0: np.log(np.array(_ARGON).T)}


def photoelectric(energy, material):
    """Photoelectric absorption by an atom of lead or argon, interpolated in log-log between tabulated values."""
    energies, attenuations = _PHOTOELECTRIC[material.charge]
    return np.exp(np.interp(np.log(energy), energies, attenuations)) * material.density / material.atoms


# Giant dipole resonance: peak [cm2], energy, width, neutron threshold [MeV]; from memory, +-10 %.
_DIPOLE_RESONANCE = {82.0: (0.64e-24, 13.5, 4.2, 7.4), 18.0: (0.040e-24, 19.0, 8.0, 9.9)}


def photonuclear(energy, material):
    """Photon absorption by a nucleus: dipole resonance, two nucleons, Delta and beyond; a sketch, +-20 % or more."""
    peak, position, width, threshold = _DIPOLE_RESONANCE[material.charge]
    resonance = peak / (1 + ((energy**2 - position**2) / (energy * width)) ** 2) * (energy > threshold)
    pairs = 0.07e-27 * np.clip((energy - 25) / 50, 0, 1)
    delta = 0.45e-27 * np.exp(-0.5 * ((energy - 320) / 120) ** 2) * (energy > 150)
    beyond = 0.08e-27 * np.clip((energy - 150) / 300, 0, 1)
    return resonance + material.mass * (pairs + delta + beyond)


def bremsstrahlung(fraction, energy, material):
    """X0 k dN/dk per length: photons of k = fraction * energy from an electron of total energy `energy`.

    Screened Bethe-Heitler, (4/3 - 4/3 y + y^2) F1 + 2/3 (1 - y) (F1 - F2) with F = phi - 4/3 ln Z - 4 f(Z), normalised
    to the measured radiation length at complete screening (Tsai, Reviews of Modern Physics 46 (1974) 815).
    """
    y = np.asarray(fraction)
    logarithm = 4 / 3 * np.log(material.charge)
    coulomb = 4 * coulomb_correction(material.charge)
    shift = logarithm + (coulomb if energy > COULOMB_ENERGY else 0.0)
    delta = 136 * material.charge ** (-1 / 3) * ELECTRON_MASS / energy * y / np.maximum(1 - y, 1e-9)
    first, second = (np.maximum(phi - shift, 0) for phi in screening(delta))
    spectrum = (4 / 3 - 4 / 3 * y + y**2) * first + 2 / 3 * (1 - y) * (first - second)
    return np.maximum(spectrum, 0) / (20.867 - logarithm - coulomb)


# Ratio of ICRU report 37's radiative stopping power to that of the formula above, at kinetic energies in MeV, for lead
# and argon: interpolated in Z from EGSnrc's table A'. The Born approximation is too low for slow electrons.
_RATIO_ENERGIES = np.log([0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, COULOMB_ENERGY])
_LEAD_RATIOS = (1.558, 1.413, 1.291, 1.185, 1.125, 1.059, 0.996, 0.966, 0.941, 0.921, 0.910, 0.901, 0.895)
_ARGON_RATIOS = (1.113, 1.041, 0.998, 0.979, 0.977, 0.980, 0.986, 0.989, 0.991, 0.992, 0.992, 0.990, 0.987)
_RATIOS = {82.0: _LEAD_RATIOS, 18.0: _ARGON_RATIOS}


def beyond_born(kinetic, material):
    """Factor that brings the formula's bremsstrahlung to the radiative stopping powers of ICRU report 37."""
    if kinetic + ELECTRON_MASS > COULOMB_ENERGY:
        return 1.0
    return np.interp(np.log(kinetic), _RATIO_ENERGIES, _RATIOS[material.charge])


def bremsstrahlung_rate(kinetic, material):
    """Photons above the cut per cm of one electron."""
    energy = kinetic + ELECTRON_MASS
    if kinetic <= PHOTON_CUT:
        return 0.0
    logs = np.linspace(np.log(PHOTON_CUT / energy), np.log(kinetic / energy), 200)
    spectrum = bremsstrahlung(np.exp(logs), energy, material) * beyond_born(kinetic, material)
    return trapezoid(spectrum, logs) * material.density / material.radiation_length


def soft_bremsstrahlung(kinetic, material):
    """Energy loss to photons below the cut [MeV/cm]."""
    energy = kinetic + ELECTRON_MASS
    fractions = np.linspace(0, min(PHOTON_CUT, kinetic) / energy, 20)
    spectrum = bremsstrahlung(fractions, energy, material) * beyond_born(kinetic, material)
    return trapezoid(spectrum, fractions) * energy * material.density / material.radiation_length


def moller(fraction, kinetic):
    """d sigma / d(fraction) per electron: Moller scattering, the slower electron takes fraction <= 1/2 of `kinetic`."""
    gamma = kinetic / ELECTRON_MASS + 1
    cross = (2 * gamma - 1) / gamma**2
    other = 1 - fraction
    bracket = (1 - 1 / gamma) ** 2 + (1 / fraction - cross) / fraction + (1 / other - cross) / other
    return 2 * np.pi * CLASSICAL_RADIUS_SQUARED / ((1 - gamma**-2) * (gamma - 1)) * bracket


def bhabha(fraction, kinetic):
    """d sigma / d(fraction) per electron: Bhabha scattering, the electron takes fraction <= 1 of `kinetic`."""
    gamma = kinetic / ELECTRON_MASS + 1
    y = 1 / (gamma + 1)
    b1, b2 = 2 - y**2, (1 - 2 * y) * (3 + y**2)
    b4 = (1 - 2 * y) ** 3
    b3 = b4 + (1 - 2 * y) ** 2
    bracket = 1 / ((1 - gamma**-2) * fraction**2) - b1 / fraction + b2 - b3 * fraction + b4 * fraction**2
    return 2 * np.pi * CLASSICAL_RADIUS_SQUARED / (gamma - 1) * bracket


def knock_on(kinetic, cut, positron):
    """Cross section [cm2] per electron of knock-on electrons above the cut, and their cross section times energy."""
    largest = 1.0 if positron else 0.5
    if cut >= largest * kinetic:
        return 0.0, 0.0
    logs = np.linspace(np.log(cut / kinetic), np.log(largest), 400)
    fractions = np.exp(logs)
    spectrum = (bhabha if positron else moller)(fractions, kinetic) * fractions
    return trapezoid(spectrum, logs), trapezoid(spectrum * fractions, logs) * kinetic


def annihilation(kinetic):
    """Annihilation in flight into two photons, per electron (Heitler, The Quantum Theory of Radiation, chapter 27)."""
    gamma = kinetic / ELECTRON_MASS + 1
    root = np.sqrt(gamma**2 - 1)
    bracket = (gamma**2 + 4 * gamma + 1) / root**2 * np.log(gamma + root) - (gamma + 3) / root
    return np.pi * CLASSICAL_RADIUS_SQUARED / (gamma + 1) * bracket

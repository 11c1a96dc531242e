"""Final states of single interactions, drawn inside compiled code by composition and rejection."""

import numpy as np
from scipy.optimize import brentq

from hepflows.generators.showers.compiled import compiled
from hepflows.generators.showers.cross_sections import (
    COULOMB_ENERGY,
    ELECTRON_MASS,
    PHOTON_CUT,
    coulomb_correction,
)
from hepflows.generators.showers.layout import ARGON, LEAD
from hepflows.generators.showers.random_numbers import azimuth, exponential, uniform

# By material: 4/3 ln Z, 4 f(Z) and 136 Z^(-1/3).
_LOGARITHMS = tuple(float(4 / 3 * np.log(material.charge)) for material in (LEAD, ARGON))
_COULOMB = tuple(float(4 * coulomb_correction(material.charge)) for material in (LEAD, ARGON))
_SCREENING = tuple(float(136 * material.charge ** (-1 / 3)) for material in (LEAD, ARGON))


@compiled
def rotate(u, v, w, cosine, sine, cosine_azimuth, sine_azimuth):
    """Direction (u, v, w) turned by a polar angle, at an azimuth about itself."""
    transverse = u * u + v * v
    if transverse < 1e-12:
        sign = 1.0 if w > 0 else -1.0
        return sine * cosine_azimuth, sine * sine_azimuth * sign, cosine * sign
    scale = sine / np.sqrt(transverse)
    along, across = scale * cosine_azimuth, scale * sine_azimuth
    a = u * cosine + along * u * w - across * v
    b = v * cosine + along * v * w + across * u
    c = w * cosine - along * transverse
    # Rounding errors of the length would grow along a track: one Newton step keeps it 1.
    norm = 1.5 - 0.5 * (a * a + b * b + c * c)
    return a * norm, b * norm, c * norm


@compiled
def isotropic(state):
    """Direction, uniform on the sphere."""
    cosine = 2.0 * uniform(state) - 1.0
    sine = np.sqrt(1.0 - cosine * cosine)
    a, b = azimuth(state)
    return sine * a, sine * b, cosine


@compiled
def _screening(delta):
    if delta <= 1.0:
        return 20.867 - 3.242 * delta + 0.625 * delta * delta, 20.209 - 1.930 * delta - 0.086 * delta * delta
    beyond = 21.12 - 4.184 * np.log(delta + 0.952)
    return beyond, beyond


@compiled
def pair_fraction(state, energy, material):
    """Share of the photon's energy that the electron of a pair takes: screened Bethe-Heitler, uniform near threshold.

    d sigma / d(eps) ~ (eps^2 + (1 - eps)^2) F1 + 2/3 eps (1 - eps) F2 with F = phi - 4/3 ln Z - 4 f(Z) (Tsai 1974).
    """
    lowest = ELECTRON_MASS / energy
    if energy < 2.1:
        return lowest + (1.0 - 2.0 * lowest) * uniform(state)
    shift = _LOGARITHMS[material] + (_COULOMB[material] if energy > COULOMB_ENERGY else 0.0)
    scale = _SCREENING[material] * lowest
    first, second = _screening(4.0 * scale)
    largest = max(first - shift, 0.0) + max(second - shift, 0.0) / 6.0
    while True:
        share = lowest + (1.0 - 2.0 * lowest) * uniform(state)
        product = share * (1.0 - share)
        first, second = _screening(scale / product)
        density = (1.0 - 2.0 * product) * max(first - shift, 0.0) + 2.0 / 3.0 * product * max(second - shift, 0.0)
        if density >= uniform(state) * largest:
            return share


@compiled
def polar_angle(state, energy):
    """Angle of pair electrons and bremsstrahlung, theta = u m / E: Tsai's distribution as fitted in Geant3 and Geant4.

    f(u) ~ u exp(-a u) + 27 u exp(-3 a u), a = 0.625; one quarter and three quarters of the cases.
    """
    a = 0.625 if uniform(state) < 0.25 else 1.875
    angle = (exponential(state) + exponential(state)) / a * ELECTRON_MASS / energy
    return min(angle, 3.0)


@compiled
def compton(state, energy):
    """Share of its energy that a scattered photon keeps, and 1 - cos of its angle: Klein and Nishina (as in EGS4)."""
    k = energy / ELECTRON_MASS
    lowest = 1.0 / (1.0 + 2.0 * k)
    log_part, square_part = -np.log(lowest), 0.5 * (1.0 - lowest * lowest)
    while True:
        if uniform(state) * (log_part + square_part) < log_part:
            share = np.exp(-log_part * uniform(state))
        else:
            share = np.sqrt(lowest * lowest + (1.0 - lowest * lowest) * uniform(state))
        versine = (1.0 - share) / (k * share)
        square_sine = versine * (2.0 - versine)
        if uniform(state) < 1.0 - share * square_sine / (1.0 + share * share):
            return share, versine


@compiled
def bremsstrahlung_energy(state, kinetic, material):
    """Energy [MeV] of a photon above the cut; `cross_sections.bremsstrahlung` by rejection from 1/k."""
    energy = kinetic + ELECTRON_MASS
    shift = _LOGARITHMS[material] + (_COULOMB[material] if energy > COULOMB_ENERGY else 0.0)
    scale = _SCREENING[material] * ELECTRON_MASS / energy
    largest = 4.0 / 3.0 * max(20.867 - shift, 0.0) + 0.44
    logarithm = np.log(kinetic / PHOTON_CUT)
    while True:
        photon = PHOTON_CUT * np.exp(logarithm * uniform(state))
        y = photon / energy
        first, second = _screening(scale * y / (1.0 - y))
        first, second = max(first - shift, 0.0), max(second - shift, 0.0)
        density = (4.0 / 3.0 - 4.0 / 3.0 * y + y * y) * first + 2.0 / 3.0 * (1.0 - y) * (first - second)
        if density >= uniform(state) * largest:
            return photon


@compiled
def moller_fraction(state, kinetic, cut):
    """Share of the kinetic energy that the slower electron takes, from cut to one half; rejection from 1/eps^2."""
    gamma = kinetic / ELECTRON_MASS + 1.0
    cross = (2.0 * gamma - 1.0) / (gamma * gamma)
    flat = (1.0 - 1.0 / gamma) ** 2
    lowest = cut / kinetic
    while True:
        share = 0.5 * lowest / (0.5 - (0.5 - lowest) * uniform(state))
        ratio = share / (1.0 - share)
        density = flat * share * share + 1.0 - cross * share + ratio * (ratio - cross * share)
        if density >= uniform(state) * 2.25:
            return share


@compiled
def bhabha_fraction(state, kinetic, cut):
    """Share of the positron's kinetic energy that the electron takes, from cut to one; rejection from 1/eps^2."""
    gamma = kinetic / ELECTRON_MASS + 1.0
    y = 1.0 / (gamma + 1.0)
    beta2 = 1.0 - 1.0 / (gamma * gamma)
    b1, b2, b4 = 2.0 - y * y, (1.0 - 2.0 * y) * (3.0 + y * y), (1.0 - 2.0 * y) ** 3
    b3 = b4 + (1.0 - 2.0 * y) ** 2
    lowest = cut / kinetic
    while True:
        share = lowest / (1.0 - (1.0 - lowest) * uniform(state))
        density = 1.0 + beta2 * share * (-b1 + share * (b2 + share * (-b3 + share * b4)))
        if density >= uniform(state):
            return share


@compiled
def scattered_cosine(kinetic, share):
    """Cosine of the angle of an electron that takes a share of the kinetic energy in a collision with one at rest."""
    taken = share * kinetic
    square = taken * (kinetic + 2.0 * ELECTRON_MASS) / (kinetic * (taken + 2.0 * ELECTRON_MASS))
    return min(np.sqrt(square), 1.0)


@compiled
def annihilation_fraction(state, kinetic):
    """Share of kinetic + 2 m that the first photon of an annihilation in flight takes, by rejection from 1/eps."""
    gamma = kinetic / ELECTRON_MASS + 1.0
    root = np.sqrt((gamma - 1.0) / (gamma + 1.0))
    lowest, highest = 0.5 * (1.0 - root), 0.5 * (1.0 + root)
    square = (gamma + 1.0) ** 2
    largest = (gamma * gamma + 2.0 * gamma - 1.0) / square
    logarithm = np.log(highest / lowest)
    while True:
        share = lowest * np.exp(logarithm * uniform(state))
        density = 1.0 - share + (2.0 * gamma * share - 1.0) / (share * square)
        if density >= uniform(state) * largest:
            return share


@compiled
def annihilation_cosine(kinetic, share):
    """Cosine of the angle between the positron and the photon that takes a share of kinetic + 2 m."""
    gamma = kinetic / ELECTRON_MASS + 1.0
    cosine = (share * (gamma + 1.0) - 1.0) / (share * np.sqrt(gamma * gamma - 1.0))
    return min(max(cosine, -1.0), 1.0)


def _inverse_concentrations():
    """1 / kappa of the von Mises-Fisher distribution, coth(kappa) - 1 / kappa = exp(-paths), at paths 0 to 1."""
    paths = np.linspace(0.0, 1.0, 257)[1:]
    found = [brentq(lambda k, mean=mean: 1 / np.tanh(k) - 1 / k - mean, 0.1, 1e4) for mean in np.exp(-paths)]
    return np.concatenate([[0.0], 1 / np.array(found)])


_INVERSE_CONCENTRATIONS = _inverse_concentrations()


@compiled
def deflection(state, paths):
    """1 - cos of the angle after `paths` = s / lambda_1 < 1: von Mises-Fisher, with its mean cosine exp(-paths)."""
    place = paths * 256.0
    node = int(place)
    below, above = _INVERSE_CONCENTRATIONS[node], _INVERSE_CONCENTRATIONS[node + 1]
    inverse = below + (place - node) * (above - below)
    draw = uniform(state)
    # The far side of the sphere, exp(-2 kappa), counts only where the distribution is wide.
    far = np.exp(-2.0 / inverse) if inverse > 0.06 else 0.0
    return min(-np.log(1.0 - draw + draw * far) * inverse, 2.0)

"""GFlash: the classical fast simulation of e+ and photon showers, after Grindhammer and Peters (hep-ex/0001020).

A shower is a gamma distribution in depth, drawn with its fluctuations, times two rings of radius; spots of equal energy
are thrown into the cells. The parameters are those of a homogeneous medium of the mixture's charge, because the readout
adds up lead and argon; `sampling=True` takes those of a sampling calorimeter.
"""

import numpy as np

from hepflows.errors import InputError
from hepflows.generators.showers.layout import (
    CELLS,
    HALF_DEPTH,
    HALF_READOUT,
    LAYER_ENDS,
    PERIOD,
    TOTAL_CELLS,
    sandwich,
)

SPOT_ENERGY = 5.0
_BATCH = 200
_COUNTS_X = np.array([3, 12, 12])
_COUNTS_Y = np.array([96, 12, 6])
_OFFSETS = np.array([0, 288, 432])
_LIGHT, _HEAVY = 18.0, 82.0


def longitudinal(energies, sampling=False):
    """Means of ln T and ln alpha, their widths and correlation, at `energies` [MeV]: five arrays of that shape.

    In radiation lengths, dE/dt ~ t^(alpha - 1) exp(-beta t), T = (alpha - 1) / beta (appendices A and B).
    """
    length, charge, critical, _ = sandwich()
    log = np.log(np.asarray(energies) / critical)
    depth = np.maximum(log - 0.812, 0.1)
    alpha = np.maximum(0.81 + (0.458 + 2.26 / charge) * log, 0.1)
    if sampling:
        frequency, ratio = _sampling()
        depth, alpha = depth - 0.59 / frequency - 0.53 * (1 - ratio), alpha - 0.444 / frequency
        widths = 1 / (-2.5 + 1.25 * log), 1 / (-0.82 + 0.79 * log)
        correlation = 0.784 - 0.023 * log
    else:
        widths = 1 / (-1.4 + 1.26 * log), 1 / (-0.58 + 0.86 * log)
        correlation = 0.705 - 0.023 * log
    return np.log(depth), np.log(alpha), *(np.clip(width, 0, 0.5) for width in widths), correlation


def radial(tau, log_energy, sampling=False):
    """Radii of core and tail [Moliere radii] and weight of the core at depth tau = t / T; log_energy of E in GeV.

    f(r) = p 2 r Rc^2 / (r^2 + Rc^2)^2 + (1 - p) 2 r Rt^2 / (r^2 + Rt^2)^2.
    """
    charge = sandwich()[1]
    core = 0.0251 + 0.00319 * log_energy + (0.1162 - 0.000381 * charge) * tau
    growth = np.exp((0.3585 + 0.0412 * log_energy) * (tau - 0.645))
    tail = (0.659 - 0.00309 * charge) * (np.exp(-2.59 * (tau - 0.645)) + growth)
    position = (0.401 + 0.00187 * charge - tau) / (1.313 - 0.0686 * log_energy)
    weight = (2.632 - 0.00094 * charge) * np.exp(position - np.exp(position))
    if sampling:
        frequency, ratio = _sampling()
        core += -0.0203 * (1 - ratio) + 0.0397 / frequency * np.exp(-tau)
        tail += -0.14 * (1 - ratio) - 0.495 / frequency * np.exp(-tau)
        weight += (1 - ratio) * (0.348 - 0.642 / frequency * np.exp(-((tau - 1) ** 2)))
    return core, np.maximum(tail, core), weight


def _sampling():
    """Sampling frequency X0 / (lead + argon) and the ratio e / mip of the sampling fractions."""
    return sandwich()[0] / PERIOD, 1 / (1 + 0.007 * (_HEAVY - _LIGHT))


def showers(kind, energies, generator, sampling=False):
    """GFlash showers of "e+" or "gamma" of energies [MeV]: deposits (events, 507) in MeV.

    Cells and what each layer holds outside of the readout, as `simulate.electromagnetic_showers`; what lies behind the
    calorimeter is lost. Raises InputError for another kind and energies below 500 MeV.
    """
    energies = np.atleast_1d(np.asarray(energies, dtype=np.float64))
    if kind not in ("e+", "gamma"):
        raise InputError(f"kind: expected e+ or gamma, got {kind!r}")
    if energies.ndim != 1 or not np.all((energies >= 500) & np.isfinite(energies)):
        raise InputError(f"energies: expected a vector of at least 500 MeV, got {energies!r}")
    parts = [
        _batch(kind, energies[start : start + _BATCH], generator, sampling) for start in range(0, len(energies), _BATCH)
    ]
    return np.concatenate(parts)


def _batch(kind, energies, generator, sampling):
    length, _, _, moliere = sandwich()
    events = len(energies)
    log_depth, log_alpha, depth_width, alpha_width, correlation = longitudinal(energies, sampling)
    first, second = generator.standard_normal((2, events))
    plus, minus = np.sqrt((1 + correlation) / 2) * first, np.sqrt((1 - correlation) / 2) * second
    depth = np.exp(log_depth + depth_width * (plus + minus))
    alpha = np.maximum(np.exp(log_alpha + alpha_width * (plus - minus)), 1.1)
    # A photon flies 9/7 radiation lengths on average before it converts.
    start = generator.exponential(9 / 7, events) if kind == "gamma" else np.zeros(events)

    spots = (energies / SPOT_ENERGY).astype(int) + 1
    event = np.repeat(np.arange(events), spots)
    t = generator.standard_gamma(alpha[event]) * (depth / (alpha - 1))[event]
    # tau in units of the shower's own mean depth, as the radial parameters are fitted.
    mean_alpha = np.exp(log_alpha)
    scale = (alpha - 1) / alpha * mean_alpha / (mean_alpha - 1) / depth
    core, tail, weight = radial(t * scale[event], np.log(energies / 1000)[event], sampling)
    draw = generator.random(len(t))
    radius = np.where(generator.random(len(t)) < weight, core, tail) * np.sqrt(draw / (1 - draw)) * moliere
    angle = 2 * np.pi * generator.random(len(t))
    z = -HALF_DEPTH + (t + start[event]) * length
    cells = cell_indices(radius * np.cos(angle), radius * np.sin(angle), z)
    seen = z < HALF_DEPTH
    deposits = np.bincount(
        (event * TOTAL_CELLS + cells)[seen], (energies / spots)[event][seen], minlength=events * TOTAL_CELLS
    )
    return deposits.reshape(events, TOTAL_CELLS)


def cell_indices(x, y, z):
    """`geometry.cell_index` of arrays of points."""
    layer = (z >= LAYER_ENDS[0]).astype(int) + (z >= LAYER_ENDS[1])
    inside = (np.abs(x) < HALF_READOUT) & (np.abs(y) < HALF_READOUT)
    column = np.where(inside, (x + HALF_READOUT) * _COUNTS_X[layer] / (2 * HALF_READOUT), 0).astype(int)
    row = np.where(inside, (y + HALF_READOUT) * _COUNTS_Y[layer] / (2 * HALF_READOUT), 0).astype(int)
    return np.where(inside, _OFFSETS[layer] + column * _COUNTS_Y[layer] + row, CELLS + layer)

"""Calorimeter showers: geometry, symmetry, checks, threshold, the lecture's u-space for the energies of the layers.

The calorimeter is CaloGAN's (arXiv:1712.10321), u-space is CaloFlow's (arXiv:2106.05285). Energies in GeV, lengths in
mm, voxels (showers, voxels) layer after layer, as `Geometry` says. How a flow sees voxels: `shower_features`.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from hepflows.errors import InputError

LAYERS = 3
THRESHOLD = 1e-5  # GeV: smaller deposits count as none
DEPTH = 1.0  # of what fills empty voxels and layers, in powers of e below the threshold
ENERGY_RANGE = (1.0, 100.0)  # GeV: where showers were simulated
# Largest deposit beyond the incident energy: 1.022 MeV where an e+ annihilates, and the rounding of stored cells.
REST_ENERGY = 0.002  # GeV
# Smallest share of the incident energy that a shower leaves: 0.3 % by a pi+ of 100 GeV that only ionises.
SMALLEST_RESPONSE = 0.002


class EnergyRangeWarning(UserWarning):
    """Showers are asked for at energies at which the flows were never trained."""


class ResponseWarning(UserWarning):
    """Showers leave less energy than any particle does."""


@dataclass(frozen=True)
class Geometry:
    """Edges [mm] of the voxels in x and y of each layer; layer i has len(x_edges[i]) - 1 times len(y_edges[i]) - 1."""

    x_edges: tuple
    y_edges: tuple

    @property
    def shapes(self):
        """(voxels in x, voxels in y) of each layer."""
        return tuple((len(x) - 1, len(y) - 1) for x, y in zip(self.x_edges, self.y_edges, strict=True))

    @property
    def sizes(self):
        """Voxels of each layer."""
        return tuple(a * b for a, b in self.shapes)

    @property
    def voxels(self):
        """Voxels of all layers."""
        return sum(self.sizes)

    def layers(self, voxels):
        """Voxels (showers, voxels) as one array (showers, voxels in x, voxels in y) for each layer."""
        parts = np.split(voxels, np.cumsum(self.sizes)[:-1], axis=1)
        return [part.reshape(len(part), *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def centres(self, layer):
        """Centres of a layer's voxels in x and in y [mm]."""
        return tuple((np.array(e[:-1]) + e[1:]) / 2 for e in (self.x_edges[layer], self.y_edges[layer]))

    def areas(self, layer):
        """Areas of a layer's voxels [mm2], shape (voxels in x, voxels in y)."""
        return np.outer(np.diff(self.x_edges[layer]), np.diff(self.y_edges[layer]))


def _edges(*positive):
    return (*(-edge for edge in reversed(positive)), 0.0, *positive)


# 3 x 96, 12 x 12 and 12 x 6 voxels; layer 0 has no edge at x = 0.
FULL = Geometry(
    ((-240.0, -80.0, 80.0, 240.0), _edges(*range(40, 241, 40)), _edges(*range(40, 241, 40))),
    (_edges(*range(5, 241, 5)), _edges(*range(40, 241, 40)), _edges(*range(80, 241, 80))),
)
# 1 x 12, 6 x 6 and 4 x 4: fine at the core, coarse at the side; every edge is one of FULL's.
MERGED = Geometry(
    ((-240.0, 240.0), _edges(40, 120, 240), _edges(80, 240)),
    (_edges(5, 10, 20, 40, 80, 240), _edges(40, 120, 240), _edges(80, 240)),
)


def merge(voxels, geometry=MERGED):
    """Voxels (showers, 504) of the full geometry added up to those of a coarser one.

    Raises InputError for a wrong shape and for a geometry whose edges are not among those of the full one.
    """
    voxels = as_array("voxels", voxels, (None, FULL.voxels))
    merged = []
    for layer, energies in enumerate(FULL.layers(voxels)):
        for axis, (fine, coarse) in enumerate(
            ((FULL.x_edges[layer], geometry.x_edges[layer]), (FULL.y_edges[layer], geometry.y_edges[layer])), start=1
        ):
            if not set(coarse) <= set(fine) or (coarse[0], coarse[-1]) != (fine[0], fine[-1]):
                raise InputError(f"geometry: expected edges among {fine} in layer {layer}, got {coarse}")
            energies = np.add.reduceat(energies, np.searchsorted(fine, coarse[:-1]), axis=axis)
        merged.append(energies.reshape(len(voxels), -1))
    return np.concatenate(merged, axis=1)


def reflections(voxels, geometry):
    """The four images of each shower under x -> -x and y -> -y, shape (4 showers, voxels).

    The beam is at x = y = 0 and the calorimeter looks the same from both sides: all four are equally probable.
    """
    layers = geometry.layers(voxels)
    images = [
        np.concatenate([layer[:, ::in_x, ::in_y].reshape(len(voxels), -1) for layer in layers], axis=1)
        for in_x in (1, -1)
        for in_y in (1, -1)
    ]
    return np.concatenate(images)


def check_showers(voxels, energy, geometry):
    """(voxels, energy) as float64 arrays, if they can be showers in GeV.

    Raises InputError, with the first shower at fault, for a wrong shape, NaN, a negative deposit, an incident energy
    that is not positive, or more energy in the calorimeter than came in (which other units than GeV often show). Warns
    of incident energies as `check_energy` does, and (ResponseWarning) if half of the showers leave hardly any energy.
    """
    energy = check_energy(energy)
    voxels = as_array("voxels", voxels, (len(energy), geometry.voxels))
    negative = np.argwhere(voxels < 0)
    if len(negative):
        row, voxel = negative[0]
        raise InputError(
            f"voxels: expected energies of at least 0 GeV, got {voxels[row, voxel]:g} in shower {row}, voxel {voxel}"
        )
    deposit = voxels.sum(1)
    above = np.flatnonzero(deposit > energy + REST_ENERGY)
    if len(above):
        row = above[0]
        raise InputError(
            f"voxels: expected at most the incident energy of {energy[row]:g} GeV (and rest energy of "
            f"{REST_ENERGY} GeV) in shower {row}, got {deposit[row]:g} GeV; are voxels and energies both in GeV?"
        )
    response = np.median(deposit / energy) if len(energy) else 1.0
    if response < SMALLEST_RESPONSE:
        warnings.warn(
            f"voxels: expected showers that leave more than {SMALLEST_RESPONSE:g} of their energy, got {response:.2g} "
            "in the median; are voxels and energies both in GeV?",
            ResponseWarning,
            stacklevel=2,
        )
    return voxels, energy


def check_energy(energy):
    """Incident energies as float64 array (showers,).

    Raises InputError for a wrong shape or energies that are not positive; warns (EnergyRangeWarning) of those outside
    of ENERGY_RANGE, at which no shower was simulated: what a flow says there is extrapolation.
    """
    energy = as_array("energy", energy, (None,))
    if np.any(energy <= 0):
        raise InputError(f"energy: expected positive energies in GeV, got {energy[energy <= 0][0]:g}")
    low, high = ENERGY_RANGE
    outside = energy[(energy < low) | (energy > high)]
    if len(outside):
        warnings.warn(
            f"energy: expected {low:g} to {high:g} GeV, where showers were simulated, got {outside[0]:g} GeV "
            f"({len(outside)} of {len(energy)} energies are outside); are they in GeV?",
            EnergyRangeWarning,
            stacklevel=2,
        )
    return energy


def above_threshold(voxels, threshold=THRESHOLD):
    """Voxels with every deposit below the threshold [GeV] set to zero."""
    return np.where(voxels < threshold, 0.0, voxels)


def layer_energies(voxels, geometry):
    """Energy of each layer, (showers, 3)."""
    return np.stack([layer.sum((1, 2)) for layer in geometry.layers(voxels)], axis=1)


def below_threshold(rng, shape, depth=DEPTH):
    """What may stand for nothing: logarithms of energy over threshold, -depth G with random G from Gamma(2).

    A density needs no spike, and post-processing removes it again. That of G falls to zero towards the threshold in
    proportion to G: neither an edge nor a gap is there. `rng`: numpy Generator.
    """
    return -depth * rng.gamma(2.0, size=shape)


def fill_empty(energies, rng, threshold=THRESHOLD, depth=DEPTH):
    """Layer energies with every 0 replaced by something below the threshold [GeV], as `below_threshold` draws it."""
    return np.where(energies > 0, energies, threshold * np.exp(below_threshold(rng, np.shape(energies), depth)))


ALPHA = 1e-9


def logit(fraction, alpha=ALPHA):
    """log(x / (1 - x)) of x = alpha + (1 - 2 alpha) fraction, which keeps 0 and 1 finite (arXiv:2106.05285)."""
    x = alpha + (1 - 2 * alpha) * np.asarray(fraction, dtype=np.float64)
    return np.log(x) - np.log1p(-x)


def inverse_logit(value, alpha=ALPHA):
    """The fraction in [0, 1] of which `value` is the logit."""
    x = 0.5 * (1 + np.tanh(np.asarray(value, dtype=np.float64) / 2))
    return np.clip((x - alpha) / (1 - 2 * alpha), 0.0, 1.0)


def to_u(energies, energy):
    """Layer energies (showers, 3) in u-space, u_i in [0, 1] (arXiv:2106.05285, with the rest energy in addition):

    u_0 = (E_0 + E_1 + E_2) / (E_inc + rest energy), u_1 = E_0 / (E_0 + E_1 + E_2), u_2 = E_1 / (E_1 + E_2).
    """
    energies = np.asarray(energies, dtype=np.float64)
    total = energies.sum(1)
    behind = np.maximum(energies[:, 1] + energies[:, 2], np.finfo(float).tiny)
    return np.stack([total / (energy + REST_ENERGY), energies[:, 0] / total, energies[:, 1] / behind], axis=1)


def from_u(u, energy):
    """Layer energies (showers, 3) of points in u-space: whatever u in [0, 1]^3, energies are positive and add up."""
    total = u[:, 0] * (energy + REST_ENERGY)
    behind = total * (1 - u[:, 1])
    return np.stack([total * u[:, 1], behind * u[:, 2], behind * (1 - u[:, 2])], axis=1)


def flow_1_condition(energy):
    """log10(E_inc / 10 GeV), shape (showers, 1)."""
    return np.log10(np.asarray(energy, dtype=np.float64) / 10)[:, None]


def flow_2_condition(energies, energy):
    """log10(E_inc / 10 GeV) and log10(E_i / 100 GeV + 1e-8) + 2, shape (showers, 4) (arXiv:2106.05285)."""
    return np.concatenate([flow_1_condition(energy), np.log10(np.asarray(energies) / 100 + 1e-8) + 2], axis=1)


def as_array(name, values, shape):
    """float64 array of the wanted shape (None: any length) with finite numbers, or InputError."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name}: expected an array of numbers, got {type(values).__name__}") from None
    fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if not fits:
        wanted = ", ".join("showers" if length is None else str(length) for length in shape)
        raise InputError(f"{name}: expected shape ({wanted}), got {array.shape}")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name}: expected finite numbers, got {array[~np.isfinite(array)][0]}")
    return array

"""Voxels as numbers that a flow can learn, and the way back: logarithms with a fill, and CaloFlow's logits of shares.

An empty voxel is a spike that no density likes. CaloFlow adds a little noise to every voxel (arXiv:2106.05285), which
leaves a gap without any voxel between the noise and the threshold: a flow has to be steep there, and a student more
than all. `to_features` puts something smooth below the threshold instead, where the way back looks for nothing but a
sign. Energies in GeV, voxels (showers, voxels) as `showers.Geometry` says.
"""

import numpy as np

from hepflows.errors import InputError
from hepflows.physics.showers import (
    ALPHA,
    DEPTH,
    THRESHOLD,
    above_threshold,
    as_array,
    below_threshold,
    inverse_logit,
    logit,
)

SCALE = 0.3  # largest part of a layer's energy that a random factor may stand for
NOISE = 1e-6  # GeV: largest energy that CaloFlow adds to a voxel
NO_FRACTION = 1e-30  # of a layer that is lost in rounding
ROUNDING = 1e-9


def to_features(voxels, rng, geometry, threshold=THRESHOLD, depth=DEPTH, scale=SCALE):
    """What Flow II learns, (showers, voxels): positive numbers for hits, negative ones for empty voxels.

    Hits: log(e / (1 - scale B) / threshold), with e >= threshold [GeV] and B one number from Beta(3, 3) for each layer
    of each shower. Energies that add up to E_i lie on a surface, where a density is infinite; the factor leads off it,
    and `to_voxels` divides it out. Empty voxels: `showers.below_threshold`. `rng`: numpy Generator.
    """
    factors = 1 - scale * rng.beta(3.0, 3.0, (len(voxels), len(geometry.sizes)))
    hits = np.maximum(voxels, threshold) / np.repeat(factors, geometry.sizes, axis=1)
    return np.where(voxels >= threshold, np.log(hits / threshold), below_threshold(rng, np.shape(voxels), depth))


def to_voxels(features, energies, geometry, threshold=THRESHOLD):
    """Voxels in GeV of features and layer energies (showers, layers): the way back from `to_features`, exact.

    The hits of a layer are the voxels with positive features, scaled to E_i: exactly that is deposited, or nothing if
    E_i is below the threshold. Of hits that would fall below it, as many of the brightest are kept as stay above, and
    always one, so that no energy is lost. Raises InputError for wrong shapes, numbers that are not finite, and negative
    layer energies.
    """
    features, energies = _checked(features, energies, geometry)
    found = []
    for layer, energy in zip(geometry.layers(features), energies.T, strict=True):
        layer = layer.reshape(len(layer), -1)
        order = np.argsort(-layer, axis=1)
        ranked = np.take_along_axis(layer, order, axis=1)
        relative = np.exp(ranked - ranked[:, :1])
        least = energy[:, None] * relative / relative.cumsum(1)  # of the brightest k, for every k
        hits = np.sum((least >= (1 - ROUNDING) * threshold) & (ranked >= 0), axis=1, keepdims=True)
        deposits = np.zeros_like(layer)
        brightest = np.where(np.arange(layer.shape[1]) < np.maximum(hits, 1), relative, 0.0)
        np.put_along_axis(deposits, order, brightest, axis=1)
        found.append(_scaled_to(deposits, energy, threshold))
    return np.concatenate(found, axis=1)


def to_share_logits(voxels, rng, geometry, alpha=ALPHA, noise=NOISE, scale=SCALE):
    """CaloFlow's coordinates, logits of (1 - scale B) x, with x the shares of the voxels in their layer after uniform
    noise [0, noise] GeV, and B as in `to_features` (CaloFlow: scale 0).
    """
    noisy = geometry.layers(voxels + rng.uniform(0.0, noise, np.shape(voxels)))
    shares = [layer.reshape(len(layer), -1) / layer.sum((1, 2))[:, None] for layer in noisy]
    factors = 1 - scale * rng.beta(3.0, 3.0, (len(voxels), len(shares), 1))
    return logit(np.concatenate([x * factors[:, i] for i, x in enumerate(shares)], axis=1), alpha)


def from_share_logits(features, energies, geometry, alpha=ALPHA, noise=NOISE, threshold=THRESHOLD):
    """The way back from `to_share_logits`, up to the noise.

    Shares add up to 1 in each layer, the mean noise is taken off, what is below the threshold becomes 0, and the rest
    is scaled to E_i. Arguments and errors as those of `to_voxels`.
    """
    features, energies = _checked(features, energies, geometry)
    found = []
    for layer, energy in zip(geometry.layers(inverse_logit(features, alpha)), energies.T, strict=True):
        shares = np.maximum(layer.reshape(len(layer), -1), NO_FRACTION)
        shares /= shares.sum(1, keepdims=True)
        with_noise = energy[:, None] + shares.shape[1] * noise / 2
        deposits = above_threshold(shares * with_noise - noise / 2, threshold)
        brightest = shares.argmax(1)[:, None]  # the last to vanish, so that no energy is lost
        np.put_along_axis(deposits, brightest, np.take_along_axis(shares * with_noise, brightest, 1), 1)
        found.append(_scaled_to(deposits, energy, threshold))
    return np.concatenate(found, axis=1)


def _checked(features, energies, geometry):
    energies = as_array("energies", energies, (None, len(geometry.sizes)))
    features = as_array("features", features, (len(energies), geometry.voxels))
    if np.any(energies < 0):
        raise InputError(f"energies: expected layer energies of at least 0 GeV, got {energies.min():g}")
    return features, energies


def _scaled_to(deposits, energy, threshold):
    kept = np.where(energy < threshold, 0.0, energy)
    return deposits * (kept / deposits.sum(1))[:, None]

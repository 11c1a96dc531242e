"""What one looks at in a shower: energies, depth, widths, sparsity, brightest voxels (arXiv:1712.10321, table 1)."""

import numpy as np

from hepflows.physics.showers import LAYERS, layer_energies

TINY = 1e-12  # GeV: keeps fractions of an empty layer finite


def global_observables(voxels, energy, geometry):
    """{name: (showers,)} of the shower as a whole.

    E_0, E_1, E_2, E_total [GeV]; their fractions of E_total; response E_total / E_inc; depth: mean number of the layer,
    weighted with the energy, and its standard deviation depth_width.
    """
    energies = layer_energies(voxels, geometry)
    total = energies.sum(1)
    fractions = energies / np.maximum(total, TINY)[:, None]
    numbers = np.arange(LAYERS)
    depth = fractions @ numbers
    return {
        **{f"E_{i}": energies[:, i] for i in numbers},
        "E_total": total,
        **{f"fraction_{i}": fractions[:, i] for i in numbers},
        "response": total / energy,
        "depth": depth,
        "depth_width": np.sqrt(np.maximum(fractions @ numbers**2 - depth**2, 0.0)),
    }


def layer_observables(voxels, geometry, layer):
    """{name: (showers,)} of one layer.

    sparsity: fraction of the voxels with energy; centroid_x, centroid_y and width_x, width_y [mm]: mean and standard
    deviation of the energy's position; brightest: largest share of one voxel; contrast: (first - second) / (first +
    second) of the two brightest voxels.
    """
    energies = geometry.layers(voxels)[layer]
    flat = np.sort(energies.reshape(len(energies), -1), axis=1)
    total = np.maximum(flat.sum(1), TINY)
    first, second = flat[:, -1], flat[:, -2]
    observables = {
        "sparsity": np.mean(flat > 0, axis=1),
        "brightest": first / total,
        "contrast": (first - second) / np.maximum(first + second, TINY),
    }
    for name, axis, positions in zip("xy", (2, 1), geometry.centres(layer), strict=True):
        profile = energies.sum(axis) / total[:, None]
        mean = profile @ positions
        observables[f"centroid_{name}"] = mean
        observables[f"width_{name}"] = np.sqrt(np.maximum(profile @ positions**2 - mean**2, 0.0))
    return observables


def all_observables(voxels, energy, geometry):
    """Global observables and those of each layer (named width_x_0, ...) in one dictionary."""
    found = global_observables(voxels, energy, geometry)
    for layer in range(LAYERS):
        of_layer = layer_observables(voxels, geometry, layer)
        found |= {f"{name}_{layer}": values for name, values in of_layer.items()}
    return found


def classifier_columns(voxels, energy, geometry, normalised, floor=1e-5):
    """What the classifier sees, (showers, voxels + 4): voxels, logarithms of the layer energies and of E_inc.

    Voxels as log10(E + floor [GeV]), or, if `normalised`, as ten times their fraction of the layer's energy.
    """
    energies = layer_energies(voxels, geometry)
    columns = np.log10(voxels + floor)
    if normalised:
        layers = [layer.reshape(len(layer), -1) for layer in geometry.layers(voxels)]
        scaled = [
            10 * layer / np.maximum(of_layer, TINY)[:, None] for layer, of_layer in zip(layers, energies.T, strict=True)
        ]
        columns = np.concatenate(scaled, axis=1)
    return np.concatenate([columns, np.log10(energies + floor), np.log10(energy)[:, None]], axis=1)


def nearest_neighbours(showers, others):
    """For each shower the index of the nearest of the others and its distance, Euclidean in the voxels."""
    showers, others = np.asarray(showers, dtype=np.float64), np.asarray(others, dtype=np.float64)
    squared = (showers**2).sum(1)[:, None] - 2 * showers @ others.T + (others**2).sum(1)
    nearest = squared.argmin(1)
    return nearest, np.sqrt(((showers - others[nearest]) ** 2).sum(1))

"""Pictures of showers: the calorimeter, images of the layers, and grids of observables with their pulls."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from hepflows.evaluate import separation_power
from hepflows.plots import COLOURS

LAYER_ENDS = (-240.0, -150.0, 197.0, 240.0)  # mm along the beam
LARGEST_PULL = 5.0  # of the frame


def geometry_figure(geometries):
    """The layers of each geometry {name: Geometry} as the beam sees them; returns the figure."""
    figure, axes = plt.subplots(len(geometries), 3, figsize=(8.4, 2.9 * len(geometries)), squeeze=False)
    for row, (name, geometry) in zip(axes, geometries.items(), strict=True):
        for layer, axis in enumerate(row):
            x, y = geometry.x_edges[layer], geometry.y_edges[layer]
            axis.vlines(y, x[0], x[-1], color=COLOURS["truth"], linewidth=0.6)
            axis.hlines(x, y[0], y[-1], color=COLOURS["truth"], linewidth=0.6)
            axis.plot(0, 0, "o", color=COLOURS["flow"], markersize=4)
            a, b = geometry.shapes[layer]
            depth = LAYER_ENDS[layer + 1] - LAYER_ENDS[layer]
            axis.set(aspect="equal", xlabel="y / mm")
            axis.set_title(f"layer {layer}: {a} x {b}, {depth:.0f} mm deep", fontsize=10)
        row[0].set_ylabel(f"{name}\nx / mm")
    return figure


def shower_images(rows, geometry):
    """One row of three images for each shower or average {name: (voxels,)}; returns the figure.

    Colours are GeV/cm2 on one logarithmic scale, so that voxels of all sizes can be compared; white: no energy.
    """
    figure, axes = plt.subplots(len(rows), 3, figsize=(8.4, 2.5 * len(rows)), squeeze=False, sharex=True, sharey=True)
    images = {name: _densities(voxels, geometry) for name, voxels in rows.items()}
    largest = max(layer.max() for layers in images.values() for layer in layers)
    norm = LogNorm(1e-6 * largest, largest)
    for row, (name, layers) in zip(axes, images.items(), strict=True):
        for layer, (axis, values) in enumerate(zip(row, layers, strict=True)):
            edges = geometry.y_edges[layer], geometry.x_edges[layer]
            mesh = axis.pcolormesh(*edges, np.ma.masked_less_equal(values, 0), norm=norm, rasterized=True)
            axis.set_aspect("equal")
        row[0].set_ylabel(f"{name}\nx / mm", fontsize=9)
    for layer in range(3):
        axes[0, layer].set_title(f"layer {layer}")
        axes[-1, layer].set_xlabel("y / mm")
    figure.colorbar(mesh, ax=axes, label="energy / area / (GeV/cm$^2$)", shrink=min(1.0, 2.2 / len(rows)))
    return figure


def _densities(voxels, geometry):
    layers = geometry.layers(np.atleast_2d(voxels))
    return [100 * layer[0] / geometry.areas(number) for number, layer in enumerate(layers)]


def observable_grid(samples, names, columns=4, bins=40):
    """Histograms of observables, {sample: {observable: values}}, the first sample the truth, with pulls below.

    Above each panel the separation power of the other samples. Bins: `observable_edges`. Pull of a bin:
    (n - n_truth) / sqrt(n + n_truth), samples of equal size. Returns the figure.
    """
    rows = -(-len(names) // columns)
    figure = plt.figure(figsize=(2.75 * columns, 2.75 * rows))
    panels = figure.subfigures(rows, columns, squeeze=False).flat
    for panel, name in zip(panels, names, strict=False):
        top, bottom = panel.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        values = {sample: found[name] for sample, found in samples.items()}
        truth, *others = values.values()
        edges = observable_edges(truth, bins)
        counts = [np.histogram(np.clip(found, edges[0], edges[-1]), edges)[0] for found in values.values()]
        top.stairs(counts[0], edges, fill=True, color=COLOURS["truth"], alpha=0.5)
        bottom.axhspan(-1, 1, color=COLOURS["reference"], alpha=0.3, linewidth=0)
        for count, colour in zip(counts[1:], ("flow", "baseline"), strict=False):
            top.stairs(count, edges, color=COLOURS[colour], linewidth=1.3)
            _pulls(bottom, (count - counts[0]) / np.sqrt(np.maximum(count + counts[0], 1)), edges, COLOURS[colour])
        powers = ", ".join(f"{1e3 * separation_power(truth, found, edges):.1f}" for found in others)
        top.set_title(rf"$\langle S^2\rangle$ = ({powers})$\cdot 10^{{-3}}$", fontsize=8)
        top.set(yticks=[])
        bottom.set(ylim=(-LARGEST_PULL, LARGEST_PULL), yticks=[-3, 0, 3])
        bottom.set_ylabel("pull", fontsize=8)
        bottom.set_xlabel(observable_label(name), fontsize=9)
        for axis in (top, bottom):
            axis.tick_params(labelsize=7)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[c], alpha=a) for c, a in _LEGEND[: len(samples)]]
    figure.legend(handles, samples, loc="outside upper center", ncols=len(samples))
    return figure


def _pulls(axes, pulls, edges, colour):
    """Pulls as steps; those beyond the frame stand at its edge, under a triangle."""
    shown = np.clip(pulls, -LARGEST_PULL, LARGEST_PULL)
    axes.stairs(shown, edges, baseline=None, color=colour, linewidth=1.1)
    middle, beyond = (edges[1:] + edges[:-1]) / 2, np.abs(pulls) > LARGEST_PULL
    for sign, marker in ((1, "^"), (-1, "v")):
        where = beyond & (np.sign(pulls) == sign)
        axes.plot(middle[where], 0.85 * shown[where], marker, color=colour, markersize=4)


_LEGEND = (("truth", 0.5), ("flow", 1.0), ("baseline", 1.0))


def observable_edges(truth, bins=40):
    """Edges of bins from the 0.1 % to the 99.9 % quantile of the truth, shape (bins + 1,).

    Values that can only be multiples of something, such as sparsity, have one bin each if there are few.
    """
    low, high = np.quantile(truth, [0.001, 0.999])
    different = np.unique(truth)
    if len(different) <= bins:
        return _around(different)
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _around(values):
    if len(values) == 1:
        return values[0] + np.array([-0.5, 0.5])
    middle = (values[1:] + values[:-1]) / 2
    return np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])


def observable_label(name):
    """Name of an observable as label of an axis, with its unit."""
    kind, _, rest = name.partition("_")
    if name == "depth_width":
        return "spread of the layers"
    if kind == "E":
        return "$E_{total}$ / GeV" if rest == "total" else f"$E_{rest}$ / GeV"
    if kind == "fraction":
        return f"$E_{rest}/E_{{total}}$"
    if kind in ("centroid", "width"):
        axis, layer = rest.split("_")
        return f"{kind} in {axis}, layer {layer} / mm"
    if kind in ("sparsity", "brightest", "contrast"):
        words = {"sparsity": "voxels hit", "brightest": "brightest share", "contrast": "contrast of brightest"}
        return f"{words[kind]}, layer {rest}"
    return {"response": "$E_{total}/E_{inc}$", "depth": "mean layer"}[name]

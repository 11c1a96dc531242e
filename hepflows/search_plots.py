"""Pictures of a search for a signal: its spectrum, its template, how much a cut improves it, and its significance."""

import matplotlib.pyplot as plt
import numpy as np

from hepflows.plots import COLOURS

# one colour for each method of an anomaly search, in every figure
METHOD_COLOURS = {
    "supervised": "#717581",
    "idealised": "#3f90da",
    "idealised, oversampled": "#92dadd",
    "CWoLa": "#ffa90e",
    "CATHODE": "#bd1f01",
    "CATHODE, oversampled": "#e76300",
    "CATHODE, network": "#a96b59",
    "ANODE": "#832db6",
    "LaCATHODE": "#94a4a2",
}
IMPROVEMENT_AXES = dict(xscale="log", xlabel="background efficiency FPR", ylabel=r"SIC = TPR / $\sqrt{\mathrm{FPR}}$")


def spectrum(axes, counts, edges, window, expected):
    """Events per unit of mass with their errors, the expected ones, and the window in which a signal is sought."""
    widths, centres = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    axes.errorbar(
        centres, counts / widths, np.sqrt(counts) / widths, fmt="o", markersize=4, color=COLOURS["truth"], label="data"
    )
    axes.stairs(expected / widths, edges, color=COLOURS["flow"], linewidth=1.8, label="expected from the side bands")
    axes.axvspan(*window, color=COLOURS["reference"], alpha=0.2, linewidth=0, label="signal region")
    axes.set(xlabel="$m_{JJ}$ / TeV", ylabel="events / TeV")
    axes.legend()


def feature_histograms(samples, labels, bins=40):
    """One column for each feature: densities of two samples, {name: (n, d)}, the first filled, and their ratio below.

    The ratio is second / first with the statistical errors of both. Returns the figure.
    """
    figure, axes = plt.subplots(
        2, len(labels), figsize=(2.4 * len(labels), 3.8), sharex="col", height_ratios=(2.2, 1), squeeze=False
    )
    for feature, (panel, ratio, label) in enumerate(zip(*axes, labels, strict=True)):
        edges = np.linspace(0, np.quantile(next(iter(samples.values()))[:, feature], 0.995), bins + 1)
        counts = []
        for (name, values), colour in zip(samples.items(), ("truth", "flow"), strict=True):
            counts.append(np.histogram(values[:, feature], edges)[0])
            style = dict(fill=True, alpha=0.4) if colour == "truth" else dict(linewidth=1.8)
            panel.stairs(counts[-1] / len(values), edges, color=COLOURS[colour], label=name, **style)
        sizes = [len(values) for values in samples.values()]
        _ratio_of_densities(ratio, edges, counts, sizes)
        panel.set(yticks=[])
        ratio.set(xlabel=label, ylim=(0.75, 1.25))
        if feature:
            ratio.set_yticklabels([])
    axes[0, 0].set_ylabel("density")
    axes[1, 0].set_ylabel("ratio")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _ratio_of_densities(axes, edges, counts, sizes):
    """Second over first where both have events, with the errors of both counts."""
    filled = (counts[0] > 0) & (counts[1] > 0)
    first, second = counts[0][filled], counts[1][filled]
    ratio = second / first * sizes[0] / sizes[1]
    centres = ((edges[1:] + edges[:-1]) / 2)[filled]
    axes.errorbar(centres, ratio, ratio * np.sqrt(1 / first + 1 / second), fmt=".", markersize=3, color=COLOURS["flow"])
    axes.axhline(1, color=COLOURS["reference"], linewidth=1)


def improvement_curves(axes, curves):
    """SIC against background efficiency with the error of the test events, {name: SignificanceImprovement}."""
    for name, sic in curves.items():
        x, y, colour = sic.background_efficiency, sic.improvement, METHOD_COLOURS[name]
        axes.plot(x, y, label=name, color=colour)
        axes.fill_between(x, y - sic.uncertainty, y + sic.uncertainty, color=colour, alpha=0.15, linewidth=0)
    events = sic.background_events[0] / x[0]
    above = axes.secondary_xaxis("top", functions=(lambda rate: rate * events, lambda count: count / events))
    above.set_xlabel("background events that pass")
    axes.set(**IMPROVEMENT_AXES)
    axes.legend(fontsize=9)


def improvement_bands(axes, points, bands):
    """Median SIC and its band against background efficiency, {name: Band}."""
    for name, band in bands.items():
        axes.plot(points, band.median, color=METHOD_COLOURS[name], label=name)
        axes.fill_between(points, band.low, band.high, color=METHOD_COLOURS[name], alpha=0.2, linewidth=0)
    axes.set(**IMPROVEMENT_AXES)


def significances(axes, samples):
    """Histograms of Z without a signal, {name: (toys,)}, beside the standard normal density they should follow."""
    edges = np.linspace(-4, 8, 25)
    for (name, z), colour in zip(samples.items(), ("baseline", "flow"), strict=True):
        style = dict(fill=True, alpha=0.5) if colour == "baseline" else dict(linewidth=1.8)
        axes.stairs(np.histogram(z, edges)[0], edges, color=COLOURS[colour], label=name, **style)
    points = np.linspace(edges[0], edges[-1], 200)
    normal = np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi) * len(z) * np.diff(edges)[0]
    axes.plot(points, normal, color=COLOURS["reference"], label="standard normal")
    axes.set(xlabel="Z without a signal", ylabel="pseudo-experiments")

"""The figures that several notebooks draw, and the style they share."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from hepflows.errors import InputError

# one meaning, one colour, in every notebook; from the colour-blind-safe cycle of M. Petroff (arXiv:2107.02270)
COLOURS = {
    "truth": "#3f90da",
    "flow": "#bd1f01",
    "baseline": "#ffa90e",
    "reference": "#717581",
}
# the methods of an anomaly search: what knows the truth is blue or grey, what uses a template is red or brown
SEARCH_COLOURS = {
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

_STYLE = {
    # opaque, so that axes and labels stay readable on a dark page
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "axes.facecolor": "white",
    "figure.figsize": (6.0, 4.0),
    "figure.dpi": 110,
    "savefig.dpi": "figure",
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "image.cmap": "viridis",
    "text.usetex": False,
}


def use_style():
    """Apply the course's matplotlib style: colour-blind-safe cycle, opaque background, no needless frames."""
    plt.style.use(["default", "petroff10", _STYLE])


def _checked_alt(alt):
    if not isinstance(alt, str) or not alt.strip():
        raise InputError(f"alt: expected a sentence that says what the figure shows, got {alt!r}")
    return " ".join(alt.split())


def _as_png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()


def _as_html(png, alt):
    return f'<img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" style="max-width: 100%">'


def show(figure, alt):
    """Display a matplotlib figure as PNG with an alternative text, and close it.

    alt: one or two sentences that say what the figure shows, for readers who cannot see it.
    Raises InputError if alt is empty.
    """
    from IPython.display import display

    alt = _checked_alt(alt)
    png = _as_png(figure)
    # JupyterLab, nbconvert and myst-nb drop the alternative text of a PNG output, but keep that of an <img>;
    # the PNG stays beside it for what cannot read HTML
    data = {"text/html": _as_html(png, alt), "image/png": png, "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)


def explore(draw, alt, **sliders):
    """Display sliders over a figure that follows them: draw(**values) returns the matplotlib figure.

    alt: what the figure shows; sliders: name=(low, high, step, start). Only the last position is drawn while one drags.
    Raises InputError if alt is empty.
    """
    import ipywidgets
    from IPython.display import display

    alt = _checked_alt(alt)
    # An HTML widget, not a captured output: that one makes nbclient send messages while it waits for others, and it can
    # then wait for ever.
    picture = ipywidgets.HTML()
    controls = {
        name: ipywidgets.FloatSlider(
            value=start, min=low, max=high, step=step, description=name, continuous_update=False
        )
        for name, (low, high, step, start) in sliders.items()
    }

    def update(_=None):
        picture.value = _as_html(_as_png(draw(**{name: control.value for name, control in controls.items()})), alt)

    for control in controls.values():
        control.observe(update, "value")
    update()
    display(ipywidgets.VBox([*controls.values(), picture]))


def training_curves(histories):
    """Training and validation loss of each training, {label: History}, against its seconds; returns the figure."""
    figure, axes = plt.subplots(figsize=(6.5, 3.5))
    for (label, history), colour in zip(histories.items(), ("flow", "baseline", "truth", "reference"), strict=False):
        colour = COLOURS[colour]
        axes.plot(history.seconds, history.validation_loss, color=colour, label=f"{label}, validation")
        axes.plot(history.seconds, history.train_loss, color=colour, linestyle=":", label=f"{label}, training")
    # The first training losses are those of an untrained flow: they would flatten everything else.
    highest = max(max(history.validation_loss) for history in histories.values())
    lowest = min(min(*history.validation_loss, *history.train_loss) for history in histories.values())
    axes.set_ylim(lowest - 0.1 * (highest - lowest), highest + 0.1 * (highest - lowest))
    axes.set(xlabel="training time / s", ylabel="loss $-\\log p$ / nats")
    axes.legend()
    return figure


def plane(axes, x, y, bins, extent):
    """Two-dimensional histogram with a logarithmic colour scale; extent = ((x low, high), (y low, high))."""
    _, _, _, image = axes.hist2d(x, y, bins=bins, range=extent, norm=LogNorm(), rasterized=True)
    return image


def histogram_with_pulls(samples, edges, label):
    """Histograms of two samples of equal size, {name: values}, the first the reference, with the pulls below.

    Pull = (n_2 - n_1) / sqrt(n_1 + n_2) in each bin: normal with width 1 if both follow one law. Returns the figure.
    """
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(5.2, 4.2), sharex=True, gridspec_kw={"height_ratios": [3, 1], "hspace": 0.05}
    )
    counts = []
    for (name, values), colour in zip(samples.items(), ("truth", "flow"), strict=True):
        counts.append(np.histogram(values, edges)[0])
        top.stairs(
            counts[-1],
            edges,
            label=name,
            color=COLOURS[colour],
            fill=colour == "truth",
            alpha=0.5 if colour == "truth" else 1,
            linewidth=1.8,
        )
    pulls = (counts[1] - counts[0]) / np.sqrt(np.maximum(counts[0] + counts[1], 1))
    bottom.axhspan(-1, 1, color=COLOURS["reference"], alpha=0.25, linewidth=0)
    bottom.plot((edges[:-1] + edges[1:]) / 2, pulls, "o", color=COLOURS["flow"], markersize=4)
    bottom.set(xlabel=label, ylabel="pull", ylim=(-4, 4))
    top.set(ylabel="events")
    top.legend()
    return figure


def density_regions(axes, x, y, density, levels=(0.68, 0.95), **style):
    """Contours of the highest-density regions of a density given on a grid, density[i, j] at (x[i], y[j]).

    The region of level L is where the density is above the value that encloses the fraction L of its sum over the grid,
    weighted with the cells' areas.
    """
    areas = np.outer(np.gradient(x), np.gradient(y))
    order = np.argsort(density, axis=None)[::-1]
    enclosed = np.cumsum((density * areas).flat[order])
    thresholds = [
        density.flat[order[np.searchsorted(enclosed, level * enclosed[-1])]] for level in sorted(levels)[::-1]
    ]
    return axes.contour(x, y, density.T, levels=thresholds, **style)


def coverage_curve(axes, coverage, label, **style):
    """Coverage minus level against level with its one-standard-deviation band; calibrated means zero."""
    difference = coverage.coverage - coverage.levels
    (line,) = axes.plot(coverage.levels, difference, label=label, **style)
    axes.fill_between(
        coverage.levels,
        difference - coverage.uncertainty,
        difference + coverage.uncertainty,
        color=line.get_color(),
        alpha=0.3,
        linewidth=0,
    )
    axes.axhline(0, color=COLOURS["reference"], linewidth=1)
    axes.set(xlabel="level of the region", ylabel="coverage - level")


def pit_histogram(axes, uniformity, feature, label, **style):
    """PIT histogram of one feature relative to uniform, with the 95 % band in which a calibrated density stays."""
    band = 2 * uniformity.band / uniformity.expected
    axes.axhspan(1 - band, 1 + band, color=COLOURS["reference"], alpha=0.2, linewidth=0)
    axes.stairs(
        uniformity.counts[feature] / uniformity.expected,
        uniformity.edges,
        baseline=None,
        label=label,
        linewidth=1.8,
        **style,
    )
    axes.set(xlabel="PIT", ylabel="events / uniform")


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
        x, y, colour = sic.background_efficiency, sic.improvement, SEARCH_COLOURS[name]
        axes.plot(x, y, label=name, color=colour)
        axes.fill_between(x, y - sic.uncertainty, y + sic.uncertainty, color=colour, alpha=0.15, linewidth=0)
    events = sic.background_events[0] / x[0]
    above = axes.secondary_xaxis("top", functions=(lambda rate: rate * events, lambda count: count / events))
    above.set_xlabel("background events that pass")
    axes.set(xscale="log", xlabel="background efficiency FPR", ylabel=r"SIC = TPR / $\sqrt{\mathrm{FPR}}$")
    axes.legend(fontsize=9)


def improvement_bands(axes, points, bands):
    """Median SIC and its band against background efficiency, {name: Band}."""
    for name, band in bands.items():
        axes.plot(points, band.median, color=SEARCH_COLOURS[name], label=name)
        axes.fill_between(points, band.low, band.high, color=SEARCH_COLOURS[name], alpha=0.2, linewidth=0)
    axes.set(xscale="log", xlabel="background efficiency FPR", ylabel=r"SIC = TPR / $\sqrt{\mathrm{FPR}}$")


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

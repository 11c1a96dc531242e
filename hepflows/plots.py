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

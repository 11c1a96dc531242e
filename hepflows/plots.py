"""The figures that several notebooks draw, and the style they share."""

import base64
import html
import io

import matplotlib.pyplot as plt

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


def show(figure, alt):
    """Display a matplotlib figure as PNG with an alternative text, and close it.

    alt: one or two sentences that say what the figure shows, for readers who cannot see it.
    Raises InputError if alt is empty.
    """
    from IPython.display import display

    if not isinstance(alt, str) or not alt.strip():
        raise InputError(f"alt: expected a sentence that says what the figure shows, got {alt!r}")
    alt = " ".join(alt.split())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    png = base64.b64encode(buffer.getvalue()).decode()
    # JupyterLab, nbconvert and myst-nb drop the alternative text of a PNG output, but keep that of an <img>;
    # the PNG stays beside it for what cannot read HTML
    image = f'<img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" style="max-width: 100%">'
    data = {"text/html": image, "image/png": png, "text/plain": alt}
    display(data, metadata={"image/png": {"alt": alt}}, raw=True)

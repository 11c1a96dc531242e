"""The style of the figures, and the alternative text that they carry into every page."""

import base64
import html.parser

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from hepflows import plots, runner
from hepflows.errors import InputError

ALT = 'Two "curves" & a <histogram>:\n  the flow follows the truth.'
SPOKEN = 'Two "curves" & a <histogram>: the flow follows the truth.'

# Machado, Oliveira, Fernandes, IEEE TVCG 15 (2009) 1291, severity 1.0, on linear RGB
DEFICIENCIES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.fixture(autouse=True)
def restore_style():
    with plt.rc_context():
        yield
    plt.close("all")


class Images(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.alts = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt"))


def lab(rgb):
    """CIE L*a*b* of linear sRGB, D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    f = np.cbrt(np.clip(xyz / [0.9505, 1.0, 1.089], 0, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", DEFICIENCIES)
def test_colours_differ_for_every_eye(kind):
    """Distances in L*a*b* of at least 20, ten times what an eye can tell side by side; white counts as a colour."""
    colours = np.array([to_rgb(colour) for colour in [*plots.COLOURS.values(), "white"]])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.array([lab(np.clip(np.array(DEFICIENCIES[kind]) @ colour, 0, 1)) for colour in linear])
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1000 * np.eye(len(seen))
    assert distances.min() > 20


def test_style_is_opaque_and_needs_no_latex():
    plt.rcParams["figure.facecolor"] = "none"
    plt.rcParams["font.size"] = 3
    plots.use_style()
    assert plt.rcParams["figure.facecolor"] == plt.rcParams["savefig.facecolor"] == "white"
    assert not plt.rcParams["savefig.transparent"] and not plt.rcParams["text.usetex"]
    assert plt.rcParams["font.size"] >= 10 and plt.rcParams["figure.dpi"] == 110
    figure, axes = plt.subplots()
    assert figure.get_constrained_layout()
    assert axes.plot([0, 1])[0].get_color() == plots.COLOURS["truth"]


def test_show_displays_and_closes(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **keywords: shown.append((data, keywords)))
    figure, _ = plt.subplots(figsize=(3, 2), dpi=50)
    plots.show(figure, alt=ALT)
    ((data, keywords),) = shown
    png = base64.b64decode(data["image/png"])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (150, 100)
    assert Images(data["text/html"]).alts == [SPOKEN] and data["text/plain"] == SPOKEN
    assert keywords["metadata"]["image/png"]["alt"] == SPOKEN
    assert not plt.get_fignums()


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_show_needs_a_text(alt):
    with pytest.raises(InputError, match="alt: expected a sentence"):
        plots.show(plt.figure(), alt=alt)


def test_alt_text_reaches_the_page(make_notebook, tmp_path):
    source = f"from hepflows import plots\nfigure = plots.plt.figure(figsize=(2, 1))\nplots.show(figure, alt={ALT!r})"
    report = runner.execute(make_notebook([source]), executed=tmp_path, html=True, progress=False)
    (output,) = nbformat.read(report.executed_path, as_version=4).cells[0].outputs
    assert output.metadata["image/png"]["alt"] == SPOKEN
    assert Images(report.html_path.read_text()).alts == [SPOKEN]


def test_explore_draws_where_the_sliders_stand(monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    shown, drawn = [], []
    monkeypatch.setattr("IPython.display.display", shown.append)

    def draw(mass, width):
        drawn.append((mass, width))
        return plt.figure()

    plots.explore(draw, alt="a  resonance", mass=(1, 10, 1, 5), width=(0.1, 1, 0.1, 0.3))
    (box,) = shown
    *sliders, picture = box.children
    assert drawn == [(5, 0.3)]
    assert isinstance(picture, ipywidgets.HTML) and 'alt="a resonance"' in picture.value
    sliders[0].value = 8
    assert drawn[-1] == (8, 0.3)
    assert not plt.get_fignums(), "figures are closed"
    with pytest.raises(InputError, match="alt: expected a sentence"):
        plots.explore(draw, alt=" ", mass=(1, 10, 1, 5))

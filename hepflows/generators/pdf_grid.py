"""A table of x f(x, Q) of the proton, evaluated by Pythia: one row for each node of a grid (notebooks 07 and 11)."""

import numpy as np

from hepflows.datasets.table import Column
from hepflows.generators.recipe import Recipe
from hepflows.physics.parton_densities import PARTONS, spacing_in_x

# NNPDF2.3 QCD+QED LO, alpha_s(m_Z) = 0.130 (arXiv:1308.0598, 1311.5887): what Pythia uses by default.
PYTHIA_SETTINGS = ("PDF:pSet = 13",)
PROTON = 2212

X_RANGE, X_NODES = (1e-6, 1.0), 150
# GeV; above the threshold of the b quark, where its density has a kink, and up to the end of the original's grid.
Q_RANGE, Q_NODES = (10.0, 1e4), 25
NODES = X_NODES * Q_NODES

# Relative rounding error 2^-18 = 4e-6: far below that of the interpolation.
STORED_BITS = 17


def _description(parton, name):
    meaning = {"g": "gluon"}.get(name, f"{name[0]} antiquark" if parton < 0 else f"{name} quark")
    return f"x f(x, Q) of the {meaning}"


COLUMNS = (
    Column("x", "1", "momentum fraction; ln x + 5 x is equidistant"),
    Column("q", "GeV", "factorisation scale; ln Q is equidistant"),
    *(Column(name, "1", _description(parton, name), mantissa_bits=STORED_BITS) for parton, name in PARTONS.items()),
)


def nodes():
    """(x, q in GeV) of the grid's axes, as the file stores them: float32."""
    fine = np.geomspace(*X_RANGE, 1_000_000)
    x = np.interp(np.linspace(*spacing_in_x(X_RANGE), X_NODES), spacing_in_x(fine), fine)
    x[[0, -1]] = X_RANGE
    q = np.geomspace(*Q_RANGE, Q_NODES)
    q[[0, -1]] = Q_RANGE
    return x.astype(np.float32), q.astype(np.float32)


def parton_densities():
    """Function (PDG number, x, Q^2 in GeV^2) -> x f(x, Q) of the proton, by Pythia."""
    # Imported here: the recipe's columns can be read without Pythia.
    from hepflows.generators.pythia import make_pythia

    pythia = make_pythia(("ProcessLevel:all = off", *PYTHIA_SETTINGS), seed=1)
    densities = pythia.getPDFPtr(PROTON)
    # Pythia owns them: without the reference, they would go with it.
    return lambda parton, x, q2, _owner=pythia: densities.xf(parton, x, q2)


def evaluate(_events, _seeds):
    """All nodes at once, x slowest; nothing is random."""
    xf = parton_densities()
    x, q = (axis.astype(np.float64) for axis in np.meshgrid(*nodes(), indexing="ij"))
    arrays = {"x": x.ravel(), "q": q.ravel()}
    for parton, name in PARTONS.items():
        arrays[name] = np.array([xf(parton, *node) for node in zip(arrays["x"], arrays["q"] ** 2, strict=True)])
    return arrays


RECIPE = Recipe(
    name="pdf_grid",
    version=1,
    columns=COLUMNS,
    chunk_events=NODES,
    events=NODES,
    simulate=evaluate,
    requires=("pythia8mc",),
)

"""Parton densities of the proton, interpolated in the course's own table of x f(x, Q); Q in GeV."""

import numpy as np
from scipy.interpolate import NdBSpline, make_interp_spline

from hepflows import datasets
from hepflows.errors import DataError, InputError

# PDG numbers and the names of the columns, in the order of the last axis of `PartonDensities.xf`.
PARTONS = {
    -5: "bbar",
    -4: "cbar",
    -3: "sbar",
    -2: "ubar",
    -1: "dbar",
    21: "g",
    1: "d",
    2: "u",
    3: "s",
    4: "c",
    5: "b",
}
CUBIC = 3
FLOAT32_ROUNDING = 2.0**-22


def spacing_in_x(x):
    """u = ln x + 5 x, in which the nodes are equidistant: logarithmic at small x, linear at large x."""
    return np.log(x) + 5 * np.asarray(x)


class PartonDensities:
    """x f(x, Q) by bicubic interpolation in (ln x + 5 x, ln Q).

    `table`: columns x, q (GeV) and one for each name of PARTONS; its rows are the nodes of a whole grid, x slowest.
    The default is the one that ships. Raises DataError if the rows are no such grid.
    """

    def __init__(self, table=None):
        table = datasets.load("pdf_grid", "all") if table is None else table
        self.x_nodes, self.q_nodes, values = _grid(table)
        along_x = make_interp_spline(spacing_in_x(self.x_nodes), values, k=CUBIC, axis=0)
        along_q = make_interp_spline(np.log(self.q_nodes), along_x.c, k=CUBIC, axis=1)
        # SciPy moves the axis of interpolation to the front.
        coefficients = np.ascontiguousarray(np.moveaxis(along_q.c, 0, 1))
        self._spline = NdBSpline((along_x.t, along_q.t), coefficients, CUBIC)

    def xf(self, x, q, parton=None):
        """x f(x, Q) of one parton (PDG number; 21 is the gluon), or of all, in the order of PARTONS, on a last axis.

        x and q (GeV) are arrays that broadcast. The interpolation is within 1e-3 of the densities it was made of
        (where they are below 1e-3, within 1e-6). Raises InputError outside the grid and for an unknown parton.
        """
        if parton is not None and parton not in PARTONS:
            raise InputError(f"parton: expected one of {', '.join(map(str, PARTONS))} or None, got {parton!r}")
        x, q = _inside("x", x, self.x_nodes), _inside("q", q, self.q_nodes)
        try:
            x, q = np.broadcast_arrays(x, q)
        except ValueError:
            raise InputError(f"x, q: expected shapes that broadcast, got {x.shape} and {q.shape}") from None
        values = self._spline(np.stack([spacing_in_x(x), np.log(q)], axis=-1))
        return values if parton is None else values[..., list(PARTONS).index(parton)]


def _grid(table):
    """(x nodes, q nodes, x f of shape (x, q, partons)) from the rows of a table, in float64."""
    missing = [name for name in ("x", "q", *PARTONS.values()) if name not in table.columns]
    if missing:
        raise DataError(f"{table.name}: expected the columns {', '.join(missing)}, it has {', '.join(table.columns)}")
    x, q = (np.unique(table[name].astype(np.float64)) for name in ("x", "q"))
    whole = len(x) * len(q) == len(table) and min(len(x), len(q)) > CUBIC
    ordered = whole and np.all(table["x"] == np.repeat(x, len(q))) and np.all(table["q"] == np.tile(q, len(x)))
    if not ordered:
        raise DataError(
            f"{table.name}: expected the nodes of a whole grid, x slowest, at least 4 by 4; "
            f"got {len(table):,} rows with {len(x)} values of x and {len(q)} of q"
        )
    values = np.stack([table[name].astype(np.float64) for name in PARTONS.values()], axis=-1)
    return x, q, values.reshape(len(x), len(q), len(PARTONS))


def _inside(name, values, nodes):
    """The values in float64; those that are outside by no more than the rounding of float32 are moved to the edge."""
    values = np.asarray(values, dtype=np.float64)
    lowest, highest = nodes[[0, -1]]
    inside = (values >= lowest * (1 - FLOAT32_ROUNDING)) & (values <= highest * (1 + FLOAT32_ROUNDING))
    if not np.all(inside):
        raise InputError(
            f"{name}: expected values from {lowest:g} to {highest:g}{' GeV' if name == 'q' else ''}, "
            f"got {values[~inside].flat[0]:g}"
        )
    return np.clip(values, lowest, highest)

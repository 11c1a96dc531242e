"""Parton densities for integrands: x f(x, Q) in torch, differentiable, at a fixed or a running scale; GeV."""

import math
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from hepflows.errors import DataError, InputError
from hepflows.physics.parton_densities import CUBIC, PARTONS, PartonDensities, spacing_in_x

GLUON_IN_TABLE = {0: 21}  # some tables write the gluon as 0
QUARKS_OF = {-5: 5, -4: 4, -3: 3}  # tables that give the sea's antiquarks only once


class DensitySplines:
    """x f(x, Q) of eleven partons, from values at the nodes of a grid, by bicubic splines in (u(x), ln Q).

    Calling it with x and q (events,) gives (events, 11), partons in the order of `PARTONS`, in the precision of x.
    `x_nodes`, `q_nodes` (GeV): increasing; `values`: (x, q, partons); `spacing`: u. The splines are continuous in the
    second derivative; x below the first node is taken at that node, and a negative x f, which a spline can have where
    the densities vanish, is zero. Raises InputError for a scale outside the grid.
    """

    def __init__(self, x_nodes, q_nodes, values, spacing=spacing_in_x):
        self.spacing, self.x_range, self.q_range = spacing, tuple(x_nodes[[0, -1]]), tuple(q_nodes[[0, -1]])
        in_x, edges = _pieces(spacing(np.asarray(x_nodes)), np.asarray(values, dtype=np.float64))
        in_q, scale_edges = _pieces(np.log(q_nodes), np.moveaxis(in_x, 2, 0))
        # in_q: (power of ln Q, cell, power of u, cell, partons)
        self._x_edges, self._q_edges = edges, scale_edges
        self._coefficients = np.ascontiguousarray(in_q.transpose(3, 1, 2, 0, 4))  # (u cell, Q cell, powers, partons)
        self._kept = {}

    @classmethod
    def shipped(cls):
        """The grid that comes with the course: NNPDF2.3 LO as Pythia evaluates it (data/pdf_grid.toml)."""
        densities = PartonDensities()
        x, q = densities.x_nodes, densities.q_nodes
        return cls(x, q, densities.xf(x[:, None], q[None]))

    @classmethod
    def from_lhapdf(cls, path, q=91.1876):
        """A member of a set in the LHAPDF6 format (arXiv:1412.7420): the part of its grid around the scale q, GeV.

        Raises DataError if the file is in another format or has no values at q.
        """
        blocks = Path(path).read_text(encoding="utf-8").split("---")[1:]
        for block in blocks:
            lines = block.strip().splitlines()
            if len(lines) < 4:
                continue
            x, scales = (np.array(line.split(), dtype=np.float64) for line in lines[:2])
            if not scales[0] <= q < scales[-1]:
                continue
            columns = [GLUON_IN_TABLE.get(int(number), int(number)) for number in lines[2].split()]
            numbers = np.array([line.split() for line in lines[3:]], dtype=np.float64)
            try:
                order = [columns.index(parton if parton in columns else QUARKS_OF[parton]) for parton in PARTONS]
                values = numbers.reshape(len(x), len(scales), len(columns))[..., order]
            except (ValueError, KeyError) as error:
                raise DataError(f"{path}: expected a grid of eleven partons in the LHAPDF6 format: {error}") from None
            return cls(x, scales, values, spacing=np.log)
        raise DataError(f"{path}: expected a grid in the LHAPDF6 format with values at {q:g} GeV, found none")

    def at(self, q):
        """The densities at one scale, as a `FixedScale`, which is several times faster."""
        low, high = self.q_range
        if not low <= q <= high:
            raise InputError(f"q: expected a scale from {low:g} to {high:g} GeV, got {q:g}")
        cell = min(np.searchsorted(self._q_edges, math.log(q), side="right"), len(self._q_edges) - 1) - 1
        powers = (math.log(q) - self._q_edges[cell]) ** np.arange(CUBIC, -1, -1)
        return FixedScale(np.einsum("cupf,p->cuf", self._coefficients[:, cell], powers), self._x_edges, self)

    def __call__(self, x, q):
        coefficients, edges, scale_edges = self._tensors(x)
        log_q = q.log()
        if len(q) and not (self.q_range[0] * (1 - 1e-6) <= q.min() and q.max() <= self.q_range[1] * (1 + 1e-6)):
            raise InputError(f"q: expected scales from {self.q_range[0]:g} to {self.q_range[1]:g} GeV")
        cell_x, u = _locate(self.variable(x), edges)
        cell_q, v = _locate(log_q, scale_edges)
        polynomials = coefficients[cell_x, cell_q]  # (events, power of u, power of ln Q, partons)
        in_q = _horner(polynomials.unbind(2), v[:, None, None])
        return _horner(in_q.unbind(1), u[:, None]).clamp(min=0)

    def variable(self, x):
        """u(x), with x kept inside the grid."""
        x = x.clamp(min=self.x_range[0], max=self.x_range[1])
        return x.log() if self.spacing is np.log else x.log() + 5 * x

    def _tensors(self, like):
        key = (like.dtype, like.device)
        if key not in self._kept:
            arrays = (self._coefficients, self._x_edges, self._q_edges)
            self._kept[key] = [torch.as_tensor(array, dtype=like.dtype, device=like.device) for array in arrays]
        return self._kept[key]


class FixedScale:
    """x f(x) of eleven partons at one scale: calling it with x (events,) gives (events, 11)."""

    def __init__(self, coefficients, edges, splines):
        self._coefficients, self._edges, self._splines, self._kept = coefficients, edges, splines, {}

    def __call__(self, x):
        key = (x.dtype, x.device)
        if key not in self._kept:
            arrays = (self._coefficients, self._edges)
            self._kept[key] = [torch.as_tensor(array, dtype=x.dtype, device=x.device) for array in arrays]
        coefficients, edges = self._kept[key]
        cell, u = _locate(self._splines.variable(x), edges)
        return _horner(coefficients[cell].unbind(1), u[:, None]).clamp(min=0)


def _pieces(nodes, values):
    """Cubic polynomials between the nodes, highest power first, (4, cells, ...), and the cells' edges."""
    spline = CubicSpline(nodes, values, axis=0)  # not-a-knot ends, as make_interp_spline has them
    return spline.c, spline.x


def _locate(values, edges):
    """Number of the cell of each value, and the distance to the cell's lower edge."""
    cell = (torch.searchsorted(edges, values.detach().contiguous(), right=True) - 1).clamp(0, len(edges) - 2)
    return cell, values - edges[cell]


def _horner(coefficients, t):
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = torch.addcmul(coefficient, value, t)
    return value

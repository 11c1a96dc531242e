"""Massless external legs: two-component Weyl spinors, light-cone vectors and invariants; GeV.

A vector v is held by its light-cone components (v+, v-, v_T, v_T~) = (v0 + v3, v0 - v3, v1 + i v2, v1 - i v2), which are
the elements of the matrices

    v0 + sigma.v = ( v+    v_T~ )        v0 - sigma.v = (  v-   -v_T~ )
                   ( v_T   v-   )                       ( -v_T   v+   )

All legs are outgoing; an incoming particle has the negative of its momentum, and the spinor of its positive momentum.
The component comes first and the event last, so that every operation runs over contiguous memory.
"""

import torch

from hepflows.errors import InputError


class Legs:
    """External massless legs of a process.

    `momenta`: (events, legs, 4), rows (E, px, py, pz), all outgoing and conserved. `momentum(i, j, ...)` is the sum of
    momenta in light-cone components, complex (4, events); `invariant(i, j, ...)` its square, real (events,);
    `spinors[i]`: (2, events). Raises InputError for another shape or an integer type.
    """

    def __init__(self, momenta):
        if momenta.ndim != 3 or momenta.shape[-1] != 4 or not momenta.is_floating_point():
            raise InputError(f"momenta: expected real numbers (events, legs, 4), got {tuple(momenta.shape)}")
        energy, px, py, pz = momenta.permute(2, 1, 0).contiguous()
        self.count = len(energy)
        sign = torch.where(energy < 0, -1.0, 1.0).to(energy)
        # The smaller of E +- pz from the transverse momentum: their difference loses its digits along the beam.
        larger = energy.abs() + pz.abs()
        smaller = (px**2 + py**2) / larger
        forward = pz * sign > 0
        plus, minus = torch.where(forward, larger, smaller), torch.where(forward, smaller, larger)
        self.spinors = self._spinors(plus, minus, sign * px, sign * py)
        transverse = torch.complex(px, py)
        zero = torch.zeros_like(plus)
        components = [torch.complex(sign * plus, zero), torch.complex(sign * minus, zero), transverse]
        self._vectors = torch.stack([*components, transverse.conj()], 1)
        self._signs = sign
        self._momenta, self._invariants = {}, {}

    @staticmethod
    def _spinors(plus, minus, px, py):
        """lambda with lambda lambda^dagger = E + sigma.p; a leg along -z has (0, sqrt(p-))."""
        backward = plus == 0
        root = torch.where(backward, torch.ones_like(plus), plus).sqrt()
        real = torch.where(backward, minus.sqrt(), px / root)
        zero = torch.zeros_like(root)
        upper = torch.complex(torch.where(backward, zero, root), zero)
        return torch.stack([upper, torch.complex(real, torch.where(backward, zero, py / root))], 1)

    def momentum(self, *legs):
        """Sum of the momenta of these legs: light-cone components, complex (4, events)."""
        legs = tuple(sorted(legs))
        if legs not in self._momenta:
            one = self._vectors[legs[-1]]
            self._momenta[legs] = one if len(legs) == 1 else self.momentum(*legs[:-1]) + one
        return self._momenta[legs]

    def invariant(self, *legs):
        """(p_i + p_j + ...)^2 = sum over pairs of 2 p_i.p_j, where |2 p_i.p_j| = |<ij>|^2: exact for collinear legs."""
        legs = tuple(sorted(legs))
        if legs not in self._invariants:
            if len(legs) == 2:
                i, j = legs
                product = angle(self.spinors[i], self.spinors[j])
                value = self._signs[i] * self._signs[j] * (product.real**2 + product.imag**2)
            else:
                last = legs[-1]
                value = self.invariant(*legs[:-1]) + sum(self.invariant(i, last) for i in legs[:-1])
            self._invariants[legs] = value
        return self._invariants[legs]

    def inverse(self, factor, *legs):
        """1 / (factor P^2) as complex numbers: complex times complex is the fast product."""
        value = 1 / (factor * self.invariant(*legs))
        return torch.complex(value, torch.zeros_like(value))


def angle(one, two):
    """<12> = lambda1_1 lambda2_2 - lambda1_2 lambda2_1."""
    return one[0] * two[1] - one[1] * two[0]


def twice_dot(a, b):
    """2 a.b of light-cone components (4, ...)."""
    product = torch.addcmul(a[0] * b[1], a[1], b[0])
    product = torch.addcmul(product, a[2], b[3], value=-1)
    return torch.addcmul(product, a[3], b[2], value=-1)


def outer(column, row):
    """The vector whose matrix v0 + sigma.v is column row^T; light-cone components (4, ...)."""
    return torch.stack([column[0] * row[0], column[1] * row[1], column[1] * row[0], column[0] * row[1]])


def row_times_lower(row, v):
    """row (v0 - sigma.v)."""
    return (
        torch.addcmul(row[0] * v[1], row[1], v[2], value=-1),
        torch.addcmul(row[1] * v[0], row[0], v[3], value=-1),
    )


def lower_times_column(v, column):
    """(v0 - sigma.v) column."""
    return (
        torch.addcmul(v[1] * column[0], v[3], column[1], value=-1),
        torch.addcmul(v[0] * column[1], v[2], column[0], value=-1),
    )


def row_times_upper(row, v):
    """row (v0 + sigma.v)."""
    return torch.addcmul(row[0] * v[0], row[1], v[2]), torch.addcmul(row[0] * v[3], row[1], v[1])


def upper_times_column(v, column):
    """(v0 + sigma.v) column."""
    return torch.addcmul(v[0] * column[0], v[3], column[1]), torch.addcmul(v[2] * column[0], v[1], column[1])


def polarisations(leg, reference):
    """Both helicities of a massless gluon from spinors: light-cone components (4, 2, events).

    e+(k; r) = sqrt 2 lambda_k lambda_r^dagger / <r k>^*, e- its complex conjugate: e.k = e.r = 0, e+.e- = -1.
    """
    conjugate = reference.conj().resolve_conj()
    scale = 2**0.5 / angle(reference, leg).conj()
    plus = outer(leg * scale, conjugate)
    return torch.stack([plus, plus[[0, 1, 3, 2]].conj().resolve_conj()], 1)

"""A massless quark line with gluons and one vector boson that decays to two leptons: q g ... g qbar l lbar.

The line of a left-handed quark reads  <q| gluons ... V ... gluons |qbar]  in Weyl spinors. With the recursive spinors

    U(1..k) = sum_j U(1..j) (J(j+1..k)^0 - sigma.J) (P^0 + sigma.P) / (-sqrt 2 P^2),     U() = <q|,   P = q + 1 + .. + k
    W(1..k) = (P^0 + sigma.P) sum_j (J(1..j)^0 - sigma.J) W(j+1..k) / (sqrt 2 P^2),      W() = |qbar]

the amplitude is sum_k U(1..k) V W(k+1..n) (Berends and Giele, Nucl. Phys. B306 (1988) 759). The lepton current V is a
product of two spinors, so each term is a product of two numbers. Where U or W holds all gluons, V is taken first: it
then multiplies a spinor without helicities, and the longest currents are never needed as vectors.
"""

import itertools

import torch

from hepflows.physics.amplitudes.spinors import (
    angle,
    lower_times_column,
    outer,
    row_times_lower,
    row_times_upper,
    upper_times_column,
)


class LeptonPair:
    """(V^0 - sigma.V) of the current ubar(l) gamma^mu v(lbar) = 2 column row^T, for one or both helicities.

    Helicity 0: a left-handed lepton l; 1: a right-handed one, which exchanges l and lbar. `helicities` of (0,) is what
    a W couples to. Spinors have the shape (2, helicities, 1, ..., events) with one axis for each gluon.
    """

    def __init__(self, legs, lepton, antilepton, helicities=(0, 1)):
        pairs = [(lepton, antilepton), (antilepton, lepton)]
        first = torch.stack([legs.spinors[pairs[h][0]] for h in helicities], 1)
        second = torch.stack([legs.spinors[pairs[h][1]] for h in helicities], 1)
        conjugate = first.conj()
        self.column = torch.stack([conjugate[1], -conjugate[0]]).resolve_conj()
        self.row = torch.stack([second[1], -second[0]])

    def spinors(self, gluons):
        """(column, row) with an axis for each gluon."""
        shape = (2, self.column.shape[1], *[1] * gluons, -1)
        return self.column.reshape(shape), self.row.reshape(shape)


class QuarkLine:
    """The line from quark to antiquark with the gluons of `currents` (`GluonCurrents`); all orderings.

    `quark`, `antiquark`: numbers of their legs, both outgoing; the quark is left-handed.
    """

    def __init__(self, currents, quark, antiquark):
        self.currents, self.quark, self.antiquark = currents, quark, antiquark
        shape = (2, 1, *[1] * currents.count, -1)
        spinors = currents.legs.spinors
        self._rows = {(): spinors[quark].conj().resolve_conj().reshape(shape)}
        self._columns = {(): spinors[antiquark].reshape(shape)}
        self._propagators = {}

    def amplitudes(self, leptons):
        """Amplitudes of all orderings: complex (n!, lepton helicities, 2, ..., 2, events), without propagator of V.

        Orderings as from `itertools.permutations(range(n))`. Unit couplings and vertices gamma^mu: the parity
        transform of the other quark helicity has the same sums over gluon helicities with the leptons exchanged.
        """
        n = self.currents.count
        column, row = leptons.spinors(n)
        left, right = self._row(()), self._column(())
        if n == 0:
            return (2 * self._emit(left, column) * self._absorb(row, right))[None]
        all_gluons = tuple(range(n))
        left_all = self._propagate(all_gluons, self.quark, -1.0)
        right_all = self._propagate(all_gluons, self.antiquark, 1.0)
        # 2 column row^T between the propagator of all gluons and the other end of the line
        beyond = upper_times_column(left_all, 2 * column * self._absorb(row, right))
        before = row_times_upper(2 * row * self._emit(left, column), right_all)
        close = self.currents.closing(outer(beyond, left) + outer(right, before))
        whole = self._whole_current(close)
        columns, rows, emitted, absorbed = {}, {}, {}, {}
        result = []
        for ordering in itertools.permutations(all_gluons):
            total = whole(ordering)
            for cut in range(1, n):
                a, b = ordering[:cut], ordering[cut:]
                if b not in columns:
                    columns[b] = lower_times_column(self.currents.current(b), beyond)
                if a not in rows:
                    rows[a] = row_times_lower(before, self.currents.current(a))
                if a not in emitted:
                    emitted[a] = 2 * self._emit(self._row(a), column)
                if b not in absorbed:
                    absorbed[b] = self._absorb(row, self._column(b))
                for one, two in zip((*self._row(a), *rows[a]), (*columns[b], *self._column(b)), strict=True):
                    total = torch.addcmul(total, one, two)
                total = torch.addcmul(total, emitted[a], absorbed[b])
            result.append(total)
        return torch.stack(result)

    def _whole_current(self, close):
        """2 J.X of all gluons with its propagator; one of an ordering and its mirror image."""
        n = self.currents.count
        made = {}

        def whole(ordering):
            if ordering[0] > ordering[-1]:
                return whole(ordering[::-1]) if n % 2 else -whole(ordering[::-1])
            if ordering not in made:
                value = close(ordering)
                if n > 1:
                    value = value * self.currents.legs.inverse(1.0, *self.currents.numbers(ordering))
                made[ordering] = value
            return made[ordering]

        return whole

    def _emit(self, row_spinor, column):
        return torch.addcmul(row_spinor[0] * column[0], row_spinor[1], column[1])

    def _absorb(self, row, column_spinor):
        return torch.addcmul(row[0] * column_spinor[0], row[1], column_spinor[1])

    def _propagate(self, positions, end, sign):
        """P over +- sqrt 2 P^2 with P = end + gluons: light-cone components (4, 1, ..., events)."""
        legs = self.currents.legs
        members = (end, *self.currents.numbers(positions))
        vector = legs.momentum(*members) * legs.inverse(sign * 2**0.5, *members)
        return vector.reshape(4, *[1] * (1 + self.currents.count), -1)

    def _row(self, positions):
        """U of the ordered positions: two components."""
        if positions not in self._rows:
            total = [0, 0]
            for cut in range(len(positions)):
                part = row_times_lower(self._row(positions[:cut]), self.currents.current(positions[cut:]))
                total = [one + two for one, two in zip(total, part, strict=True)]
            self._rows[positions] = row_times_upper(total, self._propagator(positions, self.quark, -1.0))
        return self._rows[positions]

    def _column(self, positions):
        """W of the ordered positions: two components."""
        if positions not in self._columns:
            total = [0, 0]
            for cut in range(1, len(positions) + 1):
                part = lower_times_column(self.currents.current(positions[:cut]), self._column(positions[cut:]))
                total = [one + two for one, two in zip(total, part, strict=True)]
            self._columns[positions] = upper_times_column(self._propagator(positions, self.antiquark, 1.0), total)
        return self._columns[positions]

    def _propagator(self, positions, end, sign):
        key = (frozenset(positions), end)
        if key not in self._propagators:
            self._propagators[key] = self._propagate(positions, end, sign)
        return self._propagators[key]

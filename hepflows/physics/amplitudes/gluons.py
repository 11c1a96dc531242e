"""Colour-ordered gluon currents by the recursion of Berends and Giele (Nucl. Phys. B306 (1988) 759).

Colour-ordered Feynman rules with Tr(T^a T^b) = delta^ab and g = 1:

    J(1..n) P^2 = sum_i [ 2 (P_b.J_a) J_b - 2 (P_a.J_b) J_a + (P_a - P_b) J_a.J_b ] / sqrt 2
                + sum_ij [ 2 (J_a.J_c) J_b - (J_a.J_b) J_c - (J_b.J_c) J_a ] / 2

where a, b (and c) are what the cuts i (and j) leave of the ordered gluons. Gluon number k of the list has its two
helicities on axis k: a current has the shape (4, 1, 2 or 1, ..., events), where the first 1 stands for the helicity of
leptons, and one pass gives all helicities.
"""

import torch

from hepflows.physics.amplitudes.spinors import polarisations, twice_dot

ROOT2 = 2**0.5


class GluonCurrents:
    """Currents of ordered subsets of gluons, each computed once.

    `legs`: `Legs`; `gluons`: numbers of the gluons among them; `references`: numbers of the legs (or spinors
    (2, events)) that fix the gauge, by default the next gluon of the list, and for a single gluon the leg `other`.
    `external`: {position: (4, 2, events) light-cone components} replaces polarisations, for a gluon that is off its
    mass shell or longitudinal. A position may stand for several legs: `gluons` then has a tuple there.
    """

    def __init__(self, legs, gluons, other=None, references=None, external=None):
        self.legs = legs
        self.members = [gluon if isinstance(gluon, tuple) else (gluon,) for gluon in gluons]
        self.count = len(self.members)
        if references is None:
            next_one = [members[0] for members in self.members[1:] + self.members[:1]]
            references = next_one if self.count > 1 else [other] * self.count
        self._currents = {}
        for position, (members, reference) in enumerate(zip(self.members, references, strict=True)):
            if external and position in external:
                polarisation = external[position]
            else:
                spinor = legs.spinors[reference] if isinstance(reference, int) else reference
                polarisation = polarisations(legs.spinors[members[0]], spinor)
            hidden = [1] * (1 + self.count)
            hidden[1 + position] = polarisation.shape[1]
            self._currents[(position,)] = polarisation.reshape(4, *hidden, -1)
        self._vertices, self._products = {}, {}

    def numbers(self, positions):
        """Numbers of the legs at these positions."""
        return tuple(leg for position in positions for leg in self.members[position])

    def momentum(self, positions):
        """Momentum of these gluons: (4, 1, 1, ..., events)."""
        vector = self.legs.momentum(*self.numbers(positions))
        return vector.reshape(4, *[1] * (1 + self.count), -1)

    def current(self, positions):
        """J of the ordered positions: (4, 1, 2 or 1, ..., events)."""
        if positions not in self._currents:
            if positions[0] > positions[-1]:  # J(n..1) = (-1)^(n+1) J(1..n)
                mirrored = self.current(positions[::-1])
                self._currents[positions] = mirrored if len(positions) % 2 else -mirrored
            else:
                amputated = self._amputated(positions)
                self._currents[positions] = amputated * self.legs.inverse(1.0, *self.numbers(positions))
        return self._currents[positions]

    def _product(self, one, two):
        """2 J_one.J_two."""
        key = (one, two) if one < two else (two, one)
        if key not in self._products:
            self._products[key] = twice_dot(self.current(one), self.current(two))
        return self._products[key]

    def _pairs(self, positions):
        """For each cut into two: both parts and 2 P_b.J_a, 2 P_a.J_b, 2 J_a.J_b."""
        for cut in range(1, len(positions)):
            a, b = positions[:cut], positions[cut:]
            if (a, b) not in self._vertices:
                self._vertices[a, b] = (
                    twice_dot(self.momentum(b), self.current(a)),
                    twice_dot(self.momentum(a), self.current(b)),
                    self._product(a, b),
                )
            yield a, b, *self._vertices[a, b]

    def _triples(self, positions):
        for i in range(1, len(positions) - 1):
            for j in range(i + 1, len(positions)):
                yield positions[:i], positions[i:j], positions[j:]

    def _amputated(self, positions):
        total = 0
        for a, b, to_a, to_b, product in self._pairs(positions):
            difference = self.momentum(a) - self.momentum(b)
            total = total + (to_a * self.current(b) - to_b * self.current(a) + difference * (product / 2)) / ROOT2
        for a, b, c in self._triples(positions):
            total = total + (
                self._product(a, c) / 2 * self.current(b)
                - self._product(a, b) / 4 * self.current(c)
                - self._product(b, c) / 4 * self.current(a)
            )
        return total

    def closing(self, vector):
        """Function (positions) -> 2 J.vector with the propagator amputated if there is more than one gluon.

        It costs numbers where the current itself costs vectors: the last step of an amplitude needs no more.
        """
        products = {}

        def with_vector(positions):
            if positions not in products:
                products[positions] = twice_dot(self.current(positions), vector)
            return products[positions]

        def close(positions):
            if len(positions) == 1:
                return with_vector(positions)
            total = 0
            for a, b, to_a, to_b, product in self._pairs(positions):
                difference = twice_dot(self.momentum(a) - self.momentum(b), vector)
                step = torch.addcmul(to_a * with_vector(b), to_b, with_vector(a), value=-1)
                total = total + torch.addcmul(step, difference, product, value=0.5) / ROOT2
            for a, b, c in self._triples(positions):
                total = torch.addcmul(total, self._product(a, c), with_vector(b), value=0.5)
                total = torch.addcmul(total, self._product(a, b), with_vector(c), value=-0.25)
                total = torch.addcmul(total, self._product(b, c), with_vector(a), value=-0.25)
            return total

        return close


def gluon_amplitude(legs, ordering=None, references=None):
    """Colour-ordered amplitude A(1..n) of n gluons with all helicities: complex (2, ..., 2, events).

    `legs`: `Legs` of n gluons; `ordering`: a permutation of range(n), by default the identity; helicity of gluon k is
    on axis k. `references` as in `GluonCurrents`. The full amplitude is g^(n-2) times the sum over orderings of
    Tr(T^1 .. T^n) A(1..n).
    """
    n = legs.count
    ordering = tuple(range(n)) if ordering is None else tuple(ordering)
    currents = GluonCurrents(legs, range(n), references=references)
    close = currents.closing(currents.current(ordering[-1:]))
    return (close(ordering[:-1]) / 2).squeeze(0)

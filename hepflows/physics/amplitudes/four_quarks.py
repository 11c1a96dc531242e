"""Two quark lines that exchange a gluon, one of which emits the lepton pair: q qbar f fbar l lbar.

Everything follows from A(a, b; c, d): left-handed lines from quark a to antiquark b, which emits the pair, and from
quark c to antiquark d. A right-handed line is the left-handed one read backwards, with a minus sign for its propagator:
A_R(a, b) = -A_L(b, a) where the pair is emitted, and +A_L(d, c) where it is not.
"""

import itertools

import torch

from hepflows.physics.amplitudes.gluons import GluonCurrents
from hepflows.physics.amplitudes.quark_line import QuarkLine
from hepflows.physics.amplitudes.spinors import outer

LEFT, RIGHT = 0, 1


class FourQuarks:
    """A(a, b; c, d) for every assignment of four legs, with unit couplings and without the propagator of the pair.

    `partons`: numbers of the four coloured legs; `leptons`: `LeptonPair`. Colours are T^a_ab T^a_cd.
    """

    def __init__(self, legs, partons, leptons):
        self._amplitudes = {}
        for a, b in itertools.permutations(partons, 2):
            c, d = (leg for leg in partons if leg not in (a, b))
            # sqrt 2 lambda_d lambda_c^dagger / P^2: the current of the other line, with either leg as its quark.
            current = torch.stack([_current(legs, c, d), _current(legs, d, c)], 1)
            currents = GluonCurrents(legs, [(c, d)], references=[None], external={0: current})
            amplitudes = QuarkLine(currents, a, b).amplitudes(leptons)[0]
            self._amplitudes[a, b] = {(c, d): amplitudes[:, 0], (d, c): amplitudes[:, 1]}

    def left(self, a, b, c, d):
        """A(a, b; c, d) with all lines left-handed: (lepton helicities, events)."""
        return self._amplitudes[a, b][c, d]

    def emitted_by_first(self, a, b, c, d, helicities):
        """The pair comes from the line a b; `helicities` of both lines, LEFT or RIGHT: (lepton helicities, events)."""
        first, second = helicities
        other = (c, d) if second == LEFT else (d, c)
        return self.left(a, b, *other) if first == LEFT else -self.left(b, a, *other)


def _current(legs, quark, antiquark):
    row = legs.spinors[quark].conj().resolve_conj()
    scale = 2**0.5 * legs.inverse(1.0, quark, antiquark)
    return outer(legs.spinors[antiquark] * scale, row)

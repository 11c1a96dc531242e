"""Cross section of four quarks and a lepton pair, all crossings and flavours, for two jets.

Legs are assigned to the roles A, B, C, D of two lines, (quark A, antiquark B) and (quark C, antiquark D), in all 24
ways, and half the sum is taken, since both orders of the jets describe the same event. D^2 is the square of one
pairing; where C has the flavour of A the exchanged pairing has the same sum over assignments, and together with the
1/2 of identical particles only half of the interference is left to add to D^2.
"""

import itertools

import torch

from hepflows.physics.amplitudes.colour import four_quark_matrix
from hepflows.physics.amplitudes.four_quarks import LEFT, RIGHT, FourQuarks
from hepflows.physics.processes.couplings import DOWN_TYPE, FLAVOURS, UP_TYPE
from hepflows.physics.processes.crossings import COLUMN, FIRST_JET, PARTON_1, PARTON_2

AVERAGE = 1 / (4 * 9)  # spins and colours of two incoming quarks
PARTONS = (PARTON_1, PARTON_2, FIRST_JET, FIRST_JET + 1)
FLAVOUR_RANGE = range(1, FLAVOURS + 1)
DIRECT, CROSSED = (four_quark_matrix()[0, column].item() for column in (0, 1))


class RoleDensities:
    """x f of what comes in where a leg of the event has a role: the antiparticle of what goes out."""

    def __init__(self, first, second):
        self.densities = {PARTON_1: first, PARTON_2: second}

    def product(self, assignment, flavours):
        """x1 f(x1) x2 f(x2), (events,), for legs `assignment` of roles A, B, C, D and the quark flavour of each."""
        total = 1.0
        for role, (leg, flavour) in enumerate(zip(assignment, flavours, strict=True)):
            if leg in self.densities:
                parton = flavour if role in (1, 3) else -flavour  # an outgoing antiquark was a quark
                total = total * self.densities[leg][:, COLUMN[parton]]
        return total


def _squared(amplitude):
    return (amplitude.real**2 + amplitude.imag**2).sum(0)


def _interference(one, other):
    """What exchange adds: -2 C Re(one other^*), with the minus sign of identical fermions."""
    return -2 * CROSSED * (one.real * other.real + one.imag * other.imag).sum(0)


def charged(legs, leptons, first, second, lines, coupling):
    """Sum of densities times averaged squares for W + 2 jets from four quarks, (events,).

    `lines`: pairs (b, a) of the flavours of antiquark and quark of the line that emits the W; `coupling`: its squared
    coupling and propagator, (events,); `first`, `second`: x f (events, 11).
    """
    amplitudes = FourQuarks(legs, PARTONS, leptons)
    densities = RoleDensities(first, second)
    total = 0.0
    for a, b, c, d in itertools.permutations(PARTONS):
        direct = amplitudes.left(a, b, c, d)
        square = DIRECT * (_squared(direct) + _squared(amplitudes.emitted_by_first(a, b, c, d, (LEFT, RIGHT))))
        quarks = _interference(direct, amplitudes.left(c, b, a, d)) / 2
        antiquarks = _interference(direct, amplitudes.left(a, d, c, b)) / 2
        for anti, quark in lines:
            pairs = [densities.product((a, b, c, d), (quark, anti, f, f)) for f in FLAVOUR_RANGE]
            total = total + sum(pairs) * square + pairs[quark - 1] * quarks + pairs[anti - 1] * antiquarks
    return total * coupling * (AVERAGE / 2)


def neutral(legs, leptons, first, second, electroweak, mass_squared):
    """The same for Z and photon + 2 jets, which either line emits; `electroweak`: `Electroweak`."""
    amplitudes = FourQuarks(legs, PARTONS, leptons)
    densities = RoleDensities(first, second)
    kinds = (UP_TYPE, DOWN_TYPE)
    couplings = {
        (kind, quark): torch.stack([electroweak.neutral(kind[0], mass_squared, quark, h) for h in (0, 1)])
        for kind in kinds
        for quark in (LEFT, RIGHT)
    }

    def amplitude(one, two, kinds_of_lines, helicities):
        (a, b), (c, d) = one, two
        mine = couplings[kinds_of_lines[0], helicities[0]] * amplitudes.emitted_by_first(a, b, c, d, helicities)
        return mine + couplings[kinds_of_lines[1], helicities[1]] * amplitudes.emitted_by_first(
            c, d, a, b, helicities[::-1]
        )

    total = 0.0
    for a, b, c, d in itertools.permutations(PARTONS):
        if a > c:  # both lines exchanged: the same, with the flavours exchanged, which are summed below
            continue
        for pair in itertools.product(kinds, repeat=2):
            square = identical = 0.0
            for helicities in itertools.product((LEFT, RIGHT), repeat=2):
                direct = amplitude((a, b), (c, d), pair, helicities)
                square = square + DIRECT * _squared(direct)
                if pair[0] is pair[1] and helicities[0] == helicities[1]:
                    exchanged = amplitude((c, b), (a, d), pair, helicities)
                    identical = identical + _interference(direct, exchanged) / 2
            for one, two in itertools.product(*pair):
                product = densities.product((a, b, c, d), (one, one, two, two))
                total = total + product * (square + identical if one == two else square)
    return total * (AVERAGE / 2)

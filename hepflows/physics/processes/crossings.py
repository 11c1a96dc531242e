"""Which partons of two protons make a quark line with gluons: the channels of one line, and their densities."""

from dataclasses import dataclass

from hepflows.physics.parton_densities import PARTONS

COLUMN = {parton: number for number, parton in enumerate(PARTONS)}
GLUON = 21
PARTON_1, PARTON_2, LEPTON, ANTILEPTON, FIRST_JET = range(5)  # legs of an event


@dataclass(frozen=True)
class Crossing:
    """One channel: its name, the legs that are quark, antiquark and gluons of the line, and the incoming partons.

    `incoming`: for partons 1 and 2 "q" (which the outgoing antiquark of the line is crossed from), "qbar" (the outgoing
    quark) or "g". `identical`: outgoing gluons. `average`: 1 / colours and spins of the incoming partons.
    """

    name: str
    incoming: tuple
    quark: int
    antiquark: int
    gluons: tuple
    identical: int
    average: float


def crossings(jets):
    """All channels of one quark line with this number of jets."""
    outgoing = list(range(FIRST_JET, FIRST_JET + jets))
    colours = {"q": 3, "qbar": 3, "g": 8}
    pairs = [("q", "qbar"), ("qbar", "q")]
    if jets >= 1:
        pairs += [("q", "g"), ("g", "q"), ("qbar", "g"), ("g", "qbar")]
    if jets >= 2:
        pairs += [("g", "g")]
    made = []
    for pair in pairs:
        free = list(outgoing)
        legs = {kind: leg for kind, leg in zip(pair, (PARTON_1, PARTON_2), strict=True) if kind != "g"}
        antiquark = legs.get("q")
        quark = legs.get("qbar")
        quark = free.pop(0) if quark is None else quark
        antiquark = free.pop(0) if antiquark is None else antiquark
        incoming_gluons = [leg for kind, leg in zip(pair, (PARTON_1, PARTON_2), strict=True) if kind == "g"]
        average = 1 / (4 * colours[pair[0]] * colours[pair[1]])
        gluons = (*incoming_gluons, *free)
        made.append(Crossing(" ".join(pair), pair, quark, antiquark, gluons, len(free), average))
    return made


def luminosity(incoming, flavours, first, second):
    """Sum over flavours of x1 f(x1) x2 f(x2), (events,).

    `flavours`: pairs (quark that comes in, quark that goes out) of the line; `first`, `second`: x f (events, 11).
    """
    total = 0.0
    for coming, going in flavours:
        number = {"q": COLUMN[coming], "qbar": COLUMN[-going], "g": COLUMN[GLUON]}
        total = total + first[:, number[incoming[0]]] * second[:, number[incoming[1]]]
    return total

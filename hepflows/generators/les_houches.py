"""Parton events of same-sign WW scattering as a Les Houches event file (hep-ph/0609017), for a parton shower."""

import numpy as np

from hepflows.generators.vbs_partons import continues
from hepflows.physics.kinematics import LHC_ENERGY

LEPTON_MASSES = {11: 0.000511, 13: 0.105}  # GeV, those of the events
SCALE = 80.379  # GeV, the factorisation scale of the events
W_PLUS = 24
INCOMING, INTERMEDIATE, OUTGOING = -1, 2, 1  # status
HEADER = (
    '<LesHouchesEvents version="1.0">',
    "<init>",
    f"2212 2212 {LHC_ENERGY / 2:g} {LHC_ENERGY / 2:g} 0 0 0 0 3 1",  # 3: unweighted; 1: one process
    "1.0 0.01 1.0 1",  # cross section, error and largest weight: a placeholder, as the shower only counts events
    "</init>",
)


def write(path, partons, rounds=1):
    """Write the events of the table vbs_partons to a Les Houches event file, all of them `rounds` times over.

    Returns the momentum fractions (x1, x2) of the incoming partons, array (events, 2).
    """
    momenta = {name: _momenta(partons, name) for name in ("quark", "lepton", "neutrino")}
    identity = {name: _pair(partons, f"{name}_{{}}_id").astype(int) for name in ("parton", "quark", "lepton")}
    masses = np.where(np.abs(identity["lepton"]) == 11, LEPTON_MASSES[11], LEPTON_MASSES[13])
    balance(momenta)
    energies = {
        "quark": np.linalg.norm(momenta["quark"], axis=-1),
        "lepton": np.sqrt(np.sum(momenta["lepton"] ** 2, axis=-1) + masses**2),
        "neutrino": np.linalg.norm(momenta["neutrino"], axis=-1),
    }
    energy = sum(np.sum(values, axis=1) for values in energies.values())
    pz = sum(np.sum(values[..., 2], axis=1) for values in momenta.values())
    beams = np.stack([(energy + pz) / 2, (energy - pz) / 2], axis=1)
    colours = colour_flow(identity["parton"], identity["quark"])
    rows = range(len(energy))
    events = "".join(_event(row, identity, masses, momenta, energies, beams, colours) for row in rows)
    with open(path, "w") as file:
        file.write("\n".join(HEADER) + "\n")
        file.writelines(events for _ in range(rounds))
        file.write("</LesHouchesEvents>\n")
    return 2 * beams / LHC_ENERGY


def _pair(partons, pattern):
    return np.stack([np.asarray(partons[pattern.format(k)], dtype=np.float64) for k in range(2)], axis=1)


def _momenta(partons, name):
    return np.stack([_pair(partons, f"{name}_{{}}_p{axis}") for axis in "xyz"], axis=-1)


def balance(momenta):
    """Let the harder quark take what stored precision leaves of the transverse momentum's sum (GeV), in place."""
    quarks = momenta["quark"]
    harder = np.argmax(np.linalg.norm(quarks, axis=-1), axis=1)
    rest = sum(np.sum(values[..., :2], axis=1) for values in momenta.values())
    quarks[np.arange(len(quarks)), harder, :2] -= rest


def colour_flow(parton_ids, quark_ids):
    """(colour, anticolour) of the incoming partons and the quarks: integer array (events, 4, 2).

    A quark line hands its colour on: parton 0 to quark 0, parton 1 to quark 1, as in the t-channel exchange of
    colourless bosons. Where lines end, the incoming pair annihilates into something colourless that makes the quarks.
    """
    identity = np.concatenate([parton_ids, quark_ids], axis=1)
    lines = np.where(continues(parton_ids, quark_ids)[:, None], [501, 502, 501, 502], [501, 501, 502, 502])
    return np.stack([np.where(identity > 0, lines, 0), np.where(identity < 0, lines, 0)], axis=-1)


def _event(row, identity, masses, momenta, energies, beams, colours):
    lines = ["<event>", f"10 1 1.0 {SCALE} 0.00757 0.118"]

    def line(pdg, status, mothers, colour, momentum, energy, mass):
        numbers = " ".join(f"{value:.10e}" for value in (*momentum, energy, mass))
        lines.append(f"{pdg} {status} {mothers[0]} {mothers[1]} {colour[0]} {colour[1]} {numbers} 0. 9.")

    for k, sign in enumerate((1, -1)):
        energy = beams[row, k]
        line(identity["parton"][row, k], INCOMING, (0, 0), colours[row, k], (0, 0, sign * energy), energy, 0)
    for k in range(2):
        momentum = momenta["lepton"][row, k] + momenta["neutrino"][row, k]
        energy = energies["lepton"][row, k] + energies["neutrino"][row, k]
        line(W_PLUS, INTERMEDIATE, (1, 2), (0, 0), momentum, energy, np.sqrt(energy**2 - momentum @ momentum))
    for k in range(2):
        colour, quark = colours[row, 2 + k], identity["quark"][row, k]
        line(quark, OUTGOING, (1, 2), colour, momenta["quark"][row, k], energies["quark"][row, k], 0)
    for k in range(2):
        lepton = identity["lepton"][row, k]
        mothers = (3 + k, 3 + k)
        line(lepton, OUTGOING, mothers, (0, 0), momenta["lepton"][row, k], energies["lepton"][row, k], masses[row, k])
        neutrino = 1 - lepton  # e+ (-11) comes with nu_e (12), mu+ (-13) with nu_mu (14)
        line(neutrino, OUTGOING, mothers, (0, 0), momenta["neutrino"][row, k], energies["neutrino"][row, k], 0)
    return "\n".join([*lines, "</event>", ""])

"""Partons of same-sign WW scattering, pp -> W+ W+ j j with both W decaying to e or mu, by Sherpa (notebook 06)."""

import numpy as np

from hepflows.datasets.table import Column
from hepflows.generators import sherpa

# Leading order, alpha^4, with on-shell W: their decays know the spins, and their masses follow a Breit-Wigner shape.
RUN_CARD = """\
BEAMS: 2212
BEAM_ENERGIES: 6500
PDF_LIBRARY: LHAPDFSherpa
PDF_SET: PDF4LHC21_40_pdfas
EVENT_GENERATION_MODE: Unweighted
ME_GENERATORS: [Comix]
SHOWER_GENERATOR: None
FRAGMENTATION: None
MI_HANDLER: None
ME_QED: {ENABLED: false}
BEAM_REMNANTS: false
SCALES: VAR{sqr(80.379)}
PARTICLE_DATA:
  24: {Mass: 80.379, Width: 0}
  23: {Width: 0}
  25: {Width: 0}
HARD_DECAYS:
  Enabled: true
  Mass_Smearing: 1
  QED_Corrections: 0
  Spin_Correlations: 1
  Channels:
    24,12,-11: {Status: 2}
    24,14,-13: {Status: 2}
PROCESSES:
- 93 93 -> 24 24 93 93:
    Order: {QCD: 0, EW: 4}
    Integration_Error: 0.05
SELECTORS:
- [PT, 93, 20, E_CMS]
- [Mass, 93, 93, 150, E_CMS]
- [DR, 93, 93, 0.3, 100]
"""

# Relative rounding error 2^-15 = 3e-5: a W mass moves by a few MeV, a thousandth of its width.
STORED_BITS = 14

MOMENTA = ("quark_0", "quark_1", "lepton_0", "lepton_1", "neutrino_0", "neutrino_1")
MEANING = {
    "quark": "outgoing quark on the fermion line of incoming parton {}",
    "lepton": "charged lepton of W {}",
    "neutrino": "neutrino of W {}",
}


def _columns():
    yield Column("parton_0_id", "1", "PDG number of the incoming parton that moves along +z", dtype="int8")
    yield Column("parton_1_id", "1", "PDG number of the incoming parton that moves along -z", dtype="int8")
    for k in range(2):
        yield Column(f"quark_{k}_id", "1", f"PDG number of the {MEANING['quark'].format(k)}", dtype="int8")
    for k in range(2):
        yield Column(f"lepton_{k}_id", "1", f"PDG number of the charged lepton of W {k}: -11 (e+) or -13 (mu+)", "int8")
    for particle in MOMENTA:
        kind, number = particle.split("_")
        for axis in "xyz":
            description = f"p_{axis} of the {MEANING[kind].format(number)}"
            yield Column(f"{particle}_p{axis}", "GeV", description, mantissa_bits=STORED_BITS)


COLUMNS = tuple(_columns())


def simulate(events, seeds):
    """Simulate same-sign WW scattering at 13 TeV, leading order; returns {column: array}."""
    particles = sherpa.generate(RUN_CARD, events, seeds.pythia())
    incoming, quarks, leptons, neutrinos = np.split(particles, 4, axis=1)
    quarks = follow_fermion_lines(incoming, quarks)
    arrays = {}
    for kind, group in (("parton", incoming), ("quark", quarks), ("lepton", leptons)):
        arrays |= {f"{kind}_{k}_id": group[:, k, 0] for k in range(2)}
    for kind, group in (("quark", quarks), ("lepton", leptons), ("neutrino", neutrinos)):
        arrays |= {f"{kind}_{k}_p{axis}": group[:, k, 2 + i] for k in range(2) for i, axis in enumerate("xyz")}
    return arrays


def follow_fermion_lines(incoming, quarks):
    """The two outgoing quarks in the order of the incoming partons whose lines they continue.

    Each line emits a W+: u -> d, c -> s, dbar -> ubar, sbar -> cbar. Where flavours allow both pairings, the one with
    the smaller momentum transfers sum_k |(p_k - q_k)^2| is taken, which dominates the t-channel amplitude. Where they
    allow none, the incoming partons annihilate (u dbar -> W+ W+ s cbar): quark follows quark, antiquark antiquark.
    Arrays (events, 2, 5): PDG number, E, px, py, pz (GeV). Raises ValueError for an event with other flavours.
    """
    swapped = quarks[:, ::-1]
    lines = [continues(incoming[..., 0], order[..., 0]) for order in (quarks, swapped)]
    signs = [np.all(np.sign(incoming[..., 0]) == np.sign(order[..., 0]), axis=1) for order in (quarks, swapped)]
    if not np.all(signs[0] | signs[1]):
        bad = np.argmin(signs[0] | signs[1])
        flavours = [group[bad, :, 0].astype(int).tolist() for group in (incoming, quarks)]
        raise ValueError(f"expected as many quarks and antiquarks after as before, got {flavours[0]} -> {flavours[1]}")
    transfer = [_momentum_transfer(incoming, order) for order in (quarks, swapped)]
    swap = np.select([lines[0] & lines[1], lines[0] | lines[1]], [transfer[1] < transfer[0], lines[1]], signs[1])
    return np.where(swap[:, None, None], swapped, quarks)


def continues(incoming_ids, quark_ids):
    """Whether each quark is what its incoming parton becomes by emitting a W+; PDG numbers (events, 2) -> (events,)."""
    return np.all(np.asarray(quark_ids) == np.asarray(incoming_ids) - 1, axis=1)


def _momentum_transfer(incoming, outgoing):
    difference = incoming[..., 1:] - outgoing[..., 1:]
    squared = difference[..., 0] ** 2 - np.sum(difference[..., 1:] ** 2, axis=-1)
    return np.sum(np.abs(squared), axis=1)


RECIPE = sherpa.SherpaRecipe(
    name="vbs_partons",
    version=1,
    columns=COLUMNS,
    chunk_events=1000,
    simulate=simulate,
    requires=("sherpa-mc",),
)

"""Large-radius jets of an event, with their particles and their N-subjettiness."""

import awkward as ak
import fastjet
import numpy as np
import vector

vector.register_awkward()

COMPONENTS = ("px", "py", "pz", "E")


def two_hardest_jets(particles, *, radius, minimal_pt, leading_pt):
    """The two hardest anti-kT jets (arXiv:0802.1189) of the events whose hardest has pT above `leading_pt` (GeV).

    Returns their four-momenta, shape (events, 2), hardest first, and their particles, shape (events, 2, any). Events
    with fewer than two jets above `minimal_pt` (GeV) are left out.
    """
    sequence = fastjet.ClusterSequence(_records(particles), fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    jets = _records(sequence.inclusive_jets(min_pt=minimal_pt))
    constituents = sequence.constituents(min_pt=minimal_pt)
    order = ak.argsort(jets.pt, ascending=False)
    jets, constituents = jets[order], constituents[order]
    kept = (ak.num(jets) >= 2) & ak.fill_none(ak.firsts(jets.pt) > leading_pt, False)
    return jets[kept][:, :2], constituents[kept][:, :2]


def n_subjettiness(constituents, numbers, radius):
    """tau_N = sum_i pT_i min_a |Delta R_ia| / (R sum_i pT_i) for each N of `numbers` (arXiv:1011.2268, beta = 1).

    `constituents`: the particles of one jet per row; returns an array of shape (jets, len(numbers)). The N axes start
    from exclusive kT jets with winner-take-all recombination and are moved to a local minimum of tau_N.
    """
    if len(constituents) == 0:
        return np.zeros((0, len(numbers)))
    sequence = fastjet.ClusterSequence(_records(constituents), fastjet.JetDefinition(fastjet.kt_algorithm, radius))
    values = sequence.njettiness(
        measure_definition="NormalizedMeasure",
        axes_definition="OnePass_WTA_KT_Axes",
        njets=list(numbers),
        beta=1.0,
        R0=radius,
    )
    return ak.to_numpy(values)


def _records(momenta):
    return ak.zip({name: momenta[name] for name in COMPONENTS}, with_name="Momentum4D")

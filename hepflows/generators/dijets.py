"""Two jets of the LHC Olympics kind: QCD jets, and a resonance that decays to two boosted ones (notebook 09).

The features are those of the anomaly searches on the LHC Olympics R&D data (arXiv:2101.08320).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from hepflows.datasets.table import Column
from hepflows.generators.recipe import LARGEST_PYTHIA_SEED, Recipe

BATCH_EVENTS = 250
JET_RADIUS = 1.0
LEADING_PT, SECOND_PT = 1200.0, 100.0  # GeV
SIGNAL_REGION = (3300.0, 3700.0)  # GeV

# Relative rounding error 2^-12 = 2.4e-4: a hundredth of the resolution of a jet's mass or energy.
STORED_BITS = 11

COLUMNS = (
    Column("m_jj", "GeV", "invariant mass of the two hardest jets", mantissa_bits=STORED_BITS),
    Column("m_j1", "GeV", "mass of the lighter of the two jets", mantissa_bits=STORED_BITS),
    Column("delta_m", "GeV", "mass of the heavier jet minus that of the lighter", mantissa_bits=STORED_BITS),
    Column("tau21_j1", "1", "N-subjettiness ratio tau_2 / tau_1 of the lighter jet", mantissa_bits=STORED_BITS),
    Column("tau21_j2", "1", "N-subjettiness ratio tau_2 / tau_1 of the heavier jet", mantissa_bits=STORED_BITS),
)


@dataclass(frozen=True)
class Process:
    """Pythia's settings, what is given up early (GeV), and the range of m_jj (GeV) that is kept.

    `stream` numbers the random numbers: with one root seed, the data sets still have no event in common.
    """

    settings: tuple[str, ...]
    stream: int
    veto_leading_pt: float | None = None
    veto_mass_range: tuple[float, float] | None = None
    mass_range: tuple[float, float] = (0.0, np.inf)


def recipe(name, process, version=1):
    """The recipe of dijets from a process."""
    return Recipe(
        name=name,
        version=version,
        columns=COLUMNS,
        chunk_events=1000,
        simulate=partial(simulate, process),
        requires=("awkward", "fastjet", "pythia8mc", "vector"),
    )


def simulate(process, events, seeds):
    """Simulate until `events` events are selected; returns {column: array}."""
    seed = int(seeds.generator(process.stream).integers(1, LARGEST_PYTHIA_SEED, endpoint=True))
    pythia, _veto = initialised(process, seed)
    generator = seeds.generator(process.stream + 1)
    parts, selected = [], 0
    while selected < events:
        # Twice what is missing bounds the last batches: less is simulated in vain.
        batch = pythia.nextBatch(min(BATCH_EVENTS, 2 * (events - selected)))
        part = dijet_features(batch, generator)
        inside = (part["m_jj"] > process.mass_range[0]) & (part["m_jj"] < process.mass_range[1])
        parts.append({name: values[inside] for name, values in part.items()})
        selected += np.count_nonzero(inside)
    return {column.name: np.concatenate([part[column.name] for part in parts])[:events] for column in COLUMNS}


def initialised(process, seed):
    """(Pythia for a process, its early veto or None); the veto works as long as it is referred to."""
    # Imported here: the recipe's columns can be read without Pythia.
    from hepflows.generators.parton_veto import PartonVeto
    from hepflows.generators.pythia import make_pythia

    pythia = make_pythia(process.settings, seed)
    if process.veto_leading_pt is None:
        return pythia, None
    veto = PartonVeto(radius=JET_RADIUS, leading_pt=process.veto_leading_pt, mass_range=process.veto_mass_range)
    # Pythia asks a hook from its next initialisation on, which sets the random numbers back to the seed.
    pythia.setUserHooksPtr(veto)
    pythia.init()
    return pythia, veto


def dijet_features(batch, generator):
    """{column: array} of the events of a Pythia batch in which the hardest jet has pT > 1.2 TeV."""
    from hepflows.generators import detector, large_jets

    particles = batch.prt[(batch.prt.status > 0) & (batch.prt.p.e > 0)]  # a shower can leave photons of no energy
    seen = detector.measure(particles, generator)
    seen = seen[abs(seen.eta) < detector.TRACKER_ABS_ETA]
    jets, constituents = large_jets.two_hardest_jets(
        seen, radius=JET_RADIUS, minimal_pt=SECOND_PT, leading_pt=LEADING_PT
    )
    return features_of_pairs(jets, constituents)


def features_of_pairs(jets, constituents):
    """{column: array} of pairs of jets, shape (events, 2), and their particles; tau_21 of a single particle is 0."""
    import awkward as ak

    from hepflows.generators import large_jets

    mass = np.maximum(ak.to_numpy(jets.mass).reshape(-1, 2), 0.0)
    tau = large_jets.n_subjettiness(ak.flatten(constituents, axis=1), (1, 2), JET_RADIUS).reshape(-1, 2, 2)
    ratio = np.divide(tau[..., 1], tau[..., 0], out=np.zeros(mass.shape), where=tau[..., 0] > 0)
    order = np.argsort(mass, axis=1)
    mass, ratio = (np.take_along_axis(values, order, axis=1) for values in (mass, ratio))
    return {
        "m_jj": ak.to_numpy((jets[:, 0] + jets[:, 1]).mass),
        "m_j1": mass[:, 0],
        "delta_m": mass[:, 1] - mass[:, 0],
        "tau21_j1": ratio[:, 0],
        "tau21_j2": ratio[:, 1],
    }

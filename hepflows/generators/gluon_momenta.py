"""Two gluons make ttH: their momentum fractions, and what the detector sees of the boost (notebook 05)."""

import awkward as ak
import numpy as np

from hepflows.datasets.table import Column
from hepflows.generators.recipe import Recipe

PYTHIA_SETTINGS = ("HiggsSM:gg2Httbar = on", "25:onMode = off", "25:onIfAny = 5")
BATCH_EVENTS = 250
JET_RADIUS = 0.4
JET_MINIMAL_PT, LEPTON_MINIMAL_PT = 30.0, 15.0  # GeV
LEPTON_ISOLATION = 0.25
CENTRAL_ABS_ETA = 2.5

# Relative rounding error 2^-14 = 6e-5: three orders of magnitude below the detector's resolution.
STORED_BITS = 13


def _momentum(name, description, unit="GeV"):
    return Column(name, unit, description, mantissa_bits=STORED_BITS)


COLUMNS = (
    _momentum("x1", "momentum fraction of the gluon from the proton moving in +z, hard process", unit="1"),
    _momentum("x2", "momentum fraction of the gluon from the proton moving in -z, hard process", unit="1"),
    _momentum("central_pz", "sum of p_z over jets with |eta| < 2.5 and leptons"),
    _momentum(
        "central_energy", "sum of energy over jets with |eta| < 2.5 and leptons, plus missing transverse momentum"
    ),
    _momentum("wide_pz", "as central_pz, with jets to |eta| < 4.7"),
    _momentum("wide_energy", "as central_energy, with jets to |eta| < 4.7"),
    _momentum("met", "missing transverse momentum"),
    Column("jets", "1", "number of jets with pT > 30 GeV and |eta| < 4.7", dtype="uint8"),
    Column("leptons", "1", "number of isolated electrons and muons with pT > 15 GeV and |eta| < 2.5", dtype="uint8"),
)


def simulate(events, seeds):
    """Simulate ttH events at 13 TeV through shower, hadronisation and detector; returns {column: array}."""
    # Imported here: the recipe's columns can be read without Pythia.
    from hepflows.generators.pythia import batches, make_pythia

    pythia = make_pythia(PYTHIA_SETTINGS, seeds.pythia())
    generator = seeds.generator(1)
    parts = [_reconstruct(batch, generator) for batch in batches(pythia, events, BATCH_EVENTS)]
    return {column.name: np.concatenate([part[column.name] for part in parts]) for column in COLUMNS}


def _reconstruct(batch, generator):
    from hepflows.generators import detector

    seen = detector.measure(batch.prt[batch.prt.status > 0], generator)
    leptons = detector.isolated_leptons(seen, minimal_pt=LEPTON_MINIMAL_PT, isolation=LEPTON_ISOLATION)
    jets = detector.anti_kt_jets(seen, radius=JET_RADIUS, minimal_pt=JET_MINIMAL_PT)
    jets = detector.away_from(jets[abs(jets.eta) < detector.MAXIMAL_ABS_ETA], leptons, JET_RADIUS)
    central = jets[abs(jets.eta) < CENTRAL_ABS_ETA]
    met = np.hypot(ak.to_numpy(ak.sum(seen.px, axis=1)), ak.to_numpy(ak.sum(seen.py, axis=1)))

    def total(objects, component):
        return ak.to_numpy(ak.sum(objects[component], axis=1) + ak.sum(leptons[component], axis=1))

    return {
        "x1": ak.to_numpy(batch.info.x1),
        "x2": ak.to_numpy(batch.info.x2),
        "central_pz": total(central, "pz"),
        "central_energy": total(central, "E") + met,
        "wide_pz": total(jets, "pz"),
        "wide_energy": total(jets, "E") + met,
        "met": met,
        "jets": ak.to_numpy(ak.num(jets)),
        "leptons": ak.to_numpy(ak.num(leptons)),
    }


RECIPE = Recipe(
    name="gluon_momenta",
    version=1,
    columns=COLUMNS,
    chunk_events=1000,
    simulate=simulate,
    requires=("awkward", "fastjet", "pythia8mc", "vector"),
)

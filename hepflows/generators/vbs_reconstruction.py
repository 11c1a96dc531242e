"""Same-sign WW scattering in the detector: leptons, jets, missing momentum, and the truth that belongs to them."""

import awkward as ak
import numpy as np

from hepflows.generators import detector

JET_RADIUS = 0.4
JET_MINIMAL_PT, LEPTON_MINIMAL_PT = 20.0, 10.0  # GeV
LEPTON_ISOLATION = 0.25
MATCHED_LEPTON, MATCHED_JET = 0.1, 0.4  # largest distance from the particle of the hard process


def reconstruct(batch, generator, most_jets):
    """Select events of a Pythia batch with two isolated leptons, those of the W bosons, and two jets or more.

    Returns {column of vbs_neutrinos: array} of the selected events, with columns for the `most_jets` hardest jets, and
    a boolean for each event of the batch: whether it is selected.
    """
    seen = detector.measure(batch.prt[batch.prt.status > 0], generator)
    leptons = detector.isolated_leptons(seen, minimal_pt=LEPTON_MINIMAL_PT, isolation=LEPTON_ISOLATION)
    two_leptons = ak.to_numpy(ak.num(leptons) == 2)
    record, seen, leptons = batch.prt[two_leptons], seen[two_leptons], leptons[two_leptons]
    jets = detector.anti_kt_jets(seen, radius=JET_RADIUS, minimal_pt=JET_MINIMAL_PT)
    jets = detector.away_from(jets[abs(jets.eta) < detector.MAXIMAL_ABS_ETA], leptons, JET_RADIUS)
    leptons = leptons[ak.argsort(leptons.pt, ascending=False)]

    truth = HardProcess(record)
    order, matched = match_leptons(leptons, truth.leptons)
    keep = matched & ak.to_numpy(ak.num(jets) >= 2)
    met = [-ak.to_numpy(ak.sum(seen[component], axis=1)) for component in ("px", "py")]
    columns = {
        "met_pt": np.hypot(*met),
        "met_phi": np.arctan2(met[1], met[0]),
        **_jet_columns(jets, truth.quarks, most_jets),
        **_lepton_columns(leptons),
        **_truth_columns(truth, order),
    }
    selected = two_leptons.copy()
    selected[two_leptons] = keep
    return {name: values[keep] for name, values in columns.items()}, selected


class HardProcess:
    """Quarks, leptons, neutrinos and W bosons of the hard process in Pythia's record: Momentum4D arrays (events, 2).

    The leptons are those of the W decays before they radiate; the neutrinos are those that leave the event. All are in
    the order of the W bosons, which Pythia keeps.
    """

    def __init__(self, record):
        identity, hard = record.id, abs(record.status) == 23
        is_lepton, is_neutrino = (identity == -11) | (identity == -13), (identity == 12) | (identity == 14)
        self.quarks = _two(record[hard & (abs(identity) <= 6)])
        self.leptons = _two(record[hard & is_lepton])
        # Status codes below 60 are the hard process and its showers: neutrinos of hadron decays have larger ones.
        self.neutrinos = _two(record[is_neutrino & (record.status > 0) & (record.status < 60)])
        decay = _two(record[hard & is_neutrino])
        for neutrinos in (decay, self.neutrinos):
            if not np.array_equal(neutrinos.id, 1 - self.leptons.id):
                raise RuntimeError("expected the neutrinos of two W+ decays, in the order of the leptons")
        self.bosons = self.leptons + decay


def _two(particles):
    """Records of two particles an event as an array (events, 2)."""
    if not ak.all(ak.num(particles) == 2):
        raise RuntimeError(f"expected two particles in each event, got {np.unique(ak.to_numpy(ak.num(particles)))}")
    fields = {component: particles.p[component] for component in ("px", "py", "pz")}
    records = ak.zip({**fields, "E": particles.p.e, "id": particles.id}, with_name="Momentum4D")
    return ak.to_regular(records)


def match_leptons(measured, true):
    """Which true lepton each measured one is, integers (events, 2), and whether both are found, booleans (events,).

    A measured lepton is a true one if flavour and direction, within 0.1, agree; records (events, 2).
    """
    distance = ak.to_numpy(measured[:, :, None].deltaR(true[:, None, :]))
    same = ak.to_numpy(measured.id)[:, :, None] == np.abs(ak.to_numpy(true.id))[:, None, :]
    found = same & (distance < MATCHED_LEPTON)
    straight, crossed = found[:, 0, 0] & found[:, 1, 1], found[:, 0, 1] & found[:, 1, 0]
    return np.where(straight[:, None], [0, 1], [1, 0]), straight | crossed


def label_jets(jets, quarks, most_jets):
    """Booleans (events, most_jets): whether a jet is the nearest one to a quark of the hard process, within 0.4."""
    distance = _padded(jets, most_jets)[:, :, None].deltaR(quarks[:, None, :])
    distance = ak.to_numpy(ak.fill_none(distance, np.inf, axis=None))
    nearest = np.argmin(distance, axis=1)
    found = np.take_along_axis(distance, nearest[:, None, :], axis=1)[:, 0] < MATCHED_JET
    labels = np.zeros(distance.shape[:2], dtype=bool)
    events = np.arange(len(labels))
    for quark in range(2):
        labels[events[found[:, quark]], nearest[found[:, quark], quark]] = True
    return labels


def _padded(jets, number):
    return ak.pad_none(jets, number, axis=1, clip=True)


def _jet_columns(jets, quarks, most_jets):
    columns = {"jets": ak.to_numpy(ak.num(jets))}
    labels = label_jets(jets, quarks, most_jets)
    for name in ("pt", "eta", "phi", "mass"):
        values = ak.to_numpy(ak.fill_none(getattr(_padded(jets, most_jets), name), 0.0))
        columns |= {f"jet_{k}_{name}": values[:, k] for k in range(most_jets)}
    return columns | {f"jet_{k}_vbs": labels[:, k] for k in range(most_jets)}


def _lepton_columns(leptons):
    columns = {}
    for k in range(2):
        columns |= {f"lepton_{k}_{name}": ak.to_numpy(getattr(leptons, name)[:, k]) for name in ("pt", "eta", "phi")}
        columns[f"lepton_{k}_flavour"] = ak.to_numpy(leptons.id[:, k])
        columns[f"lepton_{k}_charge"] = np.ones(len(leptons))  # both are from a W+, and the detector tells charges well
    return columns


def _truth_columns(truth, order):
    columns = {}
    for name, particles in (("neutrino", truth.neutrinos), ("w", truth.bosons)):
        for component in ("px", "py", "pz") + (("mass",) if name == "w" else ()):
            values = np.take_along_axis(ak.to_numpy(getattr(particles, component)), order, axis=1)
            columns |= {f"{name}_{k}_{component}": values[:, k] for k in range(2)}
    return columns

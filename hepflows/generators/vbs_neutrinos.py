"""Same-sign WW scattering as the detector sees it, and the two neutrinos that it does not see (notebook 06)."""

import tempfile
from pathlib import Path

import numpy as np

from hepflows import datasets
from hepflows.datasets.table import Column, read_table
from hepflows.errors import InputError
from hepflows.generators import les_houches
from hepflows.generators.recipe import Recipe

# The recoil of radiation stays on its own quark line: no colour flows between the two (arXiv:1710.00391).
PYTHIA_SETTINGS = ("Beams:frameType = 4", "SpaceShower:dipoleRecoil = on")
BATCH_EVENTS = 250
JETS = 13

# A chunk owns as many parton events as it makes, and showers them again and again, with new random numbers, until
# enough are accepted. About 0.56 are: two rounds suffice. Chunks share no parton event.
CHUNK_EVENTS = 1000
ROUNDS = 4

# Relative rounding error 2^-14 = 6e-5: two orders of magnitude below the resolution of the leptons' momenta.
STORED_BITS = 13


def _momentum(name, description):
    return Column(name, "GeV", description, mantissa_bits=STORED_BITS)


def _angle(name, description):
    return Column(name, "1", description, mantissa_bits=STORED_BITS)


def _columns():
    yield Column("jets", "1", f"number of jets with pT > 20 GeV and |eta| < 4.7; {JETS} of them have columns", "uint8")
    for k in range(JETS):
        yield _momentum(f"jet_{k}_pt", f"transverse momentum of jet {k}, hardest first; 0 where there is none")
        yield _angle(f"jet_{k}_eta", f"pseudorapidity of jet {k}")
        yield _angle(f"jet_{k}_phi", f"azimuth of jet {k}, in radians")
        yield _momentum(f"jet_{k}_mass", f"mass of jet {k}")
        yield Column(f"jet_{k}_vbs", "1", f"1 if jet {k} is that of a quark of the hard process, else 0", dtype="uint8")
    for k in range(2):
        yield _momentum(f"lepton_{k}_pt", f"transverse momentum of lepton {k}, hardest first")
        yield _angle(f"lepton_{k}_eta", f"pseudorapidity of lepton {k}")
        yield _angle(f"lepton_{k}_phi", f"azimuth of lepton {k}, in radians")
        yield Column(f"lepton_{k}_charge", "e", f"charge of lepton {k}", dtype="int8")
        yield Column(f"lepton_{k}_flavour", "1", f"flavour of lepton {k}: 11 electron, 13 muon", dtype="uint8")
    yield _momentum("met_pt", "missing transverse momentum")
    yield _angle("met_phi", "its azimuth, in radians")
    for k in range(2):
        for axis in "xyz":
            yield _momentum(f"neutrino_{k}_p{axis}", f"p_{axis} of the neutrino from the W of lepton {k}")
    for k in range(2):
        for axis in "xyz":
            yield _momentum(f"w_{k}_p{axis}", f"p_{axis} of the W of lepton {k}, before its decay products radiate")
        yield _momentum(f"w_{k}_mass", f"mass of the W of lepton {k}")
    yield Column("parton_event", "1", "row of the event in vbs_partons", dtype="int32")


COLUMNS = tuple(_columns())


def most_events():
    """A chunk owns as many parton events as it makes."""
    return datasets.card("vbs_partons").fields["events"]


def simulate(events, seeds):
    """Shower a chunk's rows of vbs_partons until `events` events are accepted; returns {column: array}."""
    # Imported here: the recipe's columns can be read without the generators.
    from hepflows.generators.pythia import batches, make_pythia
    from hepflows.generators.vbs_reconstruction import reconstruct

    first = seeds.chunk * events
    partons = read_partons(first, first + events)
    generator = seeds.generator(1)
    parts, accepted = [], 0
    with tempfile.TemporaryDirectory(prefix="hepflows-vbs-") as folder:
        file = Path(folder) / "partons.lhe"
        fractions = les_houches.write(file, partons, rounds=ROUNDS)
        pythia = make_pythia((*PYTHIA_SETTINGS, f"Beams:LHEF = {file}"), seeds.pythia())
        for batch in batches(pythia, ROUNDS * events, BATCH_EVENTS):
            columns, chosen = reconstruct(batch, generator, JETS)
            x1, x2 = np.asarray(batch.info.x1), np.asarray(batch.info.x2)
            parts.append({"parton_event": first + row_of(fractions, x1[chosen], x2[chosen]), **columns})
            accepted += int(chosen.sum())
            if accepted >= events:
                break
    if accepted < events:
        raise RuntimeError(f"expected {events} accepted events, got {accepted} in {ROUNDS} rounds")
    return {column.name: np.concatenate([part[column.name] for part in parts])[:events] for column in COLUMNS}


def read_partons(start, stop):
    """Rows start to stop of the table vbs_partons that ships; InputError if it has fewer."""
    about = datasets.card("vbs_partons")
    available = about.fields["events"]
    if stop > available:
        raise InputError(
            f"events: expected at most {available:,}, as many as vbs_partons has, got {stop:,}; "
            "`hepflows generate vbs_partons` makes more"
        )
    about.verify()
    return read_table(about.path, list(about.columns), start, stop)


def row_of(fractions, x1, x2):
    """Row of each showered event, found by its momentum fractions: Pythia leaves out an event that it cannot shower."""
    distance = np.abs(x1[:, None] / fractions[:, 0] - 1) + np.abs(x2[:, None] / fractions[:, 1] - 1)
    rows = np.argmin(distance, axis=1)
    if np.any(distance[np.arange(len(rows)), rows] > 1e-6):
        raise RuntimeError("expected events of vbs_partons, got one with other momentum fractions")
    return rows


RECIPE = Recipe(
    name="vbs_neutrinos",
    version=1,
    columns=COLUMNS,
    chunk_events=CHUNK_EVENTS,
    simulate=simulate,
    requires=("awkward", "fastjet", "pythia8mc", "vector"),
    most_events=most_events,
)

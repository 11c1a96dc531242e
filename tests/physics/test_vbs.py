"""Same-sign WW scattering that ships, partons and events: made again, and compared with an independent calculation."""

import importlib.util

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp

from hepflows import datasets
from hepflows.datasets.table import read_table
from hepflows.generators import vbs_neutrinos, vbs_partons
from hepflows.generators.les_houches import LEPTON_MASSES

W_MASS, W_WIDTH = 80.379, 2.085  # GeV
RECIPES = {"vbs_partons": vbs_partons, "vbs_neutrinos": vbs_neutrinos}


def four_momenta(table, name, mass=0.0):
    """(E, px, py, pz) of a particle of the table, float64 (events, 4)."""
    momentum = np.stack([table[f"{name}_p{axis}"].astype(np.float64) for axis in "xyz"], axis=1)
    energy = np.sqrt(np.sum(momentum**2, axis=1) + mass**2)
    return np.concatenate([energy[:, None], momentum], axis=1)


def measured(table, name):
    """(E, px, py, pz) of a massless measured object, float64 (events, 4)."""
    pt, eta, phi = (table[f"{name}_{variable}"].astype(np.float64) for variable in ("pt", "eta", "phi"))
    return pt[:, None] * np.stack([np.cosh(eta), np.cos(phi), np.sin(phi), np.sinh(eta)], axis=1)


def mass(momenta):
    return np.sqrt(np.maximum(momenta[..., 0] ** 2 - np.sum(momenta[..., 1:] ** 2, axis=-1), 0))


def pt(momenta):
    return np.hypot(momenta[..., 1], momenta[..., 2])


def eta(momenta):
    return np.arcsinh(momenta[..., 3] / pt(momenta))


def half_width(values):
    """Half of the central 68 % interval."""
    low, high = np.quantile(values, (0.16, 0.84))
    return (high - low) / 2


@pytest.fixture(scope="module")
def partons():
    return datasets.load("vbs_partons", "all")


@pytest.fixture(scope="module")
def events():
    return datasets.load("vbs_neutrinos", "all")


@pytest.fixture(scope="module")
def hard(partons):
    """Four-momenta of the quarks, leptons, neutrinos and W bosons, arrays (2, events, 4)."""
    masses = {-11: LEPTON_MASSES[11], -13: LEPTON_MASSES[13]}
    groups = {name: np.stack([four_momenta(partons, f"{name}_{k}") for k in (0, 1)]) for name in ("quark", "neutrino")}
    leptons = [(f"lepton_{k}", np.vectorize(masses.get)(partons[f"lepton_{k}_id"])) for k in (0, 1)]
    groups["lepton"] = np.stack([four_momenta(partons, *lepton) for lepton in leptons])
    return groups | {"w": groups["lepton"] + groups["neutrino"]}


@pytest.mark.parametrize("name", RECIPES)
def test_columns_are_those_of_the_recipe(name):
    card = datasets.card(name).columns
    assert {column.name: (column.unit, column.description) for column in RECIPES[name].COLUMNS} == {
        column: (about["unit"], about["description"]) for column, about in card.items()
    }


@pytest.mark.simulate
@pytest.mark.parametrize("name", RECIPES)
def test_first_events_are_generated_again(tmp_path, name):
    from hepflows.generators import generate

    if name == "vbs_partons" and importlib.util.find_spec("Sherpa") is None:
        pytest.skip("Sherpa is not installed: it has wheels for Python 3.12 and 3.13 only")
    shipped = datasets.load(name, "all")
    seed = datasets.card(name).fields["seed"]
    again = read_table(generate(name, events=1000, workers=1, seed=seed, out=tmp_path / "a.h5", progress=False))
    for column in shipped.columns:
        np.testing.assert_array_equal(again[column], shipped[column][:1000])


def test_quarks_pass_the_cuts_and_balance_the_bosons(hard):
    slack = 1 - 1e-4  # stored precision
    passed = (mass(hard["quark"].sum(0)) > 150 * slack) & (pt(hard["quark"]).min(axis=0) > 20 * slack)
    # The masses of the W bosons are smeared after the cuts, which moves the quarks where a mass is far from the pole.
    assert np.all(passed[np.all(np.abs(mass(hard["w"]) - W_MASS) < 2 * W_WIDTH, axis=0)])
    assert np.mean(~passed) < 1e-3
    transverse = (hard["quark"].sum(0) + hard["w"].sum(0))[:, 1:3]
    scale = hard["quark"][..., 0].sum(0) + hard["w"][..., 0].sum(0)
    assert np.abs(transverse / scale[:, None]).max() < 1e-4


def test_charge_is_conserved(partons):
    third = {-4: -2, -3: 1, -2: -2, -1: 1, 1: -1, 2: 2, 3: -1, 4: 2}
    charge = np.vectorize(third.get)
    before = sum(charge(partons[f"parton_{k}_id"]) for k in (0, 1))
    after = sum(charge(partons[f"quark_{k}_id"]) for k in (0, 1))
    assert np.all(before - after == 6)
    lines = [np.stack([partons[f"{name}_{k}_id"] for k in (0, 1)], axis=1) for name in ("parton", "quark")]
    assert vbs_partons.continues(*lines).mean() > 0.99  # the rest annihilates


def test_both_sides_and_both_flavours_are_alike(partons, hard):
    # W+ bosons come in no order, and e and mu are equally frequent: binomial and KS tests.
    assert binomtest(int(np.sum(partons["lepton_0_id"] == -11)), len(partons)).pvalue > 1e-4
    assert ks_2samp(pt(hard["neutrino"][0])[::2], pt(hard["neutrino"][1])[1::2]).pvalue > 1e-4
    assert ks_2samp(hard["quark"][0, ::2, 3], -hard["quark"][1, 1::2, 3]).pvalue > 1e-4


def test_w_mass_is_a_breit_wigner_peak(hard):
    # Cumulative Breit-Wigner: half of the events lie within half a width of the pole, 68 % of them a little wider.
    masses = mass(hard["w"]).ravel()
    error = np.pi / 2 * W_WIDTH / np.sqrt(len(masses)) / 2  # of the median: 1 / (2 sqrt(n) density at the peak)
    assert abs(np.median(masses) - W_MASS) < 4 * error + 0.02
    for fraction in (0.5, 0.68):
        expected = 0.5 * W_WIDTH * np.tan(0.5 * np.pi * fraction)
        low, high = np.quantile(masses, (0.5 - fraction / 2, 0.5 + fraction / 2))
        assert (high - low) / 2 == pytest.approx(expected, rel=0.03)


# An independent calculation: the full pp -> e+ nu mu+ nu j j at order alpha^6, with all diagrams, widths and
# interferences (Sherpa, same cuts on the quarks, pT > 5 GeV of the leptons): medians in GeV and <cos^2 theta*>.
FULL_CALCULATION = {
    "m_ww": 310.0,
    "pt_j1": 165.0,
    "pt_j2": 89.0,
    "delta_eta_jj": 3.9,
    "m_ll": 99.0,
    "met": 79.0,
    "pt_neutrino": 55.0,
}
FULL_COS_SQUARED = 0.344, 0.012
# The same with 1,500 events of Sherpa 3.0.3b2: medians and their errors.
LARGER_FULL_CALCULATION = {
    "m_ww": (309.4, 5.6),
    "pt_j1": (178.1, 3.0),
    "pt_j2": (88.1, 1.8),
    "delta_eta_jj": (4.05, 0.06),
    "m_ll": (104.7, 2.8),
    "met": (84.8, 1.7),
    "pt_neutrino": (57.2, 1.0),
}
LARGER_FULL_COS_SQUARED = 0.3407, 0.0054


def test_medians_agree_with_the_full_calculation(hard):
    seen = (pt(hard["lepton"]) > 5).all(0)
    quark, lepton, neutrino, w = (hard[name][:, seen] for name in ("quark", "lepton", "neutrino", "w"))
    quarks = np.sort(pt(quark), axis=0)
    found = {
        "m_ww": mass(w.sum(0)),
        "pt_j1": quarks[1],
        "pt_j2": quarks[0],
        "delta_eta_jj": np.abs(eta(quark[0]) - eta(quark[1])),
        "m_ll": mass(lepton.sum(0)),
        "met": pt(neutrino.sum(0)),
        "pt_neutrino": pt(neutrino).ravel(),
    }
    # The error of its <cos^2 theta*> tells how many events it has, and so how well its medians are known.
    cosine = cos_theta_star(lepton, w)
    reference_events = (np.std(cosine**2) / FULL_COS_SQUARED[1]) ** 2 / 2
    rng = np.random.default_rng(0)
    for name, expected in FULL_CALCULATION.items():
        values = found[name]
        size = int(reference_events)
        error = np.std([np.median(values[rng.integers(0, len(values), size)]) for _ in range(500)])
        assert abs(np.median(values) - expected) < 3 * error, name
    for name, (expected, error) in LARGER_FULL_CALCULATION.items():
        assert abs(np.median(found[name]) - expected) < 3 * error, name


def cos_theta_star(leptons, bosons):
    """cos of the angle of the lepton in the W rest frame to the W's direction of flight in the laboratory."""
    momentum = np.linalg.norm(bosons[..., 1:], axis=-1)
    along = np.sum(leptons[..., 1:] * bosons[..., 1:], axis=-1) / momentum
    boosted = (bosons[..., 0] * along - momentum * leptons[..., 0]) / mass(bosons)
    return boosted / (mass(bosons) / 2)  # massless: the lepton has half of the W's mass as energy


def test_decays_know_the_spin_of_the_w(hard):
    cosine = cos_theta_star(hard["lepton"], hard["w"])
    assert np.abs(cosine).max() < 1 + 1e-3
    squared = (cosine**2).ravel()
    error = squared.std() / np.sqrt(len(squared))
    # Unpolarised decays would give 1/3, longitudinal W 1/5; a first run of the same calculation gave 0.346 +- 0.006.
    for expected, uncertainty in (FULL_COS_SQUARED, LARGER_FULL_COS_SQUARED, (0.346, 0.006)):
        assert abs(squared.mean() - expected) < 3 * np.hypot(error, uncertainty)
    assert squared.mean() - 1 / 3 > 3 * error
    # More left-handed than right-handed W+, whose leptons fly backwards.
    assert cosine.mean() < -0.05


def test_splits_share_no_parton_event(events):
    splits = datasets.card("vbs_neutrinos").splits
    assert sorted(splits.values())[0][0] == 0 and sorted(splits.values())[-1][1] == len(events)
    sets = [set(events["parton_event"][start:stop].tolist()) for start, stop in splits.values()]
    assert sum(len(rows) for rows in sets) == len(set.union(*sets))


def test_events_belong_to_their_partons(partons, events):
    rows = events["parton_event"]
    assert rows.min() >= 0 and rows.max() < len(partons)
    flavours = np.sort(np.abs([partons[f"lepton_{k}_id"][rows] for k in (0, 1)]), axis=0)
    np.testing.assert_array_equal(np.sort([events[f"lepton_{k}_flavour"] for k in (0, 1)], axis=0), flavours)
    # Only the protons' primordial transverse momentum, a few GeV, and rounding move the W bosons.
    stored = np.stack(
        [four_momenta(partons, f"lepton_{k}")[rows] + four_momenta(partons, f"neutrino_{k}")[rows] for k in (0, 1)]
    )
    total = sum(four_momenta(events, f"w_{k}", events[f"w_{k}_mass"].astype(np.float64)) for k in (0, 1))
    assert np.quantile(np.abs(mass(total) / mass(stored.sum(0)) - 1), 0.99) < 0.05


def test_met_measures_the_sum_of_the_neutrinos(events):
    # A first study with another parametrisation of the detector: half-width 10.6 GeV per component.
    for axis, direction in (("x", np.cos), ("y", np.sin)):
        met = events["met_pt"] * direction(events["met_phi"])
        true = sum(events[f"neutrino_{k}_p{axis}"] for k in (0, 1))
        assert half_width(met - true) == pytest.approx(10.6, abs=1.0)
        assert abs(np.mean(met - true)) < 4 * np.std(met - true) / np.sqrt(len(met))
        assert np.corrcoef(met, true)[0, 1] > 0.97


def test_each_neutrino_belongs_to_its_lepton(events):
    peaks = {}
    for lepton in (0, 1):
        for neutrino in (0, 1):
            masses = mass(measured(events, f"lepton_{lepton}") + four_momenta(events, f"neutrino_{neutrino}"))
            peaks[lepton, neutrino] = np.mean(np.abs(masses - W_MASS) < 5)
        # What the W is more than its neutrino is a lepton and the photons that it radiates.
        rest = four_momenta(events, f"w_{lepton}", events[f"w_{lepton}_mass"].astype(np.float64))
        rest -= four_momenta(events, f"neutrino_{lepton}")
        assert np.quantile(mass(rest), 0.99) < 20
        assert np.median(np.abs(pt(rest) / events[f"lepton_{lepton}_pt"] - 1)) < 0.02
    assert min(peaks[0, 0], peaks[1, 1]) > 0.6
    assert max(peaks[0, 1], peaks[1, 0]) < 0.15


def test_w_mass_peaks_in_the_events_as_in_the_partons(hard, events):
    masses = np.concatenate([events[f"w_{k}_mass"] for k in (0, 1)])
    assert abs(np.median(masses) - W_MASS) < 0.1
    assert half_width(masses) == pytest.approx(half_width(mass(hard["w"]).ravel()), rel=0.05)


def test_events_pass_the_selection(events):
    assert events["jets"].min() >= 2
    number = np.minimum(events["jets"], vbs_neutrinos.JETS)
    transverse = events.array(*(f"jet_{k}_pt" for k in range(vbs_neutrinos.JETS)))
    np.testing.assert_array_equal(np.sum(transverse > 0, axis=1), number)
    assert transverse[transverse > 0].min() > 20 * (1 - 1e-4)
    assert np.all(np.diff(transverse, axis=1) <= 0)
    for k in range(vbs_neutrinos.JETS):
        there = transverse[:, k] > 0
        assert np.abs(events[f"jet_{k}_eta"]).max() < 4.701
        for name in ("eta", "phi", "mass", "vbs"):
            assert np.all(events[f"jet_{k}_{name}"][~there] == 0)
    for k in (0, 1):
        assert events[f"lepton_{k}_pt"].min() > 10 * (1 - 1e-4)
        assert np.abs(events[f"lepton_{k}_eta"]).max() < 2.501
        assert np.all(events[f"lepton_{k}_charge"] == 1)
    assert np.all(events["lepton_0_pt"] >= events["lepton_1_pt"])


def test_labelled_jets_are_those_of_the_quarks(partons, events):
    count = vbs_neutrinos.JETS
    labels = events.array(*(f"jet_{k}_vbs" for k in range(count))).astype(bool)
    found = labels.sum(axis=1)
    assert found.max() == 2 and found.mean() > 1.6
    both = found == 2
    jets = np.stack([measured(events, f"jet_{k}") for k in range(count)], axis=1)[both][labels[both]].reshape(-1, 2, 4)
    quarks = np.stack([four_momenta(partons, f"quark_{k}")[events["parton_event"][both]] for k in (0, 1)], axis=1)
    order = np.argsort(eta(jets), axis=1)[..., None], np.argsort(eta(quarks), axis=1)[..., None]
    jets, quarks = np.take_along_axis(jets, order[0], axis=1), np.take_along_axis(quarks, order[1], axis=1)
    assert half_width(eta(jets) - eta(quarks)) < 0.1
    # Radiation out of the cone and resolution: 0.2 wide, a little below one.
    assert np.median(pt(jets) / pt(quarks)) == pytest.approx(0.95, abs=0.06)


@pytest.mark.parametrize("name", RECIPES)
def test_stored_precision_cannot_be_seen(name, partons, events):
    # A second rounding error of the same size, beside the narrowest feature: the W mass from lepton and neutrino.
    table = {"vbs_partons": partons, "vbs_neutrinos": events}[name]
    rng = np.random.default_rng(0)
    bits = RECIPES[name].STORED_BITS

    def w_mass(jitter):
        if name == "vbs_partons":
            lepton = four_momenta(table, "lepton_0")
        else:
            lepton = measured(table, "lepton_0")
        neutrino = four_momenta(table, "neutrino_0")
        for vector in (lepton, neutrino):
            vector[:, 1:] *= 1 + jitter * rng.uniform(-1, 1, (len(table), 3)) * 2.0 ** -(bits + 1)
            vector[:, 0] = np.linalg.norm(vector[:, 1:], axis=1)
        return mass(lepton + neutrino)

    moved = w_mass(1) - w_mass(0)
    assert np.quantile(np.abs(moved), 0.99) < 0.05 * W_WIDTH
    assert half_width(moved) < 0.01 * W_WIDTH

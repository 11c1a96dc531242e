"""The gluon momenta that ship: made again, and with the physics of two gluons in two equal protons."""

import numpy as np
import pytest
from scipy.stats import binomtest, ks_2samp, spearmanr

from hepflows import datasets
from hepflows.datasets.table import read_table
from hepflows.physics.kinematics import LHC_ENERGY, gluon_pair, log_mass_and_rapidity

TOP_MASS, HIGGS_MASS = 171.0, 125.0  # GeV, Pythia's defaults


@pytest.fixture(scope="module")
def table():
    return datasets.load("gluon_momenta", "all")


@pytest.mark.simulate
def test_first_events_are_generated_again(tmp_path, table):
    from hepflows.generators import generate

    fields = datasets.card("gluon_momenta").fields
    again = read_table(
        generate("gluon_momenta", events=1000, workers=1, seed=fields["seed"], out=tmp_path / "a.h5", progress=False)
    )
    for column in table.columns:
        np.testing.assert_array_equal(again[column], table[column][:1000])


def test_columns_are_those_of_the_recipe(table):
    from hepflows.generators.gluon_momenta import COLUMNS

    card = datasets.card("gluon_momenta").columns
    assert {column.name: (column.unit, column.description) for column in COLUMNS} == {
        name: (about["unit"], about["description"]) for name, about in card.items()
    }


def test_truth_is_within_its_limits(table):
    x1, x2 = table["x1"], table["x2"]
    assert np.all((x1 > 0) & (x1 < 1) & (x2 > 0) & (x2 < 1))
    mass = LHC_ENERGY * np.sqrt(x1.astype(np.float64) * x2)
    # Below the threshold only by the widths of top quarks and Higgs boson.
    assert np.mean(mass < 2 * TOP_MASS + HIGGS_MASS) < 0.01
    assert np.all(mass > 2 * TOP_MASS + HIGGS_MASS - 60)


def test_the_two_protons_are_alike(table):
    assert binomtest(int(np.sum(table["x1"] > table["x2"])), len(table)).pvalue > 1e-4
    assert ks_2samp(table["x1"][::2], table["x2"][1::2]).pvalue > 1e-4
    for column in ("central_pz", "wide_pz"):
        pz = table[column].astype(np.float64)
        assert abs(pz.mean()) < 4 * pz.std() / np.sqrt(len(pz))


def test_reco_boost_follows_the_gluons_and_the_wide_sum_less(table):
    pz, energy = gluon_pair(table["x1"], table["x2"])
    _, rapidity = log_mass_and_rapidity(pz, energy)
    correlation, width = {}, {}
    for name in ("central", "wide"):
        reco_pz, reco_energy = table[f"{name}_pz"], table[f"{name}_energy"]
        _, reco_rapidity = log_mass_and_rapidity(reco_pz, reco_energy)
        correlation[name] = [spearmanr(pz, reco_pz)[0], spearmanr(energy, reco_energy)[0]]
        width[name] = np.diff(np.quantile(reco_rapidity - rapidity, (0.16, 0.84)))[0] / 2
    # A first study with another parametrisation of the detector: 0.90, 0.59; 0.83 wide; half-width 0.30.
    assert correlation["central"][0] == pytest.approx(0.90, abs=0.02)
    assert correlation["central"][1] == pytest.approx(0.62, abs=0.05)
    assert correlation["wide"][0] == pytest.approx(0.83, abs=0.02)
    assert width["central"] == pytest.approx(0.30, abs=0.01)
    assert width["wide"] > width["central"]


def test_stored_precision_cannot_be_seen(table):
    # Rounding adds at most 6.2e-5 of the value: compared with the narrowest resolution in the table, that of rapidity.
    rng = np.random.default_rng(0)
    pz, energy = (table[name].astype(np.float64) for name in ("central_pz", "central_energy"))
    _, rapidity = log_mass_and_rapidity(pz, energy)
    jitter = 1 + rng.uniform(-1, 1, (2, len(table))) * 2.0**-14
    moved = np.abs(pz * jitter[0]) < energy * jitter[1]
    _, other = log_mass_and_rapidity((pz * jitter[0])[moved], (energy * jitter[1])[moved])
    assert np.quantile(np.abs(other - rapidity[moved]), 0.999) < 0.01 * 0.30

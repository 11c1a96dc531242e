"""Events of WW scattering for a network: frames are symmetries, tokens hold every object, exchanges exchange."""

import numpy as np
import pytest
import torch

from hepflows import datasets
from hepflows.errors import InputError
from hepflows.physics import neutrinos, ww_events


@pytest.fixture(scope="module")
def table():
    return datasets.load("vbs_neutrinos", "validation")


def frames(table):
    return {
        "detector": ww_events.detector_frame(table),
        "own": ww_events.own_frame(table),
        "random": ww_events.random_frame(table, np.random.default_rng(5)),
    }


@pytest.mark.parametrize("name", ["detector", "own", "random"])
def test_frames_are_left_as_they_are_entered(table, name):
    frame = frames(table)[name]
    momenta = np.random.default_rng(1).normal(size=(len(table), 2, 3))
    np.testing.assert_allclose(frame.leave(frame.enter(momenta)), momenta, atol=1e-12)
    np.testing.assert_allclose(frame.leave(frame.enter(momenta[:, 0])), momenta[:, 0], atol=1e-12)


@pytest.mark.parametrize("name", ["detector", "own", "random"])
def test_masses_do_not_depend_on_the_frame(table, name):
    """Neutrinos (as momenta) and leptons (as pT, eta, phi) are turned by two pieces of code: they must agree."""
    frame = frames(table)[name]
    event = torch.tensor(ww_events.leptons_and_met(table, frame))
    momenta = torch.tensor(ww_events.neutrinos(table, frame))
    u, _ = neutrinos.to_coordinates(momenta, event)
    mass = neutrinos.log_mass_squared(u[:, [1, 4]]).mul(0.5).exp().numpy()
    for k in (0, 1):  # within the resolution of the leptons and their radiation; a turned neutrino would miss it by far
        assert np.quantile(np.abs(mass[:, k] / table[f"w_{k}_mass"] - 1), 0.8) < 0.04
    left = np.hypot(*(event[:, 6:] - momenta[:, :, :2].sum(1)).numpy().T)
    assert np.median(left) < 20  # GeV: the resolution of the missing momentum


def test_own_frame_is_one_for_all_images_of_an_event(table):
    """A turned and reflected event gives the same tokens, quantities and neutrinos in its own frame."""
    frame = ww_events.random_frame(table, np.random.default_rng(6))
    columns = {name: table[name] for name in table.columns}
    for name in ("lepton_0", "lepton_1", "met", *(f"jet_{k}" for k in range(ww_events.JETS))):
        eta, phi = frame.directions(columns.get(f"{name}_eta", np.zeros(len(table))), columns[f"{name}_phi"])
        columns[f"{name}_phi"] = phi
        if name != "met":
            columns[f"{name}_eta"] = eta
    turned = ww_events.neutrinos(table, frame)
    columns |= {f"neutrino_{k}_p{axis}": turned[:, k, i] for k in (0, 1) for i, axis in enumerate("xyz")}
    image = datasets.Table(columns, table.units, "image")
    for function in (ww_events.tokens, ww_events.strong_quantities, ww_events.leptons_and_met, ww_events.neutrinos):
        there, here = function(image, ww_events.own_frame(image)), function(table, ww_events.own_frame(table))
        difference = np.abs(there - here)
        difference = np.minimum(difference, np.abs(difference - 2 * np.pi))  # an azimuth on the other side of pi
        assert difference.max() < 1e-2
    event = ww_events.leptons_and_met(table, ww_events.own_frame(table))
    assert np.all(event[:, 1] >= 0) and np.all(event[:, 2] >= -1e-6) and np.all(event[:, 6] > 0)
    assert np.abs(event[:, 7]).max() < 1e-9


def test_tokens_hold_every_object_once(table):
    tokens = ww_events.tokens(table, ww_events.detector_frame(table))
    kinds = tokens[..., : len(ww_events.KINDS)]
    assert set(np.unique(kinds)) == {0.0, 1.0} and kinds.sum(2).max() == 1
    np.testing.assert_array_equal(kinds.sum(1)[:, 1:], 1)
    np.testing.assert_array_equal(kinds.sum(1)[:, 0], np.minimum(table["jets"], ww_events.JETS))
    assert np.all(tokens[kinds.sum(2) == 0] == 0)
    np.testing.assert_allclose(50 * np.exp(tokens[:, 3, 4]), table["jet_0_pt"], rtol=1e-5)
    assert np.isfinite(ww_events.strong_quantities(table, ww_events.own_frame(table))).all()


def test_exchanging_twice_changes_nothing(table):
    once = ww_events.exchanged(table)
    np.testing.assert_array_equal(once["lepton_0_pt"], table["lepton_1_pt"])
    np.testing.assert_array_equal(once["neutrino_1_pz"], table["neutrino_0_pz"])
    np.testing.assert_array_equal(once["jet_1_pt"], table["jet_1_pt"])
    twice = ww_events.exchanged(once)
    assert twice.columns == table.columns
    assert all(np.array_equal(twice[name], table[name]) for name in table.columns)


def test_other_tables_are_refused():
    other = datasets.Table({"x": np.zeros(3)}, {"x": "1"})
    with pytest.raises(InputError, match="expected the columns of vbs_neutrinos, lepton_0_pt is not there"):
        ww_events.tokens(other, ww_events.detector_frame(other))


def test_frame_of_some_events(table):
    frame = ww_events.own_frame(table)
    momenta = np.random.default_rng(2).normal(size=(len(table), 4, 2, 3))
    for rows in (slice(5, 9), np.array([3, 1])):
        np.testing.assert_array_equal(frame.of(rows).enter(momenta[rows]), frame.enter(momenta)[rows])

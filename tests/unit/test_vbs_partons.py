"""Partons of same-sign WW scattering: quark lines, colour flow, Les Houches file, and what is said without Sherpa."""

import importlib.util
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from hepflows.cli import main
from hepflows.errors import InputError, MissingExtraError
from hepflows.generators import les_houches, recipe, sherpa, vbs_neutrinos
from hepflows.generators.vbs_partons import COLUMNS, continues, follow_fermion_lines

# Incoming and outgoing quarks, in the order in which the lines go on.
LINES = [((2, 2), (1, 1)), ((2, 4), (1, 3)), ((2, -1), (1, -2)), ((-3, -1), (-4, -2)), ((-1, 2), (-2, 1))]
ANNIHILATION = ((2, -1), (3, -4))
THIRD_CHARGES = {1: -1, 2: 2, 3: -1, 4: 2}


def particles(identity, transverse):
    """Array (1, 2, 5) of massless particles along +z and -z with |p_z| = 500 GeV and p_x = +-transverse."""
    px, pz = np.array([transverse, -transverse]), np.array([500.0, -500.0])
    energy = np.hypot(px, pz)
    return np.stack([np.asarray(identity, float), energy, px, np.zeros(2), pz], axis=1)[None]


@pytest.mark.parametrize(("incoming", "outgoing"), [*LINES, ANNIHILATION])
def test_quarks_are_put_in_the_order_of_their_lines(incoming, outgoing):
    before, after = particles(incoming, 0.0), particles(outgoing, 50.0)
    for quarks in (after, after[:, ::-1]):
        np.testing.assert_array_equal(follow_fermion_lines(before, quarks), after)
    assert continues(before[..., 0], after[..., 0]).item() == ((incoming, outgoing) != ANNIHILATION)


def test_where_flavours_leave_a_choice_the_smaller_momentum_transfer_is_taken():
    before, after = particles((2, 2), 0.0), particles((1, 1), 50.0)
    turned = after.copy()
    turned[..., 2:] *= -1  # each quark goes where the other parton came from
    np.testing.assert_array_equal(follow_fermion_lines(before, turned), turned[:, ::-1])


def test_impossible_flavours_are_refused():
    with pytest.raises(ValueError, match=r"got \[2, 2\] -> \[1, -1\]"):
        follow_fermion_lines(particles((2, 2), 0.0), particles((1, -1), 50.0))


@pytest.mark.parametrize(("incoming", "outgoing"), [*LINES, ANNIHILATION])
def test_colour_that_flows_in_flows_out(incoming, outgoing):
    flow = les_houches.colour_flow(np.array([incoming]), np.array([outgoing]))[0]
    quarks = np.array([*incoming, *outgoing]) > 0
    assert np.array_equal(flow > 0, np.stack([quarks, ~quarks], axis=1))
    # Colour of an incoming particle enters, anticolour of an incoming one leaves, and the other way round for outgoing.
    entering, leaving = [*flow[:2, 0], *flow[2:, 1]], [*flow[:2, 1], *flow[2:, 0]]
    assert sorted(filter(None, entering)) == sorted(filter(None, leaving)) == [501, 502]


@pytest.fixture
def partons(rng):
    """Events of vbs_partons with random momenta, transverse momentum balanced as stored precision allows."""
    rows = 50
    table = {column.name: rng.normal(0, 100, rows) for column in COLUMNS}
    names = [name for name in table if name.endswith("_px") or name.endswith("_py")]
    for axis in "xy":
        others = [name for name in names if name.endswith(axis) and not name.startswith("quark_0")]
        table[f"quark_0_p{axis}"] = -sum(table[name] for name in others)
    choice = rng.integers(0, len(LINES), rows)
    for kind, side in (("parton", 0), ("quark", 1)):
        for k in range(2):
            table[f"{kind}_{k}_id"] = np.array([LINES[i][side][k] for i in choice])
    for k in range(2):
        table[f"lepton_{k}_id"] = rng.choice([-11, -13], rows)
    return {column.name: column.stored(table[column.name]) for column in COLUMNS}


def test_les_houches_events_conserve_momentum_charge_and_mass(tmp_path, partons):
    fractions = les_houches.write(tmp_path / "a.lhe", partons, rounds=2)
    events = ElementTree.parse(tmp_path / "a.lhe").getroot().findall("event")
    assert len(events) == 100
    assert events[3].text == events[53].text != events[4].text
    for row, event in enumerate(events[:50]):
        header, *lines = [line.split() for line in event.text.strip().splitlines()]
        assert int(header[0]) == len(lines) == 10
        record = np.array(lines, dtype=float)
        identity, status, momentum, mass = record[:, 0], record[:, 1], record[:, 6:10], record[:, 10]
        incoming, outgoing = status == -1, status == 1
        np.testing.assert_allclose(momentum[incoming].sum(0), momentum[outgoing].sum(0), atol=1e-6)
        np.testing.assert_allclose(momentum[:, 3], np.sqrt(np.sum(momentum[:, :3] ** 2, axis=1) + mass**2), rtol=1e-8)
        np.testing.assert_allclose(momentum[incoming, 3] / 6500, fractions[row], rtol=1e-9)
        third_charges = [np.sign(pdg) * THIRD_CHARGES[abs(pdg)] for pdg in identity[[0, 1, 4, 5]]]
        assert sum(third_charges[:2]) == sum(third_charges[2:]) + 6
        for k in range(2):
            np.testing.assert_allclose(momentum[2 + k], momentum[[6 + 2 * k, 7 + 2 * k]].sum(0), atol=1e-6)
            assert identity[2 + k] == 24 and identity[6 + 2 * k] + identity[7 + 2 * k] == 1
            stored = [partons[f"lepton_{k}_p{axis}"][row] for axis in "xyz"]
            np.testing.assert_allclose(momentum[6 + 2 * k, :3], stored, rtol=1e-9)


def test_without_sherpa_a_message_and_no_file(tmp_path, monkeypatch, capsys):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "Sherpa" else original(name))
    with pytest.raises(
        MissingExtraError, match=r"wheels for Python 3.12 and 3.13 on Linux only \(this is Python 3\.\d+"
    ):
        recipe("vbs_partons").check_requirements()
    arguments = ["generate", "vbs_partons", "--events", "10", "--out", str(tmp_path / "a.h5")]
    assert main(arguments) == 2
    assert "can be showered again on every version" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_failing_sherpa_is_reported_with_its_last_lines(tmp_path, monkeypatch):
    # Any Python without Sherpa fails at its import, as Sherpa itself fails: with a code and a reason in its output.
    monkeypatch.setattr(sherpa, "environment", lambda: {"PYTHONPATH": ""})
    monkeypatch.setattr(sherpa.sherpa_process, "__file__", str(tmp_path / "process.py"))
    (tmp_path / "process.py").write_text("import sys; print('no such selector'); sys.exit(3)")
    with pytest.raises(RuntimeError, match="Sherpa ended with code 3: no such selector"):
        sherpa._run("BEAMS: 2212", tmp_path, 1, 0)


def test_more_events_than_there_are_partons_are_refused():
    with pytest.raises(
        InputError, match=r"events: expected at most [\d,]+, as many as vbs_partons has, got 10,000,000"
    ):
        vbs_neutrinos.read_partons(9_999_000, 10_000_000)


def test_showered_events_are_found_again_by_their_momentum_fractions(rng):
    fractions = rng.uniform(0.01, 0.5, (40, 2))
    rows = np.array([3, 4, 6, 39, 0])
    found = vbs_neutrinos.row_of(fractions, *(fractions[rows] * (1 + 1e-9)).T)
    np.testing.assert_array_equal(found, rows)
    with pytest.raises(RuntimeError, match="other momentum fractions"):
        vbs_neutrinos.row_of(fractions, fractions[:1, 0] * 1.001, fractions[:1, 1])

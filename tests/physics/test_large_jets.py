"""Large-radius jets and N-subjettiness against what can be computed by hand."""

import numpy as np
import pytest
from scipy.optimize import minimize

ak = pytest.importorskip("awkward", reason="hepflows[simulate] is not installed")
detector = pytest.importorskip("hepflows.generators.detector", reason="hepflows[simulate] is not installed")
large_jets = pytest.importorskip("hepflows.generators.large_jets", reason="hepflows[simulate] is not installed")
dijets = pytest.importorskip("hepflows.generators.dijets", reason="hepflows[simulate] is not installed")

pytestmark = pytest.mark.simulate


def momenta(pt, eta, phi):
    """Massless particles: awkward array of px, py, pz, E from nested lists of pT, eta and phi."""
    pt, eta, phi = (ak.Array(values) for values in (pt, eta, phi))
    columns = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta), "E": pt * np.cosh(eta)}
    return ak.zip(columns, with_name="Momentum4D")


def random_events(rng, events=40, particles=60):
    """Two back-to-back clouds of particles and soft ones around them."""
    centre_phi = np.where(rng.random((events, particles)) < 0.5, 0.0, np.pi)
    spread = rng.exponential(0.3, (2, events, particles)) * rng.choice([-1, 1], (2, events, particles))
    return momenta(rng.exponential(30, (events, particles)), spread[0], centre_phi + spread[1])


def test_jets_are_those_of_the_detector_and_the_sum_of_their_particles(rng):
    particles = random_events(rng)
    everything = detector.anti_kt_jets(particles, radius=1.0, minimal_pt=100.0)
    hardest = everything.pt[:, 0]
    threshold = float(np.median(hardest))
    jets, constituents = large_jets.two_hardest_jets(particles, radius=1.0, minimal_pt=100.0, leading_pt=threshold)
    expected = everything[(hardest > threshold) & (ak.num(everything) > 1)][:, :2]
    assert 10 < len(jets) == len(constituents) < 30
    for name in large_jets.COMPONENTS:
        np.testing.assert_allclose(ak.to_numpy(jets[name]), ak.to_numpy(expected[name]))
        np.testing.assert_allclose(ak.to_numpy(ak.sum(constituents[name], axis=-1)), ak.to_numpy(jets[name]), rtol=1e-9)


def test_events_without_two_jets_are_left_out():
    pt, phi = [[900.0], [900.0, 800.0], [], [700.0, 690.0]], [[0.0], [0.0, 3.0], [], [0.0, 3.0]]
    particles = momenta(pt, [[0.0] * len(one) for one in pt], phi)
    jets, constituents = large_jets.two_hardest_jets(particles, radius=1.0, minimal_pt=100.0, leading_pt=800.0)
    assert ak.to_list(jets.pt) == [pytest.approx([900.0, 800.0])]
    assert ak.to_list(ak.num(constituents, axis=2)) == [[1, 1]]


def test_n_subjettiness_of_few_particles():
    # tau_1: one axis minimises sum pT_i dR_i; a particle with more than half of the pT holds it.
    # tau_2: the two closest share an axis on the harder of them.
    pt, eta, phi = [100.0, 30.0, 20.0], [0.0, 0.3, 0.5], [0.0, 0.4, 0.0]
    jets = momenta([pt, [50.0, 10.0], [40.0]], [eta, [0.0, 0.6], [0.2]], [phi, [0.0, 0.0], [0.1]])
    tau = large_jets.n_subjettiness(jets, (1, 2, 3), 1.0)
    three = [(30 * 0.5 + 20 * 0.5) / 150, 20 * np.hypot(0.2, 0.4) / 150, 0]
    np.testing.assert_allclose(tau, [three, [10 * 0.6 / 60, 0, 0], [0, 0, 0]], rtol=1e-3, atol=1e-6)
    half = large_jets.n_subjettiness(jets, (1,), 0.5)
    np.testing.assert_allclose(half[:, 0], 2 * tau[:, 0], rtol=1e-3, atol=1e-6)


def test_one_axis_is_at_the_minimum(rng):
    pt, eta, phi = rng.exponential(10, 25), rng.normal(0, 0.2, 25), rng.normal(0, 0.2, 25)
    found = large_jets.n_subjettiness(momenta([pt], [eta], [phi]), (1,), 1.0)[0, 0]

    def tau_1(axis):
        return np.sum(pt * np.hypot(eta - axis[0], phi - axis[1])) / np.sum(pt)

    best = minimize(tau_1, (0.0, 0.0), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12}).fun
    assert found == pytest.approx(best, rel=1e-3)


def test_jets_are_ordered_by_mass_and_a_single_particle_has_no_ratio():
    # Hardest first: a single particle of 1300 GeV, then two particles, m^2 = 2 pT pT' (cosh d_eta - cos d_phi).
    wide = ([700.0, 500.0], [0.0, 0.4], [3.0, 3.0])
    one = momenta([[1300.0]], [[0.0]], [[0.0]])
    two = momenta(*[[values] for values in wide])
    constituents = ak.concatenate([one[:, None], two[:, None]], axis=1)
    jets = ak.zip({name: ak.sum(constituents[name], axis=-1) for name in large_jets.COMPONENTS}, with_name="Momentum4D")
    features = dijets.features_of_pairs(jets, constituents)
    assert features["m_j1"] == pytest.approx(0, abs=1e-3)
    assert features["delta_m"] == pytest.approx(np.sqrt(2 * 700 * 500 * (np.cosh(0.4) - 1)))
    assert features["tau21_j1"] == 0 and features["tau21_j2"] == pytest.approx(0, abs=1e-6)
    px, py, pz, energy = (ak.sum(constituents[name]) for name in large_jets.COMPONENTS)
    assert features["m_jj"] == pytest.approx(np.sqrt(energy**2 - px**2 - py**2 - pz**2))


def test_no_event_gives_no_features(rng):
    jets, constituents = large_jets.two_hardest_jets(random_events(rng), radius=1.0, minimal_pt=100.0, leading_pt=1e6)
    assert all(len(values) == 0 for values in dijets.features_of_pairs(jets, constituents).values())

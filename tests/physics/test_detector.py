"""The parametrised detector against the formulas of its card and brute-force jets."""

import numpy as np
import pytest

ak = pytest.importorskip("awkward", reason="hepflows[simulate] is not installed")
detector = pytest.importorskip("hepflows.generators.detector", reason="hepflows[simulate] is not installed")

pytestmark = pytest.mark.simulate

EVENTS = 20_000


def single_particles(identity, pt, eta, mass=0.0):
    """One particle in each of EVENTS events, flying along x."""
    px, pz = pt, pt * np.sinh(eta)
    momentum = {"px": px, "py": 0.0, "pz": pz, "e": np.sqrt(px**2 + pz**2 + mass**2)}
    columns = {name: np.full((EVENTS, 1), value) for name, value in momentum.items()}
    return ak.zip({"id": ak.Array(np.full((EVENTS, 1), identity)), "p": ak.zip(columns, depth_limit=2)}, depth_limit=2)


# (particle, pT, eta): efficiency, relative resolution of the energy; worked out by hand from the Delphes card
CASES = {
    "central photon": ((22, 50.0, 0.0), 1.0, np.sqrt(0.008**2 * 2500 + 0.11**2 * 50 + 0.4**2) / 50),
    "forward neutron": ((2112, 30.0, 3.5), 1.0, np.sqrt(0.13**2 + 2.7**2 / (30 * np.cosh(3.5)))),
    "central muon": ((13, 40.0, 1.0), 0.99, np.sqrt(0.015**2 + (1.5e-4 * 40) ** 2)),
    "forward muon": ((-13, 40.0, 3.0), 0.0, None),
    "neutrino": ((14, 40.0, 0.0), 0.0, None),
    "beyond acceptance": ((22, 40.0, 4.8), 0.0, None),
}


@pytest.mark.parametrize("case", CASES)
def test_efficiency_and_resolution(case, rng):
    (identity, pt, eta), efficiency, resolution = CASES[case]
    seen = detector.measure(single_particles(identity, pt, eta), rng)
    fraction = ak.sum(ak.num(seen)) / EVENTS
    assert abs(fraction - efficiency) <= 4 * np.sqrt(efficiency * (1 - efficiency) / EVENTS)
    if resolution is None:
        return
    response = ak.to_numpy(ak.flatten(seen.E)) / (pt * np.cosh(eta))
    assert abs(response.mean() - 1) < 4 * resolution / np.sqrt(EVENTS)
    # the error of a standard deviation is about sigma / sqrt(2 n), larger for a skewed log-normal
    assert abs(response.std() / resolution - 1) < 6 / np.sqrt(2 * EVENTS)
    np.testing.assert_allclose(ak.flatten(seen.eta), eta, atol=1e-9)


def test_charged_hadron_without_a_track_is_measured_by_the_calorimeter(rng):
    seen = detector.measure(single_particles(211, 20.0, 2.0, mass=0.13957), rng)
    assert ak.sum(ak.num(seen)) / EVENTS > 0.999
    residual = np.abs(ak.to_numpy(ak.flatten(seen.E)) / np.hypot(20 * np.cosh(2.0), 0.13957) - 1)
    # 85 % tracks with 2.7 %, 15 % calorimeter deposits with 18 %: far residuals are the calorimeter's
    expected = 0.15 * 0.57  # P(|residual| > 0.1) of a log-normal with width 0.18
    assert abs(np.mean(residual > 0.1) - expected) < 0.012


def random_event(rng, particles=12):
    pt, eta, phi = (
        rng.exponential(30, particles) + 1,
        rng.uniform(-3, 3, particles),
        rng.uniform(-np.pi, np.pi, particles),
    )
    return np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], 1)


def brute_force_anti_kt(momenta, radius):
    """Anti-kT as its paper defines it, arXiv:0802.1189, eq. 1, with a Python loop over all pairs."""
    momenta, jets = [np.array(p) for p in momenta], []
    while momenta:
        pt2 = [p[0] ** 2 + p[1] ** 2 for p in momenta]
        phi = [np.arctan2(p[1], p[0]) for p in momenta]
        y = [0.5 * np.log((p[3] + p[2]) / (p[3] - p[2])) for p in momenta]
        best = min((1 / value, i, i) for i, value in enumerate(pt2))
        for i in range(len(momenta)):
            for j in range(i):
                distance2 = (y[i] - y[j]) ** 2 + ((phi[i] - phi[j] + np.pi) % (2 * np.pi) - np.pi) ** 2
                best = min(best, (distance2 / radius**2 / max(pt2[i], pt2[j]), i, j))
        _, i, j = best
        if i == j:
            jets.append(momenta.pop(i))
        else:
            momenta[j] = momenta[j] + momenta[i]
            momenta.pop(i)
    return np.array(sorted(jets, key=lambda p: -np.hypot(p[0], p[1])))


def test_jets_equal_brute_force_and_leave_out_leptons(rng):
    events = [random_event(rng) for _ in range(30)]
    columns = {name: ak.Array([event[:, i] for event in events]) for i, name in enumerate(("px", "py", "pz", "E"))}
    particles = ak.zip(columns, with_name="Momentum4D")
    jets = detector.anti_kt_jets(particles, radius=0.8, minimal_pt=20.0)
    for event, found in zip(events, jets, strict=True):
        expected = brute_force_anti_kt(event, 0.8)
        expected = expected[np.hypot(expected[:, 0], expected[:, 1]) > 20]
        np.testing.assert_allclose(np.stack([found[name].to_numpy() for name in ("px", "py", "pz", "E")], 1), expected)
    leptons = particles[:, :1]
    kept = detector.away_from(jets, leptons, 0.8)
    for jet, lepton, rest in zip(jets, leptons, kept, strict=True):
        assert len(rest) == sum(float(one.deltaR(lepton[0])) > 0.8 for one in jet)


def test_isolation_counts_what_is_near():
    def event(*extra):
        """A 20 GeV electron at eta = phi = 0 and particles (pT, eta, phi)."""
        rows = [(11, 20.0, 0.0, 0.0)] + [(211, *one) for one in extra]
        identity, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
        px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
        energy = pt * np.cosh(eta)
        columns = {"id": identity, "px": px, "py": py, "pz": pz, "E": energy}
        return [{name: values[i] for name, values in columns.items()} for i in range(len(rows))]

    events = ak.Array([event((4.9, 0.3, 0.0)), event((5.1, 0.3, 0.0)), event((50.0, 0.5, 0.0)), event()])
    leptons = detector.isolated_leptons(ak.with_name(events, "Momentum4D"), minimal_pt=15.0, isolation=0.25)
    assert ak.num(leptons).tolist() == [1, 0, 1, 1]

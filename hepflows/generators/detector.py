"""A parametrised detector: efficiency and resolution for each kind of particle, then jets, leptons and missing energy.

Efficiencies and resolutions are those of the CMS card of Delphes 3 (arXiv:1307.6346; cards/delphes_card_CMS.tcl).
Left out, and so known differences from Delphes: the magnetic field's bending, the calorimeters' granularity and noise
suppression by significance, and the jet energy scale. Particles beyond |eta| = 4.7 are lost.
"""

import awkward as ak
import fastjet
import numpy as np
import vector

vector.register_awkward()

MAXIMAL_ABS_ETA = 4.7
TRACKER_ABS_ETA = 2.5
NEUTRINOS = (12, 14, 16)
CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
ELECTRON, MUON, PHOTON = 11, 13, 22
# Lowest energy of a calorimeter deposit, GeV: EnergyMin of the ECal and HCal modules.
ECAL_MINIMUM, HCAL_MINIMUM = 0.5, 1.0


def measure(particles, generator):
    """Measured particles of each event: massless, true direction, energy smeared (GeV); lost ones are left out.

    `particles` is an awkward array of stable generator particles with id and p.{px, py, pz, e}.
    Returns awkward Momentum4D records with px, py, pz, E and the particle's id.
    """
    counts = ak.num(particles.id)
    identity = np.abs(ak.to_numpy(ak.flatten(particles.id)))
    px, py, pz, energy = (ak.to_numpy(ak.flatten(particles.p[name])) for name in ("px", "py", "pz", "e"))
    transverse = np.hypot(px, py)
    momentum = np.hypot(transverse, pz)
    with np.errstate(divide="ignore"):
        abs_eta = np.abs(np.arcsinh(pz / transverse))

    charged = np.isin(identity, CHARGED_HADRONS)
    electron, muon = identity == ELECTRON, identity == MUON
    efficiency = tracking_efficiency(transverse, abs_eta, electron, muon, charged)
    tracked = generator.random(len(identity)) < efficiency
    electromagnetic = electron | (identity == PHOTON)

    calorimeter = np.where(electromagnetic, ecal_resolution(energy, abs_eta), hcal_resolution(energy, abs_eta))
    track = energy * track_resolution(transverse, abs_eta, muon)
    # Electrons: the better of track and calorimeter. Other tracks: the track alone.
    resolution = np.select([tracked & electron, tracked], [np.minimum(track, calorimeter), track], calorimeter)
    measured = smear(energy, resolution, generator)

    minimum = np.where(electromagnetic, ECAL_MINIMUM, HCAL_MINIMUM)
    seen = tracked | (~muon & (measured > minimum))
    seen &= ~np.isin(identity, NEUTRINOS) & (abs_eta < MAXIMAL_ABS_ETA)
    scale = measured / momentum
    fields = {"px": px * scale, "py": py * scale, "pz": pz * scale, "E": measured, "id": identity, "seen": seen}
    records = ak.unflatten(ak.zip(fields, with_name="Momentum4D"), counts)
    return records[records.seen]


def tracking_efficiency(transverse, abs_eta, electron, muon, charged_hadron):
    """Probability of a track; pT in GeV; zero beyond |eta| = 2.5 and for pT below 0.1 GeV."""
    barrel = abs_eta <= 1.5
    soft = transverse <= 1.0
    hard = transverse > 100.0
    hadrons = np.where(soft, np.where(barrel, 0.70, 0.60), np.where(barrel, 0.95, 0.85))
    electrons = np.select(
        [soft, hard],
        [np.where(barrel, 0.73, 0.50), np.where(barrel, 0.99, 0.90)],
        np.where(barrel, 0.95, 0.83),
    )
    muons = np.where(soft, np.where(barrel, 0.75, 0.70), np.where(barrel, 0.99, 0.98))
    efficiency = np.select([charged_hadron, electron, muon], [hadrons, electrons, muons], 0.0)
    return np.where((abs_eta <= TRACKER_ABS_ETA) & (transverse > 0.1), efficiency, 0.0)


def track_resolution(transverse, abs_eta, muon):
    """Relative resolution of a track: sqrt(a^2 + (b pT)^2), pT in GeV."""
    region = [abs_eta <= 0.5, abs_eta <= 1.5]
    constant = np.select(region, [0.01, 0.015], 0.025)
    curvature = np.where(muon, np.select(region, [1.0e-4, 1.5e-4], 3.5e-4), np.select(region, [1.5e-4, 2.5e-4], 5.5e-4))
    return np.hypot(constant, curvature * transverse)


def ecal_resolution(energy, abs_eta):
    """Absolute resolution of the electromagnetic calorimeter, GeV."""
    central = np.sqrt((0.008 * energy) ** 2 + 0.11**2 * energy + 0.40**2)
    forward = np.sqrt((0.107 * energy) ** 2 + 2.08**2 * energy)
    shape = np.where(abs_eta <= 1.5, 1 + 0.64 * abs_eta**2, 2.16 + 5.6 * (abs_eta - 2) ** 2)
    return np.where(abs_eta <= 2.5, shape * central, forward)


def hcal_resolution(energy, abs_eta):
    """Absolute resolution of the hadron calorimeter, GeV."""
    central = np.sqrt((0.050 * energy) ** 2 + 1.50**2 * energy)
    forward = np.sqrt((0.130 * energy) ** 2 + 2.70**2 * energy)
    return np.where(abs_eta <= 3.0, central, forward)


def smear(energy, resolution, generator):
    """Log-normal energies with mean `energy` and standard deviation `resolution` (GeV): never negative."""
    width = np.sqrt(np.log1p((resolution / energy) ** 2))
    return energy * np.exp(width * generator.standard_normal(len(energy)) - 0.5 * width**2)


def isolated_leptons(particles, *, minimal_pt, isolation, radius=0.4):
    """Electrons and muons, |eta| < 2.5, pT (GeV) above the threshold, other pT within `radius` below isolation * pT."""
    lepton = (particles.id == ELECTRON) | (particles.id == MUON)
    candidates = particles[lepton & (particles.pt > minimal_pt) & (abs(particles.eta) < TRACKER_ABS_ETA)]
    pairs = ak.cartesian({"lepton": candidates, "other": particles}, nested=True)
    distance = pairs.lepton.deltaR(pairs.other)
    near = (distance < radius) & (distance > 1e-4)  # its own direction is exactly zero away
    activity = ak.sum(ak.where(near, pairs.other.pt, 0.0), axis=-1)
    return candidates[activity < isolation * candidates.pt]


def anti_kt_jets(particles, *, radius, minimal_pt):
    """Anti-kT jets (arXiv:0802.1189) with pT (GeV) above the threshold, hardest first."""
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    four_momenta = ak.zip({name: particles[name] for name in ("px", "py", "pz", "E")}, with_name="Momentum4D")
    jets = fastjet.ClusterSequence(four_momenta, definition).inclusive_jets(min_pt=minimal_pt)
    jets = ak.zip({name: jets[name] for name in ("px", "py", "pz", "E")}, with_name="Momentum4D")
    return jets[ak.argsort(jets.pt, ascending=False)]


def away_from(jets, leptons, radius):
    """The jets with no lepton within `radius`: a lepton's own energy is not a jet."""
    pairs = ak.cartesian({"jet": jets, "lepton": leptons}, nested=True)
    nearest = ak.fill_none(ak.min(pairs.jet.deltaR(pairs.lepton), axis=-1), np.inf)
    return jets[nearest > radius]

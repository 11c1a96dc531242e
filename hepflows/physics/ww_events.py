"""Events of vbs_neutrinos as a network wants to see them: tokens, a few strong quantities, and a frame of their own."""

from dataclasses import dataclass

import numpy as np

from hepflows.errors import InputError

KINDS = ("jet", "lepton 0", "lepton 1", "missing momentum")
TOKEN_FEATURES = ("log pT", "eta", "cos phi", "sin phi", "log mass")
JETS = 4  # hardest first: 0.4 % of the events have more
EVENT = 8  # pT, eta, phi of both leptons and the missing (px, py)


@dataclass(frozen=True)
class Frame:
    """Azimuth that becomes zero, and signs by which y and z are multiplied afterwards; arrays (events,)."""

    azimuth: np.ndarray
    sign_y: np.ndarray
    sign_z: np.ndarray

    def enter(self, momenta):
        """Momenta (events, ..., 3) in the detector -> in this frame."""
        return self._turn(momenta, -1)

    def leave(self, momenta):
        """Momenta (events, ..., 3) in this frame -> in the detector."""
        return self._turn(momenta, 1)

    def _turn(self, momenta, direction):
        shape = (-1, *(1,) * (momenta.ndim - 2))
        cosine, sine, y, z = (
            values.reshape(shape) for values in (np.cos(self.azimuth), np.sin(self.azimuth), self.sign_y, self.sign_z)
        )
        px, py, pz = np.moveaxis(momenta, -1, 0)
        if direction > 0:
            return np.stack((cosine * px - sine * y * py, sine * px + cosine * y * py, z * pz), -1)
        return np.stack((cosine * px + sine * py, y * (cosine * py - sine * px), z * pz), -1)


def own_frame(table):
    """The frame with the missing momentum along x, and lepton 0 at y > 0 and eta > 0.

    The laws of nature, the beams and the detector do not change under these rotations and reflections, so an event and
    its image have the same p(neutrinos | event): one of them is enough.
    """
    azimuth = table["met_phi"].astype(np.float64)
    sign_y = np.where(np.sin(table["lepton_0_phi"] - azimuth) < 0, -1.0, 1.0)
    return Frame(azimuth, sign_y, np.where(table["lepton_0_eta"] < 0, -1.0, 1.0))


def detector_frame(table):
    """The frame of the detector: nothing is turned."""
    return random_frame(table, None)


def random_frame(table, rng):
    """A random rotation around the beam and random reflections of each event (data augmentation); rng None: none."""
    if rng is None:
        return Frame(np.zeros(len(table)), np.ones(len(table)), np.ones(len(table)))
    signs = rng.choice((-1.0, 1.0), size=(2, len(table)))
    return Frame(rng.uniform(-np.pi, np.pi, len(table)), *signs)


def neutrinos(table, frame):
    """True (px, py, pz) of both neutrinos in a frame, float64 (events, 2, 3) in GeV."""
    columns = [table[f"neutrino_{k}_p{axis}"] for k in (0, 1) for axis in "xyz"]
    return frame.enter(np.stack(columns, 1).reshape(-1, 2, 3).astype(np.float64))


def leptons_and_met(table, frame):
    """(events, 8): pT, eta, phi of both leptons and the missing (px, py), in a frame; float64, GeV."""
    columns = []
    for k in (0, 1):
        pt, eta, phi = (_cylinder(table, f"lepton_{k}", frame)[:, i] for i in range(3))
        columns += [pt, eta, phi]
    met = table["met_pt"].astype(np.float64), np.zeros(len(table)), table["met_phi"].astype(np.float64)
    pt, _, phi = _in_frame(*met, frame)
    return np.stack([*columns, pt * np.cos(phi), pt * np.sin(phi)], 1)


def tokens(table, frame):
    """(events, 3 + JETS, kinds + 5), float32: one-hot kind, then log(pT / 50 GeV), eta / 2, cos and sin phi, log mass.

    Slots: the two leptons, the missing momentum, and the jets, hardest first; a slot without a jet is a row of zeros.
    """
    slots = []
    for kind, name in enumerate(("lepton_0", "lepton_1", "met"), 1):
        slots.append(_token(table, name, kind, frame))
    slots += [_token(table, f"jet_{k}", 0, frame) for k in range(JETS)]
    return np.stack(slots, 1).astype(np.float32)


def strong_quantities(table, frame):
    """(events, 25), float32: what a physicist would compute first, from the leptons, the missing momentum and two jets."""
    first, second = (_cylinder(table, f"lepton_{k}", frame) for k in (0, 1))
    jets = [_cylinder(table, f"jet_{k}", frame) for k in (0, 1)]
    event = leptons_and_met(table, frame)
    met, met_phi = np.hypot(*event[:, 6:].T), np.arctan2(event[:, 7], event[:, 6])
    columns = [np.log(met), _log_mass(first, second), _log_mass(*jets)]
    columns += [np.cos(first[:, 2] - second[:, 2]), np.sin(first[:, 2] - second[:, 2])]
    for lepton in (first, second):
        columns += [np.log(lepton[:, 0]), lepton[:, 1], np.cos(lepton[:, 2] - met_phi), np.sin(lepton[:, 2] - met_phi)]
        columns.append(np.sqrt(lepton[:, 0] * met * (1 - np.cos(lepton[:, 2] - met_phi)) / 2) / 40)
    for jet in jets:
        columns += [np.log(jet[:, 0]), jet[:, 1], np.cos(jet[:, 2] - met_phi), np.sin(jet[:, 2] - met_phi)]
    together = sum(_transverse(objects) for objects in (first, second, *jets)) + event[:, 6:]
    return np.column_stack([*columns, together / 50]).astype(np.float32)


def _transverse(objects):
    return objects[:, :1] * np.stack((np.cos(objects[:, 2]), np.sin(objects[:, 2])), 1)


def _log_mass(a, b):
    """Half of log(m^2) of two massless objects."""
    opening = 2 * (np.sinh((a[:, 1] - b[:, 1]) / 2) ** 2 + np.sin((a[:, 2] - b[:, 2]) / 2) ** 2)
    return 0.5 * np.log(2 * a[:, 0] * b[:, 0] * opening)


def _token(table, name, kind, frame):
    if f"{name}_pt" not in table.columns:
        raise InputError(f"table: expected the columns of vbs_neutrinos, {name}_pt is not there")
    pt, eta, phi = _cylinder(table, name, frame).T
    mass = table[f"{name}_mass"] if name.startswith("jet") else np.zeros(len(table))
    filled = pt > 0
    kinds = np.zeros((len(KINDS), len(table)))
    kinds[kind] = 1
    with np.errstate(divide="ignore"):
        features = np.log(pt / 50), eta / 2, np.cos(phi), np.sin(phi), np.log1p(mass / 10)
    return np.where(filled, np.stack([*kinds, *features]), 0.0).T


def _cylinder(table, name, frame):
    """(pT, eta, phi) in a frame, float64 (events, 3)."""
    columns = [f"{name}_pt", f"{name}_eta", f"{name}_phi"]
    eta = table[columns[1]] if columns[1] in table.columns else np.zeros(len(table))
    pt, phi = (table[columns[i]].astype(np.float64) for i in (0, 2))
    return np.stack(_in_frame(pt, eta.astype(np.float64), phi, frame), 1)


def _in_frame(pt, eta, phi, frame):
    turned = frame.sign_y * (phi - frame.azimuth)
    return pt, frame.sign_z * eta, np.arctan2(np.sin(turned), np.cos(turned))

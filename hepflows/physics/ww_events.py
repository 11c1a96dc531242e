"""Events of vbs_neutrinos as a network wants to see them: tokens, a few strong quantities, and a frame of their own."""

from dataclasses import dataclass

import numpy as np

from hepflows.datasets import Table
from hepflows.errors import InputError

KINDS = ("jet", "lepton 0", "lepton 1", "missing momentum")
TOKEN_FEATURES = ("log(pT / 50 GeV)", "eta / 2", "cos phi", "sin phi", "log(1 + mass / 10 GeV)")
JETS = 4  # hardest first: 2 % of the events have more
EVENT = ("lepton 0 pT", "eta", "phi", "lepton 1 pT", "eta", "phi", "missing px", "missing py")


@dataclass(frozen=True)
class Frame:
    """The azimuth that becomes zero, and the signs by which y and z are multiplied afterwards; arrays (events,)."""

    azimuth: np.ndarray
    sign_y: np.ndarray
    sign_z: np.ndarray

    def enter(self, momenta):
        """Momenta (events, ..., 3) in the detector -> in this frame."""
        cosine, sine, sign_y, sign_z = self._factors(momenta)
        px, py, pz = np.moveaxis(momenta, -1, 0)
        return np.stack((cosine * px + sine * py, sign_y * (cosine * py - sine * px), sign_z * pz), -1)

    def leave(self, momenta):
        """Momenta (events, ..., 3) in this frame -> in the detector: the inverse of `enter`."""
        cosine, sine, sign_y, sign_z = self._factors(momenta)
        px, py, pz = np.moveaxis(momenta, -1, 0)
        py = sign_y * py
        return np.stack((cosine * px - sine * py, sine * px + cosine * py, sign_z * pz), -1)

    def of(self, rows):
        """The frame of some of the events."""
        return Frame(self.azimuth[rows], self.sign_y[rows], self.sign_z[rows])

    def directions(self, eta, phi):
        """(eta, phi) in the detector -> in this frame; arrays (events,)."""
        turned = self.sign_y * (phi - self.azimuth)
        return self.sign_z * eta, np.arctan2(np.sin(turned), np.cos(turned))

    def _factors(self, momenta):
        shape = (-1, *(1,) * (momenta.ndim - 2))
        values = np.cos(self.azimuth), np.sin(self.azimuth), self.sign_y, self.sign_z
        return [each.reshape(shape) for each in values]


def detector_frame(table):
    """The frame of the detector: nothing is turned."""
    return Frame(np.zeros(len(table)), np.ones(len(table)), np.ones(len(table)))


def own_frame(table):
    """The frame with the missing momentum along x, and lepton 0 at y > 0 and eta > 0.

    The laws of nature, the beams and the detector do not change under these rotations and reflections, so an event and
    its image have the same p(neutrinos | event): one of them is enough.
    """
    azimuth = table["met_phi"].astype(np.float64)
    sign_y = np.where(np.sin(table["lepton_0_phi"] - azimuth) < 0, -1.0, 1.0)
    return Frame(azimuth, sign_y, np.where(table["lepton_0_eta"] < 0, -1.0, 1.0))


def random_frame(table, rng):
    """A random rotation around the beam and random reflections of each event: data augmentation."""
    return Frame(rng.uniform(-np.pi, np.pi, len(table)), *rng.choice((-1.0, 1.0), size=(2, len(table))))


def exchanged(table):
    """The events with lepton 0 and lepton 1, and all that belongs to them, exchanged: both come from a W+."""
    columns = {}
    for name in table.columns:
        object_, _, rest = name.partition("_")
        number, _, quantity = rest.partition("_")
        if object_ in ("lepton", "neutrino", "w") and number in ("0", "1"):
            columns[name] = table[f"{object_}_{1 - int(number)}_{quantity}"]
        else:
            columns[name] = table[name]
    return Table(columns, table.units, table.name)


def neutrinos(table, frame):
    """True (px, py, pz) of both neutrinos in a frame, float64 (events, 2, 3) in GeV."""
    columns = [table[f"neutrino_{k}_p{axis}"] for k in (0, 1) for axis in "xyz"]
    return frame.enter(np.stack(columns, 1).reshape(-1, 2, 3).astype(np.float64))


def leptons_and_met(table, frame):
    """The columns of EVENT in a frame, float64 (events, 8): GeV and radians."""
    leptons = [values for k in (0, 1) for values in _cylinder(table, f"lepton_{k}", frame)]
    pt, _, phi = _cylinder(table, "met", frame)
    return np.stack([*leptons, pt * np.cos(phi), pt * np.sin(phi)], 1)


def tokens(table, frame):
    """(events, 3 + JETS, 4 + 5), float32: one-hot KINDS and TOKEN_FEATURES of each object.

    Slots: the two leptons, the missing momentum, and the jets, hardest first; a slot without a jet is a row of zeros.
    """
    slots = [_token(table, name, kind, frame) for kind, name in enumerate(("lepton_0", "lepton_1", "met"), 1)]
    slots += [_token(table, f"jet_{k}", 0, frame) for k in range(JETS)]
    return np.stack(slots, 1).astype(np.float32)


def strong_quantities(table, frame):
    """What a physicist would compute first of leptons, missing momentum and two jets: float32 (events, 25).

    Logarithms of the missing pT and the masses m_ll and m_jj; direction of lepton 1 seen from lepton 0; of each lepton
    log pT, eta, direction seen from the missing momentum, and transverse mass with half of it (in units of 40 GeV); of
    each jet log pT, eta and direction; transverse momentum of all of them together (in units of 50 GeV).
    """
    leptons = [_cylinder(table, f"lepton_{k}", frame) for k in (0, 1)]
    jets = [_cylinder(table, f"jet_{k}", frame) for k in (0, 1)]
    met, _, met_phi = _cylinder(table, "met", frame)
    columns = [np.log(met), _log_mass(*leptons), _log_mass(*jets), *_direction(leptons[0][2] - leptons[1][2])]
    for pt, eta, phi in leptons:
        transverse_mass = np.sqrt(pt * met * (1 - np.cos(phi - met_phi)))
        columns += [np.log(pt), eta, *_direction(phi - met_phi), transverse_mass / 40]
    for pt, eta, phi in jets:
        columns += [np.log(pt), eta, *_direction(phi - met_phi)]
    transverse = [pt * np.stack(_direction(phi)) for pt, _, phi in (*leptons, *jets, (met, None, met_phi))]
    return np.column_stack([*columns, *sum(transverse) / 50]).astype(np.float32)


def _cylinder(table, name, frame):
    """(pT, eta, phi) of an object in a frame, float64; the missing momentum gets eta = 0."""
    if f"{name}_pt" not in table.columns:
        raise InputError(f"table: expected the columns of vbs_neutrinos, {name}_pt is not there")
    pt, phi = (table[f"{name}_{quantity}"].astype(np.float64) for quantity in ("pt", "phi"))
    eta = np.zeros(len(table)) if name == "met" else table[f"{name}_eta"].astype(np.float64)
    return pt, *frame.directions(eta, phi)


def _token(table, name, kind, frame):
    pt, eta, phi = _cylinder(table, name, frame)
    mass = table[f"{name}_mass"] if name.startswith("jet") else np.zeros(len(table))
    kinds = np.zeros((len(KINDS), len(table)))
    kinds[kind] = 1
    logarithm = np.log(np.where(pt > 0, pt, 1.0) / 50)
    features = logarithm, eta / 2, *_direction(phi), np.log1p(mass / 10)
    return np.where(pt > 0, np.stack([*kinds, *features]), 0.0).T


def _direction(phi):
    return np.cos(phi), np.sin(phi)


def _log_mass(a, b):
    """log m of two massless objects."""
    opening = 2 * (np.sinh((a[1] - b[1]) / 2) ** 2 + np.sin((a[2] - b[2]) / 2) ** 2)
    return 0.5 * np.log(2 * a[0] * b[0] * opening)

"""Coordinates of neutrinos from W bosons, in which the mass of the W is itself a coordinate; torch, GeV, c = 1.

A neutrino (massless) and the charged lepton of the same W have the invariant mass
    m^2 = 2 pT_l pT_nu (cosh d - cos a),   d = eta_nu - eta_l,   a = phi_nu - phi_l.
At fixed directions m^2 is proportional to pT_nu: so m can replace pT_nu, and what is narrow in nature, the mass, is
narrow in one coordinate alone. The two neutrinos together make the missing transverse momentum: the azimuth of the
second is counted from what the first leaves of it.
"""

import math

import torch

from hepflows.errors import InputError

W_MASS = 80.379  # GeV, as in the simulation (see data/vbs_partons.toml)
PEAK_WIDTH = 3.0  # GeV: the natural width, 2.085, and the resolution of the leptons

_RATIO = W_MASS / PEAK_WIDTH
_UNIT = W_MASS * PEAK_WIDTH
_RANGE = math.pi / 2 + math.atan(_RATIO)


def wrapped(phi):
    """The azimuth in [-pi, pi)."""
    return torch.remainder(phi + math.pi, 2 * math.pi) - math.pi


def from_cylinder(pt, eta, phi):
    """(px, py, pz) on a last axis."""
    return torch.stack((pt * torch.cos(phi), pt * torch.sin(phi), pt * torch.sinh(eta)), -1)


def to_cylinder(momentum):
    """(pT, eta, phi) of momenta (..., 3)."""
    px, py, pz = momentum.unbind(-1)
    pt = torch.hypot(px, py)
    return pt, torch.asinh(pz / pt), torch.atan2(py, px)


def mass_squared(lepton, neutrino):
    """m^2 = 2 pT_l pT_nu (cosh d - cos a) in GeV^2, of two (pT, eta, phi)."""
    return 2 * lepton[0] * neutrino[0] * _opening(neutrino[1] - lepton[1], neutrino[2] - lepton[2])


def peak_coordinate(log_mass_squared):
    """w = logit r with r = P(mass^2 < m^2) of a Breit-Wigner of width PEAK_WIDTH, and log dw/d(log m^2).

    r = [arctan x + arctan(M/G)] / [pi/2 + arctan(M/G)],  x = (m^2 - M^2) / (M G): a Breit-Wigner becomes a logistic
    distribution, and at both ends w follows log m^2, so that no tail runs away.
    """
    t = torch.exp(log_mass_squared) / _UNIT
    x = t - _RATIO
    below, above = torch.atan2(t, 1 - x * _RATIO), torch.atan2(torch.ones_like(x), x)  # r and 1 - r, times _RANGE
    log_below, log_above = below.log(), above.log()
    slope = t.log() - torch.log1p(x * x) + math.log(_RANGE) - log_below - log_above
    return log_below - log_above, slope


def log_mass_squared(w):
    """The inverse of `peak_coordinate`."""
    # each half by the side on which it does not cancel
    low = torch.tan(_RANGE * torch.sigmoid(-w.abs()))
    of_low = low * (1 + _RATIO**2) / (1 + low * _RATIO)
    of_high = 1 / low + _RATIO
    return torch.log(torch.where(w < 0, of_low, of_high) * _UNIT)


def left_over(first, event):
    """(|q|, azimuth of q) of q = missing pT - pT of the first neutrino, whose (pT, eta, phi) is `first`."""
    qx = event[:, 6] - first[0] * torch.cos(first[2])
    qy = event[:, 7] - first[0] * torch.sin(first[2])
    return torch.hypot(qx, qy), torch.atan2(qy, qx)


def first_neutrino(u, event):
    """(pT, eta, phi) of the first neutrino from the coordinates u[:, :3]."""
    return _momentum(u, event[:, 0:3].unbind(1), event[:, 2])


def to_coordinates(neutrinos, event):
    """(u, log|du/dp|): coordinates (events, 6) of both neutrinos, and log of the Jacobian to (px, py, pz) x 2.

    neutrinos: (events, 2, 3), (px, py, pz) in GeV; neutrino k belongs to lepton k. event: (events, 8), the leptons'
    pT, eta, phi one after the other and the missing (px, py). u = (azimuth, w, d) for each neutrino: the azimuth is
    counted from the lepton's for the first neutrino, from that of `left_over` for the second; w is the
    `peak_coordinate` of the W mass; d = eta_nu - eta_l. With d^3p = pT^3 cosh(eta) dlog pT deta dphi,
        log|du/dp| = sum_k [log dw/d(log m^2) - 3 log pT - log cosh eta].
    Raises InputError for wrong shapes.
    """
    _check(neutrinos, (2, 3), "neutrinos")
    _check(event, (8,), "event")
    first, second = (to_cylinder(neutrinos[:, k]) for k in (0, 1))
    leptons = event[:, 0:3].unbind(1), event[:, 3:6].unbind(1)
    origins = event[:, 2], left_over(first, event)[1]
    columns, log_jacobian = [], 0.0
    for lepton, neutrino, origin in zip(leptons, (first, second), origins, strict=True):
        w, slope = peak_coordinate(torch.log(mass_squared(lepton, neutrino)))
        columns += [wrapped(neutrino[2] - origin), w, neutrino[1] - lepton[1]]
        log_jacobian = log_jacobian + slope - 3 * neutrino[0].log() - torch.log(torch.cosh(neutrino[1]))
    return torch.stack(columns, 1), log_jacobian


def to_momenta(u, event):
    """(px, py, pz) of both neutrinos, (events, 2, 3) in GeV: the inverse of `to_coordinates`."""
    _check(u, (6,), "u")
    _check(event, (8,), "event")
    first = first_neutrino(u, event)
    second = _momentum(u[:, 3:], event[:, 3:6].unbind(1), left_over(first, event)[1])
    return torch.stack((from_cylinder(*first), from_cylinder(*second)), 1)


def _momentum(u, lepton, origin):
    """(pT, eta, phi) of a neutrino from its three coordinates."""
    azimuth, w, d = u[:, :3].unbind(1)
    phi = wrapped(origin + azimuth)
    pt = torch.exp(log_mass_squared(w)) / (2 * lepton[0] * _opening(d, phi - lepton[2]))
    return pt, lepton[1] + d, phi


def _opening(d, a):
    """cosh d - cos a, without cancellation at small angles."""
    return 2 * (torch.sinh(d / 2) ** 2 + torch.sin(a / 2) ** 2)


def _check(values, shape, name):
    if values.shape[1:] != shape:
        raise InputError(f"{name}: expected shape (events, {', '.join(map(str, shape))}), got {tuple(values.shape)}")

"""Coordinates of neutrinos from W bosons, in which the mass of the W is itself a coordinate; torch, GeV, c = 1.

A neutrino (massless) and the charged lepton of the same W have the invariant mass
    m^2 = 2 pT_l pT_nu (cosh d - cos a),   d = eta_nu - eta_l,   a = phi_nu - phi_l.
At fixed directions m^2 is proportional to pT_nu: so m can replace pT_nu, and what is narrow in nature, the mass, is
narrow in one coordinate alone. The two neutrinos together make the missing transverse momentum: the azimuth of the
second is counted from what the first leaves of it, in units of the resolution. And a transverse momentum, an azimuth
and a mass have two solutions in eta, at equal distances on both sides of the lepton: for the second neutrino, this
distance is the unit.
"""

import math

import torch

from hepflows.errors import InputError

W_MASS = 80.379  # GeV, as in the simulation (see data/vbs_partons.toml)
PEAK_WIDTH = 3.0  # GeV: the natural width, 2.085, and the resolution of the leptons
BLUR = 20.0  # GeV: twice the resolution of a component of the missing momentum

# Where `room_left` is asked for: distances |d| of the first neutrino (the room is that of -d, too), and azimuths.
DISTANCES = tuple(0.1 + 0.2 * k for k in range(16))
AZIMUTHS = tuple(math.pi * (2 * k + 1 - 16) / 16 for k in range(16))

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


def solution_distance(q, azimuth, event, mass_squared=W_MASS**2):
    """Distance in eta from lepton 1, 0 if out of reach, at which a neutrino of pT = q has the mass m with it.

    d = +- arcosh[m^2 / (2 pT_l q) + cos a], with a the `azimuth` counted from the lepton's.
    """
    return _distance(event[:, 3], q, azimuth, mass_squared)


def stretched(angle, factor):
    """Moebius map of the circle, tan(b/2) = factor tan(a/2), and log db/da: b = factor a near zero, pi stays pi.

    The inverse has 1 / factor. Angles in [-pi, pi].
    """
    cosine, sine = torch.cos(angle / 2), torch.sin(angle / 2)
    slope = factor / (cosine**2 + (factor * sine) ** 2)
    return 2 * torch.atan2(factor * sine, cosine), slope.log()


def squeeze(pt_lepton, pt):
    """f of order of the W's boost: a lepton and a neutrino of these pT have d^2 + a^2 of order 1 / f^2.

    f^2 = 1 + pT_l pT / M^2, from m^2 = pT_l pT (d^2 + a^2) at small angles.
    """
    return torch.sqrt(1 + pt_lepton * pt / W_MASS**2)


def first_neutrino(u, event):
    """(pT, eta, phi) of the first neutrino from the coordinates u[:, :3]."""
    azimuth = stretched(u[:, 0], 1 / _squeeze_first(event))[0]
    distance = u[:, 2] / _squeeze_first(event)
    return _momentum(event[:, 0:3].unbind(1), wrapped(event[:, 2] + azimuth), u[:, 1], distance)


def second_neutrino(u, event):
    """(pT, eta, phi) of the second neutrino from all coordinates u."""
    q, origin = left_over(first_neutrino(u, event), event)
    phi = wrapped(origin + stretched(u[:, 3], 1 / _blur(q))[0])
    unit = _unit(q, phi, log_mass_squared(u[:, 4]).exp(), event)
    return _momentum(event[:, 3:6].unbind(1), phi, u[:, 4], u[:, 5] * unit)


def room_left(first, event):
    """How much room the first neutrino, (pT, eta, phi), leaves for the second: from -1, none, to 1, much.

    What is left, q, can be a neutrino from a W of mass M if its transverse mass with lepton 1 is not larger:
        r = (M^2 - m_T^2) / [(M^2 - m_T^2)^2 + s^2]^1/2,   m_T^2 = 2 pT_l |q| (1 - cos a),
    with its resolution, s^2 = (2 M PEAK_WIDTH)^2 + (BLUR pT_l)^2 2 (1 - cos a): a step, as soft as the missing momentum
    makes it.
    """
    q, azimuth = left_over(first, event)
    opening = 1 - torch.cos(azimuth - event[:, 5])
    room = W_MASS**2 - 2 * event[:, 3] * q * opening
    return room * torch.rsqrt(room**2 + (2 * W_MASS * PEAK_WIDTH) ** 2 + 2 * opening * (BLUR * event[:, 3]) ** 2)


def room_for_first(u, event):
    """`room_left` by a first neutrino of azimuth and w as in u[:, :2], at the d of DISTANCES: (events, 16)."""
    azimuth_and_w = u[:, :2].repeat_interleave(len(DISTANCES), 0)
    distance = u.new_tensor(DISTANCES).repeat(len(u))
    return _room_of_grid(torch.cat((azimuth_and_w, distance[:, None]), 1), event)


def room_by_azimuth(event):
    """`room_left` by a first neutrino of mass M at AZIMUTHS of its coordinate, a mean over distances: (events, 16)."""
    azimuth, distance = torch.meshgrid(event.new_tensor(AZIMUTHS), event.new_tensor(DISTANCES[::2]), indexing="ij")
    grid = torch.stack((azimuth, torch.zeros_like(azimuth), distance), 2).view(-1, 3)
    room = [_room_of_grid(grid.repeat(len(part), 1), part) for part in event.split(5000)]  # bounds the memory
    return torch.cat(room).view(len(event), len(AZIMUTHS), -1).mean(2)


def room_for_second(u, event):
    """What is known of the second neutrino before it is drawn, (events, 12), from u[:, :3], u[:, :4] or u[:, :5].

    w and d of the first neutrino, its azimuth (cos, sin), log pT and eta; log |q| of what it leaves (`left_over`), the
    azimuth from lepton 1 (cos, sin), m_T / M with lepton 1, log of M^2 / (2 pT_l |q|), and the `solution_distance`.
    The azimuth is that of q until that of the second neutrino is known, the mass that of the W until it is known.
    """
    first = first_neutrino(u, event)
    q, phi = left_over(first, event)
    azimuth = phi - event[:, 5] + (stretched(u[:, 3], 1 / _blur(q))[0] if u.shape[1] > 3 else 0)
    mass_squared = log_mass_squared(u[:, 4]).exp() if u.shape[1] > 4 else W_MASS**2
    transverse_mass = torch.sqrt(2 * event[:, 3] * q * (1 - torch.cos(azimuth)).clamp_min(0))
    numbers = (
        u[:, 1].clamp(-10, 10) / 2,
        u[:, 2].clamp(-10, 10) / 2,
        torch.cos(first[2]),
        torch.sin(first[2]),
        first[0].log().clamp(-3, 8) - 4,
        (first[1] / 2).clamp(-4, 4),
        q.log().clamp(-3, 8) - 4,
        torch.cos(azimuth),
        torch.sin(azimuth),
        (transverse_mass / W_MASS).clamp_max(4),
        torch.log(W_MASS**2 / (2 * event[:, 3] * q)).clamp(-5, 5),
        solution_distance(q, azimuth, event, mass_squared),
    )
    return torch.stack(numbers, 1)


def to_coordinates(neutrinos, event):
    """(u, log|du/dp|): coordinates (events, 6) of both neutrinos, and log of the Jacobian to (px, py, pz) x 2.

    neutrinos: (events, 2, 3), (px, py, pz) in GeV; neutrino k belongs to lepton k. event: (events, 8), the leptons'
    pT, eta, phi one after the other and the missing (px, py). u = (azimuth, w, d / s) for each neutrino: the azimuth is
    counted from the lepton's for the first neutrino and `stretched` by `squeeze`, f; for the second from that of
    `left_over`, q, and stretched by the root of 1 + (q / BLUR)^2, so that the resolution is as wide for each q. w is
    the `peak_coordinate` of the W mass; d = eta_nu - eta_l. The unit s is 1 / f for the first neutrino, and for the
    second s^2 = 1 / (2 f)^2 + `solution_distance`^2. With d^3p = pT^3 cosh(eta) dlog pT deta dphi,
        log|du/dp| = sum_k [log da/dphi + log dw/d(log m^2) - log s - 3 log pT - log cosh eta].
    Raises InputError for wrong shapes.
    """
    _check(neutrinos, (2, 3), "neutrinos")
    _check(event, (8,), "event")
    first, second = (to_cylinder(neutrinos[:, k]) for k in (0, 1))
    q, origin = left_over(first, event)
    (w_1, d_1), log_jacobian_1 = _mass_and_distance(first, event[:, 0:3].unbind(1))
    (w_2, d_2), log_jacobian_2 = _mass_and_distance(second, event[:, 3:6].unbind(1))
    squeezed = _squeeze_first(event)
    azimuth_1, log_slope_1 = stretched(wrapped(first[2] - event[:, 2]), squeezed)
    azimuth_2, log_slope_2 = stretched(wrapped(second[2] - origin), _blur(q))
    unit = _unit(q, second[2], mass_squared(event[:, 3:6].unbind(1), second), event)
    u = torch.stack((azimuth_1, w_1, d_1 * squeezed, azimuth_2, w_2, d_2 / unit), 1)
    log_slopes = log_slope_1 + squeezed.log() + log_slope_2 - unit.log()
    return u, log_jacobian_1 + log_jacobian_2 + log_slopes


def to_momenta(u, event):
    """(px, py, pz) of both neutrinos, (events, 2, 3) in GeV: the inverse of `to_coordinates`."""
    _check(u, (6,), "u")
    _check(event, (8,), "event")
    both = first_neutrino(u, event), second_neutrino(u, event)
    return torch.stack([from_cylinder(*neutrino) for neutrino in both], 1)


def generic_coordinates(neutrinos):
    """(u, log|du/dp|) with u = (log pT, eta, phi) of both neutrinos, (events, 6): what one takes without thinking.

    log|du/dp| = - sum_k [3 log pT + log cosh eta].
    """
    _check(neutrinos, (2, 3), "neutrinos")
    pt, eta, phi = to_cylinder(neutrinos)
    log_jacobian = -(3 * pt.log() + torch.log(torch.cosh(eta))).sum(1)
    return torch.stack((pt.log(), eta, phi), 2).flatten(1), log_jacobian


def from_generic_coordinates(u):
    """(px, py, pz) of both neutrinos, (events, 2, 3) in GeV: the inverse of `generic_coordinates`."""
    _check(u, (6,), "u")
    log_pt, eta, phi = u.view(-1, 2, 3).unbind(2)
    return from_cylinder(log_pt.exp(), eta, phi)


def _room_of_grid(u, event):
    """`room_left` by the first neutrinos u, as many for each event: (events, neutrinos of an event)."""
    events = len(event)
    event = event[:, :8].repeat_interleave(len(u) // events, 0)
    return room_left(first_neutrino(u, event), event).view(events, -1)


def _squeeze_first(event):
    """`squeeze` of lepton 0 and a neutrino that has all of the missing momentum."""
    return squeeze(event[:, 0], torch.hypot(event[:, 6], event[:, 7]))


def _blur(q):
    """By how much the azimuth of the second neutrino is stretched, so that the resolution is as wide for each q."""
    return torch.sqrt(1 + (q / BLUR) ** 2)


def _unit(q, phi, mass_squared, event):
    """s of the second neutrino, from its azimuth phi and the mass that it makes with its lepton."""
    smallest = 0.5 / squeeze(event[:, 3], q)
    return torch.sqrt(smallest**2 + solution_distance(q, phi - event[:, 5], event, mass_squared) ** 2)


def _mass_and_distance(neutrino, lepton):
    """(w, d) of a neutrino (pT, eta, phi), and log of the Jacobian of (phi, w, d) to its momentum."""
    pt, eta, _ = neutrino
    w, slope = peak_coordinate(torch.log(mass_squared(lepton, neutrino)))
    return (w, eta - lepton[1]), slope - 3 * pt.log() - torch.log(torch.cosh(eta))


def _momentum(lepton, phi, w, d):
    """(pT, eta, phi) of a neutrino from its azimuth, the mass and the distance in eta."""
    pt = torch.exp(log_mass_squared(w)) / (2 * lepton[0] * _opening(d, phi - lepton[2]))
    return pt, lepton[1] + d, phi


def _distance(pt_lepton, pt, azimuth, mass_squared):
    """Distance in eta from a lepton, 0 if out of reach, at which a neutrino of this pT and azimuth has this mass."""
    return torch.acosh((mass_squared / (2 * pt_lepton * pt) + torch.cos(azimuth)).clamp(1 + 1e-6, 50))


def _opening(d, a):
    """cosh d - cos a, without cancellation at small angles."""
    return 2 * (torch.sinh(d / 2) ** 2 + torch.sin(a / 2) ** 2)


def _check(values, shape, name):
    if values.shape[1:] != shape:
        raise InputError(f"{name}: expected shape (events, {', '.join(map(str, shape))}), got {tuple(values.shape)}")

"""Two-body decays and boosts; four-vectors (E, px, py, pz) on the last axis, GeV.

Results are held component by component and handed out as views (events, 4), so that the next step, which works on
components, copies nothing.
"""

import math

import torch


def from_components(components):
    """Four-vectors (events, 4), or (events, particles, 4) of components (4, particles, events)."""
    stacked = components if isinstance(components, torch.Tensor) else torch.stack(list(components))
    return stacked.movedim(0, -1) if stacked.ndim == 2 else stacked.permute(2, 1, 0)


def stack_particles(particles):
    """(events, particles, 4) from a list of (events, 4), component first in memory."""
    return from_components(torch.stack([particle.movedim(-1, 0) for particle in particles], 1))


def mass_squared(p):
    """p^2 = E^2 - |p|^2."""
    energy, px, py, pz = p.unbind(-1)
    return energy**2 - px**2 - py**2 - pz**2


def boost(p, frame, mass):
    """p, given in the rest frame of a particle of momentum `frame` and `mass`, as seen where it has that momentum."""
    energy, *momentum = p.unbind(-1)
    frame_energy, *direction = frame.unbind(-1)
    along = sum(d * q for d, q in zip(direction, momentum, strict=True)) / mass
    factor = (energy + along / (1 + frame_energy / mass)) / mass
    boosted = [q + d * factor for d, q in zip(direction, momentum, strict=True)]
    return from_components([frame_energy / mass * energy + along, *boosted])


def two_body_decay(parent, mass, cosine, azimuth, masses=(0.0, 0.0)):
    """Daughters of a parent, at an angle in its rest frame, and the volume of their phase space.

        dPhi_2 = (2 pi)^4 delta^4(P - p1 - p2) prod d^3p / ((2 pi)^3 2 E) = q / (4 pi M) (dcos / 2) (dphi / 2 pi)

    with the momentum q of either daughter. `parent`: (events, 4); `mass`: its mass M (events,); `cosine`, `azimuth`:
    angles of the first daughter about the z axis, (events,). `masses`: of the daughters, numbers or (events,).
    Returns p1, p2 (events, 4) and q / (4 pi M) (events,).
    """
    one, two = (m**2 for m in masses)
    m2 = mass**2
    energy = (m2 + one - two) / (2 * mass)
    momentum = _kallen_root(m2, one, two) / (2 * mass)
    sine = (1 - cosine**2).clamp(min=0).sqrt()
    p = [energy, momentum * sine * azimuth.cos(), momentum * sine * azimuth.sin(), momentum * cosine]
    first = boost(from_components(p), parent, mass)
    return first, parent - first, momentum / (4 * math.pi * mass)


def _kallen_root(a, b, c):
    """sqrt(a^2 + b^2 + c^2 - 2ab - 2bc - 2ca), for a >= (sqrt b + sqrt c)^2."""
    return ((a - b - c) ** 2 - 4 * b * c).clamp(min=0).sqrt()

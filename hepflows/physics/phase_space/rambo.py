"""Flat phase space of massless particles from the unit cube: "RAMBO on diet" (S. Platzer, arXiv:1308.2922)."""

import math

import torch

from hepflows.errors import InputError
from hepflows.physics.phase_space.two_body import from_components, stack_particles, two_body_decay

BISECTIONS = 54


class Rambo:
    """Momenta of n massless particles from 3n - 4 numbers in [0, 1], all with the same weight: the volume

        Phi_n = (2 pi)^(4 - 3n) (pi / 2)^(n - 1) E^(2n - 4) / ((n - 1)! (n - 2)!).

    `energy`: E in the centre of mass, GeV. Calling it with x (events, 3n - 4) gives momenta (events, n, 4) and the
    weight (events,), in GeV^(2n - 4). Raises InputError for fewer than two particles or another number of columns.
    """

    def __init__(self, particles, energy):
        if particles < 2:
            raise InputError(f"particles: expected at least 2, got {particles}")
        self.particles, self.energy = particles, float(energy)
        self.dims = 3 * particles - 4
        n = particles
        flat = (2 * math.pi) ** (4 - 3 * n) * (math.pi / 2) ** (n - 1) * self.energy ** (2 * n - 4)
        self.volume = flat / (math.factorial(n - 1) * math.factorial(n - 2))

    def __call__(self, x):
        columns = check_points(x, self.dims).T
        n = self.particles
        mass = torch.full_like(columns[0], self.energy)
        zero = torch.zeros_like(mass)
        parent = from_components([mass, zero, zero, zero])
        made = []
        for left in range(n - 1, 0, -1):  # particles left after this decay
            number = n - 1 - left
            remaining = mass * mass_ratio_squared(columns[number], left - 1).sqrt() if left > 1 else zero
            cosine = 2 * columns[n - 2 + 2 * number] - 1
            azimuth = 2 * math.pi * columns[n - 1 + 2 * number]
            particle, parent, _ = two_body_decay(parent, mass, cosine, azimuth, (zero, remaining))
            made.append(particle)
            mass = remaining
        return stack_particles([*made, parent]), torch.full_like(columns[0], self.volume)

    def density(self, momenta):
        """Density of the momenta in phase space: 1 / volume."""
        return torch.full_like(momenta[:, 0, 0], 1 / self.volume)


def mass_ratio_squared(r, k):
    """u in [0, 1] with r = (k + 1) u^k - k u^(k+1): squared ratio of successive masses of flat phase space."""
    if k == 1:
        return r / (1 + (1 - r).sqrt())
    if k == 2:
        return (0.5 - torch.sin(torch.asin(1 - 2 * r) / 3)).clamp(0, 1)
    with torch.no_grad():
        low, high = torch.zeros_like(r), torch.ones_like(r)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = (k + 1) * middle**k - k * middle ** (k + 1) < r
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    u = (low + high) / 2
    if not r.requires_grad:
        return u
    # A step of Newton's method from the solution: nothing moves, but the derivative du/dr is there.
    slope = (k * (k + 1) * u ** (k - 1) * (1 - u)).clamp(min=torch.finfo(r.dtype).tiny)
    return u + (r - r.detach()) / slope


def check_points(x, dims):
    """x, if it is real and of shape (events, dims); else an InputError."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point() or x.ndim != 2 or x.shape[1] != dims:
        got = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
        raise InputError(f"x: expected points of the unit cube, a real tensor (events, {dims}), got {got}")
    return x

"""A chain of two-body decays with masses drawn from a power law: for matrix elements with poles at small masses."""

import math

import torch

from hepflows.errors import InputError
from hepflows.physics.phase_space.rambo import check_points
from hepflows.physics.phase_space.two_body import from_components, mass_squared, stack_particles, two_body_decay


class SequentialDecay:
    """n massless particles: (1..n) -> (1..n-1) + n -> ..., with the masses of the systems from s^(-power).

        dPhi_n(E) = prod_k  ds_k / (2 pi)  dPhi_2(s_(k+1); s_k, 0)  ...  dPhi_2(s_2; 0, 0)

    `order`: which particle is number 1, ..., n of the chain: a permutation of range(n). `minimum`: lowest s of a system
    in units of E^2; 3n - 4 numbers make an event. The weight is 1 / density. Raises InputError if `order` is no
    permutation or the minimum is not in [0, 1), or zero with power >= 1.
    """

    def __init__(self, order, energy, power=1.0, minimum=1e-4):
        if sorted(order) != list(range(len(order))) or len(order) < 2:
            raise InputError(f"order: expected a permutation of range(n) with n >= 2, got {order}")
        if not 0 <= minimum < 1 or (minimum == 0 and power >= 1):
            raise InputError(f"minimum: expected a fraction in [0, 1), positive for power >= 1, got {minimum}")
        self.order, self.energy, self.power = tuple(order), float(energy), power
        self.particles = len(order)
        self.dims = 3 * self.particles - 4
        self.minimum = minimum * self.energy**2

    def __call__(self, x):
        columns = iter(check_points(x, self.dims).T)
        n = self.particles
        s = torch.full_like(x[:, 0], self.energy**2)
        zero = torch.zeros_like(s)
        system = from_components([s.sqrt(), zero, zero, zero])
        made, weight = {}, torch.ones_like(s)
        for size in range(n, 1, -1):
            mass = s.sqrt()
            inner = self._draw(next(columns), s) if size > 2 else zero
            cosine, azimuth = 2 * next(columns) - 1, 2 * math.pi * next(columns)
            inside, outside, volume = two_body_decay(system, mass, cosine, azimuth, (inner.sqrt(), zero))
            weight = weight * volume
            if size > 2:
                weight = weight / (2 * math.pi * self._power_density(inner, s))
            made[self.order[size - 1]] = outside
            system, s = inside, inner
        made[self.order[0]] = system
        return stack_particles([made[particle] for particle in range(n)]), weight

    def density(self, momenta):
        """Density of momenta (events, n, 4) in phase space, in GeV^(4 - 2n); zero below the minimum of a mass."""
        s = torch.full_like(momenta[:, 0, 0], self.energy**2)
        density = torch.ones_like(s)
        for size in range(self.particles, 1, -1):
            inner = mass_squared(momenta[:, list(self.order[: size - 1])].sum(1)) if size > 2 else torch.zeros_like(s)
            density = density * 8 * math.pi / (1 - inner / s)
            if size > 2:
                density = density * 2 * math.pi * self._power_density(inner, s)
            s = inner
        return density

    def _integral(self, s):
        """Integral of s^(-power) from the minimum to s."""
        if self.power == 1:
            return torch.log(s / self.minimum)
        return (s ** (1 - self.power) - self.minimum ** (1 - self.power)) / (1 - self.power)

    def _draw(self, u, highest):
        if self.power == 1:
            return self.minimum * (highest / self.minimum) ** u
        exponent = 1 - self.power
        return (self.minimum**exponent + exponent * u * self._integral(highest)) ** (1 / exponent)

    def _power_density(self, s, highest):
        inside = (s >= self.minimum) & (s <= highest)
        return torch.where(inside, s.clamp(min=self.minimum) ** -self.power / self._integral(highest), 0.0)

"""Two-dimensional densities whose entropy is known exactly, so that a trained flow can be compared with the truth."""

import math

import torch
from scipy import special

from hepflows.errors import InputError


class SpiralGalaxy:
    """Spiral arms in the plane, with exactly known density and entropy.

    In polar coordinates (r, phi), with s = r^2 / 2, an area element is dx1 dx2 = r dr dphi = ds dphi. Let s be
    exponential, p(s) = exp(-s), and let the angle have `arms` maxima, p(phi) = exp(k cos(arms phi)) / (2 pi I0(k)). The
    disc is then wound up, phi -> phi + winding r, which is a shear at fixed s and keeps every area:
        log p(x) = - r^2 / 2 + k cos(arms (phi - winding r)) - log(2 pi I0(k))
        H = - int p log p = 1 + log(2 pi I0(k)) - k I1(k) / I0(k)
    `contrast`: k, zero for the standard normal density; `winding` in radians per unit of r. Raises InputError for fewer
    than one arm or a negative contrast.
    """

    def __init__(self, arms=2, contrast=2.5, winding=1.5):
        if isinstance(arms, bool) or not isinstance(arms, int) or arms < 1:
            raise InputError(f"arms: expected an integer of at least 1, got {arms!r}")
        if not 0 <= contrast < math.inf:
            raise InputError(f"contrast: expected a finite number of at least 0, got {contrast!r}")
        if not math.isfinite(winding):
            raise InputError(f"winding: expected a finite number, got {winding!r}")
        self.arms, self.contrast, self.winding = arms, float(contrast), float(winding)
        # exponentially scaled Bessel functions: they do not overflow
        self._log_norm = math.log(2 * math.pi * special.i0e(self.contrast)) + self.contrast

    @property
    def entropy(self):
        """H = - int p log p in nats."""
        ratio = special.i1e(self.contrast) / special.i0e(self.contrast)
        return float(1 + self._log_norm - self.contrast * ratio)

    def log_prob(self, x):
        """log p(x) in nats, shape (n,), for x of shape (n, 2)."""
        x = torch.as_tensor(x)
        if x.ndim != 2 or x.shape[1] != 2:
            raise InputError(f"x: expected shape (n, 2), got {tuple(x.shape)}")
        r, phi = torch.hypot(x[:, 0], x[:, 1]), torch.atan2(x[:, 1], x[:, 0])
        return -0.5 * r * r + self.contrast * torch.cos(self.arms * (phi - self.winding * r)) - self._log_norm

    def sample(self, n, generator=None):
        """n independent draws, shape (n, 2), float32; `generator`: a torch.Generator, None for torch's own."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise InputError(f"n: expected a positive integer, got {n!r}")
        s = -torch.log1p(-torch.rand(n, generator=generator, dtype=torch.float64))
        r = torch.sqrt(2 * s)
        phi = self._sample_angle(n, generator) + self.winding * r
        return torch.stack((r * torch.cos(phi), r * torch.sin(phi)), 1).float()

    def _sample_angle(self, n, generator):
        """Angles of p(phi) by inversion of its cumulative distribution, tabulated much finer than float32 resolves."""
        grid = torch.linspace(0, 2 * math.pi, 20_001, dtype=torch.float64)
        density = torch.exp(self.contrast * (torch.cos(grid) - 1))
        cumulated = torch.nn.functional.pad(torch.cumulative_trapezoid(density, grid), (1, 0))
        u = torch.rand(n, generator=generator, dtype=torch.float64) * cumulated[-1]
        right = torch.searchsorted(cumulated, u).clamp(1, len(grid) - 1)
        fraction = (u - cumulated[right - 1]) / (cumulated[right] - cumulated[right - 1])
        angle = grid[right - 1] + fraction * (grid[right] - grid[right - 1])
        # cos(arms phi) repeats itself `arms` times round the circle: draw the turn, then the angle within it
        turn = torch.randint(self.arms, (n,), generator=generator)
        return (angle + 2 * math.pi * turn) / self.arms

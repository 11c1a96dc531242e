"""Integrands on the unit box with exactly known integrals: the test functions of i-flow (arXiv:2001.05486)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from hepflows.errors import InputError
from hepflows.targets import Camel


@dataclass(frozen=True)
class ExactIntegrand:
    """f(x) >= 0 for points x (n, dims) in the unit box, and its integral there."""

    name: str
    dims: int
    function: Callable[[torch.Tensor], torch.Tensor]
    integral: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """f(x), shape (n,), in the dtype and on the device of x; InputError for another shape than (n, dims)."""
        x = torch.as_tensor(x)
        if x.ndim != 2 or x.shape[1] != self.dims:
            raise InputError(f"x: expected shape (n, {self.dims}), got {tuple(x.shape)}")
        return self.function(x)


def gaussian(dims: int, sigma: float = 0.2) -> ExactIntegrand:
    """f = (sigma sqrt(pi))^-D exp(-|x - 1/2|^2 / sigma^2); integral erf(1 / (2 sigma))^D."""
    norm = (sigma * math.sqrt(math.pi)) ** -dims

    def function(x):
        return norm * torch.exp(-(x - 0.5).square().sum(1) / sigma**2)

    return ExactIntegrand("gaussian", dims, function, math.erf(1 / (2 * sigma)) ** dims)


def camel(dims: int, sigma: float = 0.2) -> ExactIntegrand:
    """The two humps of `targets.Camel`."""
    target = Camel(dims, sigma)
    return ExactIntegrand("camel", dims, lambda x: target.log_f(x).exp(), target.integral)


def entangled_circles() -> ExactIntegrand:
    """Two thin rings that cross, with a density that changes along them.

        f = y^3 exp(-w |(x - p)^2 + (y - q)^2 - r^2|) + (1 - y)^3 exp(-w |(x - 1 + p)^2 + (y - 1 + q)^2 - r^2|)
        w = 1 / 0.004, p = 0.4, q = 0.6, r = 0.25

    In polar coordinates around each centre: integral 2 pi [2 q^3 / w + 3 q r^2 / w], up to e^(-w r^2) and what the
    tails have outside of the box, 1e-7 of it.
    """
    w, p, q, r = 1 / 0.004, 0.4, 0.6, 0.25

    def function(points):
        x, y = points.unbind(1)
        first = torch.exp(-w * ((x - p).square() + (y - q).square() - r**2).abs())
        second = torch.exp(-w * ((x - 1 + p).square() + (y - 1 + q).square() - r**2).abs())
        return y**3 * first + (1 - y) ** 3 * second

    return ExactIntegrand("entangled_circles", 2, function, 2 * math.pi * (2 * q**3 + 3 * q * r**2) / w)


def annulus(inner: float = 0.2, outer: float = 0.45) -> ExactIntegrand:
    """f = 1 from `inner` to `outer` of the centre, else 0, with sharp cuts; integral pi (outer^2 - inner^2)."""

    def function(x):
        square = (x - 0.5).square().sum(1)
        return ((square > inner**2) & (square < outer**2)).to(x)

    return ExactIntegrand("annulus", 2, function, math.pi * (outer**2 - inner**2))


def polynomial(dims: int) -> ExactIntegrand:
    """f = sum_i x_i (1 - x_i): broad, and zero only at the corners; integral D / 6."""
    return ExactIntegrand("polynomial", dims, lambda x: (x * (1 - x)).sum(1), dims / 6)

"""Targets: functions of which everything is known, to see what a flow that is trained on them has understood."""

import math
from collections.abc import Sequence

import torch
from scipy import special

from hepflows.errors import InputError


class GaussianMixture:
    """Round normal modes k with mean m_k, width s_k and fraction c_k: a normalised density in D dimensions.

        p(x) = sum_k c_k N(x; m_k, s_k^2 1)

    `means`: K rows of D numbers; `widths`: one for all modes or one for each; `fractions`: positive, they are scaled to
    the sum 1. Raises InputError for shapes that do not fit or numbers that are not positive and finite.
    """

    def __init__(self, means, widths=1.0, fractions=None):
        self.means = _tensor("means", means)
        if self.means.ndim != 2 or 0 in self.means.shape:
            raise InputError(f"means: expected shape (modes, dimensions), got {tuple(self.means.shape)}")
        modes = len(self.means)
        self.widths = _positive("widths", widths, modes)
        fractions = _positive("fractions", [1.0] * modes if fractions is None else fractions, modes)
        self.fractions = fractions / fractions.sum()

    @property
    def dimensions(self):
        """D."""
        return self.means.shape[1]

    def log_prob(self, x):
        """log p(x) in nats, shape (n,), for x of shape (n, D), in the dtype and on the device of x."""
        x = _points(x, self.dimensions)
        means, widths, fractions = (value.to(x) for value in (self.means, self.widths, self.fractions))
        squares = _squared_distances(x, means)
        constant = torch.log(fractions) - self.dimensions * torch.log(widths * math.sqrt(2 * math.pi))
        return torch.logsumexp(constant - 0.5 * squares / widths.square(), 1)

    def sample(self, n, generator=None):
        """n independent draws, shape (n, D), float32; `generator`: a torch.Generator, None for torch's own."""
        _count("n", n)
        mode = torch.multinomial(self.fractions, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dimensions, generator=generator, dtype=torch.float64)
        return (self.means[mode] + self.widths[mode, None] * noise).float()

    def mode_of(self, x, within=5.0):
        """Index of the nearest mode in units of its width, shape (n,), or -1 farther than `within` widths from all."""
        x = _points(x, self.dimensions)
        square, mode = (_squared_distances(x, self.means.to(x)) / self.widths.to(x).square()).min(1)
        return torch.where(square <= within**2, mode, -1)


class Camel:
    """Two Gaussian humps on the diagonal of the unit box, at 1/3 and 2/3 in each of D dimensions (arXiv:2001.05486).

        f(x) = 1/2 (sigma sqrt(pi))^-D sum_c exp(-|x - c|^2 / sigma^2),  c = 1/3, 2/3
        integral over [0, 1]^D = [ erf(1 / (3 sigma)) / 2 + erf(2 / (3 sigma)) / 2 ]^D

    The tails outside of the box are lost, so the integral is smaller than 1. Raises InputError for a number of
    dimensions below one or a width that is not positive.
    """

    centres = (1 / 3, 2 / 3)

    def __init__(self, dimensions, sigma=0.2):
        self.dimensions = _count("dimensions", dimensions)
        if not 0 < sigma < math.inf:
            raise InputError(f"sigma: expected a positive number, got {sigma!r}")
        self.sigma = float(sigma)

    @property
    def integral(self):
        """The exact integral of f over the unit box."""
        inside = 0.5 * (special.erf(1 / (3 * self.sigma)) + special.erf(2 / (3 * self.sigma)))
        return float(inside**self.dimensions)

    def log_f(self, x):
        """log f(x), shape (n,), for x of shape (n, D) in the unit box, in the dtype and on the device of x."""
        x = _points(x, self.dimensions)
        humps = torch.stack([-(x - centre).square().sum(1) / self.sigma**2 for centre in self.centres], 1)
        return torch.logsumexp(humps, 1) - math.log(2) - self.dimensions * math.log(self.sigma * math.sqrt(math.pi))

    def sample(self, n, generator=None):
        """n independent draws from f / integral, shape (n, D), float32: from the humps, if they fall into the box."""
        _count("n", n)
        accepted, missing = [], n
        while missing > 0:
            count = int(1.1 * missing / self.integral) + 10
            hump = torch.randint(2, (count, 1), generator=generator)
            noise = torch.randn(count, self.dimensions, generator=generator, dtype=torch.float64)
            x = torch.tensor(self.centres, dtype=torch.float64)[hump] + self.sigma / math.sqrt(2) * noise
            accepted.append(x[((x >= 0) & (x <= 1)).all(1)])
            missing -= len(accepted[-1])
        return torch.cat(accepted)[:n].float()


def _squared_distances(x, means):
    return (x.unsqueeze(1) - means).square().sum(2)


def _tensor(name, values):
    try:
        values = torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name}: expected numbers, got {values!r} ({error})") from None
    if not torch.isfinite(values).all():
        raise InputError(f"{name}: expected finite numbers, got {values.tolist()}")
    return values


def _positive(name, values, count):
    """`count` positive numbers, or one for all."""
    scalar = not isinstance(values, Sequence) and not hasattr(values, "__len__")
    values = _tensor(name, [values] * count if scalar else values)
    if values.shape != (count,) or not (values > 0).all():
        raise InputError(f"{name}: expected {count} positive numbers, got {values.tolist()}")
    return values


def _points(x, dimensions):
    x = torch.as_tensor(x)
    if x.ndim != 2 or x.shape[1] != dimensions:
        raise InputError(f"x: expected shape (n, {dimensions}), got {tuple(x.shape)}")
    return x


def _count(name, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name}: expected a positive integer, got {value!r}")
    return value

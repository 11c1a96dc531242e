"""Latent densities: what a flow maps its data to. Draws have the module's dtype and device; those of nflows do not."""

import math

import torch
from nflows.distributions import Distribution


class Base(Distribution):
    """A latent density over vectors of D features."""

    def __init__(self, features):
        super().__init__()
        self.features = features
        self.register_buffer("like", torch.empty(0), persistent=False)

    def draw(self, count, generator=None):
        """Draws of shape (count, features)."""
        return self._noise(count, dtype=self.like.dtype, device=self.like.device, generator=generator)

    def _sample(self, num_samples, context):
        if context is None:
            return self.draw(num_samples)
        return self.draw(num_samples * len(context)).view(len(context), num_samples, self.features)


class StandardNormal(Base):
    """log p(z) = - |z|^2 / 2 - (D / 2) log 2 pi."""

    def _log_prob(self, inputs, context):
        return -0.5 * (inputs * inputs).sum(1) - 0.5 * self.features * math.log(2 * math.pi)

    def _noise(self, count, **options):
        return torch.randn(count, self.features, **options)


class UniformBox(Base):
    """log p(z) = - D log(high - low) if all of z lies in [low, high], else minus infinity."""

    def __init__(self, features, low, high):
        super().__init__(features)
        self.low, self.high = low, high

    def _log_prob(self, inputs, context):
        inside = ((inputs >= self.low) & (inputs <= self.high)).all(1)
        return torch.where(inside, -self.features * math.log(self.high - self.low), -torch.inf).to(inputs)

    def _noise(self, count, **options):
        return self.low + (self.high - self.low) * torch.rand(count, self.features, **options)

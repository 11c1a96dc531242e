"""The density that the integrator draws from: a flow on the unit box, behind a smooth map for each channel."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch.nn.functional import one_hot

from hepflows import flows
from hepflows.flows.linear import EDGE
from hepflows.integrate.grid import SmoothMap, VegasGrid

# Points that pass through the flow at once.
CHUNK = 16384


class Proposal:
    """u -> y = T(u; channel) -> x = g_channel(y): q(x|c) = q_T(y|c) / |dg/dy|, u uniform in the unit box.

    One flow for all channels; the channel's number is its condition. `fractions`: how often each is drawn, (channels,).
    """

    def __init__(self, dims: int, channels: int | None, architecture: dict, seed: int):
        self.dims, self.conditional, self.channels = dims, channels is not None, channels or 1
        context = channels or 0
        common = dict(features=dims, context=context, domain="unit", seed=seed)
        with torch.random.fork_rng(devices=[]):  # the networks draw their start from torch's own generator
            torch.manual_seed(seed)
            if dims == 1:  # nothing to couple: one spline
                self.flow = flows.autoregressive_flow(transforms=1, spline=architecture["spline"], **common)
            else:
                self.flow = flows.coupling_flow(**architecture, **common)
        self.flow.eval()
        self.map = SmoothMap(VegasGrid(dims, self.channels), 2)
        self.fractions = torch.full((self.channels,), 1 / self.channels, dtype=torch.float64)

    def context(self, channel: torch.Tensor) -> torch.Tensor | None:
        """What the flow is told of the channel: one of its inputs is 1, the others 0."""
        return one_hot(channel, self.channels).float() if self.conditional else None

    def share_out(self, points: int) -> torch.Tensor:
        """Channel of each of about as many points: in fixed proportion, at least four of each."""
        counts = (self.fractions * points).round().long().clamp_min(4)
        return torch.arange(self.channels).repeat_interleave(counts)

    @torch.no_grad()
    def draw(self, noise: torch.Tensor, channel: torch.Tensor):
        """x, y (n, dims), log q_T(y|c) and log |dx/dy| (n,), for noise u (n, dims); x never touches the box's sides."""
        parts = []
        for u, c in zip(noise.float().split(CHUNK), channel.split(CHUNK), strict=True):
            y, log_q = self.flow.from_noise(u, self.context(c))
            y = y.clamp(EDGE, 1 - EDGE)
            x, log_jacobian = self.map.forward(y, c)
            parts.append((x, y, log_q.double(), log_jacobian))
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def frozen(self) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The present log q_T(y|c) as a function that later training leaves alone."""
        flow = copy.deepcopy(self.flow)

        @torch.no_grad()
        def log_density(y, channel):
            pairs = zip(y.float().split(CHUNK), channel.split(CHUNK), strict=True)
            return torch.cat([flow.log_prob(part, context=self.context(c)) for part, c in pairs]).double()

        return log_density

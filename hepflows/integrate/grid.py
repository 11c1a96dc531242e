"""VEGAS as the start of a flow: its grid explores, and a smooth map through its knots is what the flow stands on."""

from __future__ import annotations

import numpy as np
import torch
import vegas

from hepflows.flows import UnitSpline
from hepflows.flows.bins import MINIMAL_SLOPE

INCREMENTS = 64
# alpha of the vegas package: how fast the grid follows.
SPEED = 0.7


class VegasGrid:
    """x = g(y), linear in each of INCREMENTS increments of each axis, for each channel; its density is 1 / |dg/dy|.

    Adapted by the `vegas` package (arXiv:2009.05112): axis by axis, correlations are not seen.
    """

    def __init__(self, dims: int, channels: int, edges: torch.Tensor | None = None):
        """`edges` (channels, dims, INCREMENTS + 1) of a grid to start from; None: equal increments."""
        equal = torch.linspace(0, 1, INCREMENTS + 1, dtype=torch.float64)
        self.edges = equal.expand(channels, dims, -1) if edges is None else edges

    def adapted(self, y: torch.Tensor, channel: torch.Tensor, weights: torch.Tensor) -> VegasGrid:
        """A grid with smaller increments where weights^2 is larger, from points y (n, dims) uniform in each channel."""
        edges = self.edges.clone()
        for c in range(len(edges)):
            rows = channel == c
            if (weights[rows] > 0).any():
                grid = vegas.AdaptiveMap(edges[c].numpy())
                squares = (weights[rows] / weights[rows].max()).square()
                grid.add_training_data(np.ascontiguousarray(y[rows].numpy()), squares.numpy())
                grid.adapt(alpha=SPEED)
                edges[c] = torch.from_numpy(np.stack(grid.extract_grid()))
        return VegasGrid(*edges.shape[1::-1], edges)

    def forward(self, y: torch.Tensor, channel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (n, dims) and log |dx/dy| (n,) for y (n, dims) in float64 and channel (n,)."""
        number = (y * INCREMENTS).long().clamp(0, INCREMENTS - 1)
        low, width = self._increment(number, channel)
        return low + width * (y * INCREMENTS - number), (width * INCREMENTS).log().sum(1)

    def log_density(self, x: torch.Tensor, channel: torch.Tensor) -> torch.Tensor:
        """log of the density of x within its channel, (n,)."""
        number = torch.empty(x.shape, dtype=torch.long)
        for c in channel.unique().tolist():
            rows = (channel == c).nonzero()[:, 0]
            number[rows] = torch.searchsorted(self.edges[c].contiguous(), x[rows].t().contiguous(), right=True).t() - 1
        return -(self._increment(number.clamp(0, INCREMENTS - 1), channel)[1] * INCREMENTS).log().sum(1)

    def _increment(self, number, channel):
        axis = torch.arange(number.shape[1])
        low = self.edges[channel[:, None], axis, number]
        return low, self.edges[channel[:, None], axis, number + 1] - low


class SmoothMap:
    """x = g(y): a rational-quadratic spline (arXiv:1906.04032) through `bins` + 1 knots of a grid, for each channel.

    Each bin holds as many increments as the next. The slope is continuous: the jumps of a linear map would be left for
    the flow, which cannot learn them.
    """

    def __init__(self, grid: VegasGrid, bins: int):
        self.spline = UnitSpline(bins)
        scale, offset = self.spline.box.scale_and_offset(bins)
        heights = grid.edges[:, :, :: INCREMENTS // bins].diff(dim=2).clamp_min(2 * offset)
        heights = heights / heights.sum(2, keepdim=True)
        secants = heights * bins
        inner = (secants[:, :, 1:] * secants[:, :, :-1]).sqrt()
        slopes = torch.cat((secants[:, :, :1], inner, secants[:, :, -1:]), 2)
        logits = torch.log((heights - offset) / scale)
        raw_slopes = torch.log(torch.expm1(slopes - MINIMAL_SLOPE))
        self.parameters = torch.cat((torch.zeros_like(logits), logits, raw_slopes), 2)  # channels, dims, 3 bins + 1

    def forward(self, y: torch.Tensor, channel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x (n, dims) and log |dx/dy| (n,) in float64, for y (n, dims) and channel (n,)."""
        x, log_slope = self.spline.forward(y.double().t(), self._of(channel))
        return x.t(), log_slope.sum(0)

    def inverse(self, x: torch.Tensor, channel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """y (n, dims) and log |dx/dy| (n,)."""
        y, log_slope = self.spline.inverse(x.t(), self._of(channel))
        return y.t(), -log_slope.sum(0)

    def _of(self, channel):
        if len(self.parameters) == 1:
            return self.parameters[0].unsqueeze(2).expand(-1, -1, len(channel))
        return self.parameters[channel].permute(1, 2, 0)

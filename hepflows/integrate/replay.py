"""Every point that was paid for, with the density of the mixture that drew them all."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

# (points y, channels) -> log density of y within its channel
LogDensity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Replay:
    """Points y (n, dims) in the unit box with channel (n,) and log f (n,), from any number of rounds.

    Round k drew n_kc points of channel c with density q_k(y|c), and all rounds together N points with

        m(y, c) = sum_k n_kc q_k(y|c) / N

    the balance heuristic of multiple importance sampling: f / m has less noise than f / q_k of each point's own round.
    That is right for training. An integral estimated so would be biased: later q_k have seen the earlier points.
    """

    def __init__(self, dims: int, channels: int):
        self.y = torch.empty(0, dims)
        self.channel = torch.empty(0, dtype=torch.long)
        self.log_f = torch.empty(0, dtype=torch.float64)
        self._sum = torch.empty(0, dtype=torch.float64)  # log sum_k n_kc q_k
        self._rounds: list[tuple[torch.Tensor, LogDensity]] = []
        self.channels = channels

    def __len__(self) -> int:
        return len(self.y)

    @property
    def log_m(self) -> torch.Tensor:
        """log m of each point."""
        return self._sum - math.log(len(self))

    def add(self, y: torch.Tensor, channel: torch.Tensor, log_f: torch.Tensor, log_density: LogDensity) -> None:
        """Take the points of a round that `log_density` drew."""
        counts = torch.bincount(channel, minlength=self.channels)
        self._sum = torch.logaddexp(self._sum, _term(counts, log_density, self.y, self.channel))
        self._rounds.append((counts, log_density))
        terms = [_term(*one, y, channel) for one in self._rounds]
        self._sum = torch.cat((self._sum, torch.logsumexp(torch.stack(terms), 0)))
        self.y = torch.cat((self.y, y.to(self.y)))
        self.channel = torch.cat((self.channel, channel))
        self.log_f = torch.cat((self.log_f, log_f))

    def log_integral(self) -> float:
        """log of <f / m>: the integral as far as training needs it."""
        return float(torch.logsumexp(self.log_f - self._sum, 0))

    def channel_integrals(self) -> torch.Tensor:
        """<f / m> of each channel, (channels,)."""
        terms = torch.exp(self.log_f - self._sum)
        return torch.zeros(self.channels, dtype=terms.dtype).index_add_(0, self.channel, terms)


def _term(counts, log_density, y, channel):
    """log n_c q(y|c)."""
    if not len(y):
        return torch.empty(0, dtype=torch.float64)
    return counts.double().log()[channel] + log_density(y, channel)

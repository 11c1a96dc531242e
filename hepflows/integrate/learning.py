"""Optimiser steps on replayed points."""

from __future__ import annotations

import torch
from torch.nn.utils import clip_grad_norm_

from hepflows.integrate.losses import divergence
from hepflows.integrate.proposal import Proposal
from hepflows.integrate.replay import Replay
from hepflows.integrate.settings import TrainingSettings
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.schedule import set_cosine_rate


class Learner:
    """Adam with one cosine schedule over all rounds, on batches of all points that were ever drawn."""

    def __init__(self, proposal: Proposal, settings: TrainingSettings, total_steps: int, generator: torch.Generator):
        self.proposal, self.settings, self.total, self.generator = proposal, settings, total_steps, generator
        self.parameters = [parameter for parameter in proposal.flow.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.learning_rate, fused=True)
        self.step = 0

    def learn(self, replay: Replay, steps: int, loss: str):
        """Take the steps; yields the loss of each.

        The target is p(y|c) with the channels in the proportion of their integrals: how often a channel is drawn is not
        the flow's to learn.
        """
        integrals = replay.channel_integrals()
        log_p = (replay.log_f - integrals.sum().log()).float()
        log_m = replay.log_m.float()
        log_share = (integrals / integrals.sum()).clamp_min(1e-30).log().float()
        self.proposal.flow.train()
        for rows in self._batches(len(replay), steps):
            channel = replay.channel[rows]
            log_q = self.proposal.flow.log_prob(replay.y[rows], context=self.proposal.context(channel))
            log_q = log_q + log_share[channel]
            yield self._take(divergence(loss, log_p[rows], log_q, log_m[rows]))
        self.proposal.flow.eval()

    def _batches(self, points, steps):
        """Rows of each batch: all points in random order, over and over."""
        rows = torch.empty(0, dtype=torch.long)
        for _ in range(steps):
            while len(rows) < self.settings.batch_size:
                rows = torch.cat((rows, torch.randperm(points, generator=self.generator)))
            yield rows[: self.settings.batch_size]
            rows = rows[self.settings.batch_size :]

    def _take(self, value):
        set_cosine_rate(self.optimizer, self.settings.learning_rate, self.step / self.total)
        self.optimizer.zero_grad()
        value.backward()
        norm = clip_grad_norm_(self.parameters, self.settings.clip_norm)
        self.step += 1
        if not torch.isfinite(value.detach() + norm):
            raise NonFiniteLoss(
                f"the loss or its gradient is not finite in step {self.step}; a lower learning_rate may help",
                epoch=1, batch=self.step, rows=[], feature=None,
            )  # fmt: skip
        self.optimizer.step()
        return float(value.detach())

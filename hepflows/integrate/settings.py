"""The numbers that steer the integrator's training, and what a training leaves behind."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from hepflows.errors import InputError
from hepflows.integrate.losses import LOSSES

# How the evaluations of a training are spent: a start by VEGAS, then rounds of the flow, each larger than the last.
START = 0.1
START_ITERATIONS = 5
ROUNDS = (0.1, 0.2, 0.3, 0.3)


@dataclass(frozen=True)
class TrainingSettings:
    """Arguments of `Integrator.train`, checked: InputError names the first that is wrong."""

    evaluations: int
    loss: str
    reuse: float
    batch_size: int
    learning_rate: float
    clip_norm: float
    channels: int

    def __post_init__(self):
        for name, lowest in (("evaluations", 1000 * self.channels), ("batch_size", 2)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
                raise InputError(f"{name}: expected an integer of at least {lowest}, got {value!r}")
        for name in ("reuse", "learning_rate", "clip_norm"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise InputError(f"{name}: expected a positive number, got {value!r}")
        if self.loss not in LOSSES:
            raise InputError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")

    def steps(self, points: int) -> int:
        """Optimiser steps for a round of that many new points: each is used `reuse` times."""
        return max(1, round(self.reuse * points / self.batch_size))


@dataclass
class TrainingHistory:
    """A training of the integrator.

    Step by step: loss, its divergence between f/I and q (that of `loss_name`). Round by round: round_evaluations, all
    evaluations so far; value and error of the integral from the round's points alone; spread, sqrt(Var w) / <w> of the
    weights w = f/q of these points; ess_fraction, <w>^2 / <w^2>.
    """

    loss: list[float] = field(default_factory=list)
    loss_name: list[str] = field(default_factory=list)
    round_evaluations: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    ess_fraction: list[float] = field(default_factory=list)

    def to_dict(self) -> dict:
        """Plain lists and numbers, ready for JSON."""
        return asdict(self)

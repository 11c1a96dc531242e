"""What a training did."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field


@dataclass
class History:
    """A training, epoch by epoch: losses in nats per event, seconds of its clock since its start at the end of the
    epoch.

    train_loss is the mean over the batches while the weights were changing; validation_loss is that of all validation
    events afterwards. stopped_by is "epochs", "seconds" or "patience".
    """

    epoch: list[int] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    best_validation_loss: float = math.inf
    stopped_by: str | None = None

    def to_dict(self) -> dict:
        """Plain lists and numbers, ready for JSON."""
        return asdict(self)

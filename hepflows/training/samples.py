"""The events of a training: checked once, on the device once, split by a seed and handed out in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.training.likelihood import as_rows, evaluation_mode

# What nflows and torch raise when the numbers of columns do not fit the networks of a flow.
MISFIT = (ArithmeticError, AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)


class Samples:
    """Training and validation events on the flow's device; training_rows are indices into `features`."""

    def __init__(
        self,
        flow: torch.nn.Module,
        features: ArrayLike | torch.Tensor,
        context: ArrayLike | torch.Tensor | None,
        validation: float | tuple,
        names: Sequence[str] | dict[str, Sequence[str]] | None,
        generator: torch.Generator,
    ):
        names = names if isinstance(names, dict) else {} if names is None else {"features": names}
        if set(names) - {"features", "context"}:
            raise InputError(f"names: expected the keys 'features' and 'context', got {list(names)}")
        self.features = as_rows("features", features, flow, dimensions=2, columns=names.get("features"))
        self.feature_names = _names("features", "feature", names, self.features)
        self.context, self.context_names = None, []
        if context is not None:
            self.context = as_rows("context", context, flow, length=len(self.features), columns=names.get("context"))
            self.context_names = _names("context", "context", names, self.context)
        _check_fit(flow, self.features[:2], None if self.context is None else self.context[:2])

        self.split = not isinstance(validation, tuple | list)
        if not self.split:
            self.training_rows = torch.arange(len(self.features))
            self._take_validation(flow, validation)
        else:
            self._split(validation, generator)

    @property
    def given(self) -> list[torch.Tensor | None]:
        """All that was passed, in the flow's dtype."""
        own = [] if self.split else [self.validation_features, self.validation_context]
        return [self.features, self.context, *own]

    def batches(self, batch_size: int, generator: torch.Generator) -> Sequence[torch.Tensor]:
        """Row indices of each batch of an epoch in random order, without an incomplete last one unless it is alone."""
        order = torch.randperm(len(self.training_rows), generator=generator)
        rows = self.training_rows[order].to(self.features.device)
        return rows.split(batch_size)[: self.batches_per_epoch(batch_size)]

    def batches_per_epoch(self, batch_size: int) -> int:
        return max(1, len(self.training_rows) // batch_size)

    def select(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(features, context) of these rows."""
        rows = rows.to(self.features.device)
        return self.features.index_select(0, rows), None if self.context is None else self.context.index_select(0, rows)

    def _split(self, fraction: float, generator: torch.Generator) -> None:
        if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction < 1:
            raise InputError(
                f"validation: expected a fraction between 0 and 1 or a tuple (features, context), got {fraction!r}"
            )
        held_out = max(1, round(fraction * len(self.features)))
        if held_out >= len(self.features):
            raise InputError(f"features: expected rows for training and validation, got {len(self.features)} in all")
        order = torch.randperm(len(self.features), generator=generator)
        self.training_rows = order[held_out:]
        self.validation_rows = order[:held_out]
        self.validation_features, self.validation_context = self.select(self.validation_rows)

    def _take_validation(self, flow: torch.nn.Module, validation: Sequence) -> None:
        if len(validation) != 2:
            raise InputError(f"validation: expected a tuple (features, context), got {len(validation)} items")
        features, context = validation
        if (context is None) != (self.context is None):
            wanted = "no context" if self.context is None else "a context"
            raise InputError(f"validation: expected {wanted}, as for the training events, got the opposite")
        self.validation_features = as_rows(
            "validation features", features, flow, dimensions=2, columns=self.feature_names
        )
        self.validation_context = context
        if context is not None:
            self.validation_context = as_rows(
                "validation context", context, flow, length=len(self.validation_features), columns=self.context_names
            )
        pairs = (
            ("features", self.features, self.validation_features),
            ("context", self.context, self.validation_context),
        )
        for name, training, held_out in pairs:
            if training is not None and training.shape[1:] != held_out.shape[1:]:
                raise InputError(
                    f"validation {name}: expected {tuple(training.shape[1:])} columns, got {tuple(held_out.shape[1:])}"
                )
        self.validation_rows = torch.arange(len(self.validation_features))


def _names(argument: str, default: str, names: dict[str, Sequence[str]], values: torch.Tensor) -> list[str]:
    columns = values.shape[-1]
    if argument not in names:
        return [f"{default} {column}" for column in range(columns)]
    if isinstance(names[argument], str) or len(names[argument]) != columns:
        raise InputError(f"names: expected {columns} names of {argument}, got {names[argument]!r}")
    return [str(name) for name in names[argument]]


def _check_fit(flow: torch.nn.Module, features: torch.Tensor, context: torch.Tensor | None) -> None:
    shapes = f"features with {tuple(features.shape[1:])} columns and "
    shapes += "no context" if context is None else f"context with {tuple(context.shape[1:])} columns"
    try:
        with torch.no_grad(), evaluation_mode(flow):
            log_prob = flow.log_prob(features, context=context)
    except MISFIT as error:
        raise InputError(f"flow: expected one that evaluates {shapes}, got the error: {error}") from error
    if np.shape(log_prob) != (len(features),):
        raise InputError(f"flow: expected one log density per event, got shape {np.shape(log_prob)} for {shapes}")

"""A loss that is not finite: which batch, which event, which feature."""

from __future__ import annotations

import numpy as np
import torch

from hepflows.errors import HepflowsError
from hepflows.training.likelihood import evaluation_mode, log_prob
from hepflows.training.samples import Samples

SHOWN_ROWS = 10


class NonFiniteLoss(HepflowsError, FloatingPointError):
    """The loss or its gradient became NaN or infinite; the message names the batch, the rows and the feature at fault.

    epoch and batch count from 1 (batch None: the validation events); rows are indices into the features that were
    passed (or into the validation features, if those were passed on their own); feature is a name or None.
    """

    def __init__(self, message: str, epoch: int, batch: int | None, rows: list[int], feature: str | None):
        super().__init__(message)
        self.epoch, self.batch, self.rows, self.feature = epoch, batch, rows, feature


def explain(
    flow: torch.nn.Module, samples: Samples, epoch: int, batch: int | None, rows: torch.Tensor | None
) -> NonFiniteLoss:
    """The error for a training batch of these rows, or (batch None) for the validation events."""
    if batch is None:
        where, rows = f"in the validation after epoch {epoch}", samples.validation_rows
        events, context = samples.validation_features, samples.validation_context
    else:
        where = f"in epoch {epoch}, batch {batch}"
        events, context = samples.select(rows)

    weights = [name for name, parameter in flow.named_parameters() if not torch.isfinite(parameter).all()]
    if weights:
        message = f"the loss is not finite {where}, because weights of the flow are not: {weights}"
        return NonFiniteLoss(message, epoch, batch, [], None)

    culprits, quantity, is_finite = _bad_log_prob(flow, events, context), "log q is", _log_prob_is_finite
    if not len(culprits):
        culprits, quantity, is_finite = _bad_gradient(flow, events, context), "the gradient is", _gradient_is_finite
    if not len(culprits):
        advice = "no single event is at fault; a lower learning_rate or clip_norm may help"
        return NonFiniteLoss(f"the loss or its gradient is not finite {where}, but {advice}", epoch, batch, [], None)

    at_fault = rows.to(culprits.device)[culprits].tolist()
    events = events[culprits[:SHOWN_ROWS]]
    context = None if context is None else context[culprits[:SHOWN_ROWS]]
    suspects = _suspects(samples, events, context)
    cures = [suspect for suspect in suspects if is_finite(flow, *_replaced(suspect, events, context))]
    chosen = (cures or suspects)[0]
    kind, _, name, _, distance = chosen
    message = (
        f"{quantity} not finite {where} for {len(at_fault)} of {len(rows)} events, though all inputs are finite: "
        f"rows {at_fault[:SHOWN_ROWS]}{' and more' if len(at_fault) > SHOWN_ROWS else ''}. "
        f"The {kind} at fault is {name!r}, {distance:.3g} widths away from the median of all events"
    )
    message += ": with the median in its place all is finite." if cures else ", farther than any other."
    return NonFiniteLoss(message, epoch, batch, at_fault, name)


def _suspects(samples: Samples, events: torch.Tensor, context: torch.Tensor | None) -> list[tuple]:
    """(kind, column, name, median, distance from it in widths) of every feature and condition, the farthest first.

    The width is half of that of the central 68 %, which is one standard deviation for a normal distribution.
    """
    suspects = []
    for kind, names, training, here in (
        ("feature", samples.feature_names, samples.features, events),
        ("context", samples.context_names, samples.context, context),
    ):
        for column, name in enumerate(names):
            # Quantiles, because mean and standard deviation are themselves spoiled by the value that we look for.
            values = training[..., column].flatten().cpu().double().numpy()
            low, median, high = np.quantile(values, [0.16, 0.5, 0.84])
            width = (high - low) / 2 or values.std() or 1.0
            distance = np.abs(here[..., column].cpu().double().numpy() - median).max() / width
            suspects.append((kind, column, name, median, distance))
    return sorted(suspects, key=lambda suspect: -suspect[-1])


def _replaced(suspect: tuple, events: torch.Tensor, context: torch.Tensor | None) -> tuple:
    kind, column, _, median, _ = suspect
    events, context = events.clone(), None if context is None else context.clone()
    (events if kind == "feature" else context)[..., column] = median
    return events, context


def _bad_log_prob(flow: torch.nn.Module, events: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    return (~torch.isfinite(log_prob(flow, events, context, 4096))).nonzero().flatten()


def _log_prob_is_finite(flow: torch.nn.Module, events: torch.Tensor, context: torch.Tensor | None) -> bool:
    return not len(_bad_log_prob(flow, events, context))


def _gradient_is_finite(flow: torch.nn.Module, events: torch.Tensor, context: torch.Tensor | None) -> bool:
    parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
    with torch.enable_grad(), evaluation_mode(flow):
        loss = flow.log_prob(events, context=context).mean()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def _bad_gradient(flow: torch.nn.Module, events: torch.Tensor, context: torch.Tensor | None) -> torch.Tensor:
    """One event whose gradient alone is not finite, found by halving; empty if there is none."""
    candidates = torch.arange(len(events), device=events.device)
    while len(candidates):
        for part in candidates.tensor_split(2) if len(candidates) > 1 else [candidates]:
            if not _gradient_is_finite(flow, events[part], None if context is None else context[part]):
                break
        else:
            return candidates[:0]
        if len(candidates) == 1:
            return candidates
        candidates = part
    return candidates

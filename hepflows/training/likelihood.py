"""The likelihood of many events under a flow, in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from hepflows.errors import InputError


class LikelihoodResult(NamedTuple):
    """Mean negative log-likelihood in nats per event and its standard error."""

    mean: float
    standard_error: float


def log_prob_batched(
    flow: torch.nn.Module,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor | None = None,
    batch_size: int = 4096,
) -> np.ndarray:
    """log q(x_i|c_i) of every event in nats, shape (n,), float64; no gradient, evaluation mode, bounded memory.

    Raises:
        InputError: wrong shapes or numbers that are not finite.
    """
    features = as_rows("features", features, flow, dimensions=2)
    context = None if context is None else as_rows("context", context, flow, length=len(features))
    return log_prob(flow, features, context, batch_size).numpy()


def evaluate_nll(
    flow: torch.nn.Module,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor | None = None,
    batch_size: int = 4096,
) -> LikelihoodResult:
    """Mean of -log q(x_i|c_i) in nats and its standard error, the standard deviation over sqrt(n).

    Raises:
        InputError: wrong shapes, numbers that are not finite, or fewer than two events.
        FloatingPointError: log q of an event is not finite.
    """
    values = log_prob_batched(flow, features, context, batch_size)
    if len(values) < 2:
        raise InputError(f"features: expected at least 2 events for a standard error, got {len(values)}")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise FloatingPointError(
            f"log q is not finite for {bad.size} of {len(values)} events, the first is row {bad[0]}"
        )
    return LikelihoodResult(float(-values.mean()), float(values.std(ddof=1) / math.sqrt(len(values))))


def log_prob(
    flow: torch.nn.Module, features: torch.Tensor, context: torch.Tensor | None, batch_size: int
) -> torch.Tensor:
    """As `log_prob_batched`, for tensors that are known to be good; float64 on the CPU."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size: expected a positive integer, got {batch_size!r}")
    contexts = [None] * len(features) if context is None else context.split(batch_size)
    with torch.no_grad(), evaluation_mode(flow):
        parts = [flow.log_prob(x, context=c) for x, c in zip(features.split(batch_size), contexts, strict=False)]
    # Collected on the device first, so that an accelerator is waited for once.
    return torch.cat(parts).cpu().double()


@contextmanager
def evaluation_mode(flow: torch.nn.Module) -> Iterator[None]:
    """Switch dropout and the like off, and put every module's mode back afterwards."""
    modes = [(module, module.training) for module in flow.modules()]
    flow.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def as_rows(
    name: str,
    values: ArrayLike | torch.Tensor,
    flow: torch.nn.Module,
    *,
    dimensions: int | None = None,
    length: int | None = None,
    columns: Sequence[str] | None = None,
) -> torch.Tensor:
    """Finite numbers with one row an event, in the flow's dtype and on its device; InputError otherwise."""
    like = next((t for t in (*flow.parameters(), *flow.buffers()) if t.is_floating_point()), torch.empty(0))
    tensor = values.detach() if isinstance(values, torch.Tensor) else torch.from_numpy(_numbers(name, values))
    if tensor.ndim < 2 or (dimensions and tensor.ndim != dimensions) or 0 in tensor.shape:
        wanted = "(events, columns)" if dimensions == 2 else "(events, ..., columns)"
        raise InputError(f"{name}: expected shape {wanted} without an empty axis, got shape {tuple(tensor.shape)}")
    if length is not None and len(tensor) != length:
        raise InputError(f"{name}: expected {length} rows, as many as features, got {len(tensor)}")
    tensor = tensor.to(device=like.device, dtype=like.dtype)
    bad = ~torch.isfinite(tensor).reshape(len(tensor), -1, tensor.shape[-1]).all(dim=1)
    if bad.any():
        column = int(bad.any(dim=0).nonzero()[0])
        rows = bad[:, column].nonzero().flatten()
        label = f"column {column}" + (f" ({columns[column]!r})" if columns and column < len(columns) else "")
        raise InputError(
            f"{name}: expected finite numbers (as {tensor.dtype}), got NaN or infinity in {label} "
            f"for {len(rows)} of {len(tensor)} rows, the first is row {int(rows[0])}"
        )
    return tensor


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    """Own copy as float32 or float64: torch shares memory, and refuses read-only arrays and foreign byte orders."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "buif":
            raise TypeError(f"its dtype is {array.dtype}")
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected an array of numbers, got {type(values).__name__}: {error}") from None
    return array.astype(np.float32 if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else np.float64)

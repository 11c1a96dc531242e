"""Draws from a conditional flow for many conditions, in batches that fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from nflows.flows.base import Flow
from numpy.typing import ArrayLike

from hepflows.evaluate.checks import as_count
from hepflows.evaluate.coverage import Coverage, highest_density_coverage
from hepflows.training.likelihood import as_rows, evaluation_mode


@contextmanager
def _seeded(rng: np.random.Generator | int | None, device: torch.device) -> Iterator[None]:
    # nflows draws from torch's global generator: seed it from ours and give it back as it was.
    seed = int(np.random.default_rng(rng).integers(2**63))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def conditional_draws(
    flow: Flow,
    context: ArrayLike | torch.Tensor,
    draws: int = 200,
    *,
    rng: np.random.Generator | int | None = 0,
    max_points: int = 50_000,
) -> np.ndarray:
    """`draws` independent points x_ij ~ q(.|c_i) for every condition c_i.

    Args:
        flow: conditional flow.
        context: conditions, shape (n, c).
        draws: number m of points for each condition.
        rng: numpy generator or its seed; torch's global generator is left as it was.
        max_points: largest number of points drawn at a time, which bounds the memory.

    Returns:
        Array of shape (n, m, d), in the units of the training features.

    Raises:
        InputError: wrong shape, conditions that are not finite, or counts below one.
    """
    draws, max_points = as_count("draws", draws, minimum=1), as_count("max_points", max_points, minimum=1)
    context = as_rows("context", context, flow)
    with torch.no_grad(), evaluation_mode(flow), _seeded(rng, context.device):
        batches = context.split(max(1, max_points // draws))
        return np.concatenate([flow.sample(draws, context=batch).cpu().numpy() for batch in batches])


def flow_coverage(
    flow: Flow,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor | None = None,
    levels: ArrayLike = (0.68, 0.95),
    draws: int = 200,
    *,
    rng: np.random.Generator | int | None = 0,
    max_points: int = 50_000,
) -> Coverage:
    """Coverage of the flow's highest-density regions on held-out events; see `highest_density_coverage`.

    Args:
        flow: flow whose density is judged; without a context every event gets its own draws from the one density.
        features: true features, shape (n, d).
        context: their conditions, shape (n, c), or None.
        levels: credibility levels between 0 and 1.
        draws: number of draws for each event; 200 is enough for the 0.95 level.
        rng: numpy generator or its seed; torch's global generator is left as it was.
        max_points: largest number of points drawn at a time, which bounds the memory.

    Raises:
        InputError: wrong shapes, numbers that are not finite, levels outside (0, 1), or counts below one.
    """
    draws, max_points = as_count("draws", draws, minimum=1), as_count("max_points", max_points, minimum=1)
    features = as_rows("features", features, flow, dimensions=2)
    context = None if context is None else as_rows("context", context, flow, length=len(features))
    size = max(1, max_points // draws)
    of_truth, of_draws = [], []
    with torch.no_grad(), evaluation_mode(flow), _seeded(rng, features.device):
        for start in range(0, len(features), size):
            truth = features[start : start + size]
            condition = None if context is None else context[start : start + size]
            of_truth.append(flow.log_prob(truth, context=condition))
            if condition is None:
                log_prob = flow.sample_and_log_prob(draws * len(truth))[1].reshape(len(truth), draws)
            else:
                log_prob = flow.sample_and_log_prob(draws, context=condition)[1]
            of_draws.append(log_prob)
    return highest_density_coverage(torch.cat(of_truth), torch.cat(of_draws), levels)

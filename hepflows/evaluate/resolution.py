"""How wide is a residual: the 68 % half-width, which a few far outliers do not move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hepflows.evaluate.checks import as_array, as_count


class HalfWidth(NamedTuple):
    """Half the distance between the 16 % and 84 % quantiles, and its standard error."""

    value: float
    uncertainty: float


def half_width(residual: ArrayLike, *, bootstrap: int = 100, rng: np.random.Generator | int | None = 0) -> HalfWidth:
    """(q_84 - q_16) / 2 of a residual, shape (n,), with a bootstrap error; for a Gaussian 0.994 sigma.

    Raises:
        InputError: wrong shape, a number that is not finite, or fewer than two bootstrap replicas.
    """
    residual = as_array("residual", residual, (None,))
    bootstrap = as_count("bootstrap", bootstrap, minimum=2)
    rng = np.random.default_rng(rng)
    replicas = [_half_width(rng.choice(residual, len(residual))) for _ in range(bootstrap)]
    return HalfWidth(_half_width(residual), float(np.std(replicas, ddof=1)))


def _half_width(residual):
    low, high = np.quantile(residual, (0.16, 0.84))
    return float(high - low) / 2

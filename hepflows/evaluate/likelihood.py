"""Which of two densities describes the same events better?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array


class Difference(NamedTuple):
    """A mean difference and its standard error."""

    mean: float
    uncertainty: float


def paired_difference(log_prob_a: ArrayLike, log_prob_b: ArrayLike) -> Difference:
    """NLL_a - NLL_b = <log q_b(x_i) - log q_a(x_i)> in nats; negative where a describes the events better.

    Event by event, because most of the spread of log q is common to both densities and cancels in the difference.

    Args:
        log_prob_a, log_prob_b: log densities of the *same* events in the same order, shape (n,), n >= 2.

    Raises:
        InputError: different or wrong shapes, a number that is not finite, or a single event.
    """
    a = as_array("log_prob_a", log_prob_a, (None,))
    b = as_array("log_prob_b", log_prob_b, (len(a),))
    if len(a) < 2:
        raise InputError("log_prob_a: expected at least 2 events for a standard error, got 1")
    difference = b - a
    return Difference(float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(a))))

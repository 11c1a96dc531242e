"""Checks of the arrays that the evaluation receives, with errors that name the argument."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError


def as_array(
    name: str, values: ArrayLike, shape: Sequence[int | None], allow_minus_infinity: bool = False
) -> np.ndarray:
    """Array of float64 with the wanted shape (None: any length above zero) and no NaN; InputError otherwise."""
    if hasattr(values, "detach"):  # a torch tensor, perhaps with gradient and on another device
        values = values.detach().cpu()
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected an array of numbers, got {type(values).__name__}: {error}") from None
    fits = array.ndim == len(shape) and all(
        length > 0 if wanted is None else length == wanted for length, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted_shape = ", ".join("any" if length is None else str(length) for length in shape)
        raise InputError(f"{name}: expected shape ({wanted_shape}) without empty axes, got shape {array.shape}")
    bad = np.isnan(array) | (array == np.inf) if allow_minus_infinity else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(index) for index in np.argwhere(bad)[0])
        wanted_values = "finite numbers or -inf" if allow_minus_infinity else "finite numbers"
        raise InputError(f"{name}: expected {wanted_values}, got {int(bad.sum())} others, the first at index {where}")
    return array


def as_levels(levels: ArrayLike) -> np.ndarray:
    """One-dimensional array of credibility levels, each strictly between 0 and 1; InputError otherwise."""
    array = as_array("levels", np.atleast_1d(levels), (None,))
    if not np.all((array > 0) & (array < 1)):
        raise InputError(f"levels: expected numbers strictly between 0 and 1, got {array.tolist()}")
    return array


def as_count(name: str, value: int, minimum: int) -> int:
    """The value if it is an integer of at least `minimum`; InputError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise InputError(f"{name}: expected an integer of at least {minimum}, got {value!r}")
    return int(value)

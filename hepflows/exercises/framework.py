"""Exercises that answer: a check says what is wrong with an attempt, and never stops the notebook.

An attempt cell leaves `...` to fill in and ends in `exercises.check("05.momenta", momenta)`.
The solution cell passes the same check strictly: `exercises.check("05.momenta", momenta, strict=True)`.
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hepflows.errors import InputError


class Hint(Exception):
    """Raised inside a check to end it with a hint."""


class _NotAttempted(Exception):
    pass


@dataclass(frozen=True)
class Exercise:
    """A name, the check (answer -> None if right, else a hint) and the hint for who has not begun."""

    name: str
    check: Callable
    hint: str


_exercises: dict[str, Exercise] = {}


def exercise(name, hint):
    """Decorator: register a check under a name such as "05.momenta" (notebook, exercise); names are unique."""

    def register(function):
        if name in _exercises:
            raise InputError(f"name: expected a new exercise, got {name!r}, which exists")
        _exercises[name] = Exercise(name, function, hint)
        return function

    return register


def names():
    """Names of all exercises, in order."""
    return sorted(_exercises)


def check(name, answer, *, strict=False):
    """Print whether an answer is right, or a hint; with strict=True raise AssertionError unless it is right.

    answer: a value or a function, as the exercise asks. Anything a student can write is answered with a hint.
    Raises InputError for a name that is no exercise.
    """
    if name not in _exercises:
        raise InputError(f"name: expected one of {', '.join(names())}, got {name!r}")
    found = _exercises[name]
    try:
        _require_attempt(answer)
        hint = found.check(answer)
    except _NotAttempted as raised:
        hint = None
        verdict = f"{name}: not attempted yet{raised}. {found.hint}"
    except Hint as raised:
        hint = str(raised)
    except Exception as error:  # the answer is of a kind that the check did not foresee: that is the student's to know
        hint = f"the check could not use your answer ({type(error).__name__}: {error}). {found.hint}"
    else:
        if hint is None:
            print(f"{name}: right.")
            return
    if hint is not None:
        verdict = f"{name}: not yet. {hint[:1].upper()}{hint[1:]}"
    if strict:
        raise AssertionError(verdict)
    print(verdict)


def _require_attempt(answer):
    parts = answer if isinstance(answer, (tuple, list)) else [answer]
    if answer is None or any(part is ... for part in parts):
        raise _NotAttempted


# What the checks below are written with


def call(function, *inputs):
    """The student's function at copies of the inputs; a Hint if it cannot be called or fails there."""
    if not callable(function):
        raise Hint(f"expected a function, got {type(function).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # np.log of a tensor is a fine answer
            answer = function(*[copy.deepcopy(value) for value in inputs])
    except Exception as error:
        raise Hint(f"your function raised {type(error).__name__}: {error}") from None
    if answer is None:
        raise _NotAttempted(" (your function returns nothing)")
    _require_attempt(answer)
    return answer


def array(value, shape, what):
    """An answer (numpy array, tensor, number) as float64 array of the expected shape, else a Hint."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        value = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Hint(f"{what}: expected numbers, got {type(value).__name__}") from None
    if value.shape != shape:
        raise Hint(f"{what}: expected an array of shape {shape}, got {value.shape}")
    return value


def same(value, expected, tolerance=1e-4):
    """True if all entries agree, relative to the larger of 1e-3 and the expected value; NaN never does."""
    scale = np.maximum(np.abs(expected), 1e-3)
    return bool(np.all(np.abs(value - expected) <= tolerance * scale))


def pair(value, what):
    """A pair of answers, else a Hint."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Hint(f"expected two values, {what}, got {type(value).__name__}")
    return value

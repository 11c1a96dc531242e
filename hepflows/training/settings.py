"""The numbers that steer a training, checked."""

from __future__ import annotations

import math
from numbers import Integral, Real

from hepflows.errors import InputError

SCHEDULES = ("cosine", "plateau", None)
DEFAULT_EPOCHS = 100


def checked_settings(**settings) -> dict:
    """The settings of `fit` as plain numbers, with defaults filled in; InputError names the first that is wrong."""
    for name, lowest, optional in (
        ("epochs", 1, True),
        ("batch_size", 1, False),
        ("patience", 1, True),
        ("seed", 0, False),
    ):
        settings[name] = _integer(name, settings[name], lowest, optional)
    for name, below, optional in (
        ("seconds", math.inf, True),
        ("learning_rate", math.inf, False),
        ("clip_norm", math.inf, True),
        ("average", 1, True),
    ):
        settings[name] = _number(name, settings[name], below, optional)
    if settings["schedule"] not in SCHEDULES:
        raise InputError(f"schedule: expected one of {SCHEDULES}, got {settings['schedule']!r}")
    if settings["epochs"] is None and settings["seconds"] is None:
        settings["epochs"] = DEFAULT_EPOCHS
    return settings


def _integer(name, value, lowest, optional):
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < lowest:
        raise InputError(f"{name}: expected an integer of at least {lowest}{_or_none(optional)}, got {value!r}")
    return int(value)


def _number(name, value, below, optional):
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < below:
        bound = "a positive number" if below == math.inf else f"a number between 0 and {below}"
        raise InputError(f"{name}: expected {bound}{_or_none(optional)}, got {value!r}")
    return float(value)


def _or_none(optional):
    return " or None" if optional else ""

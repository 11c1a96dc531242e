"""A recorded number: checked when it is made, printed as a physicist writes it, kept as JSON."""

import json
import math
import os
from numbers import Integral, Real
from pathlib import Path

from hepflows.errors import InputError

# The sizes in which a notebook runs; each has its folder of results.
PROFILES = ("quick", "full")


def number(argument, value):
    """`value` (Python, numpy or tensor of one number) as a finite int or float; InputError names `argument`."""
    if hasattr(value, "item") and getattr(value, "size", 1) != 0:
        try:
            value = value.item()
        except (ValueError, RuntimeError, TypeError):
            raise InputError(f"{argument}: expected one number, got {type(value).__name__} of many") from None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(f"{argument}: expected a number, got {type(value).__name__} {value!r}")
    if not math.isfinite(value):
        raise InputError(f"{argument}: expected a finite number, got {value}")
    return int(value) if isinstance(value, Integral) else float(value)


def _reference(name, reference):
    if reference is None or isinstance(reference, str):
        return reference
    if isinstance(reference, (tuple, list)):
        if len(reference) != 2:
            raise InputError(f"reference of {name!r}: expected (value, uncertainty), got {len(reference)} entries")
        value, uncertainty = reference
        return [number(f"reference of {name!r}", value), _uncertainty(f"reference of {name!r}", uncertainty)]
    return number(f"reference of {name!r}", reference)


def _uncertainty(argument, uncertainty):
    uncertainty = number(f"uncertainty of {argument}", uncertainty)
    if uncertainty < 0:
        raise InputError(f"uncertainty of {argument}: expected >= 0, got {uncertainty}")
    return uncertainty


def make(name, value, uncertainty=None, *, reference=None, source=None):
    """Checked record {name, value, uncertainty, reference, source}, valid JSON.

    reference: None, a number, (number, uncertainty), or a short text such as "<= 0.52"; source: where it stands.
    Raises InputError for what is not finite, not one number, or not named.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"name: expected an identifier such as 'coverage_68', got {name!r}")
    if source is not None and not isinstance(source, str):
        raise InputError(f"source of {name!r}: expected text, got {type(source).__name__}")
    return {
        "name": name,
        "value": number(f"value of {name!r}", value),
        "uncertainty": None if uncertainty is None else _uncertainty(repr(name), uncertainty),
        "reference": _reference(name, reference),
        "source": source,
    }


def format_value(value, uncertainty=None):
    """'0.6831 +- 0.0047': two significant digits of the uncertainty fix the decimals of both."""
    if uncertainty is None or uncertainty == 0:
        text = f"{value:.5g}" if isinstance(value, float) else str(value)
        return text if uncertainty is None else f"{text} +- 0"
    exponent = math.floor(math.log10(uncertainty))
    # 0.0996 rounds to 0.10: one decimal fewer keeps two significant digits
    if round(uncertainty, 1 - exponent) >= 10 ** (exponent + 1):
        exponent += 1
    decimals = 1 - exponent
    if -1 <= decimals <= 8 and abs(value) < 1e7:
        return f"{round(value, decimals):.{max(decimals, 0)}f} +- {round(uncertainty, decimals):.{max(decimals, 0)}f}"
    return f"{value:.4g} +- {uncertainty:.2g}"


def format_reference(reference):
    """The reference as text: '', '0.5', '0.12 +- 0.01' or the text itself."""
    if reference is None:
        return ""
    if isinstance(reference, str):
        return reference
    return format_value(*reference) if isinstance(reference, list) else format_value(reference)


def pull(record):
    """(value - reference) / sqrt(uncertainty^2 + reference uncertainty^2), or None where that means nothing."""
    value, uncertainty, reference = record["value"], record["uncertainty"], record["reference"]
    if reference is None or isinstance(reference, str) or not uncertainty:
        return None
    reference, reference_uncertainty = reference if isinstance(reference, list) else (reference, 0.0)
    return (value - reference) / math.hypot(uncertainty, reference_uncertainty)


def format_record(record):
    """One line: 'coverage_68 = 0.6831 +- 0.0047   (reference 0.68, source)'."""
    line = f"{record['name']} = {format_value(record['value'], record['uncertainty'])}"
    beside = []
    if record["reference"] is not None:
        beside.append(f"reference {format_reference(record['reference'])}")
    if record["source"]:
        beside.append(record["source"])
    return f"{line}   ({', '.join(beside)})" if beside else line


def write_atomically(path, text):
    """Write `text` to `path` whole or not at all (temporary name, then rename); makes the folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def append_line(path, content):
    """Append one JSON line; NaN and infinity are refused."""
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(content, allow_nan=False) + "\n")

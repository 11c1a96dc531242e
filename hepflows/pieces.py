"""A long computation in pieces, each kept in a file: it can be stopped and continued, and read where it is too long.

`keep` computes a piece, or reads it if it is there; `read` gives all pieces of a kind. A file holds the settings, the
result, and on what hardware, when and from which commit it was computed.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from hepflows import provenance
from hepflows import records as _records
from hepflows.errors import DataError, InputError

KEYS = {"settings", "result", "cpu_seconds", "date", "hardware", "versions", "commit"}


def keep(path: str | Path, settings: dict, compute: Callable[[], dict]) -> dict:
    """The result of `compute()` from the file, or computed now and written: whole or not at all.

    Args:
        path: the piece's file, such as results/full/09/null_3.json.
        settings: everything that the result depends on, as plain numbers, texts and lists.
        compute: function without arguments that returns plain numbers, texts, lists and dicts.

    Raises:
        InputError: the file was computed with other settings; delete it to compute it again.
        DataError: the file is damaged.
    """
    path = Path(path)
    settings = json.loads(json.dumps(settings))  # as they come back from a file
    if path.exists():
        piece = _read(path)
        if piece["settings"] != settings:
            raise InputError(
                f"settings: expected those of {path}, {piece['settings']}, got {settings}; "
                "delete the file to compute it again"
            )
        return piece["result"]
    began = time.process_time()
    result = compute()
    piece = {
        "settings": settings,
        "result": result,
        "cpu_seconds": round(time.process_time() - began, 1),
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }
    _records.write_atomically(path, json.dumps(piece, indent=1, allow_nan=False) + "\n")
    return json.loads(json.dumps(result))


def read(folder: str | Path, kind: str) -> list[dict]:
    """All pieces `<kind>_<number>.json` of a folder, in the order of their numbers; none if there is no such file.

    Raises DataError for a file that is damaged.
    """
    paths = [path for path in Path(folder).glob(f"{kind}_*.json") if path.stem.rpartition("_")[2].isdecimal()]
    return [_read(path) for path in sorted(paths, key=lambda path: int(path.stem.rpartition("_")[2]))]


def origin(pieces: list[dict]) -> str:
    """One line: how many stored pieces, when and where they were computed, and in what time."""
    if not pieces:
        return "nothing stored"
    dates = sorted({piece["date"] for piece in pieces})
    machines = sorted({piece["hardware"]["accelerator"] or piece["hardware"]["cpu"] for piece in pieces})
    seconds = sum(piece["cpu_seconds"] for piece in pieces)
    period = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return f"stored: {len(pieces)} of {period}, {', '.join(machines)}, {seconds:.0f} CPU s"


def _read(path):
    try:
        piece = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a stored piece; {error}") from None
    if not isinstance(piece, dict) or set(piece) != KEYS:
        raise DataError(f"{path}: expected a stored piece with {', '.join(sorted(KEYS))}, got something else")
    return piece

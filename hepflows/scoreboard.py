"""What the notebooks measured, beside the lectures' and the papers' numbers."""

import json
from pathlib import Path

from hepflows import records as _records
from hepflows.errors import DataError

HEADINGS = ("notebook", "profile", "record", "value", "reference", "pull", "source")
_KEYS = {"notebook", "profile", "seed", "hardware", "versions", "commit", "seconds", "peak_memory_bytes", "records"}


def read(path):
    """The report of one run from its JSON file; DataError names the file if it is not such a report."""
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected the JSON report of a notebook run; {error}") from None
    missing = _KEYS - set(report) if isinstance(report, dict) else _KEYS
    if missing:
        raise DataError(f"{path}: expected the JSON report of a notebook run, got one without {sorted(missing)}")
    return report


def read_all(results, profile=None):
    """Reports in results/<profile>/*.json in order, of one profile or of all; DataError if there is none.

    Other folders in results, such as that of the benchmarks, are not notebooks' and are passed over.
    """
    profiles = _records.PROFILES if profile is None else (profile,)
    paths = sorted(path for name in profiles for path in (Path(results) / name).glob("*.json"))
    if not paths:
        which = f" of profile {profile}" if profile else ""
        raise DataError(f"results: expected reports{which} in {results}, got none; make them with hepflows run")
    return [read(path) for path in paths]


def rows(reports):
    """One tuple of strings per record, in the order of HEADINGS; a pull only where there is an uncertainty."""
    table = []
    for report in reports:
        for record in report["records"]:
            pull = _records.pull(record)
            table.append(
                (
                    report["notebook"],
                    report["profile"],
                    record["name"],
                    _records.format_value(record["value"], record["uncertainty"]),
                    _records.format_reference(record["reference"]),
                    "" if pull is None else f"{pull:+.1f}",
                    record["source"] or "",
                )
            )
    return table


def table(reports):
    """The scoreboard as text in columns."""
    lines = [HEADINGS, *rows(reports)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(entry.ljust(width) for entry, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )

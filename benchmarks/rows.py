"""Rows of a benchmark, one measurement each, in a file that a stopped run goes on with."""

import json
from pathlib import Path

from hepflows import provenance, records


def measure_missing(out, wanted, key, measure, peers=()):
    """Measure what `out` does not hold yet, and write after every row; returns all rows.

    `wanted`: arguments of `measure`, one tuple a row; `key(row)` gives the tuple that a row was made with. `peers`:
    packages whose versions are noted beside ours.
    """
    out = Path(out)
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"] if out.exists() else []
    done = {key(row) for row in rows}
    for arguments in wanted:
        if arguments in done:
            continue
        rows.append(measure(*arguments))
        print(json.dumps(rows[-1]), flush=True)
        report = {
            "hardware": provenance.hardware("cpu", None, 1),
            "versions": provenance.versions() | {peer: provenance.version(peer) for peer in peers},
            "rows": rows,
        }
        records.write_atomically(out, json.dumps(report, indent=1) + "\n")
    return rows

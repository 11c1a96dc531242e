"""Sherpa's unweighting efficiencies for W+ + jets: `python -m benchmarks.sherpa` (minutes a jet; Python 3.12 or 3.13).

The cuts, scales and couplings are those of `VectorBosonJets`; the parton densities are those that come with Sherpa.
Where this package runs in an older Python, `--python` names another one that has sherpa-mc and needs nothing else.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import sherpa_events
from hepflows import provenance, records
from hepflows.errors import InputError
from hepflows.evaluate import bootstrap_maximum, overweight_maximum, unweighting_efficiency
from hepflows.generators import sherpa

EVENTS = 100_000
SEED = 1
RUN_CARD = """\
BEAMS: 2212
BEAM_ENERGIES: 7000
EVENTS: {events}
RANDOM_SEED: {seed}
PDF_LIBRARY: LHAPDFSherpa
PDF_SET: NNPDF31_nnlo_as_0118_mc
MI_HANDLER: None
FRAGMENTATION: None
SHOWER_GENERATOR: None
BEAM_REMNANTS: false
ME_QED: {{ENABLED: false}}
ME_GENERATORS: [Comix]
EVENT_GENERATION_MODE: Weighted
EVENT_OUTPUT: LHEF[events]
SCALES: VAR{{sqr(91.1876)}}
ALPHAS: {{USE_PDF: 1}}
EW_SCHEME: Gmu
WIDTH_SCHEME: Fixed
PARTICLE_DATA:
  24: {{Mass: 80.379, Width: 2.085}}
  23: {{Mass: 91.1876, Width: 2.4952}}
PROCESSES:
- 93 93 -> -11 12{partons}:
    Order: {{QCD: {jets}, EW: 2}}
    Integration_Error: 0.01
SELECTORS:
- [Mass, -11, 12, 20.0, 200.0]
"""
JETS = """\
- FastjetFinder:
    Algorithm: kt
    N: {jets}
    PTMin: 20.0
    DR: 0.4
    EtaMax: 6.0
"""


def run_card(jets, events, seed):
    """The text of Sherpa.yaml."""
    card = RUN_CARD.format(jets=jets, events=events, seed=seed, partons=" 93" * jets)
    return card + JETS.format(jets=jets) if jets else card


def weights_and_trials(text):
    """Weight of each event in a Les Houches file, and how many points were thrown for it, failed cuts included."""
    found = re.findall(r"<event[^>]*trials=['\"]?\s*([\d.e+]+)[^>]*>\s*\S+\s+\S+\s+(\S+)", text)
    trials, weights = np.array(found, dtype=float).T
    return weights, trials


def cross_section(weights, trials):
    """Mean of the weights over all points thrown, those that fail the cuts with weight zero, and its error, in pb."""
    thrown = trials.sum()
    value = weights.sum() / thrown
    return value, ((weights**2).sum() / thrown - value**2) ** 0.5 / thrown**0.5


def site_of(python):
    """The folder in which an interpreter finds Sherpa; InputError if it does not."""
    locate = "import importlib.util as u; print(getattr(u.find_spec('Sherpa'), 'origin', ''))"
    found = subprocess.run([python, "-c", locate], check=True, capture_output=True, text=True).stdout.strip()
    if not found:
        raise InputError(f"python: expected an interpreter with sherpa-mc (Python 3.12 or 3.13), got {python}")
    return Path(found).parent


def measure(jets, events, seed, python):
    """One row: efficiencies of the points that pass the cuts, whose share is `cut_efficiency`."""
    with tempfile.TemporaryDirectory(prefix="hepflows-sherpa-") as folder:
        (Path(folder) / "Sherpa.yaml").write_text(run_card(jets, events, seed))
        command = [python, sherpa_events.__file__, str(events)]
        variables, began = sherpa.environment(site_of(python)), os.times()
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, errors="replace")
        ended = os.times()
        if done.returncode:
            raise RuntimeError(f"Sherpa ended with code {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        text = next(Path(folder).glob("events*")).read_text()
    weights, trials = weights_and_trials(text)
    value, error = cross_section(weights, trials)
    return {
        "integrand": f"w_{jets}j",
        "method": "sherpa",
        "events": len(weights),
        "seed": seed,
        "value": float(value),
        "error": float(error),
        "efficiency_a": unweighting_efficiency(weights, bootstrap_maximum(weights)),
        "efficiency_b": unweighting_efficiency(weights, overweight_maximum(weights)),
        "cut_efficiency": len(weights) / trials.sum(),
        "seconds": round(ended.children_user - began.children_user, 2),
        "date": time.strftime("%Y-%m-%d"),
        "commit": provenance.commit(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/sherpa.json", help="default: %(default)s")
    parser.add_argument("--jets", type=int, nargs="*", default=[0, 1, 2], help="default: %(default)s")
    parser.add_argument("--events", type=int, default=EVENTS, help="default: %(default)s")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has sherpa-mc (default: this one)")
    options = parser.parse_args()
    out, rows = Path(options.out), []
    if out.exists():
        rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    for jets in options.jets:
        rows = [row for row in rows if row["integrand"] != f"w_{jets}j"]
        rows.append(measure(jets, options.events, SEED, options.python))
        print(json.dumps(rows[-1]), flush=True)
        report = {
            "hardware": provenance.hardware("cpu", None, 1),
            "versions": {"sherpa-mc": sherpa.VERSION},
            "rows": rows,
        }
        records.write_atomically(out, json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

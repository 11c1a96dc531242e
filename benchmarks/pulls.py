"""Are the integrator's errors honest? `python -m benchmarks.pulls` repeats integrations whose result is known.

Each repetition has a seed of its own, trains from scratch and integrates; its pull is (value - exact) / error. With
honest errors the pulls have mean 0 and width 1. A run that was stopped goes on where it stopped.
"""

import argparse
import itertools
import math
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.rows import measure_missing  # noqa: E402
from hepflows import integrands, provenance  # noqa: E402
from hepflows.integrate import Integrator  # noqa: E402
from hepflows.physics.processes import ElectronPositronJets, three_jet_cross_section  # noqa: E402

# name: (integrand, exact integral, evaluations of one repetition)
CASES = {
    "camel4": lambda: (integrands.camel(4), integrands.camel(4).integral, 20_000),
    "ee_qqg": lambda: (ElectronPositronJets(gluons=1, y_cut=0.01), three_jet_cross_section(0.01), 20_000),
}


def measure(name, seed):
    """One row: an integration with half of its evaluations for the training."""
    integrand, exact, evaluations = CASES[name]()
    integrator = Integrator(integrand, integrand.dims, seed=seed)
    integrator.train(evaluations // 2, progress=False)
    result = integrator.integrate(evaluations - integrator.evaluations)
    row = {"integrand": name, "evaluations": evaluations, "seed": seed, "value": result.value, "error": result.error}
    return row | {"exact": exact, "pull": (result.value - exact) / result.error, "commit": provenance.commit()}


def summary(rows):
    """For each integrand the mean and the width of the pulls, with their errors for honest ones."""
    lines = []
    for name in dict.fromkeys(row["integrand"] for row in rows):
        pulls = np.array([row["pull"] for row in rows if row["integrand"] == name])
        n = len(pulls)
        width = f"width {pulls.std(ddof=1):.2f} +- {1 / math.sqrt(2 * n):.2f}" if n > 1 else ""
        lines.append(f"{name:8} {n:3} pulls: mean {pulls.mean():+.2f} +- {1 / math.sqrt(n):.2f}, {width}")
    return "\n".join(lines)


def run(names, repetitions, out):
    """Measure what `out` does not hold yet; write after every row."""
    wanted = itertools.product(names, range(1, repetitions + 1))
    return measure_missing(out, wanted, lambda row: (row["integrand"], row["seed"]), measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/pulls.json", help="default: %(default)s")
    parser.add_argument("--integrands", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repetitions", type=int, default=50, help="default: %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(summary(run(options.integrands, options.repetitions, options.out)))


if __name__ == "__main__":
    main()

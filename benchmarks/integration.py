"""Integrals beside VEGAS and madnis: `python -m benchmarks.integration` (one thread, an hour for the test functions).

Each row is one integration: same integrand and same total number of evaluations for every method, training included.
Efficiencies come from POINTS more points, which do not count. A run that was stopped goes on where it stopped.
"""

import argparse
import itertools
import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.rows import measure_missing  # noqa: E402
from hepflows import integrands, provenance  # noqa: E402
from hepflows.evaluate import bootstrap_maximum, overweight_maximum, unweighting_efficiency  # noqa: E402
from hepflows.integrate import Integrator  # noqa: E402
from hepflows.physics.processes import ElectronPositronJets, VectorBosonJets  # noqa: E402

POINTS = 100_000
TRAINING = 0.5  # share of the evaluations that adapt, for all methods
# name: (integrand of points (n, dims), dims, evaluations)
CASES = {
    "camel4": lambda: (integrands.camel(4), 4, 200_000),
    "camel8": lambda: (integrands.camel(8), 8, 200_000),
    "circles": lambda: (integrands.entangled_circles(), 2, 200_000),
    "ee_qqg": lambda: _with_dims(ElectronPositronJets(gluons=1, y_cut=0.01), 200_000),
    "w_0j": lambda: _with_dims(VectorBosonJets("W+", 0), 300_000),
    "w_1j": lambda: _with_dims(VectorBosonJets("W+", 1), 300_000),
    "w_2j": lambda: _with_dims(VectorBosonJets("W+", 2), 300_000),
    "w_3j": lambda: _with_dims(VectorBosonJets("W+", 3), 300_000),
}


def _with_dims(process, evaluations):
    """A process as a function of x alone: the sum of its channels, the same for every method."""
    return process, process.dims, evaluations


def hepflows_method(integrand, dims, evaluations, seed):
    """Our integrator with its defaults."""
    integrator = Integrator(integrand, dims, seed=seed)
    integrator.train(round(TRAINING * evaluations), progress=False)
    result = integrator.integrate(evaluations - integrator.evaluations)
    return result.value, result.error, lambda: integrator.sample(POINTS).weights.numpy()


def vegas_method(integrand, dims, evaluations, seed, iterations=20):
    """VEGAS+ (arXiv:2009.05112): half of the iterations adapt. Weights are those of its map, without stratification."""
    import gvar
    import vegas

    gvar.ranseed(seed)
    integrator = vegas.Integrator([[0, 1]] * dims)
    batched = vegas.lbatchintegrand(lambda x: integrand(torch.from_numpy(np.array(x))).numpy())
    each, adapting = evaluations // iterations, round(TRAINING * iterations)
    integrator(batched, nitn=adapting, neval=each)
    result = integrator(batched, nitn=iterations - adapting, neval=each, adapt=False)

    def weights():
        y = np.random.default_rng(seed).random((POINTS, dims))
        x, jacobian = np.empty_like(y), np.empty(POINTS)
        integrator.map.map(y, x, jacobian)
        return jacobian * integrand(torch.from_numpy(x)).numpy()

    return result.mean, result.sdev, weights


def madnis_method(integrand, dims, evaluations, seed, batch=1024, buffered_steps=7):
    """madnis with its VEGAS start and its buffer; a batch is drawn, seven more come from the buffer."""
    from madnis.integrator import Integrator as MadnisIntegrator
    from madnis.integrator import VegasPreTraining

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (madnis has no other way)
    start = [evaluations // 100, evaluations // 100, evaluations // 50, evaluations // 50, evaluations // 25]
    steps = round((TRAINING * evaluations - sum(start)) / batch) * (1 + buffered_steps)
    integrator = MadnisIntegrator(
        lambda x: integrand(x.double()).float(), dims=dims, batch_size=batch, learning_rate=3e-3,
        buffer_capacity=evaluations, minimum_buffer_size=4000, buffered_steps=buffered_steps,
        scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=5e-5),
    )  # fmt: skip
    vegas_start = VegasPreTraining(integrator, bins=64, damping=0.7)
    vegas_start.train(start)
    vegas_start.initialize_integrator()
    integrator.train(steps)
    value, error = integrator.integrate(evaluations - integrand.count, batch_size=20_000)
    return value, error, lambda: integrator.sample(POINTS, batch_size=10_000).weights.double().numpy()


METHODS = {"hepflows": hepflows_method, "vegas": vegas_method, "madnis": madnis_method}


class Counted:
    """An integrand that counts, and stops a method that takes more than it was given."""

    def __init__(self, integrand, limit):
        self.integrand, self.limit, self.count = integrand, limit, 0

    def __call__(self, x):
        self.count += len(x)
        if self.limit is not None and self.count > self.limit:
            raise RuntimeError(f"{self.count} evaluations, {self.limit} were allowed")
        return self.integrand(x)


def measure(name, method, seed):
    """One row."""
    integrand, dims, evaluations = CASES[name]()
    counted = Counted(integrand, round(1.01 * evaluations))
    began = time.process_time()
    value, error, weights = METHODS[method](counted, dims, evaluations, seed)
    seconds = time.process_time() - began
    counted.limit = None
    drawn = np.maximum(weights(), 0.0)
    return {
        "integrand": name,
        "evaluations": evaluations,
        "method": method,
        "seed": seed,
        "value": float(value),
        "error": float(error),
        "efficiency_a": unweighting_efficiency(drawn, bootstrap_maximum(drawn)),
        "efficiency_b": unweighting_efficiency(drawn, overweight_maximum(drawn)),
        "seconds": round(seconds, 2),
        "date": time.strftime("%Y-%m-%d"),
        "commit": provenance.commit(),
    }


def summary(rows):
    """Medians over the seeds: a line for each integrand and method, with the error of each method over ours."""
    lines = [f"{'integrand':<10} {'method':<9} seeds  rel. error  error/ours  eff. (a)  eff. (b)  seconds"]
    for name in dict.fromkeys(row["integrand"] for row in rows):
        medians = {}
        for method in METHODS:
            own = [row for row in rows if (row["integrand"], row["method"]) == (name, method)]
            if own:
                relative = statistics.median(row["error"] / row["value"] for row in own)
                rest = [
                    statistics.median(row[key] for row in own) for key in ("efficiency_a", "efficiency_b", "seconds")
                ]
                medians[method] = len(own), relative, *rest
        ours = medians.get("hepflows", (0, float("nan")))[1]
        for method, (seeds, relative, a, b, seconds) in medians.items():
            figures = f"{relative:10.2e}  {relative / ours:10.2f}  {a:8.4f}  {b:8.4f}  {seconds:7.1f}"
            lines.append(f"{name:<10} {method:<9} {seeds:5d}  {figures}")
    return "\n".join(lines)


def key(row):
    """What makes a row one of its kind: the arguments of `measure`."""
    return row["integrand"], row["method"], row["seed"]


def run(names, methods, seeds, out):
    """Measure what `out` does not hold yet; write after every row."""
    wanted = [(name, method, seed) for name, seed, method in itertools.product(names, seeds, methods)]
    return measure_missing(out, wanted, key, measure, peers=("vegas", "madnis"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/integration.json", help="default: %(default)s")
    parser.add_argument("--integrands", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, from 1 (default: %(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = run(options.integrands, options.methods, range(1, options.seeds + 1), options.out)
    print(summary([row for row in rows if row["integrand"] in options.integrands]))


if __name__ == "__main__":
    main()

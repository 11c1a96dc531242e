"""Events a second of amplitudes and integrands on one thread: `python -m benchmarks.amplitudes` (a minute).

Amplitudes are e+ e- -> q qbar + n gluons, all helicities and colours, from momenta; integrands are pp -> V + n jets
with phase space, cuts, densities and all channels, from points of the unit cube.
"""

import argparse
import json
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import torch  # noqa: E402

from benchmarks.timing import interleaved  # noqa: E402
from hepflows import provenance, records  # noqa: E402
from hepflows.physics.processes import ElectronPositronJets, VectorBosonJets  # noqa: E402

BATCHES = {0: 20_000, 1: 20_000, 2: 16_384, 3: 8_192}
PRECISIONS = {"float64": torch.float64, "float32": torch.float32}


def contestants(jets):
    """{(what, precision): function without arguments} for one multiplicity."""
    made = {}
    generator = torch.Generator().manual_seed(1)
    annihilation = ElectronPositronJets(jets, 0.01)
    momenta = annihilation.phase_space(torch.rand(BATCHES[jets], annihilation.dims, generator=generator).double())[0]
    for precision, dtype in PRECISIONS.items():
        made["e+ e- amplitude", precision] = _call(annihilation.squared_amplitude, momenta.to(dtype))
        for boson in ("W+", "W-", "Z"):
            integrand = VectorBosonJets(boson, jets)
            points = torch.rand(BATCHES[jets], integrand.dims, generator=generator).to(dtype)
            made[f"pp -> {boson} integrand", precision] = _call(integrand, points)
    return made


def _call(function, points):
    def run():
        with torch.no_grad():
            return function(points)

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/amplitudes.json", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=15.0, help="time for each multiplicity")
    parser.add_argument("--jets", type=int, nargs="*", default=sorted(BATCHES), help="default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for jets in options.jets:
        for (what, precision), times in interleaved(contestants(jets), options.rounds, options.seconds, 1).items():
            rate = BATCHES[jets] / sorted(times)[len(times) // 2]
            row = {"what": what, "jets": jets, "precision": precision, "batch": BATCHES[jets]}
            rows.append(row | {"events_per_second": round(rate), "rounds": len(times)})
            print(f"{what:<20} n={jets} {precision} {rate:12,.0f} events/s", flush=True)
    report = {
        "hardware": provenance.hardware("cpu", None, 1),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "rows": rows,
    }
    print("->", records.write_atomically(options.out, json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()

"""Speed of a generated shower of 504 voxels: `python -m benchmarks.showers` (one thread, a few minutes).

The teacher of CaloFlow, drawn from in two ways with the same weights: nflows' inverse, which passes through all of the
network once for each voxel, and our cached inverse; beside them a student of the same size, and our Monte Carlo if
numba is installed. CPU seconds of one thread, interleaved. That both ways draw the same numbers is checked first.
"""

import argparse
import copy
import json
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time  # noqa: E402
import warnings  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from nflows import transforms  # noqa: E402

from benchmarks.timing import interleaved, ratio  # noqa: E402
from hepflows import flows, provenance, records, training  # noqa: E402

VOXELS, CONTEXT, BINS, TAIL_BOUND = 504, 4, 8, 6.0
SHIFT = 100.0  # nflows puts a ReLU on the condition: far above zero it does nothing


def teacher(hidden=(128, 128), transforms=2, features=VOXELS, seed=0):
    """A flow with weights that are not the identity's, drawn at random."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that are fewer than voxels
        flow = flows.autoregressive_flow(
            features, CONTEXT, transforms, BINS, TAIL_BOUND, hidden, permutation="random", seed=seed
        )
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return flow.eval()


def as_nflows(flow):
    """nflows' transform with the weights, masks and permutations of our flow (without its standardisation)."""
    layers = []
    for layer in flow.layers[1:]:
        layers.append(layer if isinstance(layer, transforms.Permutation) else _layer_of_nflows(layer))
    return transforms.CompositeTransform(layers)


def _layer_of_nflows(layer):
    ours = layer.network
    features, units = ours.features, ours.hidden[0].out_features
    theirs = transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        features=features,
        hidden_features=units,
        context_features=CONTEXT,
        num_bins=BINS,
        tails="linear",
        tail_bound=TAIL_BOUND,
        num_blocks=1,
        use_residual_blocks=False,
    )
    made = theirs.to(ours.output.weight.dtype).autoregressive_net
    pairs = zip((made.initial_layer, made.blocks[0].linear), ours.hidden, strict=True)
    with torch.no_grad():
        for number, (target, source) in enumerate(pairs):
            target.weight.copy_(source.weight)
            target.bias.copy_(source.bias)
            target.mask.copy_(getattr(ours, f"mask_{number}"))
        made.context_layer.weight.copy_(ours.context.weight)
        made.context_layer.bias.fill_(SHIFT)
        made.initial_layer.bias.sub_(SHIFT)
        # nflows has all parameters of the first feature first, then those of the second
        made.final_layer.weight.copy_(_by_feature(ours.output.weight, features))
        made.final_layer.bias.copy_(_by_feature(ours.output.bias, features))
        made.final_layer.mask.copy_(ours.output_mask.repeat_interleave(ours.parameters_per_feature, 0))
    return theirs


def _by_feature(rows, features):
    return rows.unflatten(0, (-1, features)).transpose(0, 1).flatten(0, 1)


def largest_difference(flow, showers=2):
    """Largest difference of nflows' draws and ours, in double precision and for the same noise."""
    ours = copy.deepcopy(flow).double()
    theirs = as_nflows(ours)
    noise = torch.randn(showers, flow.features, dtype=torch.float64)
    context = torch.randn(showers, CONTEXT, dtype=torch.float64)
    with torch.no_grad():
        return (theirs.inverse(noise, context)[0] - ours._transform.inverse(noise, context)[0]).abs().max().item()


def measure(hidden, batches, passes_batch, rounds):
    """Seconds a shower of each way, and the ratio of nflows' draw and ours at the batch of `passes_batch`."""
    flow = teacher(hidden)
    student = training.student_of(flow)
    theirs = as_nflows(flow)
    report = {"hidden": list(hidden), "transforms": 2, "largest_difference": largest_difference(flow)}

    def contestants(batch):
        noise, context = torch.randn(batch, VOXELS), torch.randn(batch, CONTEXT)
        ways = {"teacher, D passes": theirs, "teacher, cached": flow._transform, "student": student._transform}
        return {name: lambda way=way: way.inverse(noise, context) for name, way in ways.items()}

    with torch.no_grad():
        ways = contestants(passes_batch)
        ways["teacher, cached"](), ways["student"]()  # warm up; the other one takes a minute
        times = interleaved(ways, rounds, 600.0, warm_up=0)
        median, low, high = ratio(times["teacher, D passes"], times["teacher, cached"])
        report["passes"] = {
            "batch": passes_batch,
            "rounds": rounds,
            "ratio": median,
            "ratio_low": low,
            "ratio_high": high,
        }
        report["seconds_per_shower"] = {
            name: {passes_batch: min(found) / passes_batch} for name, found in times.items()
        }
        for batch in batches:
            ways = contestants(batch)
            ways.pop("teacher, D passes")
            for name, found in interleaved(ways, 5, 20.0, warm_up=1).items():
                report["seconds_per_shower"][name][batch] = min(found) / batch
    report["seconds_per_shower"] = {
        name: dict(sorted(found.items())) for name, found in report["seconds_per_shower"].items()
    }
    return report


def simulation(showers=60):
    """CPU seconds a shower of our Monte Carlo, compilation not counted; None without numba."""
    try:
        from hepflows.generators.showers.simulate import electromagnetic_showers
    except ImportError:
        return None
    rng = np.random.default_rng(0)
    electromagnetic_showers("e+", [1000.0], rng)
    energies = rng.uniform(1e3, 1e5, showers)  # MeV
    start = time.process_time()
    electromagnetic_showers("e+", energies, rng)
    return (time.process_time() - start) / showers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/showers.json", help="default: %(default)s")
    parser.add_argument(
        "--hidden", type=int, nargs="+", default=[256, 256], help="units (default: those of lecture 08)"
    )
    parser.add_argument("--passes-batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2, help="of the draws by D passes")
    parser.add_argument("--batches", type=int, nargs="*", default=[10, 100, 1000, 10000])
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Inputs to the softmax")
    report = {
        "hardware": provenance.hardware("cpu", None, 1),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "voxels": VOXELS,
        **measure(tuple(options.hidden), options.batches, options.passes_batch, options.rounds),
        "simulation_seconds_per_shower": simulation(),
    }
    print(json.dumps(report, indent=1))
    print("->", records.write_atomically(options.out, json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()

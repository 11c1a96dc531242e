"""Speed of flows beside nflows, zuko, normflows and madnis: `python -m benchmarks.flows` (one thread, half an hour).

Ratios are peer time / our time, so more than 1 means that we are faster. Each row is measured interleaved in one run;
before it is timed, our flow is checked to give nflows' log_prob with the same weights.
"""

import argparse
import copy
import itertools
import json
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import warnings  # noqa: E402

import torch  # noqa: E402

from benchmarks import peers  # noqa: E402
from benchmarks.timing import interleaved, ratio  # noqa: E402
from hepflows import flows, provenance, records  # noqa: E402

# features, hidden units, transforms, batch, context
CASES = [(6, 64, 6, 2048, 0), (10, 64, 6, 2048, 16), (30, 64, 6, 2048, 0), (504, 128, 2, 256, 0)]
TASKS = ("train_step", "log_prob", "sample")
# One autoregressive layer: what a draw costs, beside D passes (nflows' draw) and beside one pass (its density).
SINGLE_LAYER = [(6, 64, 2048), (30, 64, 2048), (150, 128, 512), (504, 128, 256), (504, 512, 256)]


def build(family, features, hidden, transforms, context):
    """{name: Model} of every library that has the family; ours eager and compiled, with nflows' weights."""
    torch.manual_seed(0)
    coupling = family == "coupling"
    sizes = (features, context, hidden, transforms)
    nflows = (peers.nflows_coupling if coupling else peers.nflows_autoregressive)(*sizes)
    ours = (peers.hepflows_coupling if coupling else peers.hepflows_autoregressive)(nflows, features, context, hidden)
    compiled = copy.deepcopy(ours.module).compile()
    models = {
        "hepflows": ours,
        "hepflows compiled": peers.as_model(compiled),
        "nflows": nflows,
        "zuko": peers.zuko_flow(*sizes, coupling),
    }
    if not context:
        models["normflows"] = peers.normflows_flow(features, hidden, transforms, coupling)
    if coupling:
        models["madnis"] = peers.madnis_coupling(*sizes)
    return models


def check_agreement(models, x, context, family):
    """Same weights, same numbers, in double precision."""
    if family == "autoregressive" and context is not None:
        return  # nflows' MADE puts a ReLU on the context
    double = [
        None if value is None else value.double() for value in (x[:200], None if context is None else context[:200])
    ]
    values = []
    for name in ("hepflows", "nflows"):
        model = copy.deepcopy(models[name].module).double()
        values.append(model.log_prob(double[0], context=double[1]).detach())
    torch.testing.assert_close(*values, rtol=1e-9, atol=1e-9)


def task_function(model, task, x, context):
    """What is timed: a training step, a density, or as many draws as x has events."""
    if task == "train_step":
        # The fused Adam, as in our trainings, for everybody: the row is about the flows.
        optimizer = torch.optim.Adam(model.module.parameters(), lr=1e-4, fused=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            (-model.log_prob(x, context).mean()).backward()
            optimizer.step()

        return step

    def run():
        with torch.no_grad():
            return model.log_prob(x, context) if task == "log_prob" else model.sample(len(x), context)

    return run


def measure(family, case, tasks, rounds, seconds):
    """Rows of the result for one architecture."""
    features, hidden, transforms, batch, context_features = case
    models = build(family, features, hidden, transforms, context_features)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, features, generator=generator)
    context = torch.randn(batch, context_features, generator=generator) if context_features else None
    check_agreement(models, x, context, family)
    about = dict(
        family=family, features=features, hidden=hidden, transforms=transforms, batch=batch, context=context_features
    )
    rows = []
    for task in tasks:
        # D passes of every peer take minutes there: only one layer is drawn from, below.
        if task == "sample" and family == "autoregressive" and features > 30:
            continue
        contestants = {name: task_function(model, task, x, context) for name, model in models.items()}
        times = interleaved(contestants, rounds, seconds)
        for peer, compiled in itertools.product([name for name in times if "hepflows" not in name], (False, True)):
            ours = times["hepflows compiled" if compiled else "hepflows"]
            rows.append(row(about, task, compiled, peer, times[peer], ours))
    return rows


def measure_single_layer(features, hidden, batch, rounds, seconds):
    """One autoregressive layer: our draw against nflows' draw (D passes), and against nflows' density (one pass)."""
    models = build("autoregressive", features, hidden, 1, 0)
    x = torch.randn(batch, features, generator=torch.Generator().manual_seed(1))
    about = dict(family="autoregressive", features=features, hidden=hidden, transforms=1, batch=batch, context=0)
    contestants = {name: task_function(models[name], "sample", x, None) for name in ("hepflows", "hepflows compiled")}
    contestants["nflows density"] = task_function(models["nflows"], "log_prob", x, None)
    quick = interleaved(contestants, rounds, seconds)
    rows = []
    slow = {"nflows": task_function(models["nflows"], "sample", x, None), "hepflows": contestants["hepflows"]}
    slow["hepflows compiled"] = contestants["hepflows compiled"]
    # D passes take up to a minute there: all are warm by now, and two rounds must do.
    draws = interleaved(slow, rounds, seconds) if features < 100 else interleaved(slow, 2, seconds, warm_up=0)
    for compiled in (False, True):
        ours = "hepflows compiled" if compiled else "hepflows"
        rows.append(row(about, "sample", compiled, "nflows", draws["nflows"], draws[ours]))
        rows.append(row(about, "sample_against_density", compiled, "nflows", quick["nflows density"], quick[ours]))
    return rows


def measure_scaling(rounds, seconds):
    """Our own cost, eager: microseconds an event against the number of features and against the batch."""
    cases = [(features, 2048) for features in (2, 4, 8, 16, 32, 64, 128)]
    cases += [(8, batch) for batch in (16, 64, 256, 1024, 4096, 16384)]
    rows = []
    for family, (features, batch) in itertools.product(("coupling", "autoregressive"), cases):
        builder = flows.coupling_flow if family == "coupling" else flows.autoregressive_flow
        flow = builder(features=features, transforms=4, hidden=(128, 128), permutation="reverse")
        model = peers.as_model(flow)
        x = torch.randn(batch, features, generator=torch.Generator().manual_seed(1))
        tasks = {task: task_function(model, task, x, None) for task in TASKS}
        for task, times in interleaved(tasks, rounds, seconds).items():
            microseconds = 1e6 * sorted(times)[len(times) // 2] / batch
            about = dict(family=family, features=features, hidden=128, transforms=4, batch=batch, task=task)
            rows.append(about | {"microseconds_per_event": round(microseconds, 3)})
    return rows


def row(about, task, compiled, peer, peer_times, our_times):
    """One row of the result, and a line on the screen."""
    median, low, high = ratio(peer_times, our_times)
    made = {**about, "task": task, "compiled": compiled, "peer": peer}
    made |= {"ratio": round(median, 3), "ratio_low": round(low, 3), "ratio_high": round(high, 3)}
    made |= {"seconds": round(sorted(our_times)[len(our_times) // 2], 6), "rounds": len(our_times)}
    label = "{family:<14} D={features:<3} {hidden}x2 L={transforms} c={context:<2}".format(**about)
    mode = "compiled" if compiled else "eager"
    print(f"{label} {task:<22} {mode:<8} {peer:<9} {median:8.2f}  [{low:.2f}, {high:.2f}]", flush=True)
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/flows.json", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=20.0, help="time for each task of each architecture")
    parser.add_argument("--features", type=int, nargs="*", help="only these numbers of features")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # nflows and normflows warn in each layer that they do not scale the logits of a foreign network.
    warnings.filterwarnings("ignore", message="Inputs to the softmax")
    torch._dynamo.config.recompile_limit = 64
    wanted = options.features or [6, 10, 30, 150, 504]
    rows = []
    for family, case in itertools.product(("coupling", "autoregressive"), CASES):
        if case[0] in wanted:
            rows += measure(family, case, TASKS, options.rounds, options.seconds)
    for case in SINGLE_LAYER:
        if case[0] in wanted:
            rows += measure_single_layer(*case, options.rounds, options.seconds)
    versions = provenance.versions() | {name: provenance.version(name) for name in ("zuko", "normflows", "madnis")}
    report = {
        "hardware": provenance.hardware("cpu", None, 1),
        "versions": versions,
        "commit": provenance.commit(),
        "rows": rows,
        "scaling": measure_scaling(options.rounds, options.seconds / 8),
    }
    print("->", records.write_atomically(options.out, json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()

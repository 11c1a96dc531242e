"""CATHODE of lecture 09 beside the recipe of the public walkthrough: `python -m benchmarks.cathode` (one thread).

Both recipes are given the same data, background and a signal of some S / sqrt(B) in the window, and each uses them in
its own way: the lecture's flow trains on all of them, and each of its trees sets 30 % aside; the walkthrough sets a
quarter aside (`benchmarks.walkthrough`). The lecture's classifier is the one that did best in its stored injections:
trees, and three draws for each event, as many as the walkthrough has. Both are judged on the same test events, which
neither has seen. A supervised classifier, which knows the signal, says how much there is to be had at all. One row for
each injection: signal events, flows and classifiers anew.
"""

import argparse
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402

from benchmarks import walkthrough  # noqa: E402
from benchmarks.rows import measure_missing  # noqa: E402
from hepflows import datasets, evaluate, flows, provenance, training  # noqa: E402

WINDOW = (3.3, 3.7)  # TeV
EDGES = np.concatenate([np.linspace(3.0, 5.0, 21), [5.25, 5.5, 6.0]]).round(3)
OURS, PEER = "trees, template of the lecture", "network, template of the walkthrough"


def read(kind, split):
    table = datasets.load_dijets(kind, split)
    x = table.array("m_j1", "delta_m", "tau21_j1", "tau21_j2").astype(float) / [1000, 1000, 1, 1]
    return x, table["m_jj"].astype(float) / 1000


def inside(m):
    return (m >= WINDOW[0]) & (m < WINDOW[1])


def mixture(seed, events, strength=2.2):
    """Background with so much signal that S / sqrt(B) = strength in the window."""
    x, m = (values[:events] for values in read("background", "train"))
    signal_x, signal_m = read("signal", "train")
    count = round(strength * np.sqrt(inside(m).sum()) / inside(signal_m).mean())
    chosen = np.random.default_rng(seed).choice(len(signal_m), count, replace=False)
    return np.concatenate([x, signal_x[chosen]]), np.concatenate([m, signal_m[chosen]])


# The lecture's recipe


def our_template(x, m, seed, epochs=12, oversample=3):
    """Draws of the lecture's flow in the window, (n, 4), and the CPU seconds of its training."""
    start = time.process_time()
    flow = flows.autoregressive_flow(features=4, context=1, transforms=4, spline=8, marginals=32, seed=seed)
    torch.manual_seed(seed)
    beside = ~inside(m)
    flow.standardise_from(x[beside], m[beside, None])
    options = dict(learning_rate=1e-3, average=0.99, batch_size=2048, seed=seed, progress=False)
    training.fit(flow, x[beside], m[beside, None], epochs=epochs, **options)
    seconds = time.process_time() - start
    fit = evaluate.fit_spectrum(np.histogram(m, EDGES)[0], EDGES, WINDOW, degree=3)
    masses = fit.sample(oversample * int(inside(m).sum()), np.random.default_rng(seed))
    return evaluate.conditional_draws(flow, masses[:, None], draws=1, rng=seed)[:, 0].astype(float), seconds


def our_score(data, drawn, seed, trees=10):
    """The lecture's ensemble of trees, oversampled: data in the window against all draws, which weigh as much."""
    x, label = np.concatenate([data, drawn]), np.repeat([1, 0], [len(data), len(drawn)])
    weight = np.repeat([1.0, len(data) / len(drawn)], [len(data), len(drawn)])
    options = dict(learning_rate=0.05, max_leaf_nodes=16, min_samples_leaf=40)
    options |= dict(early_stopping=True, validation_fraction=0.3)
    ensemble = [HistGradientBoostingClassifier(random_state=seed + i, **options) for i in range(trees)]
    for tree in ensemble:
        tree.fit(x, label, sample_weight=weight)
    return lambda events: np.mean([tree.predict_proba(events)[:, 1] for tree in ensemble], axis=0)


# The comparison


def judge(score):
    """SIC at FPR 1e-3 with its error and the number of background events, on events that nobody has seen."""
    parts = [read("signal_region", "test"), read("background", "test")]
    background, m = (np.concatenate(values) for values in zip(*parts, strict=True))
    signal, signal_m = read("signal", "test")
    scores = score(signal[inside(signal_m)]), score(background[inside(m)])
    sic = evaluate.significance_improvement(*scores, [1e-3])
    values = sic.improvement, sic.uncertainty, sic.background_events
    return dict(zip(("sic_1e-3", "uncertainty", "background_events"), (float(v[0]) for v in values), strict=True))


def limit(seed):
    """The classifier that knows the signal: what no search can pass."""
    signal, signal_m = read("signal", "train")
    background, _ = read("signal_region", "train")
    return judge(our_score(signal[inside(signal_m)], background, seed))


def measure(seed, strength, events, epochs):
    """One row: both templates with both classifiers, so that one sees what comes from which, and the limit of all."""
    x, m = mixture(seed, events, strength)
    window, held = inside(m), walkthrough.held_out(m, seed)
    row = dict(seed=seed, strength=strength, events=events, epochs_at_most=epochs, epochs={}, cpu_seconds={})

    def timed(what, compute, *arguments):
        start = time.process_time()
        result = compute(*arguments)
        row["cpu_seconds"][what] = round(time.process_time() - start, 1)
        print(f"seed {seed}, S/sqrt(B) = {strength}: {what}, {row['cpu_seconds'][what]:.0f} CPU s", flush=True)
        return result

    mine, ours = timed("template of the lecture", our_template, x, m, seed)
    found = timed("template of the walkthrough", walkthrough.template, x, m, window, seed, epochs)
    theirs, peer, row["epochs"]["flow"] = found
    row["flow_cpu_seconds"] = {"lecture": ours, "walkthrough": peer}
    for template, drawn in (("lecture", mine), ("walkthrough", theirs)):
        name = f"trees, template of the {template}"
        row[name] = judge(timed(name, our_score, x[window], drawn, seed))
        name = f"network, template of the {template}"
        score, row["epochs"][name] = timed(name, walkthrough.score, x[window], held[window], drawn, seed)
        row[name] = judge(score)
    row["supervised"] = timed("supervised", limit, seed)
    row["sic_ratio"] = row[OURS]["sic_1e-3"] / max(row[PEER]["sic_1e-3"], 1e-9)
    row["flow_time_ratio"] = ours / peer
    return row | {"data": datasets.dijets_source(), "commit": provenance.commit()}


def summary(rows):
    """For each strength of the signal what both found, by how much they scatter, and the ratios."""
    lines = []
    for strength in sorted({row["strength"] for row in rows}):
        some = [row for row in rows if row["strength"] == strength]
        lines.append(f"S/sqrt(B) = {strength}, {len(some)} injections: SIC at FPR 1e-3, median [16 %, 84 %]")
        for name in (OURS, PEER, "supervised"):
            low, median, high = np.quantile([row[name]["sic_1e-3"] for row in some], [0.16, 0.5, 0.84])
            lines.append(f"  {name:38} {median:5.1f} [{low:.1f}, {high:.1f}]")
        for name in ("sic_ratio", "flow_time_ratio"):
            lines.append(f"  {name:38} {np.median([row[name] for row in some]):5.2f}")
    return "\n".join(lines)


def run(seeds, strengths, events, epochs, out):
    """Measure what `out` does not hold yet; write after every row."""
    wanted = [(seed, strength, events, epochs) for strength in strengths for seed in seeds]
    names = "seed", "strength", "events", "epochs_at_most"
    return measure_missing(out, wanted, lambda row: tuple(row[name] for name in names), measure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/cathode.json", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    parser.add_argument("--strengths", type=float, nargs="*", default=[2.2], help="S / sqrt(B) in the window")
    parser.add_argument("--events", type=int, default=200_000, help="background events of the data")
    parser.add_argument("--epochs", type=int, default=1000, help="bound on the epochs of the walkthrough's flow")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(summary(run(options.seeds, options.strengths, options.events, options.epochs, options.out)))


if __name__ == "__main__":
    main()

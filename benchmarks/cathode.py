"""CATHODE of lecture 09 beside the recipe of the public walkthrough: `python -m benchmarks.cathode` (one thread).

The walkthrough (sk_cathode, demos/cathode_walkthrough.ipynb) is not a package that can be installed. Its recipe is
written anew here, with its architecture and settings: min-max, logit and standardisation, an affine MAF (`affine_flow`;
Adam 1e-4, batches of 256, early stopping after 10 epochs), masses from a kernel density estimate, four times the data,
a network of 3 x 64 units (Adam 1e-3, batches of 128, balanced classes, early stopping), the best epoch of each. A
quarter of the data is its validation sample, as there. Both recipes see the same data and are judged on the same test
events.
"""

import argparse
import copy
import json
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from scipy.special import expit, logit  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: E402
from sklearn.neighbors import KernelDensity  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402
from torch import nn  # noqa: E402

from benchmarks.affine_flow import AffineFlow  # noqa: E402
from hepflows import datasets, evaluate, flows, provenance, records, training  # noqa: E402

WINDOW = (3.3, 3.7)  # TeV
EDGES = np.concatenate([np.linspace(3.0, 5.0, 21), [5.25, 5.5, 6.0]]).round(3)
PATIENCE = 10


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


def our_template(x, m, seed, epochs=12, oversample=4):
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
    """The lecture's ensemble of trees: data in the window against as many draws."""
    x, label = np.concatenate([data, drawn[: len(data)]]), np.repeat([1, 0], len(data))
    options = dict(learning_rate=0.05, max_leaf_nodes=16, min_samples_leaf=40)
    options |= dict(early_stopping=True, validation_fraction=0.3)
    ensemble = [HistGradientBoostingClassifier(random_state=seed + i, **options).fit(x, label) for i in range(trees)]
    return lambda events: np.mean([tree.predict_proba(events)[:, 1] for tree in ensemble], axis=0)


# The walkthrough's recipe


class Logit:
    """Min-max of the events it is made from, logit, and if wanted standardisation; (n, d) -> (n, d) and back."""

    def __init__(self, values, epsilon=0.0, standardise=True):
        self.range = MinMaxScaler((epsilon, 1 - epsilon)).fit(values)
        scaled = logit(self.range.transform(values))
        self.scaler = StandardScaler(with_mean=standardise, with_std=standardise)
        self.scaler.fit(scaled[np.isfinite(scaled).all(1)])

    def __call__(self, values):
        """Scaled values; NaN at the range's ends and beyond."""
        scaled = logit(self.range.transform(values))
        return self.scaler.transform(np.where(np.isfinite(scaled), scaled, np.nan))

    def inverse(self, values):
        return self.range.inverse_transform(expit(self.scaler.inverse_transform(values)))


def train(model, loss, samples, validation, batch, rate, decay, epochs, generator, after=lambda: None):
    """Minimise loss(*tensors) with Adam until ten epochs have brought nothing; the best epoch's weights. -> epochs."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay, fused=True)
    history, best = [], None
    for _ in range(epochs):
        model.train()
        for rows in torch.randperm(len(samples[0]), generator=generator).split(batch):
            optimizer.zero_grad()
            loss(*(values[rows] for values in samples)).backward()
            optimizer.step()
        after()
        model.eval()
        with torch.no_grad():
            history.append(float(loss(*validation)))
        if history[-1] == min(history):
            best = copy.deepcopy(model.state_dict())
        if len(history) > PATIENCE and min(history[-PATIENCE:]) > history[-PATIENCE - 1]:
            break
    model.load_state_dict(best)
    return len(history)


def finite(x, m):
    kept = np.isfinite(x).all(1)
    return torch.tensor(x[kept]).float(), torch.tensor(m[kept, None]).float()


def held_out(m, seed):
    """Mask of the quarter of the data that validates."""
    return np.random.default_rng(seed).random(len(m)) < 0.25


def walkthrough_template(x, m, seed, epochs=100):
    """Draws of the walkthrough's flow in the window, the CPU seconds of its training, and the epochs."""
    torch.manual_seed(seed)
    generator, held = torch.Generator().manual_seed(seed), held_out(m, seed)
    beside, start = ~inside(m), time.process_time()
    scale, flow = Logit(x[beside & ~held]), AffineFlow()
    samples, validation = (finite(scale(x[beside & part]), m[beside & part]) for part in (~held, held))

    def loss(x, m):
        return -flow.log_prob(x, m).mean()

    options = dict(batch=256, rate=1e-4, decay=1e-6, epochs=epochs, generator=generator)
    done = train(flow, loss, samples, validation, after=lambda: flow.settle(*samples), **options)
    seconds = time.process_time() - start
    masses = m[inside(m) & ~held, None]
    mass_scale = Logit(masses, epsilon=1e-8, standardise=False)
    density = KernelDensity(bandwidth=0.01).fit(mass_scale(masses))
    masses = mass_scale.inverse(density.sample(4 * len(masses), random_state=seed))
    return scale.inverse(flow.sample(torch.tensor(masses).float()).numpy().astype(float)), seconds, done


def walkthrough_score(data, held, drawn, seed, epochs=100):
    """The walkthrough's network: data in the window against all draws; and its epochs."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    drawn_held = np.arange(len(drawn)) >= len(drawn) * np.mean(~held)
    standard = StandardScaler().fit(data[~held])
    layers = [nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)]
    network, parts = nn.Sequential(*layers), []
    for mine, theirs in ((data[~held], drawn[~drawn_held]), (data[held], drawn[drawn_held])):
        label = np.repeat([1.0, 0.0], [len(mine), len(theirs)])
        weight = np.where(label == 1, len(label) / 2 / len(mine), len(label) / 2 / len(theirs))
        values = standard.transform(np.concatenate([mine, theirs])), label, weight
        parts.append([torch.tensor(value).float() for value in values])
    options = dict(batch=128, rate=1e-3, decay=0.0, epochs=epochs, generator=generator)
    done = train(network, lambda x, y, w: cross_entropy(network(x)[:, 0], y, w), *parts, **options)

    def score(events):
        with torch.no_grad():
            return network(torch.tensor(standard.transform(events)).float())[:, 0].numpy()

    return score, done


def cross_entropy(logits, label, weight):
    return nn.functional.binary_cross_entropy_with_logits(logits, label, weight)


def judge(score):
    """SIC at FPR 1e-3 with its error and the number of background events, on events that nobody has seen."""
    held_out = [read("signal_region", "test"), read("background", "test")]
    background, m = (np.concatenate(parts) for parts in zip(*held_out, strict=True))
    signal, signal_m = read("signal", "test")
    scores = score(signal[inside(signal_m)]), score(background[inside(m)])
    sic = evaluate.significance_improvement(*scores, [1e-3])
    values = sic.improvement, sic.uncertainty, sic.background_events
    return dict(zip(("sic_1e-3", "uncertainty", "background_events"), (float(v[0]) for v in values), strict=True))


def measure(seed, events, epochs):
    """Both templates with both classifiers, so that one sees what comes from which."""
    x, m = mixture(seed, events)
    data, held = x[inside(m)], held_out(m, seed)[inside(m)]
    mine, seconds = our_template(x, m, seed)
    theirs, peer_seconds, flow_epochs = walkthrough_template(x, m, seed, epochs)
    report = {"seed": seed, "flow_cpu_seconds": {"ours": seconds, "walkthrough": peer_seconds}}
    report["epochs"] = {"flow": flow_epochs}
    for template, drawn in (("ours", mine), ("walkthrough", theirs)):
        report[f"trees, template of {template}"] = judge(our_score(data, drawn, seed))
        score, report["epochs"][f"network, template of {template}"] = walkthrough_score(data, held, drawn, seed)
        report[f"network, template of {template}"] = judge(score)
    ours, peer = (report[name]["sic_1e-3"] for name in ("trees, template of ours", "network, template of walkthrough"))
    return report | {"sic_ratio": ours / max(peer, 1e-9), "flow_time_ratio": seconds / peer_seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="_build/benchmarks/cathode.json", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--events", type=int, default=200_000, help="background events of the data")
    parser.add_argument("--epochs", type=int, default=100, help="bound on the epochs of the walkthrough's flow")
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = {
        "hardware": provenance.hardware("cpu", None, 1),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
        "data": datasets.dijets_source(),
        "events": options.events,
        "epochs_at_most": options.epochs,
        "rounds": [],
    }
    for seed in options.seeds:
        report["rounds"].append(measure(seed, options.events, options.epochs))
        print(json.dumps(report["rounds"][-1], indent=1), flush=True)
    print("->", records.write_atomically(options.out, json.dumps(report, indent=1) + "\n"))


if __name__ == "__main__":
    main()

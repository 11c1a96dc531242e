"""Write docs/speed.md and docs/speed.png from results/benchmarks/flows.json: `python -m benchmarks.page`."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from hepflows import plots, records
from hepflows.provenance import REPOSITORY

SOURCE = REPOSITORY / "results" / "benchmarks" / "flows.json"
PAGE = REPOSITORY / "docs" / "speed.md"
PICTURE = REPOSITORY / "docs" / "speed.png"
TASKS = {"train_step": "train step", "log_prob": "log_prob", "sample": "sample"}

TEXT = """# How fast are the flows?

Ratios of CPU time, peer / hepflows, in one interleaved run: more than 1 means that hepflows is faster. The same
architecture everywhere (two hidden layers, rational-quadratic splines of 8 bins, linear tails); with nflows also the
same weights and masks, and the same numbers, which the benchmark checks before it measures. In brackets: 16 % and 84 %
quantiles over the rounds. `compiled` is `flow.compile()`. A train step is gradient and update, by the same fused Adam
for all. Made by `python -m benchmarks.flows --out results/benchmarks/flows.json` and `python -m benchmarks.page`.

Measured on {cpu}, one thread, torch {torch}, nflows {nflows}, zuko {zuko}, normflows {normflows}, madnis {madnis}.

## Beside other libraries

{libraries}

## One autoregressive layer: sampling without D passes

`draw` is nflows' draw (D passes of its network) over ours. `pass` is ONE nflows density pass over our draw: above 1, a
draw costs less than a density.

{single}

## How the cost grows

![Time for each event against the number of features and against the batch](speed.png)

Microseconds for each event, eager, four transforms, two hidden layers of 128.

{scaling}
"""


def cell(row):
    """A ratio with its spread."""
    return f"{row['ratio']:.3g} [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]"


def table(header, lines):
    """A Markdown table."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(str(value) for value in row) + " |" for row in rows)


def libraries(rows):
    """One line for each architecture, mode and peer."""
    lines = {}
    for row in rows:
        if row["task"] in TASKS and row["transforms"] > 1:
            key = row["family"], row["features"], row["hidden"], row["context"], row["compiled"], row["peer"]
            lines.setdefault(key, {})[row["task"]] = cell(row)
    header = ["family", "features", "hidden", "context", "mode", "peer", *TASKS.values()]
    return table(
        header,
        [
            [*key[:4], "compiled" if key[4] else "eager", key[5], *[found.get(task, "") for task in TASKS]]
            for key, found in lines.items()
        ],
    )


def single_layer(rows):
    """One line for each layer."""
    lines = {}
    for row in rows:
        if row["transforms"] == 1:
            key = row["features"], row["hidden"], row["batch"], "compiled" if row["compiled"] else "eager"
            lines.setdefault(key, {})[row["task"]] = cell(row)
    header = ["features", "hidden", "batch", "mode", "draw", "pass"]
    return table(header, [[*key, v["sample"], v["sample_against_density"]] for key, v in lines.items()])


def scaling(rows):
    """One line for each number of features and batch."""
    lines = {}
    for row in rows:
        key = row["family"], row["features"], row["batch"]
        lines.setdefault(key, {})[row["task"]] = f"{row['microseconds_per_event']:.3g}"
    header = ["family", "features", "batch", *TASKS.values()]
    return table(header, [[*key, *[found[task] for task in TASKS]] for key, found in lines.items()])


def draw(rows):
    """The figure of the page: cost against features, and against the batch."""
    plots.use_style()
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for family, style in (("coupling", "-"), ("autoregressive", "--")):
        for task, colour in zip(TASKS, ("truth", "flow", "baseline"), strict=True):
            for axis, along, fixed in ((axes[0], "features", ("batch", 2048)), (axes[1], "batch", ("features", 8))):
                chosen = sorted(
                    (row[along], row["microseconds_per_event"])
                    for row in rows
                    if row["family"] == family and row["task"] == task and row[fixed[0]] == fixed[1]
                )
                label = f"{family}, {TASKS[task]}"
                axis.plot(
                    *zip(*chosen, strict=True),
                    style,
                    color=plots.COLOURS[colour],
                    marker="o",
                    markersize=3,
                    label=label,
                )
    axes[0].set(xlabel="features (batch 2048)", ylabel="microseconds an event", xscale="log", yscale="log")
    axes[1].set(xlabel="batch (8 features)", xscale="log")
    axes[0].legend(fontsize=8, handlelength=4)
    return figure


def page(report):
    """The text of the page."""
    return TEXT.format(
        cpu=report["hardware"]["cpu"],
        **{name: report["versions"][name] for name in ("torch", "nflows", "zuko", "normflows", "madnis")},
        libraries=libraries(report["rows"]),
        single=single_layer(report["rows"]),
        scaling=scaling(report["scaling"]),
    )


def read(source: Path = SOURCE):
    """The stored result."""
    return json.loads(source.read_text(encoding="utf-8"))


def main():
    report = read()
    PAGE.parent.mkdir(exist_ok=True)
    records.write_atomically(PAGE, page(report))
    draw(report["scaling"]).savefig(PICTURE)
    print(f"-> {PAGE} {PICTURE}")


if __name__ == "__main__":
    main()

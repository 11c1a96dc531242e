"""Answers to the exercises of lecture 09."""

import numpy as np


def improvement(signal, background, efficiency, power=0.5):
    rate = np.mean(signal > np.quantile(background, 1 - efficiency))
    return rate / efficiency**power


def background(before, passed, inside):
    events = passed[~inside].sum() / before[~inside].sum() * before[inside].sum()
    return events, events / np.sqrt(passed[~inside].sum())


RIGHT = {
    "09.improvement": [
        improvement,
        lambda s, b, e: np.mean(s > np.sort(b)[int((1 - e) * len(b))]) * e**-0.5,
    ],
    "09.background": [
        background,
        lambda before, passed, inside: list(background(before, passed, inside)),
    ],
    "09.look_elsewhere": [lambda p, n: 1 - (1 - p) ** n, lambda p, n: -np.expm1(n * np.log1p(-p))],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("09.improvement", lambda s, b, e: improvement(s, b, e, power=0), "TPR alone"),
    ("09.improvement", lambda s, b, e: improvement(s, b, e, power=1), "square root of FPR"),
    ("09.improvement", lambda s, b, e: np.sqrt(improvement(s, b, e, power=1)), "root belongs"),
    ("09.improvement", lambda s, b, e: np.mean(s > np.quantile(b, e)) / np.sqrt(e), "1 - efficiency"),
    ("09.improvement", lambda s, b, e: np.mean(s < np.quantile(b, 1 - e)) / np.sqrt(e), "above the cut"),
    ("09.improvement", lambda s, b, e: 1.0, "expected"),
    ("09.background", lambda n, k, i: (k.sum() / n.sum() * n[i].sum(), 1.0), "side bands only"),
    ("09.background", lambda n, k, i: (k[i].sum(), 1.0), "seen in the SR"),
    ("09.background", lambda n, k, i: (k[~i].sum(), 1.0), "times the ratio"),
    ("09.background", lambda n, k, i: (np.mean(k[~i] / n[~i]) * n[i].sum(), 1.0), "sum first"),
    ("09.background", lambda n, k, i: (7.0, 1.0), "times the SR"),
    ("09.background", lambda n, k, i: background(n, k, i)[0], "two values"),
    ("09.background", lambda n, k, i: (background(n, k, i)[0], np.sqrt(background(n, k, i)[0])), "fluctuates"),
    ("09.background", lambda n, k, i: (background(n, k, i)[0], np.sqrt(k[~i].sum())), "scaled"),
    ("09.background", lambda n, k, i: (background(n, k, i)[0], 0.0), "relative error"),
    ("09.look_elsewhere", lambda p, n: n * p, "can exceed 1"),
    ("09.look_elsewhere", lambda p, n: (1 - p) ** n, "complement"),
    ("09.look_elsewhere", lambda p, n: p**n, "all windows"),
    ("09.look_elsewhere", lambda p, n: p / n, "not less"),
    ("09.look_elsewhere", lambda p, n: 0.5, "expected"),
]

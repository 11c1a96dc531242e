"""Answers to the exercises of lecture 05."""

import numpy as np
import torch

HALF_S = 6500.0


def highest_density(samples, level):
    """Shortest interval: the right level, the wrong tails."""
    ordered, count = np.sort(samples, axis=1), int(level * samples.shape[1])
    widths = ordered[:, count:] - ordered[:, :-count]
    start, rows = widths.argmin(axis=1), np.arange(len(samples))
    return ordered[rows, start], ordered[rows, start + count]


def sorted_interval(samples, level):
    """Central interval from the order statistics, without np.quantile."""
    ordered, tail = np.sort(samples, axis=1), (1 - level) / 2
    last = samples.shape[1] - 1
    return ordered[:, round(tail * last)], ordered[:, round((1 - tail) * last)]


RIGHT = {
    "05.momenta": [
        lambda x1, x2: ((x1 - x2) * HALF_S, (x1 + x2) * HALF_S),
        lambda x1, x2: [13000 * (x1 - x2) / 2, 13000 * (x1 + x2) / 2],
    ],
    "05.jacobian": [
        lambda log_density, x1, x2: log_density - torch.log(x1) - torch.log(x2),
        lambda log_density, x1, x2: log_density - np.log(x1 * x2),
        lambda log_density, x1, x2: np.asarray(log_density) - np.log(np.asarray(x1)) - np.log(np.asarray(x2)),
    ],
    "05.central_interval": [
        lambda samples, level: np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=1).tolist(),
        lambda samples, level: (
            np.percentile(samples, 50 - 50 * level, axis=1),
            np.percentile(samples, 50 + 50 * level, axis=1),
        ),
        sorted_interval,
    ],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("05.momenta", lambda x1, x2: ((x1 + x2) * HALF_S, (x1 - x2) * HALF_S), "exchanged"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * 13000, (x1 + x2) * 13000), "factor of two"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * 6.5, (x1 + x2) * 6.5), "units"),
    ("05.momenta", lambda x1, x2: ((x2 - x1) * HALF_S, (x1 + x2) * HALF_S), "sign of pz"),
    ("05.momenta", lambda x1, x2: ((x1 + x2) * HALF_S, (x1 + x2) * HALF_S), "fly against"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * HALF_S, np.sqrt(x1 * x2) * 13000), "energies"),
    ("05.momenta", lambda x1, x2: (x1, x2), "four-vectors"),
    ("05.momenta", lambda x1, x2: (x1 - x2) * HALF_S, "two values"),
    ("05.jacobian", lambda log_density, x1, x2: log_density + np.log(x1 * x2), "sign"),
    ("05.jacobian", lambda log_density, x1, x2: log_density - np.log(x1), "both coordinates"),
    ("05.jacobian", lambda log_density, x1, x2: log_density / (x1 * x2), "subtract"),
    ("05.jacobian", lambda log_density, x1, x2: log_density, "changes with its coordinates"),
    ("05.jacobian", lambda log_density, x1, x2: log_density - x1 - x2, "diagonal"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.16, 0.84], axis=1).tolist(), "level 0.95"),
    ("05.central_interval", lambda s, level: np.quantile(s, [1 - level, level], axis=1).tolist(), "each side"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.0, level], axis=1).tolist(), "below as above"),
    ("05.central_interval", lambda s, level: (s.mean(1) - s.std(1), s.mean(1) + s.std(1)), "each side"),
    ("05.central_interval", lambda s, level: sorted_interval(s, level)[::-1], "exchange"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.1, 0.9], axis=0).tolist(), "shape"),
    ("05.central_interval", lambda s, level: (s.min(), s.max()), "shape"),
    ("05.central_interval", highest_density, "below as above"),
]

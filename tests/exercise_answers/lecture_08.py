"""Answers to the exercises of lecture 08."""

import numpy as np


def energies(total, u1, u2):
    return np.stack([u1 * total, u2 * (1 - u1) * total, (1 - u2) * (1 - u1) * total], 1)


def cut(fractions, energy, threshold, again=True):
    deposits = fractions / fractions.sum(1, keepdims=True) * energy[:, None]
    deposits[deposits < threshold] = 0
    return deposits / deposits.sum(1, keepdims=True) * energy[:, None] if again else deposits


def divergence(log_q, log_p):
    difference = log_q - log_p
    return difference.mean(), difference.std() / np.sqrt(len(difference))


RIGHT = {
    "08.layer_energies": [energies, lambda *given: tuple(energies(*given).T)],
    "08.post_processing": [cut],
    "08.passes": [lambda d: (1, d, 1, d), lambda d: np.array([1, d, 1, d])],
    "08.kl": [divergence, lambda q, p: [float(value) for value in divergence(q, p)]],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    (
        "08.layer_energies",
        lambda total, u1, u2: np.stack([u1 * total, u2 * total, (1 - u1 - u2) * total], 1),
        "take E0 off",
    ),
    ("08.layer_energies", lambda *given: energies(*given) * [1, 1, 0], "what is left"),
    ("08.layer_energies", lambda *given: energies(*given)[:, [0, 2, 1]], "exchanged"),
    ("08.layer_energies", lambda *given: energies(*given)[:, [1, 0, 2]], "begin with u1"),
    ("08.layer_energies", lambda *given: energies(*given) * [1, 0.5, 1], "left over"),
    ("08.layer_energies", lambda *given: energies(*given).T, "shape"),
    ("08.post_processing", lambda *given: cut(*given, again=False), "scale once more"),
    ("08.post_processing", lambda f, e, t: cut(f, e, 0.0), "must become 0"),
    ("08.post_processing", lambda f, e, t: cut(f, e, 0.1), "in GeV"),
    ("08.post_processing", lambda f, e, t: cut(f, np.ones(5), t), "axis 1"),
    ("08.passes", lambda d: (d, 1, d, 1), "other way round"),
    ("08.passes", lambda d: (1, d, d, 1), "read backwards"),
    ("08.passes", lambda d: (1, 1, 1, 1), "one direction"),
    ("08.passes", lambda d: d, "four numbers"),
    ("08.kl", lambda q, p: (divergence(q, p)[0], (q - p).std()), "sqrt(n)"),
    ("08.kl", lambda q, p: (divergence(q, p)[0], 1.0), "its error"),
    ("08.kl", lambda q, p: divergence(p, q), "sign"),
    ("08.kl", lambda q, p: ((np.exp(q) * (q - p)).sum(), 0.1), "no weight"),
    ("08.kl", lambda q, p: ((q - p).sum(), 0.1), "not the sum"),
    ("08.kl", lambda q, p: (q.mean(), 0.1), "average log"),
]

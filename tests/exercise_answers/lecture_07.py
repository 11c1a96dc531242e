"""Answers to the exercises of lecture 07."""

import numpy as np


def importance(f, q):
    w = f / q
    return w.mean(), w.std() / np.sqrt(len(w))


def chi2(values, errors):
    mean = np.average(values, weights=errors**-2.0)
    return np.sum(((values - mean) / errors) ** 2) / (len(values) - 1)


RIGHT = {
    "07.importance_sampling": [importance, lambda f, q: ((f / q).mean(), (f / q).std(ddof=1) / len(f) ** 0.5)],
    "07.accept_reject": [lambda w, top, u: u < w / top, lambda w, top, u: (u * top < w).astype(int)],
    "07.chi2": [chi2, lambda i, s: np.var((i - i.mean()) / s, ddof=1)],
}
# exercise, mistake, a word of the hint that names it
WRONG = [
    ("07.importance_sampling", lambda f, q: (f.mean(), f.std() / 20), "divide each f"),
    ("07.importance_sampling", lambda f, q: (f.mean() / q.mean(), 0.1), "mean of the ratios"),
    ("07.importance_sampling", lambda f, q: ((f / q).mean(), (f / q).std()), "smaller by sqrt"),
    ("07.importance_sampling", lambda f, q: ((f / q).sum(), 0.1), "mean of f / q"),
    ("07.importance_sampling", lambda f, q: ((f / q).mean(), 0.0), "over sqrt"),
    ("07.accept_reject", lambda w, top, u: u > w / top, "throws away"),
    ("07.accept_reject", lambda w, top, u: u < w, "exceed 1"),
    ("07.accept_reject", lambda w, top, u: w > 1, "eep a point where"),
    ("07.chi2", lambda i, s: chi2(i, s) * (len(i) - 1), "degrees of freedom"),
    ("07.chi2", lambda i, s: chi2(i, s) * (len(i) - 1) / len(i), "K - 1, not by K"),
    ("07.chi2", lambda i, s: i.mean(), "quare the pulls"),
]

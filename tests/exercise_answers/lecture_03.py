"""Answers to the exercises of lecture 03."""

import math

import numpy as np
import torch

from hepflows import integrate
from hepflows.evaluate import effective_sample_size


def by_importance_sampling(log_f, log_q):
    result = integrate.importance_sampling(log_f, log_q)
    return result.value, result.uncertainty


def with_tensors(log_f, log_q):
    weights = torch.exp(log_f - log_q)
    return weights.mean(), weights.std() / math.sqrt(len(weights))


def by_hand(log_f, log_q):
    w = np.exp(log_f - log_q)
    return w.mean(), np.sqrt((np.mean(w**2) - np.mean(w) ** 2) / len(w))


def metropolis(log_f_x, log_q_x, log_f_y, log_q_y):
    return np.minimum(1, np.exp(log_f_y - log_q_y - log_f_x + log_q_x))


def barker(log_f_x, log_q_x, log_f_y, log_q_y):
    ratio = np.exp(log_f_y - log_q_y - log_f_x + log_q_x)
    return ratio / (1 + ratio)


RIGHT = {
    "03.missed_modes": [
        lambda covered: -np.log(covered),
        lambda covered: np.log(1 / covered),
        lambda covered: [-math.log(fraction) for fraction in covered],
    ],
    "03.reverse_kl": [
        lambda log_p_u, logabsdet, log_p_star: (log_p_u - logabsdet - log_p_star).mean(),
        lambda log_p_u, logabsdet, log_p_star: float(log_p_u.mean() - (logabsdet + log_p_star).mean()),
        lambda log_p_u, logabsdet, log_p_star: -torch.mean(log_p_star - (log_p_u - logabsdet)),
    ],
    "03.integral": [by_importance_sampling, with_tensors, by_hand],
    "03.effective_sample_size": [
        lambda w: w.sum() ** 2 / (w**2).sum() / len(w),
        lambda w: np.mean(w) ** 2 / np.mean(np.square(w)),
        lambda w: effective_sample_size(w).fraction,
    ],
    "03.acceptance": [
        metropolis,
        lambda *logs: torch.exp((logs[2] - logs[3] - logs[0] + logs[1]).clamp(max=0)),
        lambda *logs: np.where(logs[2] - logs[3] > logs[0] - logs[1], 1.0, metropolis(*logs)),
    ],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("03.missed_modes", lambda F: np.log(F), "sign"),
    ("03.missed_modes", lambda F: 1 - F, "probability that is missed"),
    ("03.missed_modes", lambda F: -F * np.log(F), "no further factor"),
    ("03.missed_modes", lambda F: -(1 - F) * np.log(F), "no further factor"),
    ("03.missed_modes", lambda F: -np.log(1 - F), "what is covered"),
    ("03.missed_modes", lambda F: F * np.inf, "forward divergence"),
    ("03.missed_modes", lambda F: 1 / F, "same value"),
    ("03.missed_modes", lambda F: 0.6, "shape"),
    ("03.reverse_kl", lambda u, det, p: (p - u + det).mean(), "the sign: the loss"),
    ("03.reverse_kl", lambda u, det, p: (u - det - p).sum(), "sum over the points"),
    ("03.reverse_kl", lambda u, det, p: u - det - p, "one number"),
    ("03.reverse_kl", lambda u, det, p: (u + det - p).mean(), "sign of the log-determinant"),
    ("03.reverse_kl", lambda u, det, p: (u - p).mean(), "Jacobian is missing"),
    ("03.reverse_kl", lambda u, det, p: -p.mean(), "log q is missing"),
    ("03.reverse_kl", lambda u, det, p: -(u - det).mean(), "p* is missing"),
    ("03.reverse_kl", lambda u, det, p: (u - det - p).exp().mean(), "then average"),
    ("03.integral", lambda f, q: (by_hand(f, q)[0], np.exp(f - q).std()), "sqrt(N) times better"),
    ("03.integral", lambda f, q: (by_hand(f, q)[0], np.exp(f - q).std() / len(f)), "not with N"),
    ("03.integral", lambda f, q: (by_hand(f, q)[0], np.exp(f - q).var() / len(f)), "square root"),
    ("03.integral", lambda f, q: (by_hand(f, q)[0], 0.01), "standard deviation of the weights"),
    ("03.integral", lambda f, q: by_hand(f, q)[::-1], "exchanged"),
    ("03.integral", lambda f, q: (np.exp(f).mean(), 0.1), "mean of f"),
    ("03.integral", lambda f, q: (np.exp(f - q).sum(), 0.1), "sum of the weights"),
    ("03.integral", lambda f, q: (np.mean(f - q), 0.1), "exponential"),
    ("03.integral", lambda f, q: by_hand(q, f), "upside down"),
    ("03.integral", lambda f, q: (3.14, 0.1), "I is their mean"),
    ("03.integral", lambda f, q: by_hand(f, q)[0], "two values"),
    ("03.effective_sample_size", lambda w: w.sum() ** 2 / (w**2).sum(), "divide by N"),
    ("03.effective_sample_size", lambda w: np.mean(w**2) / np.mean(w) ** 2, "inverse"),
    ("03.effective_sample_size", lambda w: w.sum() / (w**2).sum(), "ten times"),
    ("03.effective_sample_size", lambda w: w.mean() / w.max(), "unweighting"),
    ("03.effective_sample_size", lambda w: w.std(), "square the sum"),
    ("03.effective_sample_size", lambda w: w / w.sum(), "shape"),
    ("03.acceptance", lambda fx, qx, fy, qy: fy - qy - fx + qx, "between 0 and 1"),
    ("03.acceptance", lambda *logs: np.log(metropolis(*logs)), "logarithm"),
    ("03.acceptance", lambda fx, qx, fy, qy: np.exp(fy - qy - fx + qx), "at most 1"),
    ("03.acceptance", lambda fx, qx, fy, qy: np.minimum(1, np.exp(fy - fx)), "random walk"),
    ("03.acceptance", lambda fx, qx, fy, qy: np.minimum(1, np.exp(fy + qy - fx - qx)), "upside down"),
    ("03.acceptance", lambda fx, qx, fy, qy: np.minimum(1, np.exp(fx - qx - fy + qy)), "detailed balance"),
    ("03.acceptance", lambda fx, qx, fy, qy: fx * np.nan, "between 0 and 1"),
    ("03.acceptance", barker, "move more often"),
    ("03.acceptance", lambda fx, qx, fy, qy: 1.0, "shape"),
]

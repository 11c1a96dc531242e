"""Answers to the exercises of lecture 04."""

import numpy as np
from scipy import integrate, special


def posterior(log_p, area):
    total = log_p.sum(0)
    density = np.exp(total - total.max())
    return density / density.sum() / area


def from_mean(log_p, area):
    density = np.exp(log_p.mean(0))
    return density / density.sum() / area


def without_shift(log_p, area):
    density = np.exp(log_p.sum(0))
    with np.errstate(invalid="ignore"):
        return density / (density.sum() * area)


RIGHT = {
    "04.condition_a_joint": [
        lambda log_joint, dx: log_joint - special.logsumexp(log_joint, axis=1, keepdims=True) - np.log(dx),
        lambda log_joint, dx: np.log(np.exp(log_joint) / integrate.simpson(np.exp(log_joint), dx=dx)[:, None]),
    ],
    "04.posterior_on_grid": [
        posterior,
        lambda log_p, area: np.exp(log_p.sum(0) - special.logsumexp(log_p.sum(0)) - np.log(area)),
    ],
    "04.rank": [
        lambda truth, draws: (draws < truth[:, None]).sum(axis=1),
        lambda truth, draws: [float(sum(x < t for x in row)) for t, row in zip(truth, draws, strict=True)],
    ],
    "04.angle_condition": [
        lambda phi: np.stack((np.cos(phi), np.sin(phi)), axis=1),
        lambda phi: np.column_stack([np.sin(phi - 1.0), np.cos(phi - 1.0)]),
    ],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    (
        "04.condition_a_joint",
        lambda log_joint, dx: np.exp(RIGHT["04.condition_a_joint"][0](log_joint, dx)),
        "logarithm",
    ),
    ("04.condition_a_joint", lambda log_joint, dx: log_joint - special.logsumexp(log_joint, 1)[:, None], "spacing dx"),
    (
        "04.condition_a_joint",
        lambda log_joint, dx: log_joint + special.logsumexp(log_joint, 1)[:, None] + np.log(dx),
        "difference",
    ),
    (
        "04.condition_a_joint",
        lambda log_joint, dx: log_joint - special.logsumexp(log_joint) - np.log(dx),
        "each y has its own",
    ),
    (
        "04.condition_a_joint",
        lambda log_joint, dx: log_joint - special.logsumexp(log_joint, 0) - np.log(dx),
        "added up over y",
    ),
    ("04.condition_a_joint", lambda log_joint, dx: log_joint, "still the joint"),
    ("04.condition_a_joint", lambda log_joint, dx: log_joint - log_joint.mean(1)[:, None], "subtract log q(y_n)"),
    ("04.condition_a_joint", lambda log_joint, dx: special.logsumexp(log_joint, 1), "shape"),
    ("04.posterior_on_grid", without_shift, "subtract the largest"),
    ("04.posterior_on_grid", lambda log_p, area: np.exp(log_p.sum(0)), "subtract the largest"),
    ("04.posterior_on_grid", lambda log_p, area: posterior(log_p, 1.0), "area of its cell"),
    ("04.posterior_on_grid", lambda log_p, area: log_p.sum(0), "log-likelihood"),
    ("04.posterior_on_grid", lambda log_p, area: np.log(posterior(log_p, area)), "logarithm"),
    ("04.posterior_on_grid", lambda log_p, area: log_p.sum(0) - log_p.sum(0).max(), "logarithm"),
    ("04.posterior_on_grid", from_mean, "too wide"),
    ("04.posterior_on_grid", lambda log_p, area: np.exp(log_p.sum(0) - log_p.sum(0).max()), "highest cell is one"),
    ("04.posterior_on_grid", lambda log_p, area: np.exp(log_p), "one posterior from all events"),
    ("04.posterior_on_grid", lambda log_p, area: 3 * posterior(log_p, area), "sum over the events"),
    ("04.posterior_on_grid", lambda log_p, area: posterior(log_p, area).sum(0), "shape"),
    ("04.rank", lambda truth, draws: (draws > truth[:, None]).sum(1), "above"),
    ("04.rank", lambda truth, draws: (draws < truth[:, None]).mean(1), "fraction"),
    ("04.rank", lambda truth, draws: (draws < truth[:, None]).sum(1) + 1, "begin with 0"),
    ("04.rank", lambda truth, draws: draws < truth[:, None], "along the draws"),
    ("04.rank", lambda truth, draws: (draws < truth[:, None]).sum(), "not over all sets"),
    ("04.rank", lambda truth, draws: np.argsort(draws[:, 0]), "smaller than its truth"),
    ("04.rank", lambda truth, draws: (draws < truth[:, None]).sum(0), "shape"),
    ("04.angle_condition", lambda phi: phi, "one number"),
    ("04.angle_condition", lambda phi: np.cos(phi), "one number"),
    ("04.angle_condition", lambda phi: np.stack((np.cos(phi), np.sin(phi))), "last axis"),
    ("04.angle_condition", lambda phi: np.stack((np.cos(phi / 2), np.sin(phi / 2)), 1), "jumps"),
    ("04.angle_condition", lambda phi: np.stack((phi, phi**2), 1), "jumps"),
    ("04.angle_condition", lambda phi: np.stack((np.cos(2 * phi), np.sin(2 * phi)), 1), "same numbers"),
    ("04.angle_condition", lambda phi: np.stack((np.cos(phi), np.cos(phi)), 1), "same numbers"),
    ("04.angle_condition", lambda phi: np.stack((4 * np.cos(phi), np.sin(phi)), 1), "unevenly"),
    ("04.angle_condition", lambda phi: phi[:, None], "shape"),
]

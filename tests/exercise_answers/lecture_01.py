"""Answers to the exercises of lecture 01."""

import numpy as np
import torch


def normal(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def log_normal(z):
    return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)


RIGHT = {
    "01.density_of_transformed": [
        lambda x: normal(np.log(x)) / x,
        lambda x: torch.exp(torch.distributions.LogNormal(0.0, 1.0).log_prob(torch.as_tensor(x))),
    ],
    "01.log_abs_det": [
        lambda alpha: -alpha.sum(dim=1),
        lambda alpha: torch.exp(-alpha).prod(dim=-1).log(),
        lambda alpha: -np.sum(alpha.numpy(), axis=1),
    ],
    "01.compose": [lambda one, two: one + two, lambda one, two: torch.stack([one, two]).sum(0)],
    "01.loss": [
        lambda z, logabsdet: -(log_normal(z) + logabsdet).mean(),
        lambda z, logabsdet: (z**2).sum(1).mean() / 2 + np.log(2 * np.pi) - logabsdet.mean(),
        lambda z, logabsdet: -float(np.mean(np.log(normal(z.numpy())).sum(1) + logabsdet.numpy())),
    ],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("01.density_of_transformed", lambda x: normal(np.log(x)), "Jacobian is missing"),
    ("01.density_of_transformed", lambda x: normal(np.log(x)) * x, "multiply"),
    ("01.density_of_transformed", lambda x: normal(x), "at z = log x"),
    ("01.density_of_transformed", lambda x: np.log(normal(np.log(x)) / x), "log p_X"),
    ("01.density_of_transformed", lambda x: np.exp(-x), "interval"),
    ("01.density_of_transformed", lambda x: x * np.nan, "interval"),
    ("01.density_of_transformed", lambda x: 1.0, "shape"),
    ("01.log_abs_det", lambda alpha: alpha.sum(dim=1), "sign"),
    ("01.log_abs_det", lambda alpha: torch.exp(-alpha).prod(dim=1), "logarithm is wanted"),
    ("01.log_abs_det", lambda alpha: -alpha.mean(dim=1), "mean"),
    ("01.log_abs_det", lambda alpha: -alpha.sum(), "not over the batch"),
    ("01.log_abs_det", lambda alpha: -alpha, "adds up the features"),
    ("01.log_abs_det", lambda alpha: -alpha.sum(dim=0), "shape"),
    ("01.log_abs_det", lambda alpha: (-alpha).exp().sum(dim=1), "diagonal"),
    ("01.compose", lambda one, two: one * two, "multiply"),
    ("01.compose", lambda one, two: one - two, "same sign"),
    ("01.compose", lambda one, two: two, "product of the Jacobians"),
    ("01.compose", lambda one, two: (one + two).sum(), "shape"),
    ("01.loss", lambda z, logabsdet: (log_normal(z) + logabsdet).mean(), "minimised"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) + logabsdet).sum(), "sum over the events"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) + logabsdet), "one number"),
    ("01.loss", lambda z, logabsdet: -log_normal(z).mean(), "Jacobian is missing"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) - logabsdet).mean(), "sign of the log-determinant"),
    ("01.loss", lambda z, logabsdet: (z**2).sum(1).mean() / 2 - logabsdet.mean(), "constant"),
    ("01.loss", lambda z, logabsdet: z.mean(), "sum over the two dimensions"),
]

"""Answers to the exercises of lecture 06."""

from copy import deepcopy

import numpy as np
import torch
from scipy import special


def masked_by_hand(scores, filled):
    weights = np.exp(np.asarray(scores)) * np.asarray(filled)
    return weights / weights.sum(1, keepdims=True)


def off_diagonal_mean(kernel):
    return kernel[~torch.eye(len(kernel), dtype=bool)].mean()


def warm_start(model, pretrained, frozen, part="encoder"):
    model.encoder.load_state_dict(pretrained.encoder.state_dict())
    module = model if part == "model" else getattr(model, part)
    module.requires_grad_(not frozen)
    return model


def with_a_copy(model, pretrained, frozen):
    model.encoder = deepcopy(pretrained.encoder).requires_grad_(not frozen)
    return model


def with_its_weights(model, pretrained, frozen):
    model.load_state_dict(pretrained.state_dict())
    return model


def with_the_same_encoder(model, pretrained, frozen):
    model.encoder = pretrained.encoder.requires_grad_(not frozen)
    return model


RIGHT = {
    "06.rotate": [
        lambda px, py, phi: (np.cos(phi) * px + np.sin(phi) * py, np.cos(phi) * py - np.sin(phi) * px),
        lambda px, py, phi: [
            np.hypot(px, py) * np.cos(np.arctan2(py, px) - phi),
            np.hypot(px, py) * np.sin(np.arctan2(py, px) - phi),
        ],
    ],
    "06.accumulate": [
        lambda scores, filled: scores.masked_fill(~filled, -torch.inf).softmax(1),
        lambda scores, filled: special.softmax(np.where(filled, scores, -np.inf), axis=1),
        masked_by_hand,
    ],
    "06.pt_from_mass": [
        lambda m, pt, d, a: m**2 / (2 * pt * (np.cosh(d) - np.cos(a))),
        lambda m, pt, d, a: m**2 / (4 * pt * (np.sinh(d / 2) ** 2 + np.sin(a / 2) ** 2)),
    ],
    "06.best_estimates": [
        lambda draws: (draws.mean(axis=1), np.median(draws, axis=1)),
        lambda draws: [np.average(draws, 1), np.quantile(draws, 0.5, axis=1)],
    ],
    "06.mmd": [
        lambda xx, yy, xy: off_diagonal_mean(xx) + off_diagonal_mean(yy) - 2 * xy.mean(),
        lambda xx, yy, xy: float((xx.sum() - 6) / 30 + (yy.sum() - 4) / 12 - xy.sum() / 12),
    ],
    "06.warm_start": [warm_start, with_a_copy],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    (
        "06.rotate",
        lambda px, py, phi: (np.cos(phi) * px - np.sin(phi) * py, np.cos(phi) * py + np.sin(phi) * px),
        "+phi",
    ),
    (
        "06.rotate",
        lambda px, py, phi: (np.cos(phi) * px + np.sin(phi) * py, np.sin(phi) * px - np.cos(phi) * py),
        "reflection",
    ),
    (
        "06.rotate",
        lambda px, py, phi: (np.cos(phi) * py - np.sin(phi) * px, np.cos(phi) * px + np.sin(phi) * py),
        "exchanged",
    ),
    ("06.rotate", lambda px, py, phi: (px * np.cos(phi), py * np.cos(phi)), "length"),
    ("06.rotate", lambda px, py, phi: (px, py), "along x"),
    ("06.rotate", lambda px, py, phi: px, "two values"),
    ("06.accumulate", lambda scores, filled: special.softmax(np.asarray(scores), axis=1), "mask is not used"),
    (
        "06.accumulate",
        lambda scores, filled: special.softmax(np.asarray(scores), axis=1) * np.asarray(filled),
        "too late",
    ),
    ("06.accumulate", lambda scores, filled: special.softmax(np.asarray(scores) * np.asarray(filled), 1), "exp(0)"),
    (
        "06.accumulate",
        lambda scores, filled: scores.masked_fill(filled, -torch.inf).softmax(1),
        "kept the empty slots",
    ),
    ("06.accumulate", lambda scores, filled: scores.masked_fill(~filled, -torch.inf).softmax(0), "axis 1"),
    ("06.accumulate", lambda scores, filled: np.full(scores.shape, 0.25), "weight zero"),
    ("06.accumulate", lambda scores, filled: filled / filled.sum(1)[:, None], "proportion"),
    ("06.accumulate", lambda scores, filled: scores.softmax(1).sum(1), "shape"),
    ("06.pt_from_mass", lambda m, pt, d, a: m / (2 * pt * (np.cosh(d) - np.cos(a))), "squared"),
    ("06.pt_from_mass", lambda m, pt, d, a: m**2 / (pt * (np.cosh(d) - np.cos(a))), "factor of two"),
    ("06.pt_from_mass", lambda m, pt, d, a: m**2 / (2 * pt * (np.cos(a) - np.cosh(d))), "sign"),
    ("06.pt_from_mass", lambda m, pt, d, a: m**2 / (2 * pt * (np.cosh(a) - np.cos(d))), "exchanged"),
    ("06.pt_from_mass", lambda m, pt, d, a: m**2 / (2 * (np.cosh(d) - np.cos(a))), "lepton is missing"),
    ("06.pt_from_mass", lambda m, pt, d, a: m**2 / (2 * pt), "proportional"),
    ("06.pt_from_mass", lambda m, pt, d, a: 3.0, "shape"),
    ("06.best_estimates", lambda draws: (np.median(draws, 1), draws.mean(1)), "exchanged"),
    ("06.best_estimates", lambda draws: (draws.mean(1), draws.mean(1)), "as many draws"),
    ("06.best_estimates", lambda draws: (np.median(draws, 1), np.median(draws, 1)), "derivative"),
    (
        "06.best_estimates",
        lambda draws: (np.full(len(draws), draws.mean()), np.full(len(draws), np.median(draws))),
        "each event",
    ),
    ("06.best_estimates", lambda draws: (draws[:, 0], draws[:, 1]), "minimise"),
    ("06.best_estimates", lambda draws: draws.mean(1), "two values"),
    ("06.mmd", lambda xx, yy, xy: xx.mean() + yy.mean() - 2 * xy.mean(), "diagonals"),
    ("06.mmd", lambda xx, yy, xy: off_diagonal_mean(xx) + off_diagonal_mean(yy) - xy.mean(), "counts twice"),
    ("06.mmd", lambda xx, yy, xy: off_diagonal_mean(xx) + off_diagonal_mean(yy) + 2 * xy.mean(), "sign of the last"),
    ("06.mmd", lambda xx, yy, xy: 2 * xy.mean() - off_diagonal_mean(xx) - off_diagonal_mean(yy), "positive"),
    ("06.mmd", lambda xx, yy, xy: xx.sum() + yy.sum() - 2 * xy.sum(), "sum_"),
    ("06.mmd", lambda xx, yy, xy: xx, "shape"),
    ("06.warm_start", lambda model, pretrained, frozen: pretrained, "itself"),
    ("06.warm_start", lambda model, pretrained, frozen: model, "has not got"),
    ("06.warm_start", lambda model, pretrained, frozen: model.encoder, "EncodedFlow"),
    ("06.warm_start", with_its_weights, "must stay"),
    ("06.warm_start", lambda model, pretrained, frozen: warm_start(model, pretrained, False), "requires_grad=False"),
    ("06.warm_start", lambda model, pretrained, frozen: warm_start(model, pretrained, True), "requires_grad=True"),
    ("06.warm_start", lambda model, pretrained, frozen: warm_start(model, pretrained, frozen, "model"), "whole model"),
    ("06.warm_start", lambda model, pretrained, frozen: warm_start(model, pretrained, frozen, "flow"), "in any case"),
    ("06.warm_start", with_the_same_encoder, "share"),
]

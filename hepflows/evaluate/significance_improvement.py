"""Significance improvement of a cut, SIC = TPR / sqrt(FPR), with its statistical error, and bands over repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_levels


@dataclass(frozen=True)
class SignificanceImprovement:
    """SIC at each background efficiency; all arrays have the shape (points,).

    background_events: how many test events passed at the point: below some tens, the point is noise; uncertainty: of
    the SIC, from the finite numbers of test events.
    """

    background_efficiency: np.ndarray
    signal_efficiency: np.ndarray
    improvement: np.ndarray
    uncertainty: np.ndarray
    background_events: np.ndarray


def significance_improvement(
    signal_scores: ArrayLike, background_scores: ArrayLike, background_efficiency: ArrayLike = (1e-1, 1e-2, 1e-3)
) -> SignificanceImprovement:
    """By which factor a cut multiplies S / sqrt(B): SIC = TPR / sqrt(FPR), at given background efficiencies FPR.

    Events of equal score are split as if drawn by lot, which is the straight line between the points of the ROC curve.
    Relative variance of the SIC: (1 - TPR) / (TPR n_S) + 1 / (4 FPR n_B).

    Args:
        signal_scores: classifier output of signal events that it was not trained on, shape (n_S,).
        background_scores: the same of background events, shape (n_B,).
        background_efficiency: FPR of the points, between 0 and 1.

    Raises:
        InputError: wrong shapes, scores that are not finite, or efficiencies outside (0, 1).
    """
    signal = as_array("signal_scores", signal_scores, (None,))
    background = as_array("background_scores", background_scores, (None,))
    fpr = as_levels(background_efficiency)
    labels = np.repeat([1, 0], [len(signal), len(background)])
    curve_fpr, curve_tpr, _ = roc_curve(labels, np.concatenate([signal, background]), drop_intermediate=False)
    # Where the curve rises at one FPR, its upper end counts: these signal events cost no background.
    last = np.append(np.diff(curve_fpr) > 0, True)
    tpr = np.interp(fpr, curve_fpr[last], curve_tpr[last])
    improvement = tpr / np.sqrt(fpr)
    variance = (1 - tpr) / np.maximum(tpr * len(signal), 1) + 1 / (4 * fpr * len(background))
    return SignificanceImprovement(fpr, tpr, improvement, improvement * np.sqrt(variance), fpr * len(background))


class Band(NamedTuple):
    """Median over repetitions and the interval from the 16 % to the 84 % quantile; shape (points,) each."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def median_band(curves: Sequence[ArrayLike]) -> Band:
    """Median and 16-84 % band of repeated curves, point by point: how much a method depends on luck.

    Args:
        curves: one curve for each repetition, all of the same shape (points,).

    Raises:
        InputError: no curve, different shapes, or numbers that are not finite.
    """
    if len(curves) == 0:
        raise InputError("curves: expected at least one curve, got none")
    points = np.shape(curves[0])
    if len(points) != 1:
        raise InputError(f"curves: expected curves of shape (points,), got shape {points}")
    stacked = np.stack([as_array(f"curves[{number}]", curve, points) for number, curve in enumerate(curves)])
    low, median, high = np.quantile(stacked, [0.16, 0.5, 0.84], axis=0)
    return Band(median, low, high)

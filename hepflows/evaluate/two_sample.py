"""Classifier two-sample test: can a classifier tell generated events from true ones?"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array, as_count


@dataclass(frozen=True)
class TwoSampleResult:
    """AUC of a classifier between two samples: 0.5 if it cannot tell them apart, 1 if it always can.

    auc: mean over the folds; uncertainty: its standard error, sqrt(2) times bootstrap_error (see `two_sample_auc`);
    bootstrap_error: fluctuation of the held-out events for fixed classifiers; fold_auc (folds,);
    scores_reference, scores_sample: out-of-fold classifier output for every event used, in the order of
    rows_reference and rows_sample, which are indices into the arrays that were passed.
    """

    auc: float
    uncertainty: float
    bootstrap_error: float
    fold_auc: np.ndarray
    scores_reference: np.ndarray = field(repr=False)
    scores_sample: np.ndarray = field(repr=False)
    rows_reference: np.ndarray = field(repr=False)
    rows_sample: np.ndarray = field(repr=False)


def two_sample_auc(
    reference: ArrayLike,
    sample: ArrayLike,
    *,
    paired: bool = False,
    folds: int = 5,
    bootstrap: int = 200,
    classifier: str | BaseEstimator | None = None,
    max_events: int | None = None,
    seed: int = 0,
) -> TwoSampleResult:
    """AUC of a cross-fitted classifier between two samples; near 0.5 they are indistinguishable to it.

    The likelihood ratio has the highest AUC of all; a classifier trained on finitely many events stays below it.
    Every event is scored by a classifier that was not trained on it. The AUC is computed in each fold and averaged,
    because scores of different classifiers have no common scale.

    The bootstrap resamples held-out events (pairs of them if `paired`) for fixed classifiers. That is not the whole
    error: each fold is also in the training set of the others, so two events in different folds enter the result twice.
    At AUC = 0.5, where the result is a sum over pairs of events, this doubles the variance; the reported uncertainty is
    therefore sqrt(2) times the bootstrap error. Far from 0.5 that is conservative, by up to the same factor.

    Args:
        reference: true events, shape (n, d).
        sample: generated events, shape (m, d).
        paired: row i of both belongs together, such as (truth, condition) and (generated, the same condition). Pairs
            then stay in one fold; otherwise a classifier recognises conditions that it was trained on.
        folds: number of folds, at least 2.
        bootstrap: number of bootstrap replicas, at least 2.
        classifier: None for gradient-boosted trees, "network" for a standardised neural network, or a scikit-learn
            classifier, which is cloned for each fold.
        max_events: use at most this many random rows of each sample.
        seed: seed of folds, classifiers and bootstrap.

    Raises:
        InputError: wrong shapes, numbers that are not finite, too few events, or an unknown classifier.
    """
    reference = as_array("reference", reference, (None, None))
    sample = as_array("sample", sample, (len(reference) if paired else None, reference.shape[1]))
    folds, bootstrap = as_count("folds", folds, minimum=2), as_count("bootstrap", bootstrap, minimum=2)
    model = _classifier(classifier, as_count("seed", seed, minimum=0))
    rng = np.random.default_rng(seed)

    rows_reference = _choose_rows(len(reference), max_events, rng)
    rows_sample = rows_reference if paired else _choose_rows(len(sample), max_events, rng)
    for name, rows in (("reference", rows_reference), ("sample", rows_sample)):
        if len(rows) < 2 * folds:
            raise InputError(f"{name}: expected at least two events for each of {folds} folds, got {len(rows)} events")
    reference, sample = reference[rows_reference], sample[rows_sample]
    fold_reference = rng.permutation(len(reference)) % folds
    fold_sample = fold_reference if paired else rng.permutation(len(sample)) % folds

    scores_reference, scores_sample = np.empty(len(reference)), np.empty(len(sample))
    fold_auc, replicas = np.empty(folds), np.empty((folds, bootstrap))
    for fold in range(folds):
        out_reference, out_sample = fold_reference == fold, fold_sample == fold
        training = np.concatenate([reference[~out_reference], sample[~out_sample]])
        labels = np.repeat([0, 1], [np.sum(~out_reference), np.sum(~out_sample)])
        trained = clone(model).fit(training, labels)
        scores_reference[out_reference] = _score(trained, reference[out_reference])
        scores_sample[out_sample] = _score(trained, sample[out_sample])
        auc = _AreaUnderCurve(scores_reference[out_reference], scores_sample[out_sample])
        fold_auc[fold] = auc()
        replicas[fold] = [auc(*_resample(auc.events, paired, rng)) for _ in range(bootstrap)]

    error = float(replicas.mean(axis=0).std(ddof=1))
    return TwoSampleResult(
        auc=float(fold_auc.mean()),
        uncertainty=float(np.sqrt(2)) * error,
        bootstrap_error=error,
        fold_auc=fold_auc,
        scores_reference=scores_reference,
        scores_sample=scores_sample,
        rows_reference=rows_reference,
        rows_sample=rows_sample,
    )


class _AreaUnderCurve:
    """P(score of sample > score of reference) + P(equal)/2; sorts once, then any event weights cost O(n)."""

    def __init__(self, scores_reference: np.ndarray, scores_sample: np.ndarray):
        self.events = len(scores_reference), len(scores_sample)
        scores = np.concatenate([scores_reference, scores_sample])
        self._order = np.argsort(scores, kind="stable")
        self._is_sample = self._order >= len(scores_reference)
        self._starts = np.flatnonzero(np.diff(scores[self._order], prepend=-np.inf))  # first event of each tied group

    def __call__(self, weights_reference: np.ndarray | None = None, weights_sample: np.ndarray | None = None) -> float:
        if weights_reference is None:
            weights = np.ones(len(self._order))
        else:
            weights = np.concatenate([weights_reference, weights_sample])[self._order].astype(float)
        of_sample = np.add.reduceat(np.where(self._is_sample, weights, 0.0), self._starts)
        of_reference = np.add.reduceat(np.where(self._is_sample, 0.0, weights), self._starts)
        reference_below = np.cumsum(of_reference) - of_reference / 2
        return float(np.sum(of_sample * reference_below) / (of_sample.sum() * of_reference.sum()))


def _resample(events: tuple[int, int], paired: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How often each event occurs in a bootstrap replica; the same numbers for both events of a pair."""
    counts = [np.bincount(rng.integers(number, size=number), minlength=number) for number in events[: 2 - paired]]
    return counts[0], counts[-1]


def _choose_rows(number: int, max_events: int | None, rng: np.random.Generator) -> np.ndarray:
    if max_events is None or as_count("max_events", max_events, minimum=1) >= number:
        return np.arange(number)
    return np.sort(rng.choice(number, size=max_events, replace=False))


def _classifier(classifier: str | BaseEstimator | None, seed: int) -> BaseEstimator:
    if classifier is None:
        # Smaller trees and more of them than the default: more sensitive to the smooth differences that flows leave.
        return HistGradientBoostingClassifier(
            max_iter=300, max_leaf_nodes=15, min_samples_leaf=50, early_stopping=True, random_state=seed
        )
    if classifier == "network":
        network = MLPClassifier(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=seed)
        return make_pipeline(StandardScaler(), network)
    if isinstance(classifier, BaseEstimator) and hasattr(classifier, "fit"):
        return classifier
    raise InputError(f'classifier: expected None, "network" or a scikit-learn classifier, got {classifier!r}')


def _score(trained: BaseEstimator, events: np.ndarray) -> np.ndarray:
    if hasattr(trained, "predict_proba"):
        return trained.predict_proba(events)[:, 1]
    return trained.decision_function(events)

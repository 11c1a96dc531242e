"""Training of flows; `fit` is maximum likelihood on samples."""

from hepflows.training.history import History
from hepflows.training.likelihood import LikelihoodResult, evaluate_nll, evaluation_mode, log_prob_batched
from hepflows.training.maximum_likelihood import fit
from hepflows.training.nonfinite import NonFiniteLoss

__all__ = [
    "History",
    "LikelihoodResult",
    "NonFiniteLoss",
    "evaluate_nll",
    "evaluation_mode",
    "fit",
    "log_prob_batched",
]

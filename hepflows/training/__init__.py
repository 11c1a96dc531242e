"""Training of flows: `fit` is maximum likelihood on samples, `fit_to_target` learns a function."""

from hepflows.training.history import History
from hepflows.training.likelihood import LikelihoodResult, evaluate_nll, evaluation_mode, log_prob_batched
from hepflows.training.maximum_likelihood import fit
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.target import TargetHistory, fit_to_target

__all__ = [
    "History",
    "LikelihoodResult",
    "NonFiniteLoss",
    "TargetHistory",
    "evaluate_nll",
    "evaluation_mode",
    "fit",
    "fit_to_target",
    "log_prob_batched",
]

"""Training of flows: `fit` is maximum likelihood on samples, `fit_to_target` learns a function, `distill` a flow."""

from hepflows.training.circles import student_of
from hepflows.training.discrepancy import squared_mmd
from hepflows.training.distill import DistillationHistory, distill
from hepflows.training.history import History
from hepflows.training.likelihood import LikelihoodResult, evaluate_nll, evaluation_mode, log_prob_batched
from hepflows.training.maximum_likelihood import fit
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.target import TargetHistory, fit_to_target

__all__ = [
    "DistillationHistory",
    "History",
    "LikelihoodResult",
    "NonFiniteLoss",
    "TargetHistory",
    "distill",
    "evaluate_nll",
    "evaluation_mode",
    "fit",
    "fit_to_target",
    "log_prob_batched",
    "squared_mmd",
    "student_of",
]

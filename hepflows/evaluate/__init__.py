"""Is a flow right? Calibration, two-sample tests, weights and likelihoods, each with its uncertainty."""

from hepflows.evaluate.coverage import Coverage, central_coverage, highest_density_coverage
from hepflows.evaluate.draws import conditional_draws, flow_coverage
from hepflows.evaluate.likelihood import Difference, paired_difference
from hepflows.evaluate.markov_chain import AutocorrelationTime, autocorrelation, autocorrelation_time
from hepflows.evaluate.network import DropoutNetwork
from hepflows.evaluate.pit import PitUniformity, pit_uniformity, probability_integral_transform
from hepflows.evaluate.resolution import HalfWidth, half_width
from hepflows.evaluate.separation import separation_power
from hepflows.evaluate.two_sample import TwoSampleResult, two_sample_auc
from hepflows.evaluate.unweighting import (
    accept_reject,
    bootstrap_maximum,
    overweight_maximum,
    unweighting_efficiency,
)
from hepflows.evaluate.weights import EffectiveSampleSize, effective_sample_size

__all__ = [
    "AutocorrelationTime",
    "Coverage",
    "Difference",
    "DropoutNetwork",
    "EffectiveSampleSize",
    "HalfWidth",
    "PitUniformity",
    "TwoSampleResult",
    "accept_reject",
    "autocorrelation",
    "autocorrelation_time",
    "bootstrap_maximum",
    "central_coverage",
    "conditional_draws",
    "effective_sample_size",
    "flow_coverage",
    "half_width",
    "highest_density_coverage",
    "overweight_maximum",
    "paired_difference",
    "pit_uniformity",
    "probability_integral_transform",
    "separation_power",
    "two_sample_auc",
    "unweighting_efficiency",
]

"""Is a flow right, and is an excess real? Calibration, two-sample tests, weights, likelihoods and significances."""

from hepflows.evaluate.bump_hunt import WindowScan, largest_excess_in_toys, scan_windows
from hepflows.evaluate.counting import Excess, excess, global_p_value, independent_windows_p_value
from hepflows.evaluate.coverage import Coverage, central_coverage, highest_density_coverage
from hepflows.evaluate.crps import crps
from hepflows.evaluate.draws import conditional_draws, flow_coverage
from hepflows.evaluate.efficiency import EfficiencyFit, fit_efficiency
from hepflows.evaluate.likelihood import Difference, paired_difference
from hepflows.evaluate.markov_chain import AutocorrelationTime, autocorrelation, autocorrelation_time
from hepflows.evaluate.network import DropoutNetwork
from hepflows.evaluate.pit import PitUniformity, pit_uniformity, probability_integral_transform
from hepflows.evaluate.resolution import HalfWidth, half_width
from hepflows.evaluate.separation import separation_power
from hepflows.evaluate.significance_improvement import (
    Band,
    SignificanceImprovement,
    median_band,
    significance_improvement,
)
from hepflows.evaluate.spectrum import SpectrumFit, fit_spectrum
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
    "Band",
    "Coverage",
    "Difference",
    "DropoutNetwork",
    "EffectiveSampleSize",
    "EfficiencyFit",
    "Excess",
    "HalfWidth",
    "PitUniformity",
    "SignificanceImprovement",
    "SpectrumFit",
    "TwoSampleResult",
    "WindowScan",
    "accept_reject",
    "autocorrelation",
    "autocorrelation_time",
    "bootstrap_maximum",
    "central_coverage",
    "conditional_draws",
    "crps",
    "effective_sample_size",
    "excess",
    "fit_efficiency",
    "fit_spectrum",
    "flow_coverage",
    "global_p_value",
    "half_width",
    "highest_density_coverage",
    "independent_windows_p_value",
    "largest_excess_in_toys",
    "median_band",
    "overweight_maximum",
    "paired_difference",
    "pit_uniformity",
    "probability_integral_transform",
    "scan_windows",
    "separation_power",
    "significance_improvement",
    "two_sample_auc",
    "unweighting_efficiency",
]

"""The checks of lecture 09."""

import numpy as np

from hepflows.exercises.framework import array, call, exercise, pair, same


@exercise(
    "09.improvement", hint="np.quantile(background_scores, 1 - efficiency) is the cut; count the signal above it."
)
def _improvement(answer):
    """(signal scores (n,), background scores (m,), efficiency) -> TPR / sqrt(FPR) of the cut."""
    rng = np.random.default_rng(5)
    signal, background = rng.normal(1.5, 1.0, 4000), rng.normal(size=20_000)
    for efficiency in (0.1, 0.01):
        value = float(array(call(answer, signal, background, efficiency), (), "the SIC"))
        cut = np.sort(background)[::-1][round(efficiency * len(background))]
        rate = np.mean(signal > cut)
        if same(value, rate / np.sqrt(efficiency), 5e-3):
            continue
        low = np.sort(background)[round(efficiency * len(background))]
        if same(value, rate, 5e-3):
            return "this is TPR alone: divide by sqrt(FPR)."
        if same(value, rate / efficiency, 5e-3):
            return "the background fluctuates with sqrt(B): divide by the square root of FPR."
        if same(value, np.sqrt(rate) / efficiency, 5e-3) or same(value, np.sqrt(rate / efficiency), 5e-3):
            return "the root belongs to the background alone: S / sqrt(B)."
        if same(value, np.mean(signal > low) / np.sqrt(efficiency), 5e-3):
            return (
                "this cut keeps the fraction 1 - efficiency of the background: the cut is the quantile 1 - efficiency."
            )
        if same(value, np.mean(signal < cut) / np.sqrt(efficiency), 5e-3):
            return "signal has high scores: count what is above the cut."
        return f"efficiency {efficiency}: expected {rate / np.sqrt(efficiency):.3f}, got {value:.3f}."
    return None


@exercise("09.background", hint="efficiency = passed / before, summed over the side bands; times the events of the SR.")
def _background(answer):
    """(before (bins,), passed (bins,), in_signal_region (bins,) bool) -> (events, their error)."""
    before = np.array([5200, 4100, 3000, 2500, 1900, 1500])
    passed = np.array([48, 45, 290, 260, 21, 14])  # an excess in the signal region, which must not matter
    inside = np.array([False, False, True, True, False, False])
    events, error = pair(call(answer, before, passed, inside), "the events and their error")
    events, error = float(array(events, (), "the events")), float(array(error, (), "the error"))
    count = passed[~inside].sum()
    efficiency, total = count / before[~inside].sum(), before[inside].sum()
    if not same(events, efficiency * total):
        if same(events, passed.sum() / before.sum() * total):
            return "the efficiency may come from the side bands only: a signal in the SR would count as background."
        if same(events, passed[inside].sum()):
            return "these are the events that were seen in the SR, not those that the side bands predict."
        if same(events, count):
            return "these are the events of the side bands: times the ratio of SR to side bands before the cut."
        if same(events, np.mean(passed[~inside] / before[~inside]) * total):
            return "a bin with few events counts as much as one with many: sum first, then divide."
        return f"expected {efficiency * total:.1f}, got {events:.1f}: the efficiency of the side bands times the SR."
    if same(error, efficiency * total / np.sqrt(count)):
        return None
    if same(error, np.sqrt(efficiency * total)):
        return "this is how the count in the SR fluctuates. How well do the side bands know the efficiency?"
    if same(error, np.sqrt(count)):
        return "this is the error of the events in the side bands: it is scaled to the SR like the events."
    return "the events are right; their relative error is 1 / sqrt(events that pass in the side bands)."


@exercise("09.look_elsewhere", hint="None of n independent windows shows it with probability (1 - p)^n.")
def _look_elsewhere(answer):
    """(local p-value, number of windows) -> probability to see one as small anywhere."""
    for local, windows in ((0.01, 20), (0.3, 5), (0.001, 1)):
        value = float(array(call(answer, local, windows), (), "the p-value"))
        if same(value, 1 - (1 - local) ** windows):
            continue
        if same(value, windows * local):
            return "n p is the limit of small p, and can exceed 1: which probability is exact?"
        if same(value, (1 - local) ** windows):
            return "this is the probability that no window shows it: take the complement."
        if same(value, local**windows):
            return "this is the probability that all windows show it."
        if same(value, local / windows):
            return "more windows make a fluctuation more likely, not less."
        return f"p = {local} in {windows} windows: expected {1 - (1 - local) ** windows:.4g}, got {value:.4g}."
    return None

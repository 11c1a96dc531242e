"""Interleaved timing: every round times each contestant once, so that a busy moment hits them all."""

import gc
import statistics
import time


def interleaved(contestants, rounds, seconds, warm_up=2):
    """CPU seconds of each call, {name: [one a round]}, for {name: function}; stops after `seconds` (at least 3 rounds).

    CPU time of this process, which with one thread does not count what other processes take. `warm_up` calls of each
    come before and are not counted.
    """
    for function in contestants.values():
        for _ in range(warm_up):
            function()
    times = {name: [] for name in contestants}
    began = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for done in range(rounds):
            for name, function in contestants.items():
                start = time.process_time()
                function()
                times[name].append(time.process_time() - start)
            if done >= 2 and time.perf_counter() - began > seconds:
                break
    finally:
        gc.enable()
    return times


def ratio(peer, ours):
    """Median of peer / ours over the rounds, and the 16 % and 84 % quantiles: (median, low, high)."""
    ratios = sorted(a / b for a, b in zip(peer, ours, strict=True))
    if len(ratios) < 3:
        return statistics.median(ratios), ratios[0], ratios[-1]
    low, high = ratios[round(0.16 * (len(ratios) - 1))], ratios[round(0.84 * (len(ratios) - 1))]
    return statistics.median(ratios), low, high

"""How many steps of a Markov chain are worth one independent draw?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hepflows.errors import InputError
from hepflows.evaluate.checks import as_array

WINDOW = 5.0  # autocorrelation times over which the autocorrelation is summed: what lies beyond is mostly noise


@dataclass(frozen=True)
class AutocorrelationTime:
    """tau = 1 + 2 sum_t rho(t) in steps and its standard error; the sum ends at the lag `window`."""

    steps: float
    uncertainty: float
    window: int


def autocorrelation(chains: ArrayLike) -> np.ndarray:
    """rho(t) = <(a_i - <a>) (a_i+t - <a>)> / <(a_i - <a>)^2> at the lags t = 0, 1, ..., steps - 1, shape (steps,).

    Args:
        chains: an observable a along independent chains in equilibrium, shape (chains, steps). Mean and autocovariance
            are those of all chains together.

    Raises:
        InputError: wrong shape, a number that is not finite, fewer than two steps, or an observable that never changes.
    """
    chains = as_array("chains", chains, (None, None))
    steps = chains.shape[1]
    if steps < 2:
        raise InputError("chains: expected at least 2 steps, got 1")
    deviation = chains - chains.mean()
    if not deviation.any() or np.ptp(chains) <= 1e-12 * np.abs(chains).max():
        raise InputError(f"chains: expected an observable that changes, got {chains.flat[0]:g} everywhere")
    spectrum = np.fft.rfft(deviation, 2 * steps, axis=1)  # padded with zeros: the end is not the neighbour of the start
    products = np.fft.irfft((np.abs(spectrum) ** 2).sum(0), 2 * steps)[:steps]
    covariance = products / np.arange(steps, 0, -1)  # the number of pairs at each lag
    return covariance / covariance[0]


def autocorrelation_time(chains: ArrayLike) -> AutocorrelationTime:
    """Integrated autocorrelation time tau: the mean of N steps is as precise as that of N / tau independent draws.

        tau(W) = 1 + 2 sum_{t=1}^W rho(t),  at the smallest W >= 5 max(tau(W), 1)
        (d tau)^2 = 4 tau^2 (W + 1/2 - tau / 2) / N, with N the steps of all chains     (U. Wolff, hep-lat/0306017)

    Independent draws have tau = 1. It belongs to the observable: judge a chain by the slowest one. A chain that has
    never left one of two modes does not know about the other, and neither does its tau.

    Args:
        chains: an observable along independent chains in equilibrium, shape (chains, steps).

    Raises:
        InputError: as `autocorrelation`, or chains too short to hold the window twice.
    """
    chains = as_array("chains", chains, (None, None))
    rho = autocorrelation(chains)
    steps = len(rho)
    tau = 2 * np.cumsum(rho) - 1
    lags = np.arange(steps)
    enough = lags >= WINDOW * np.maximum(tau, 1.0)  # at least 5 lags: a chain that overshoots has tau < 1
    window = int(enough.argmax())
    if not enough.any() or 2 * window > steps:
        raise InputError(
            f"chains: expected at least {2 * WINDOW:g} autocorrelation times, got {steps} steps, after which the "
            f"autocorrelation is not yet summed up (tau is at least about {np.max(tau[: steps // 2 + 1]):.3g})"
        )
    tau = float(tau[window])
    return AutocorrelationTime(
        steps=tau,
        uncertainty=float(tau * np.sqrt(4 * (window + 0.5 - tau / 2) / chains.size)),
        window=window,
    )

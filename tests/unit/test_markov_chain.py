"""Autocorrelation against processes whose autocorrelation is known, and against its definition."""

import math

import numpy as np
import pytest
import torch
from scipy import signal

from hepflows import evaluate
from hepflows.errors import InputError


def autoregression(phi, chains, steps, rng):
    """AR(1) in equilibrium, a_t+1 = phi a_t + noise: rho(t) = phi^t, tau = (1 + phi) / (1 - phi)."""
    noise = rng.normal(size=(chains, steps)) * math.sqrt(1 - phi**2)
    noise[:, 0] = rng.normal(size=chains)
    return signal.lfilter([1], [1, -phi], noise, axis=1)


def test_autocorrelation_is_its_definition(rng):
    chains = rng.normal(size=(3, 40)).cumsum(axis=1)
    deviation = chains - chains.mean()
    direct = [np.mean(deviation[:, : 40 - lag] * deviation[:, lag:]) for lag in range(40)]
    np.testing.assert_allclose(evaluate.autocorrelation(chains), np.array(direct) / direct[0], rtol=1e-10, atol=1e-12)


def test_autocorrelation_of_an_autoregression_falls_geometrically(rng):
    rho = evaluate.autocorrelation(autoregression(0.8, 400, 4000, rng))
    # 1.6 million steps, 9 of which are worth one independent draw
    np.testing.assert_allclose(rho[:20], 0.8 ** np.arange(20), atol=4 * math.sqrt(9 / 1.6e6))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.7, 0.95])
def test_time_of_an_autoregression_within_4_sigma(phi, seed):
    result = evaluate.autocorrelation_time(autoregression(phi, 100, 5000, np.random.default_rng(seed)))
    exact = (1 + phi) / (1 - phi)
    # the sum ends after five times tau, which leaves out less than 2 exp(-10 / (1 + 1/tau)) of it
    assert abs(result.steps - exact) < 4 * result.uncertainty + 2e-3 * exact
    assert 0 < result.uncertainty < 0.05 * exact


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_uncertainty_is_the_spread_of_repetitions(phi, rng):
    results = [evaluate.autocorrelation_time(autoregression(phi, 10, 2000, rng)) for _ in range(200)]
    spread = np.std([result.steps for result in results])
    # the spread of 200 is known to 5 percent; the formula is that of many steps
    assert np.mean([result.uncertainty for result in results]) == pytest.approx(spread, rel=0.25)


def test_a_chain_that_jumps_between_two_states(rng):
    """It changes its state with probability 0.1: rho(t) = 0.8^t, tau = (1 - 0.1) / 0.1 = 9."""
    changes = np.cumsum(rng.random((200, 3000)) < 0.1, axis=1)
    states = (changes + rng.integers(2, size=(200, 1))) % 2
    result = evaluate.autocorrelation_time(states)
    assert abs(result.steps - 9) < 4 * result.uncertainty + 0.01


def test_mean_of_a_chain_has_the_error_that_tau_says(rng):
    chains = autoregression(0.9, 500, 2000, rng)
    tau = evaluate.autocorrelation_time(chains).steps
    assert np.std(chains.mean(axis=1)) == pytest.approx(math.sqrt(tau / 2000), rel=4 / math.sqrt(2 * 500))


def test_units_and_tensors_do_not_matter(rng):
    chains = autoregression(0.5, 20, 500, rng)
    expected = evaluate.autocorrelation_time(chains)
    scaled = evaluate.autocorrelation_time(torch.as_tensor(1e6 + 3000 * chains, dtype=torch.float64))
    assert scaled.steps == pytest.approx(expected.steps, rel=1e-6) and scaled.window == expected.window


@pytest.mark.parametrize(
    "chains, words",
    [
        (np.zeros(5), "chains: expected shape"),
        (np.full((2, 5), np.nan), "chains: expected finite numbers"),
        (np.ones((4, 1)), "at least 2 steps"),
        (np.full((4, 100), 3.5), "chains: expected an observable that changes, got 3.5 everywhere"),
    ],
)
def test_bad_input_is_named(chains, words):
    with pytest.raises(InputError, match=words):
        evaluate.autocorrelation_time(chains)


@pytest.mark.parametrize("steps", [2, 50, 300])
def test_chains_that_are_too_short_are_refused(steps, rng):
    chains = autoregression(0.995, 20, steps, rng)  # tau = 399
    with pytest.raises(InputError, match="chains: expected at least 10 autocorrelation times, got"):
        evaluate.autocorrelation_time(chains)


def test_chains_that_never_leave_their_state_are_refused(rng):
    with pytest.raises(InputError, match="autocorrelation times"):
        evaluate.autocorrelation_time(np.repeat([[0.0], [1.0], [1.0]], 500, axis=1))

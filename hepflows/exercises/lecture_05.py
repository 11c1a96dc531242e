"""The checks of lecture 05."""

import numpy as np

from hepflows.exercises.framework import Hint, array, call, exercise, pair, same


@exercise("05.momenta", hint="Each proton carries sqrt(s)/2; gluon 1 flies along +z and gluon 2 along -z.")
def _momenta(answer):
    """(x1, x2) -> (pz, energy) of the gluon pair in GeV at sqrt(s) = 13000 GeV."""
    x1, x2 = np.array([0.1, 0.02, 0.3, 0.004]), np.array([0.05, 0.2, 0.01, 0.004])
    # the sum of two massless four-vectors (E, pz), one along each beam
    beam = 6500.0
    energy, pz = np.outer([beam, beam], x1) + np.outer([beam, -beam], x2)
    your_pz, your_energy = pair(call(answer, x1, x2), "pz and the energy")
    your_pz, your_energy = array(your_pz, x1.shape, "pz"), array(your_energy, x1.shape, "the energy")
    if same(your_pz, pz) and same(your_energy, energy):
        return None
    if same(your_pz, energy) and same(your_energy, pz):
        return "pz and the energy are exchanged: return (pz, energy)."
    if same(your_pz, 2 * pz) and same(your_energy, 2 * energy):
        return "a factor of two: sqrt(s) is the energy of both protons together."
    if same(1000 * your_pz, pz) and same(1000 * your_energy, energy):
        return "the units: GeV are wanted, and sqrt(s) is 13000 GeV."
    if same(your_energy, energy) and same(your_pz, -pz):
        return "the sign of pz: gluon 1 moves along +z."
    if same(your_energy, energy):
        return "the energy is right; in pz the two gluons fly against each other."
    if same(your_pz, pz):
        return "pz is right; the energies of the two gluons add."
    return "add the four-vectors x1 (E, 0, 0, E) and x2 (E, 0, 0, -E) with E = sqrt(s)/2."


@exercise("05.jacobian", hint="p(x1, x2) = p(log x1, log x2) |d(log x1, log x2)/d(x1, x2)|: take the logarithm.")
def _jacobian(answer):
    """(log-density in (log x1, log x2), x1, x2) -> log-density in (x1, x2), all (n,)."""
    import torch
    from scipy import stats

    x1, x2 = np.array([0.5, 0.1, 0.03, 0.8]), np.array([0.2, 0.1, 0.4, 0.006])
    log_x1, log_x2 = np.log(x1), np.log(x2)
    before = stats.norm.logpdf(log_x1, -2.0, 0.9) + stats.norm.logpdf(log_x2, -3.0, 1.2)
    after = stats.lognorm.logpdf(x1, 0.9, scale=np.exp(-2.0)) + stats.lognorm.logpdf(x2, 1.2, scale=np.exp(-3.0))
    try:
        value = call(answer, *[torch.as_tensor(given) for given in (before, x1, x2)])
    except Hint:  # written for numpy arrays
        value = call(answer, before, x1, x2)
    value = array(value, x1.shape, "the log-density")
    if same(value, after):
        return None
    if same(value, before + log_x1 + log_x2):
        return "the sign: d(log x)/dx = 1/x, and the logarithm of 1/x is -log x."
    if same(value, before - log_x1) or same(value, before - log_x2):
        return "both coordinates change: the determinant has a factor for x1 and one for x2."
    if same(value, before / (x1 * x2)):
        return "this divides the log-density: divide the density, that is, subtract in the logarithm."
    if same(value, before):
        return "the density changes with its coordinates: which factor does d(log x) = dx / x bring?"
    return "the Jacobian of x -> log x is diagonal, 1/x1 and 1/x2: add the logarithm of its determinant."


@exercise("05.central_interval", hint="np.quantile(samples, q, axis=1): which two q leave level between them?")
def _central_interval(answer):
    """(samples (n_events, n_draws), level) -> (low, high), each (n_events,), with equal tails outside."""
    n_events, n_draws = 4, 800
    # skewed, and different in every event: only equal tails, event by event, can pass
    samples = np.random.default_rng(3).exponential(size=(n_events, n_draws)) * np.array([[1.0], [5.0], [0.2], [20.0]])
    for level in (0.68, 0.95):
        low, high = pair(call(answer, samples, level), "low and high")
        low, high = array(low, (n_events,), "low"), array(high, (n_events,), "high")
        below, above = np.mean(samples < low[:, None], axis=1), np.mean(samples > high[:, None], axis=1)
        tail, tolerance = (1 - level) / 2, 1.5 / n_draws
        if np.all(np.abs(below - tail) <= tolerance) and np.all(np.abs(above - tail) <= tolerance):
            continue
        if np.all(low > high):
            return "low lies above high: exchange them."
        inside = 1 - below - above
        if np.all(np.abs(inside - level) <= 2 * tolerance):
            return f"level {level}: the interval holds that fraction, but the same fraction must lie below as above it."
        return f"level {level}: the interval holds {inside.mean():.3f} of the draws; leave (1 - level)/2 on each side."
    return None

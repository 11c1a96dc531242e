"""The checks of lecture 07."""

import numpy as np

from hepflows.exercises.framework import array, call, exercise, pair, same


@exercise("07.importance_sampling", hint="I = mean(f / q); its error is std(f / q) / sqrt(N).")
def _importance_sampling(answer):
    """(f (n,), q (n,)) -> (I, sigma)."""
    rng = np.random.default_rng(7)
    q = rng.uniform(0.5, 2.0, size=400)
    f = q * rng.exponential(size=400)
    weights = f / q
    value, error = weights.mean(), weights.std() / np.sqrt(len(f))
    your_value, your_error = pair(call(answer, f, q), "the integral and its error")
    your_value, your_error = array(your_value, (), "the integral"), array(your_error, (), "the error")
    if not same(your_value, value):
        if same(your_value, f.mean()):
            return "the points follow q, not the uniform density: divide each f by its q."
        if same(your_value, f.mean() / q.mean()):
            return "this is a ratio of means; the mean of the ratios is wanted."
        return "the integral is the mean of f / q over the points."
    if same(your_error, error, 5e-3):  # with N or N - 1 in the variance
        return None
    if same(your_error, weights.std(), 5e-3):
        return "this is the spread of one weight: the mean of N has an error smaller by sqrt(N)."
    return "the error of a mean is the standard deviation of the weights over sqrt(N)."


@exercise("07.accept_reject", hint="Keep a point with probability w / w_max: compare this ratio with a uniform number.")
def _accept_reject(answer):
    """(weights (n,), maximum, u uniform in [0, 1) (n,)) -> kept (n,), True or False."""
    rng = np.random.default_rng(8)
    weights, u = rng.exponential(size=500), rng.uniform(size=500)
    maximum = weights.max()
    kept = array(call(answer, weights, maximum, u), weights.shape, "what is kept").astype(bool)
    expected = u < weights / maximum
    if (kept == expected).all():
        return None
    if (kept == ~expected).all():
        return "this throws away what should be kept: large weights are to survive."
    if (kept == (u < weights)).all():
        return "probabilities may not exceed 1: divide the weights by the largest."
    return "keep a point where u < w / w_max."


@exercise("07.chi2", hint="sum_k ((I_k - mean) / sigma_k)^2 over the number of iterations less one.")
def _chi2(answer):
    """(values (K,), errors (K,)) -> chi2 per degree of freedom about their weighted mean."""
    rng = np.random.default_rng(9)
    errors = np.full(12, 0.3)
    values = 5 + rng.normal(size=12) * errors
    expected = np.sum(((values - values.mean()) / errors) ** 2) / 11
    yours = array(call(answer, values, errors), (), "chi2/dof")
    if same(yours, expected):
        return None
    if same(yours, expected * 11):
        return "this is chi2; divide by the degrees of freedom, K - 1."
    if same(yours, expected * 11 / 12):
        return "one degree of freedom goes into the mean: divide by K - 1, not by K."
    return "square the pulls (I_k - mean) / sigma_k, add them up, divide by K - 1."

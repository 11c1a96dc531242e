"""The checks of lecture 03."""

import numpy as np

from hepflows.exercises.framework import Hint, array, call, exercise, pair, same


@exercise("03.missed_modes", hint="Inside of the covered modes q = p* / F: what is log q - log p* there?")
def _missed_modes(answer):
    """F -> KL(q || p*) of a density that is p* / F in modes that hold the fraction F of p*, and zero elsewhere."""
    shares = np.array([0.15, 0.05, 0.35, 0.45])  # of p* in four boxes of unit size
    covered, exact = [], []
    for boxes in ([1, 2, 3], [0, 1, 2], [0, 1]):
        p = shares[boxes]
        q = p / p.sum()
        covered.append(p.sum())
        exact.append(np.sum(q * np.log(q / p)))
    covered, exact = np.array(covered), np.array(exact)
    value = array(call(answer, covered), covered.shape, "the divergence")
    if same(value, exact):
        return None
    if same(value, -exact):
        return "the sign: a divergence is never negative, and F < 1."
    if same(value, 1 - covered):
        return "this is the probability that is missed; the divergence has a logarithm in it."
    if same(value, covered * exact) or same(value, (1 - covered) * exact):
        return "the average is over draws of q, and all of them lie in covered modes: no further factor."
    if same(value, -np.log(1 - covered)):
        return "this is the logarithm of what is missed: take that of what is covered."
    if np.all(np.isinf(value)):
        return (
            "that would be the forward divergence, KL(p* || q), which looks where q is zero. Here the draws are of q."
        )
    return "log q - log p* has the same value for every draw of q, so the average is that value."


@exercise("03.reverse_kl", hint="Average over the noise u: log p_u(u) - log|det J_T(u)| - log p*(T(u)).")
def _reverse_kl(answer):
    """(log p_u(u), log|det J_T(u)|, log p*(T(u))), each (n,) -> the loss, up to a constant KL(q || p*)."""
    import torch

    generator = torch.Generator().manual_seed(31)
    u = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    # a linear map has an independent density to compare with: x = A u is normal with covariance A A^T
    matrix = torch.tensor([[2.0, 0.0], [0.7, 1.5]], dtype=torch.float64)
    x = u @ matrix.T
    normal = torch.distributions.MultivariateNormal
    log_q = normal(torch.zeros_like(u[0]), matrix @ matrix.T).log_prob(x)
    log_p_u = normal(torch.zeros_like(u[0]), torch.eye(2, dtype=torch.float64)).log_prob(u)
    log_p_star = torch.distributions.Cauchy(0.5, 1.0).log_prob(x).sum(1)
    logabsdet = torch.linalg.slogdet(matrix).logabsdet.expand(len(u))
    value = call(answer, log_p_u, logabsdet, log_p_star)
    if np.shape(value) == (len(u),):
        return "one number for the batch is wanted: the mean over its points."
    value = float(array(value, (), "the loss"))
    right, jacobian = (log_q - log_p_star).mean().item(), logabsdet[0].item()
    if same(value, right):
        return None
    if same(value, -right):
        return "the sign: the loss must fall when p* becomes larger at the points that the flow draws."
    if same(value, len(u) * right):
        return "this is the sum over the points: take the mean, so that it does not grow with the batch."
    if same(value, right + 2 * jacobian):
        return (
            "the sign of the log-determinant: T leads from the noise to x, and where it stretches, q becomes smaller."
        )
    if same(value, right + jacobian):
        return "the Jacobian is missing: without it every point would run to the maximum of p*."
    if same(value, (-log_p_star).mean().item()):
        return "log q is missing: without it every point would run to the maximum of p*."
    if same(value, -log_q.mean().item()):
        return "p* is missing: nothing tells the flow what to learn."
    return "log q(x) = log p_u(u) - log|det J_T(u)|; subtract log p*(x), then average."


@exercise("03.integral", hint="w_i = f(x_i) / q(x_i): the mean of w estimates I. What is the error of a mean?")
def _integral(answer):
    """(log f, log q), each (n,) -> (I, sigma)."""
    import torch

    n, rng = 20_000, np.random.default_rng(32)
    weights, log_q = rng.gamma(2.0, 1.5, size=n), rng.normal(size=n)
    log_f = np.log(weights) + log_q
    try:
        given = call(answer, log_f, log_q)
    except Hint:  # written for tensors
        given = call(answer, torch.as_tensor(log_f), torch.as_tensor(log_q))
    integral, sigma = pair(given, "I and its error")
    integral, sigma = float(array(integral, (), "I")), float(array(sigma, (), "the error"))
    mean, error = weights.mean(), weights.std() / np.sqrt(n)
    if same(integral, mean) and same(sigma, error):
        return None
    if same(integral, error) and same(sigma, mean):
        return "the two are exchanged: return (I, sigma)."
    if same(integral, mean):
        if same(sigma, weights.std()):
            return (
                "I is right. This is the spread of single weights: the mean of N of them is known sqrt(N) times better."
            )
        if same(sigma, weights.std() / n):
            return "I is right. The error of a mean falls with sqrt(N), not with N."
        if same(sigma, weights.var() / n):
            return "I is right. This is the variance of the mean: the error is its square root."
        return "I is right. The error of a mean is the standard deviation of the weights over sqrt(N)."
    if same(integral, np.exp(log_f).mean()):
        return "this is the mean of f: that is right for points that are spread evenly, but these have the density q."
    if same(integral, weights.sum()):
        return "this is the sum of the weights: take their mean."
    if same(integral, (log_f - log_q).mean()):
        return "this is the mean of log f - log q: take the exponential of each first."
    if same(integral, (1 / weights).mean()):
        return "the ratio is upside down: where q draws too often, a point must count less."
    return "the weights are w = exp(log f - log q), and I is their mean."


@exercise("03.effective_sample_size", hint="(sum w)^2 / sum w^2 is a number of events: divide it by N.")
def _effective_sample_size(answer):
    """weights (n,) -> effective sample size as a fraction of n."""
    n, rng = 400, np.random.default_rng(33)
    weights = rng.gamma(1.5, 2.0, size=n)
    fraction = 1 / (1 + weights.var() / weights.mean() ** 2)
    value = call(answer, weights)
    value = float(array(value, (), "the fraction"))
    if same(value, fraction):
        return None
    if same(value, n * fraction):
        return "this is a number of events: divide by N, so that 1 is a perfect flow."
    if same(value, 1 / fraction):
        return "this is the inverse: one large weight among many small ones must make it small."
    if same(value, weights.sum() / np.square(weights).sum()) or same(value, weights.mean() / np.square(weights).mean()):
        return "the units: with all weights ten times larger nothing should change. Square the sum in the numerator."
    if same(value, weights.mean() / weights.max()):
        return "this is the unweighting efficiency <w> / w_max, which depends on a single weight: lecture 07 needs it."
    return "square the sum of the weights, divide by the sum of their squares, and by their number."


@exercise(
    "03.acceptance",
    hint="Going there and coming back must be equally frequent: f(x) q(y) a(x to y) = f(y) q(x) a(y to x).",
)
def _acceptance(answer):
    """(log f(x), log q(x), log f(y), log q(y)), each (n,) -> probability to go from x to y proposed by q."""
    import torch

    given = np.random.default_rng(34).normal(size=(4, 12))
    inputs = [given, [torch.as_tensor(row) for row in given]]

    def ask(*order):
        try:
            value = call(answer, *[inputs[0][k] for k in order])
        except Hint:  # written for tensors
            value = call(answer, *[inputs[1][k] for k in order])
        return array(value, (12,), "the probability")

    there, back = ask(0, 1, 2, 3), ask(2, 3, 0, 1)
    f_x, q_x, f_y, q_y = np.exp(given)
    if same(there, np.log(np.minimum(1, f_y * q_x / (f_x * q_y)))):
        return "this is the logarithm of the probability: take its exponential."
    if same(there, f_y * q_x / (f_x * q_y)):
        return "a probability is at most 1: take the smaller of the ratio and 1."
    if same(there, np.minimum(1, f_y / f_x)):
        return (
            "that is for a random walk, where the way there and the way back are proposed equally often: q is missing."
        )
    if same(there, np.minimum(1, f_y * q_y / (f_x * q_x))):
        return "q stands upside down: a point that is proposed too often must be accepted less often."
    if not (np.all(there >= 0) and np.all(there <= 1)):
        return "a probability lies between 0 and 1."
    if not same(f_x * q_y * there, f_y * q_x * back):
        return "no detailed balance: f(x) q(y) a(x to y) differs from f(y) q(x) a(y to x)."
    if not same(np.maximum(there, back), np.ones(12)):
        return "detailed balance holds, but the chain could move more often: one of the two directions may be certain."
    return None

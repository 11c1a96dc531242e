"""The checks of lecture 04."""

import numpy as np

from hepflows.exercises.framework import array, call, exercise, same


@exercise("04.condition_a_joint", hint="q(x|y) = q(x, y) / q(y), and q(y) is the integral of q(x, y) over x.")
def _condition_a_joint(answer):
    """(log q(x_k, y_n) of shape (n, k), dx) -> log q(x_k | y_n), shape (n, k)."""
    from scipy import special, stats

    # two correlated normal variables: their conditional is known, N(x; r y, sqrt(1 - r^2))
    x, y, r = np.linspace(-8, 8, 801), np.array([-1.5, 0.0, 0.4, 2.5]), 0.6
    dx = x[1] - x[0]
    points = np.stack(np.broadcast_arrays(x, y[:, None]), -1)
    joint = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).logpdf(points)
    expected = stats.norm.logpdf(x, r * y[:, None], np.sqrt(1 - r**2))
    value = array(call(answer, joint, dx), joint.shape, "log q(x|y)")
    if same(value, expected):
        return None
    if same(value, np.exp(expected)):
        return "this is q(x|y): its logarithm is wanted."
    if same(value, expected + np.log(dx)):
        return "the spacing dx is missing: your probabilities add up to one, a density integrates to one."
    if same(value, 2 * joint - expected) or same(value, joint + special.logsumexp(joint, 1, keepdims=True)):
        return "divide by q(y): in the logarithm that is a difference."
    if same(value, joint - special.logsumexp(joint) - np.log(dx)):
        return "each y has its own q(y): add up along x (axis 1, keepdims=True), not over the whole table."
    if same(value, joint - special.logsumexp(joint, 0, keepdims=True) - np.log(dx)):
        return "you have added up over y (axis 0): integrate over x, which runs along axis 1."
    if same(value, joint):
        return "this is still the joint density: what is its integral over x at a fixed y?"
    return "subtract log q(y_n) = logsumexp of row n + log(dx) from each row."


@exercise("04.posterior_on_grid", hint="Independent events: the logarithms of their densities add up. Then normalise.")
def _posterior_on_grid(answer):
    """(log p(m_i | theta_jk) of shape (events, j, k), area of a cell) -> posterior density, shape (j, k)."""
    from scipy import stats

    # pairs (u, v) of unit normals around (a, b): with a flat prior the posterior of a is normal, sigma = 1 / sqrt(n)
    n = 1000
    events = np.random.default_rng(4).normal([0.2, -0.1], 1.0, size=(n, 2))
    a, b = np.linspace(0.0, 0.4, 25), np.linspace(-0.3, 0.1, 21)
    area = (a[1] - a[0]) * (b[1] - b[0])
    of_u, of_v = (stats.norm.logpdf(events[:, k, None], axis) for k, axis in enumerate((a, b)))
    log_p = of_u[:, :, None] + of_v[:, None, :]
    means, spread = events.mean(0), 1 / np.sqrt(n)
    expected = np.outer(stats.norm.pdf(a, means[0], spread), stats.norm.pdf(b, means[1], spread))
    value = call(answer, log_p, area)
    if np.shape(value) == log_p.shape:
        return "one posterior from all events is wanted: add up the logarithms over the events (axis 0)."
    value = array(value, expected.shape, "the posterior")
    if np.abs(value - expected).max() < 0.02 * expected.max():  # the grid ends where a little is left
        return None
    if not np.all(np.isfinite(value)) or not np.any(value):
        return "exp(-4000) is zero for a computer: subtract the largest log-likelihood before you take the exponential."
    if np.abs(value / area - expected).max() < 0.02 * expected.max():
        return "your cells add up to one: a density does when each is multiplied with the area of its cell."
    if same(value, log_p.sum(0), 1e-6):
        return "this is the log-likelihood: take its exponential, and normalise."
    if np.all(value <= 0) or np.abs(np.exp(value) - expected).max() < 0.02 * expected.max():
        return "this looks like a logarithm: the density itself is wanted."
    if np.isclose(value.sum() * area, 1) and value.max() < 0.2 * expected.max():
        return "normalised, but far too wide: the log-densities of the events add up, their mean is not the likelihood."
    if np.isclose(value.max(), 1):
        return "the highest cell is one: divide by the sum of all cells times the area of a cell."
    return "sum over the events, subtract the maximum, take the exponential, divide by (sum times area)."


@exercise("04.rank", hint="Compare the draws of each set with its truth (truth[:, None]), and count along axis 1.")
def _rank(answer):
    """(truth (n,), draws (n, L)) -> number of draws below the truth, (n,)."""
    n, draws_per_set = 6, 50
    rng = np.random.default_rng(5)
    truth, draws = rng.normal(size=n), rng.normal(size=(n, draws_per_set))
    truth[0], truth[1] = draws[0].min() - 1, draws[1].max() + 1
    expected = np.array([np.searchsorted(np.sort(one), value) for one, value in zip(draws, truth, strict=True)])
    value = call(answer, truth, draws)
    if np.shape(value) == draws.shape:
        return "one number for each set is wanted: count along the draws (axis 1)."
    if np.shape(value) == ():
        return "one number for each set is wanted: count along the draws (axis 1), not over all sets."
    value = array(value, (n,), "the ranks")
    if same(value, expected):
        return None
    if same(value, draws_per_set - expected):
        return "you count the draws above the truth: a truth below all draws has the rank 0."
    if same(value * draws_per_set, expected):
        return "this is the fraction: the rank is the count, 0 to L."
    if same(value, expected + 1):
        return "ranks begin with 0 here: a truth below all draws has none below it."
    return "for each set, how many of its draws are smaller than its truth?"


@exercise("04.angle_condition", hint="A point on the unit circle needs two coordinates, and has no seam.")
def _angle_condition(answer):
    """Angles (n,) in radians -> what a network is given, (n, 2): continuous on the circle, different for each angle."""
    angles = np.linspace(-np.pi, np.pi, 73)[:-1]
    value = call(answer, angles)
    if np.shape(value) == angles.shape:
        return "one number cannot do it: a continuous function on the circle takes each value twice, or jumps."
    if np.shape(value) == (2, len(angles)):
        return "one row for each event is wanted: stack along the last axis."
    value = array(value, (len(angles), 2), "the condition")
    distances = np.linalg.norm(value[:, None] - value[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    steps = np.linalg.norm(np.roll(value, -1, axis=0) - value, axis=1)  # the last one goes round, over the seam
    if steps[-1] > 3 * np.median(steps):
        return "between -pi and pi it still jumps: neighbours on the circle must stay neighbours."
    if distances.min() < 0.2 * np.median(steps):
        return "two different angles get the same numbers: the network could not tell them apart."
    if steps.max() > 3 * steps.min():
        return "it goes round the circle unevenly, or in degrees: cos and sin take radians."
    return None

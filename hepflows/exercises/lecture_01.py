"""The checks of lecture 01."""

import numpy as np

from hepflows.exercises.framework import array, call, exercise, same


@exercise("01.density_of_transformed", hint="Write p_X(x) = p_Z(z(x)) |dz/dx| with z = log x.")
def _density_of_transformed(answer):
    """p_X(x) of x = exp(z), z standard normal, for an array x."""
    from scipy import stats

    x = np.array([0.05, 0.3, 0.7, 1.0, 1.6, 4.0, 12.0])
    density = array(call(answer, x), x.shape, "p_X(x)")
    if same(density, stats.lognorm.pdf(x, s=1.0)):
        return None
    if same(density, stats.norm.pdf(np.log(x))):
        return "the Jacobian is missing: an interval dz becomes dx = exp(z) dz, and the probability in it stays."
    if same(density, stats.norm.pdf(np.log(x)) * x):
        return "you multiply by |dx/dz| where you should multiply by |dz/dx|: is your density still normalised?"
    if same(density, stats.lognorm.logpdf(x, s=1.0)):
        return "this is log p_X(x), and the density p_X(x) itself is wanted."
    if same(density, stats.norm.pdf(x)):
        return "the density of the noise is to be taken at z = log x, not at x."
    return "start from the probability of an interval, p_X(x) dx = p_Z(z) dz, and put in z = log x."


@exercise("01.log_abs_det", hint="The Jacobian of z_i = (x_i - mu_i) exp(-alpha_i) is diagonal: what is dz_i/dx_i?")
def _log_abs_det(answer):
    """log|det dz/dx| of z = (x - mu) exp(-alpha), alpha (n, d) -> (n,)."""
    import torch

    generator = torch.Generator().manual_seed(1)
    alpha, mu, x = torch.randn(3, 5, 3, generator=generator, dtype=torch.float64)
    jacobians = [
        torch.autograd.functional.jacobian(lambda one, row=row: (one - mu[row]) * torch.exp(-alpha[row]), x[row])
        for row in range(len(x))
    ]
    determinants = torch.linalg.det(torch.stack(jacobians)).numpy()
    value = call(answer, alpha)
    if np.shape(value) == (5, 3):
        return "one number per event is wanted: the log-determinant adds up the features (dimension 1)."
    if np.shape(value) == ():
        return "one number per event is wanted: sum over the features (dimension 1), not over the batch."
    value = array(value, (5,), "log|det J|")
    if same(value, np.log(np.abs(determinants))):
        return None
    if same(value, -np.log(np.abs(determinants))):
        return "the sign: a large alpha shrinks x into a narrower z, so the determinant falls with alpha."
    if same(value, np.abs(determinants)):
        return "this is |det J|: its logarithm is wanted."
    if same(3 * value, np.log(np.abs(determinants))):
        return "this is the mean over the features: the logarithm of a product is the sum."
    return "multiply the diagonal entries exp(-alpha_i), then take the logarithm: products become sums."


@exercise("01.compose", hint="det(J2 J1) = det(J2) det(J1): what becomes of the logarithms?")
def _compose(answer):
    """Total log|det| of two transforms, from log|det| of each, (n,), (n,) -> (n,)."""
    import torch

    generator = torch.Generator().manual_seed(2)
    first, second = torch.randn(2, 6, 2, 2, generator=generator, dtype=torch.float64)
    one, two = torch.linalg.slogdet(first)[1], torch.linalg.slogdet(second)[1]
    total = array(call(answer, one, two), (6,), "the total")
    one, two, expected = one.numpy(), two.numpy(), torch.linalg.slogdet(second @ first)[1].numpy()
    if same(total, expected):
        return None
    if same(total, one * two):
        return "the determinants multiply: their logarithms do something simpler."
    if same(total, one - two) or same(total, two - one):
        return "both transforms are passed in the same direction, so both count with the same sign."
    return "the Jacobian of a composition is the product of the Jacobians: write down its determinant."


@exercise("01.loss", hint="log p_X(x) = log p_Z(z) + log|det|: average it over the events and turn its sign.")
def _loss(answer):
    """(z, log|det dz/dx|), (n, 2), (n,) -> mean of -log p_X(x), for a standard normal p_Z."""
    import torch

    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 1
    # a linear map has an independent density to compare with: x = A z is normal with covariance A A^T
    matrix = torch.tensor([[0.5, 0.0], [0.4, 0.3]], dtype=torch.float64)
    z = torch.linalg.solve(matrix, x.T).T
    logabsdet = -torch.linalg.slogdet(matrix).logabsdet.expand(len(x))
    log_prob = torch.distributions.MultivariateNormal(torch.zeros_like(x[0]), matrix @ matrix.T).log_prob(x)
    value = call(answer, z, logabsdet)
    if np.shape(value) == (len(x),):
        return "one number for the batch is wanted: the mean over its events."
    value, right, jacobian = float(array(value, (), "the loss")), -log_prob.mean().item(), logabsdet[0].item()
    if same(value, right):
        return None
    if same(value, -right):
        return "the sign: a loss is minimised, so the better the fit, the smaller it must be."
    if same(value, len(x) * right):
        return "this is the sum over the events: take the mean, so that it does not grow with the batch."
    if same(value, right + jacobian):
        return "the Jacobian is missing: without it the flow would put every event at z = 0."
    if same(value, right + 2 * jacobian):
        return "the sign of the log-determinant: from x to z it is added to log p_Z(z)."
    if same(value, right - np.log(2 * np.pi)):
        return "the constant of the normal density is missing: -(1/2) log(2 pi) in each of the two dimensions."
    return "log p_Z(z) is the sum over the two dimensions of log N(z_i; 0, 1); add the log-determinant, then average."

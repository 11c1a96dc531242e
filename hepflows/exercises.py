"""Exercises that answer: a check says what is wrong with an attempt, and never stops the notebook.

An attempt cell leaves `...` to fill in and ends in `exercises.check("05.momenta", momenta)`.
The solution cell passes the same check strictly: `exercises.check("05.momenta", momenta, strict=True)`.
"""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hepflows.errors import InputError


class Hint(Exception):
    """Raised inside a check to end it with a hint."""


class _NotAttempted(Exception):
    pass


@dataclass(frozen=True)
class Exercise:
    """A name, the check (answer -> None if right, else a hint) and the hint for who has not begun."""

    name: str
    check: Callable
    hint: str


_exercises: dict[str, Exercise] = {}


def exercise(name, hint):
    """Decorator: register a check under a name such as "05.momenta" (notebook, exercise); names are unique."""

    def register(function):
        if name in _exercises:
            raise InputError(f"name: expected a new exercise, got {name!r}, which exists")
        _exercises[name] = Exercise(name, function, hint)
        return function

    return register


def names():
    """Names of all exercises, in order."""
    return sorted(_exercises)


def check(name, answer, *, strict=False):
    """Print whether an answer is right, or a hint; with strict=True raise AssertionError unless it is right.

    answer: a value or a function, as the exercise asks. Anything a student can write is answered with a hint.
    Raises InputError for a name that is no exercise.
    """
    if name not in _exercises:
        raise InputError(f"name: expected one of {', '.join(names())}, got {name!r}")
    found = _exercises[name]
    try:
        _require_attempt(answer)
        hint = found.check(answer)
    except _NotAttempted as raised:
        hint = None
        verdict = f"{name}: not attempted yet{raised}. {found.hint}"
    except Hint as raised:
        hint = str(raised)
    except Exception as error:  # the answer is of a kind that the check did not foresee: that is the student's to know
        hint = f"the check could not use your answer ({type(error).__name__}: {error}). {found.hint}"
    else:
        if hint is None:
            print(f"{name}: right.")
            return
    if hint is not None:
        verdict = f"{name}: not yet. {hint[:1].upper()}{hint[1:]}"
    if strict:
        raise AssertionError(verdict)
    print(verdict)


def _require_attempt(answer):
    parts = answer if isinstance(answer, (tuple, list)) else [answer]
    if answer is None or any(part is ... for part in parts):
        raise _NotAttempted


# What the checks below are written with


def call(function, *inputs):
    """The student's function at copies of the inputs; a Hint if it cannot be called or fails there."""
    if not callable(function):
        raise Hint(f"expected a function, got {type(function).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # np.log of a tensor is a fine answer
            answer = function(*[copy.deepcopy(value) for value in inputs])
    except Exception as error:
        raise Hint(f"your function raised {type(error).__name__}: {error}") from None
    if answer is None:
        raise _NotAttempted(" (your function returns nothing)")
    _require_attempt(answer)
    return answer


def array(value, shape, what):
    """An answer (numpy array, tensor, number) as float64 array of the expected shape, else a Hint."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        value = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Hint(f"{what}: expected numbers, got {type(value).__name__}") from None
    if value.shape != shape:
        raise Hint(f"{what}: expected an array of shape {shape}, got {value.shape}")
    return value


def same(value, expected, tolerance=1e-4):
    """True if all entries agree, relative to the larger of 1e-3 and the expected value; NaN never does."""
    scale = np.maximum(np.abs(expected), 1e-3)
    return bool(np.all(np.abs(value - expected) <= tolerance * scale))


def pair(value, what):
    """A pair of answers, else a Hint."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Hint(f"expected two values, {what}, got {type(value).__name__}")
    return value


# Notebook 01


@exercise("01.density_of_transformed", hint="Write p_y(y) = p_x(x(y)) |dx/dy| with x = log y.")
def _density_of_transformed(answer):
    """p_y(y) of y = exp(x), x standard normal, for an array y."""
    from scipy import stats

    y = np.array([0.05, 0.3, 0.7, 1.0, 1.6, 4.0, 12.0])
    density = array(call(answer, y), y.shape, "p_y(y)")
    if same(density, stats.lognorm.pdf(y, s=1.0)):
        return None
    if same(density, stats.norm.pdf(np.log(y))):
        return "the Jacobian is missing: an interval dx becomes dy = exp(x) dx, and the probability in it stays."
    if same(density, stats.norm.pdf(np.log(y)) * y):
        return "you multiply by |dy/dx| where you should multiply by |dx/dy|: is your density still normalised?"
    if same(density, stats.lognorm.logpdf(y, s=1.0)):
        return "this is log p_y(y), and the density p_y(y) itself is wanted."
    if same(density, stats.norm.pdf(y)):
        return "the base density is to be taken at x = log y, not at y."
    return "start from the probability of an interval, p_y(y) dy = p_x(x) dx, and put in x = log y."


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


# Notebook 05


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

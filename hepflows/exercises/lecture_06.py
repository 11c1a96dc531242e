"""The checks of lecture 06."""

import numpy as np

from hepflows.exercises.framework import array, call, exercise, pair, same


@exercise(
    "06.rotate", hint="A rotation by -phi: px' = cos(phi) px + sin(phi) py, and py' = ... of the same two products."
)
def _rotate(answer):
    """(px, py, phi) -> (px, py) turned so that the direction phi becomes the x axis."""
    size, direction, phi = np.array([30.0, 80.0, 5.0]), np.array([0.3, 2.9, -1.2]), np.array([1.1, -2.5, 0.4])
    px, py = size * np.cos(direction), size * np.sin(direction)
    expected = size * np.cos(direction - phi), size * np.sin(direction - phi)
    yours = [array(value, px.shape, "the momentum") for value in pair(call(answer, px, py, phi), "px and py")]
    if same(yours[0], expected[0]) and same(yours[1], expected[1]):
        return None
    if same(yours[0], size * np.cos(direction + phi)) and same(yours[1], size * np.sin(direction + phi)):
        return "this turns by +phi, the direction phi then points to 2 phi: exchange the signs of the sines."
    if same(yours[0], expected[0]) and same(yours[1], -expected[1]):
        return "px is right; py has the wrong sign, which is a reflection and no rotation."
    if same(yours[0], expected[1]) and same(yours[1], expected[0]):
        return "px and py are exchanged."
    if not same(np.hypot(*yours), size):
        return "a rotation does not change the length of a momentum; yours does."
    return "a momentum in the direction phi must come out along x: (pT cos phi, pT sin phi) -> (pT, 0)."


@exercise("06.accumulate", hint="exp(score) of the filled slots, zero for the others; then divide by their sum.")
def _accumulate(answer):
    """(scores (events, slots), filled (events, slots) booleans) -> weights: a softmax over the filled slots."""
    from scipy import special

    scores = np.array([[0.3, -1.0, 2.0, 0.7], [1.5, 0.2, -0.4, 3.0], [0.1, 0.0, -2.0, 1.0]])
    filled = np.array([[True, True, True, False], [True, True, False, False], [True, False, True, True]])
    expected = special.softmax(np.where(filled, scores, -np.inf), axis=1)
    value = _tensor_or_array(answer, scores, filled)
    value = array(value, scores.shape, "the weights")
    if same(value, expected):
        return None
    if same(value, special.softmax(scores, axis=1)):
        return "empty slots get weight, too: the mask is not used."
    if same(value, np.where(filled, special.softmax(scores, axis=1), 0)):
        return "the mask comes too late: the weights of the filled slots must add up to one."
    if same(value, special.softmax(np.where(filled, scores, 0), axis=1)):
        return "a score of zero is not no weight, exp(0) = 1: what score has the exponential zero?"
    if same(value, special.softmax(np.where(filled, -np.inf, scores), axis=1)):
        return "you have masked the objects and kept the empty slots: filled is True where there is an object."
    if same(value, special.softmax(np.where(filled, scores, -np.inf), axis=0)) or not np.all(np.isfinite(value)):
        return "normalise along the slots of one event (axis 1), not along the events."
    if np.any(np.abs(np.where(filled, 0, value)) > 1e-6):
        return "an empty slot must get the weight zero."
    return "the weights of each event's filled slots must add up to one, in proportion to exp(score)."


def _tensor_or_array(answer, scores, filled):
    import torch

    from hepflows.exercises.framework import Hint

    try:
        return call(answer, torch.as_tensor(scores), torch.as_tensor(filled))
    except Hint:  # written for numpy arrays
        return call(answer, scores, filled)


@exercise("06.pt_from_mass", hint="Solve m^2 = 2 pT_l pT_nu (cosh d - cos a) for pT_nu.")
def _pt_from_mass(answer):
    """(mass, pt_lepton, d, a) -> transverse momentum of the neutrino in GeV, from four-vectors."""
    d, a, pt_lepton = (
        np.array([0.4, -1.3, 2.0, 0.0]),
        np.array([2.0, 0.3, -3.0, 1.0]),
        np.array([40.0, 25.0, 90.0, 60.0]),
    )
    pt = np.array([55.0, 130.0, 8.0, 47.0])
    eta = 0.7  # of the lepton
    lepton = pt_lepton * np.array([np.cosh(eta) + 0 * d, 1 + 0 * d, 0 * d, np.sinh(eta) + 0 * d])
    neutrino = pt * np.array([np.cosh(eta + d), np.cos(a), np.sin(a), np.sinh(eta + d)])
    energy, *momentum = lepton + neutrino
    mass = np.sqrt(energy**2 - np.sum(np.square(momentum), axis=0))
    value = array(call(answer, mass, pt_lepton, d, a), pt.shape, "pT")
    if same(value, pt):
        return None
    if same(value, pt / mass):
        return "the mass comes squared."
    if same(value, 2 * pt) or same(value, pt / 2):
        return "a factor of two: m^2 = 2 pT_l pT_nu (cosh d - cos a)."
    if same(value, mass**2 / (2 * pt_lepton * (np.cos(a) - np.cosh(d)))):
        return "the sign: cosh is at least one and cos at most, so it is cosh d - cos a."
    if same(value, mass**2 / (2 * pt_lepton * (np.cosh(a) - np.cos(d)))):
        return "the angles are exchanged: d is the distance in eta (cosh), a that in azimuth (cos)."
    if same(value, mass**2 / (2 * (np.cosh(d) - np.cos(a)))):
        return "the transverse momentum of the lepton is missing."
    return "at fixed directions pT is proportional to m^2, and inversely proportional to pT of the lepton."


@exercise("06.best_estimates", hint="Squared error: the mean of the posterior. Which number halves it?")
def _best_estimates(answer):
    """(draws (events, draws)) -> (estimates with the least squared error, with the least absolute error)."""
    rng = np.random.default_rng(6)
    # two solutions in eta, one more probable than the other: mean and median are far apart
    second = rng.random((3, 801)) < np.array([[0.3], [0.45], [0.2]])
    draws = np.where(second, 1.5, -1.5) + 0.2 * rng.normal(size=second.shape)
    mean, median = draws.mean(1), np.median(draws, axis=1)
    yours = [array(value, mean.shape, "the estimate") for value in pair(call(answer, draws), "one for each error")]
    if same(yours[0], mean) and same(yours[1], median):
        return None
    if same(yours[0], median) and same(yours[1], mean):
        return "they are exchanged: first that of the squared error."
    if same(yours[0], mean):
        return "the first is right. For the absolute error as many draws must lie above the estimate as below."
    if same(yours[1], median):
        return "the second is right. For the squared error set the derivative of sum_j (x - x_j)^2 to zero."
    if same(yours[0], np.full(3, draws.mean())):
        return "one estimate for each event: along the draws (axis 1)."
    return "minimise sum_j (x - x_j)^2, then sum_j |x - x_j|, over x, for each event's draws x_j."

"""The checks of lecture 06."""

from functools import partial

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


@exercise("06.mmd", hint="Means over pairs: within x, within y, and minus twice the mean between x and y.")
def _mmd(answer):
    """(k_xx (n, n), k_yy (m, m), k_xy (n, m)) -> MMD^2 without bias: pairs of a row with itself do not count."""
    import torch

    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(4, 2)) + 0.5

    def kernel(a, b):
        return np.exp(-0.5 * np.square(a[:, None] - b).sum(2))

    kernels = kernel(x, x), kernel(y, y), kernel(x, y)
    value = array(call(answer, *map(torch.as_tensor, kernels)), (), "MMD^2")
    of_x, of_y, between = (matrix.mean() for matrix in kernels)
    within = [(matrix.sum() - len(matrix)) / (len(matrix) * (len(matrix) - 1)) for matrix in kernels[:2]]
    if same(value, sum(within) - 2 * between):
        return None
    if same(value, of_x + of_y - 2 * between):
        return "k(x, x) = 1 is always there and says nothing: leave the diagonals of k_xx and k_yy out."
    if same(value, sum(within) - between) or same(value, of_x + of_y - between):
        return "between the samples every pair counts twice: (x, y) and (y, x)."
    if same(value, sum(within) + 2 * between):
        return "samples that are near each other must make it small: the sign of the last term."
    if same(value, 2 * between - sum(within)):
        return "a distance is positive: the signs are exchanged."
    return "sum_(i != j) k(x_i, x_j) / (n (n - 1)), the same for y, minus 2 / (n m) sum_ij k(x_i, y_j)."


@exercise("06.warm_start", hint="load_state_dict(...) copies weights; requires_grad_(False) keeps them as they are.")
def _warm_start(answer):
    """(model, pretrained, frozen) -> model with a copy of pretrained.encoder, which does not learn if frozen."""
    import torch

    from hepflows.encoders import EncodedFlow, EventEncoder
    from hepflows.exercises.framework import Hint

    def encoded_flow(seed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return EncodedFlow(EventEncoder(1, 1, outputs=2, width=4), torch.nn.Linear(3, 2), given=1)

    def weights(module):
        return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])

    for frozen in (True, False):
        model, pretrained = encoded_flow(1), encoded_flow(2)
        of_flow, of_encoder = weights(model.flow), weights(pretrained.encoder)
        # as they are, not as copies: it matters whether weights are copied or shared
        result = call(partial(answer, model, pretrained, frozen) if callable(answer) else answer)
        if not isinstance(result, EncodedFlow):
            raise Hint("expected the model to be returned: an EncodedFlow, with encoder and flow.")
        if result is pretrained:
            return "this is the pre-trained model itself: the new one must be returned, with its own flow."
        if not torch.equal(weights(result.flow), of_flow):
            return "the weights of the flow must stay as they were: only the encoder was pre-trained."
        if not torch.equal(weights(result.encoder), of_encoder):
            return "the encoder has not got the weights of the pre-trained one."
        if not all(parameter.requires_grad for parameter in result.flow.parameters()):
            return "the flow must learn in any case: freeze model.encoder, not the whole model."
        learns = {parameter.requires_grad for parameter in result.encoder.parameters()}
        if learns != {not frozen}:
            return f"with frozen={frozen} the encoder's weights must have requires_grad={not frozen}."
        shared = {id(parameter) for parameter in pretrained.parameters()}
        if any(id(parameter) in shared for parameter in result.parameters()):
            return "both models now share one encoder: training one would change the other. Copy the weights."
    return None

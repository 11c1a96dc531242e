"""The checks of lecture 08."""

import numpy as np

from hepflows.exercises.framework import Hint, array, call, exercise, pair, same


@exercise(
    "08.layer_energies", hint="u1 is the share of layer 0 in the total; u2 is the share of layer 1 in what is left."
)
def _layer_energies(answer):
    """(total, u1, u2) -> energies (showers, 3) with E0 = u1 total, E1 = u2 (total - E0)."""
    rng = np.random.default_rng(8)
    energies = rng.uniform(0.1, 20, (6, 3))
    total = energies.sum(1)
    u1, u2 = energies[:, 0] / total, energies[:, 1] / (energies[:, 1] + energies[:, 2])
    value = call(answer, total, u1, u2)
    if isinstance(value, (tuple, list)):
        if len(value) != 3:
            raise Hint(f"expected the energies of three layers, got {len(value)} values")
        value = np.stack([array(column, (6,), f"E_{i}") for i, column in enumerate(value)], axis=1)
    value = array(value, energies.shape, "the energies")
    if same(value, energies):
        return None
    if same(value[:, 0], energies[:, 0]) and same(value[:, 1], u2 * total):
        return "u2 is layer 1's share of E1 + E2, not of the total: take E0 off first."
    if same(value[:, :2], energies[:, :2]):
        return "E2 is what is left of the total after E0 and E1."
    if same(value[:, [0, 2, 1]], energies):
        return "E1 and E2 are exchanged: u2 = E1 / (E1 + E2)."
    if not same(value[:, 0], energies[:, 0]):
        return "begin with u1 = E0 / total."
    return "u2 = E1 / (E1 + E2), and E1 + E2 is what layer 0 has left over."


@exercise(
    "08.post_processing", hint="Divide by the sum, multiply by the energy, cut, then scale what is left once more."
)
def _post_processing(answer):
    """(fractions (showers, voxels), energy (showers,), threshold) -> deposits that add up to the energy."""
    rng = np.random.default_rng(9)
    fractions = rng.exponential(size=(5, 8)) ** 4 * 1.3
    energy, threshold = np.array([1.0, 5.0, 20.0, 0.7, 60.0]), 0.01
    once = fractions / fractions.sum(1, keepdims=True) * energy[:, None]
    kept = np.where(once < threshold, 0, once)
    value = array(call(answer, fractions, energy, threshold), fractions.shape, "the deposits")
    if same(value, kept * (energy / kept.sum(1))[:, None]):
        return None
    if same(value, kept):
        return "nearly: what the threshold took away is missing, so scale once more to the layer's energy."
    if same(value, once):
        return "the energy is right, but deposits below the threshold must become 0."
    if same(value.sum(1), energy):
        return "the sums are right; apply the threshold to deposits in GeV, before the last scaling."
    return "each shower's deposits must add up to its own energy: sum over axis 1."


@exercise("08.passes", hint="A pass gives the splines of all features at once, if what they depend on is known.")
def _passes(answer):
    """D -> passes for (density of the MAF, its draw without a cache, draw of the IAF, its density of data)."""
    values = call(answer, 504)
    if not isinstance(values, (tuple, list, np.ndarray)) or len(values) != 4:
        return "expected four numbers: MAF density, MAF draw, IAF draw, IAF density."
    values = array(values, (4,), "the passes").tolist()
    if values == [1, 504, 1, 504]:
        return None
    if values == [504, 1, 504, 1]:
        return "the other way round: a MAF's splines depend on x, which is known when we ask for the density."
    if values[0] != values[2] or values[1] != values[3]:
        return "an IAF is a MAF read backwards: what is quick in one is slow in the other."
    return "one direction needs 1 pass, the other one for each of the D voxels."


@exercise("08.kl", hint="The student draws, so average over its draws: <log q - log p>.")
def _kl(answer):
    """(log_student, log_teacher) at the student's draws -> KL(student || teacher) and its standard error."""
    rng = np.random.default_rng(10)
    log_student, log_teacher = rng.normal(-50, 5, 400), rng.normal(-50.6, 5.5, 400)
    difference = log_student - log_teacher
    kl, error = pair(call(answer, log_student, log_teacher), "the divergence and its error")
    kl, error = array(kl, (), "the divergence"), array(error, (), "the error")
    standard = [difference.std(ddof=k) / 20 for k in (0, 1)]
    if same(kl, difference.mean()):
        if any(same(error, value) for value in standard):
            return None
        if any(same(error, 20 * value) for value in standard):
            return "the divergence is right; the error of a mean is the standard deviation over sqrt(n)."
        return "the divergence is right; its error is that of the mean of log q - log p."
    if same(kl, -difference.mean()):
        return "the sign: KL(student || teacher) = <log q_student - log p_teacher>."
    if same(kl, (np.exp(log_student) * difference).sum()) or same(kl, (np.exp(log_student) * difference).mean()):
        return "the draws already follow the student: they carry no weight."
    if same(kl, difference.sum()):
        return "the mean over the draws is wanted, not the sum."
    return "average log q_student - log p_teacher over the draws."

"""The checks of lecture 02."""

import math

import numpy as np

from hepflows.exercises.framework import array, call, exercise, pair, same


@exercise("02.triangular_logdet", hint="The determinant of a triangular matrix is the product of its diagonal.")
def _triangular_logdet(answer):
    """log|det J| of lower-triangular J (n, d, d) -> (n,)."""
    import torch

    # not square in (n, d), and with negative entries on the diagonal
    jacobian = torch.randn(6, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64).tril()
    sign, expected = (part.numpy() for part in torch.linalg.slogdet(jacobian))
    value = call(answer, jacobian)
    if np.shape(value) == ():
        return "one number per event is wanted: keep the first axis, that of the events."
    if np.shape(value) == (6, 4):
        return "these are the terms of the sum, one a feature: add them up for each event."
    if np.shape(value) == (4,):
        return "you summed over the events: sum over the features, and keep the first axis."
    value = array(value, (6,), "log|det J|")
    diagonal = np.diagonal(jacobian.numpy(), axis1=1, axis2=2)
    if same(value, expected):
        return None
    if np.isnan(value).any():
        return "the logarithm of a negative number: a diagonal entry may be negative, |det J| takes its modulus."
    if same(value, -expected):
        return "the sign: a product becomes a sum of logarithms, with a plus."
    if same(value, np.exp(expected)) or same(value, sign * np.exp(expected)):
        return "this is the determinant: its logarithm is wanted."
    if same(value, np.log(np.abs(diagonal.sum(1)))) or same(value, np.log(np.abs(diagonal).sum(1))):
        return "this is the logarithm of the sum (the trace): it is the product of the diagonal that you need."
    if same(value, np.log(np.abs(diagonal)).mean(1)):
        return "this is the mean over the features: the logarithm of a product is the sum."
    return "take the diagonal of each matrix, then add up the logarithms of the moduli."


@exercise("02.masks", hint="A connection a -> b is allowed if b may know what a knows: compare their degrees.")
def _masks(answer):
    """(degrees of inputs (d,), of hidden units (h,)) -> masks (hidden (h, d), output (d, h)) of a MADE."""
    inputs, hidden = np.array([2, 4, 1, 3, 5]), np.array([1, 4, 2, 3, 1, 4, 2])
    first, second = pair(call(answer, inputs, hidden), "the mask of the hidden layer and that of the output")
    first, second = np.asarray(_numbers(first), dtype=np.float64), np.asarray(_numbers(second), dtype=np.float64)
    if first.shape == (5, 7) and second.shape == (7, 5):
        return "both masks are transposed: a row of a weight matrix is for what comes out, a column for what goes in."
    first, second = array(first, (7, 5), "the hidden mask"), array(second, (5, 7), "the output mask")
    if not set(np.unique([*first.flat, *second.flat])) <= {0.0, 1.0}:
        return "a mask holds zeros and ones (or False and True)."
    right_first = hidden[:, None] >= inputs[None, :]
    right_second = inputs[:, None] > hidden[None, :]
    if np.array_equal(first, right_first) and np.array_equal(second, right_second):
        return None
    sees = second @ first > 0  # [i, j]: output i has a path from input j
    if np.any(sees & (inputs[:, None] == inputs[None, :])):
        return "with your masks a feature sees itself: its parameters would depend on what they transform."
    if np.any(sees & (inputs[:, None] < inputs[None, :])):
        return "with your masks a feature sees later ones: an arrow may never lead to a lower degree."
    if np.array_equal(first, hidden[:, None] > inputs[None, :]):
        return "allowed, but wasteful: a hidden unit of degree m may see the input of degree m as well."
    return "a hidden unit of degree m sees inputs of degree <= m; feature i sees hidden units of degree < i."


def _numbers(value):
    return value.detach().cpu() if hasattr(value, "detach") else value


@exercise("02.sampling_loop", hint="x_1 needs no other feature. Once x_1 is right, so is the network's answer for x_2.")
def _sampling_loop(answer):
    """(z (n, d), network: x -> (mu, alpha), each (n, d)) -> x with z = (x - mu(x)) exp(-alpha(x))."""
    import torch

    generator = torch.Generator().manual_seed(4)
    weights = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64).tril(-1)
    x = torch.randn(8, 5, generator=generator, dtype=torch.float64)

    def network(values):
        return torch.sin(0.3 + values @ weights[0].t()), torch.tanh(0.3 + values @ weights[1].t())

    mu, alpha = network(x)
    z = (x - mu) * torch.exp(-alpha)
    value = array(call(answer, z, network), (8, 5), "x")
    if same(value, x.numpy()):
        return None
    known = (np.abs(value - x.numpy()) <= 1e-6 * (1 + np.abs(x.numpy()))).all(0)
    mu, alpha = network(z)
    if same(value, (z * torch.exp(alpha) + mu).numpy()):
        return "you ask the network at z, but mu and alpha are functions of x, which has to be found first."
    if same(value, ((z - mu) * torch.exp(-alpha)).numpy()):
        return "this is the normalizing direction once more: solve z = (x - mu) exp(-alpha) for x."
    if known[0] and not known.all():
        right = int(np.argmin(known))
        return f"the first {right} of 5 features are right: repeat, and each pass makes one more right."
    return "start from anything, say zeros; in each pass put x = z exp(alpha(x)) + mu(x). How many passes?"


@exercise("02.everybody_talks", hint="Write the features' numbers in binary: any two differ in at least one digit.")
def _everybody_talks(answer):
    """D -> for each coupling layer the kept features, so that every i is kept once where j changes, for all i != j."""
    for features in (8, 4, 16, 2):
        layers = [_indices(kept, features) for kept in call(answer, features)]
        for number, kept in enumerate(layers, 1):
            if not np.isin(kept, np.arange(features)).all():
                return f"D = {features}: layer {number} keeps {kept.tolist()}; the features are 0 to {features - 1}."
        kept = np.array([np.isin(np.arange(features), kept) for kept in layers], dtype=bool).reshape(-1, features)
        talks = (kept[:, :, None] & ~kept[:, None, :]).any(0)
        missing = np.argwhere(~talks & ~np.eye(features, dtype=bool))
        if len(missing):
            i, j = missing[0].tolist()
            if talks[j, i]:
                return f"D = {features}: {j} sets the parameters of {i}, but {i} never those of {j}: swap sides, too."
            return f"D = {features}: {i} and {j} are on the same side in every layer, one of {len(missing)} such pairs."
        allowed = 2 * math.ceil(math.log2(features))
        if len(layers) > allowed:
            return f"D = {features}: everybody talks, in {len(layers)} layers; {allowed} = 2 log2(D) are enough."
    return None


def _indices(kept, features):
    """The kept features of one layer, given by their numbers or as D times True or False."""
    kept = np.asarray(_numbers(kept))
    if kept.dtype == bool and kept.shape == (features,):
        return np.flatnonzero(kept)
    return np.unique(kept.astype(np.float64))

"""Answers to the exercises of lecture 02."""

import math

import numpy as np
import torch


def diagonal(jacobian):
    return torch.diagonal(jacobian, dim1=1, dim2=2)


def loop(passes, start=torch.zeros_like):
    def sample(z, network):
        x = start(z)
        for _ in range(passes or z.shape[1]):
            mu, alpha = network(x)
            x = z * torch.exp(alpha) + mu
        return x

    return sample


def feature_by_feature(z, network):
    x = torch.full_like(z, 7.0)
    for i in range(z.shape[1]):
        mu, alpha = network(x)
        x[:, i] = z[:, i] * torch.exp(alpha[:, i]) + mu[:, i]
    return x


def same_direction(z, network):
    mu, alpha = network(z)
    return (z - mu) * torch.exp(-alpha)


def by_digits(features):
    digits = range(math.ceil(math.log2(features)))
    return [[i for i in range(features) if (i >> digit) % 2 == side] for digit in digits for side in (0, 1)]


def by_digits_as_masks(features):
    """The same as arrays of True and False, digits read from the text of the number."""
    length = len(f"{features - 1:b}")
    numbers = [f"{i:0{length}b}" for i in range(features)]
    masks = [np.array([number[k] == "1" for number in numbers]) for k in range(length)]
    return [mask for one in masks for mask in (one, ~one)]


def swapped_halves(features):
    return [list(range(features // 2)), list(range(features // 2, features))] * math.ceil(math.log2(features))


def masks(inputs, hidden):
    return hidden[:, None] >= inputs, inputs[:, None] > hidden


RIGHT = {
    "02.triangular_logdet": [
        lambda jacobian: torch.log(torch.abs(diagonal(jacobian))).sum(1),
        lambda jacobian: torch.linalg.slogdet(jacobian).logabsdet,
        lambda jacobian: np.log(np.abs(np.einsum("nii->ni", jacobian.numpy()))).sum(axis=1),
        lambda jacobian: torch.log(diagonal(jacobian).prod(1).abs()),
    ],
    "02.masks": [
        masks,
        lambda inputs, hidden: [torch.as_tensor(mask).float() for mask in masks(inputs, hidden)],
        lambda inputs, hidden: (
            [[int(m >= d) for d in inputs] for m in hidden],
            [[d > m for m in hidden] for d in inputs],
        ),
    ],
    "02.sampling_loop": [loop(0), loop(12), loop(0, torch.clone), feature_by_feature],
    "02.everybody_talks": [by_digits, by_digits_as_masks, lambda features: by_digits(features)[::-1]],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian)).sum(1), "negative"),
    ("02.triangular_logdet", lambda jacobian: -torch.log(diagonal(jacobian).abs()).sum(1), "sign"),
    ("02.triangular_logdet", lambda jacobian: torch.linalg.det(jacobian), "logarithm is wanted"),
    ("02.triangular_logdet", lambda jacobian: torch.linalg.det(jacobian).abs(), "logarithm is wanted"),
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian).sum(1).abs()), "trace"),
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian).abs()).mean(1), "mean"),
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian).abs()).sum(0), "over the events"),
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian).abs()).sum(), "one number per event"),
    ("02.triangular_logdet", lambda jacobian: torch.log(diagonal(jacobian).abs()), "add them up"),
    ("02.triangular_logdet", lambda jacobian: jacobian, "shape"),
    ("02.triangular_logdet", lambda jacobian: diagonal(jacobian).sum(1), "moduli"),
    ("02.masks", lambda inputs, hidden: [mask.T for mask in masks(inputs, hidden)], "transposed"),
    ("02.masks", lambda inputs, hidden: (masks(inputs, hidden)[0], inputs[:, None] >= hidden), "sees itself"),
    ("02.masks", lambda inputs, hidden: (hidden[:, None] <= inputs, inputs[:, None] < hidden), "later ones"),
    ("02.masks", lambda inputs, hidden: (hidden[:, None] > inputs, inputs[:, None] > hidden), "wasteful"),
    ("02.masks", lambda inputs, hidden: (hidden[:, None] == inputs, inputs[:, None] > hidden), "of degree <= m"),
    ("02.masks", lambda inputs, hidden: (hidden[:, None] - inputs, inputs[:, None] - hidden), "zeros and ones"),
    ("02.masks", lambda inputs, hidden: hidden[:, None] >= inputs, "two values"),
    ("02.masks", lambda inputs, hidden: (inputs, hidden), "shape"),
    ("02.sampling_loop", loop(1, torch.clone), "at z"),
    ("02.sampling_loop", loop(1), "the first 1 of 5"),
    ("02.sampling_loop", loop(4), "the first 4 of 5"),
    ("02.sampling_loop", same_direction, "normalizing direction"),
    ("02.sampling_loop", lambda z, network: z, "how many passes"),
    ("02.sampling_loop", lambda z, network: loop(0)(z, network)[:, :1], "shape"),
    ("02.everybody_talks", swapped_halves, "same side"),
    ("02.everybody_talks", lambda features: by_digits(features)[::2], "swap sides"),
    ("02.everybody_talks", lambda features: by_digits(features)[:-1], "D = 8"),
    ("02.everybody_talks", lambda features: [[i] for i in range(features)], "6 = 2 log2(D)"),
    ("02.everybody_talks", lambda features: by_digits(features) * 2, "are enough"),
    ("02.everybody_talks", lambda features: [[i + 1 for i in kept] for kept in by_digits(features)], "0 to 7"),
    ("02.everybody_talks", lambda features: [range(features)], "same side"),
    ("02.everybody_talks", lambda features: [], "same side"),
    ("02.everybody_talks", lambda features: by_digits(8), "0 to 3"),
]

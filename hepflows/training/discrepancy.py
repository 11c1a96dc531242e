"""Do two samples come from one distribution? A distance between samples that a network can be trained on."""

import torch

from hepflows.errors import InputError

SCALES = (0.5, 1.0, 2.0)  # of the kernels, in units of the features: a distance must be seen near and far


def squared_mmd(x, y, scales=SCALES):
    """Maximum mean discrepancy squared, without bias: zero on average if x and y have one distribution.

        MMD^2 = mean_(i != j) k(x_i, x_j) + mean_(i != j) k(y_i, y_j) - 2 mean_ij k(x_i, y_j),
        k(a, b) = mean over the scales s of exp(-|a - b|^2 / (2 s^2 d)).

    The rows are features of order one, (n, d) and (m, d), n and m at least 2; d in the kernel keeps distances of order
    one in any dimension. Differentiable; can be slightly negative. Raises InputError for wrong shapes or scales.
    Source: Gretton et al., J. Mach. Learn. Res. 13 (2012) 723 (arXiv:0805.2368).
    """
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise InputError(
            f"x, y: expected shapes (n, d) and (m, d), n and m at least 2, got {tuple(x.shape)} and {tuple(y.shape)}"
        )
    if not len(scales) or min(scales) <= 0:
        raise InputError(f"scales: expected positive numbers, got {scales!r}")
    within = [_without_diagonal(_kernel(sample, sample, scales)) for sample in (x, y)]
    return sum(within) - 2 * _kernel(x, y, scales).mean()


def _kernel(a, b, scales):
    squared = (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.t()) / a.shape[1]
    return torch.stack([torch.exp(-squared / (2 * scale**2)) for scale in scales]).mean(0)


def _without_diagonal(kernel):
    """Mean over the pairs of different rows: k(a, a) = 1 is left out."""
    count = len(kernel)
    return (kernel.sum() - count) / (count * (count - 1))

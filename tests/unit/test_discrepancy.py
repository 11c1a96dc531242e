"""The maximum mean discrepancy against its value for two Gaussians, and against loops."""

import numpy as np
import pytest
import torch

from hepflows.errors import InputError
from hepflows.training import squared_mmd


def kernel_of_gaussians(shift, variance, scale, d):
    """E exp(-|a - b|^2 / (2 s^2 d)) for a - b ~ N(shift, variance) in d dimensions."""
    wide = scale**2 * d
    return (1 + variance / wide) ** (-d / 2) * np.exp(-np.sum(np.square(shift)) / (2 * (wide + variance)))


@pytest.mark.parametrize("scales", ((1.0,), (0.5, 2.0)))
@pytest.mark.parametrize("shift, sigma", ((0.0, 1.0), (0.5, 1.0), (0.0, 1.6)))
def test_two_gaussians(shift, sigma, scales):
    generator, d = torch.Generator().manual_seed(1), 3
    values = [
        squared_mmd(
            torch.randn(80, d, generator=generator, dtype=torch.float64),
            shift + sigma * torch.randn(60, d, generator=generator, dtype=torch.float64),
            scales,
        ).item()
        for _ in range(300)
    ]
    expected = np.mean(
        [
            kernel_of_gaussians(0, 2, scale, d)
            + kernel_of_gaussians(0, 2 * sigma**2, scale, d)
            - 2 * kernel_of_gaussians(np.full(d, shift), 1 + sigma**2, scale, d)
            for scale in scales
        ]
    )
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    assert abs(np.mean(values) - expected) < 4 * error  # without bias: also where it is zero
    assert error < 2e-3


def test_pair_by_pair():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(4, 2))

    def kernel(a, b):
        return np.mean([np.exp(-np.sum((a - b) ** 2) / (2 * s**2 * 2)) for s in (0.7, 1.5)])

    expected = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / 20
    expected += sum(kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j) / 12
    expected -= 2 * sum(kernel(a, b) for a in x for b in y) / 20
    assert squared_mmd(*map(torch.tensor, (x, y)), scales=(0.7, 1.5)).item() == pytest.approx(expected, rel=1e-12)


def test_gradient():
    x = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    y = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    assert torch.autograd.gradcheck(lambda x: squared_mmd(x, y), (x,))


@pytest.mark.parametrize("x, y", ((torch.zeros(3), torch.zeros(3)), (torch.zeros(3, 2), torch.zeros(3, 1))))
def test_wrong_shapes(x, y):
    with pytest.raises(InputError, match="expected shapes"):
        squared_mmd(x, y)


def test_bad_sizes():
    with pytest.raises(InputError, match="at least 2"):
        squared_mmd(torch.zeros(1, 2), torch.zeros(3, 2))
    with pytest.raises(InputError, match="scales"):
        squared_mmd(torch.zeros(3, 2), torch.zeros(3, 2), scales=(1.0, 0.0))

"""The toy density against quadrature, the normal distribution and its own draws."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from hepflows import toys
from hepflows.errors import InputError

GALAXIES = [dict(), dict(arms=1, contrast=0.0, winding=0.0), dict(arms=3, contrast=4.0, winding=-2.0)]


@pytest.fixture(params=GALAXIES, ids=str)
def galaxy(request):
    return toys.SpiralGalaxy(**request.param)


def polar_average(galaxy, function):
    """Integral of p(x) function(log p(x)) over the plane: quadrature in r, trapezoid rule round the circle."""
    phi = torch.linspace(-math.pi, math.pi, 2049, dtype=torch.float64)[:-1]

    def ring(r):
        log_p = galaxy.log_prob(torch.stack((r * torch.cos(phi), r * torch.sin(phi)), 1))
        return float((log_p.exp() * function(log_p)).mean()) * 2 * math.pi * r

    return integrate.quad(ring, 0, 12, epsabs=1e-12)[0]


def test_density_is_normalised(galaxy):
    assert polar_average(galaxy, torch.ones_like) == pytest.approx(1, abs=1e-9)


def test_entropy_agrees_with_quadrature(galaxy):
    assert galaxy.entropy == pytest.approx(polar_average(galaxy, lambda log_p: -log_p), abs=1e-9)


def test_without_contrast_it_is_the_standard_normal():
    galaxy = toys.SpiralGalaxy(arms=2, contrast=0.0, winding=3.0)
    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert galaxy.log_prob(x).numpy() == pytest.approx(stats.norm.logpdf(x).sum(1), abs=1e-12)
    assert galaxy.entropy == pytest.approx(stats.multivariate_normal([0, 0]).entropy(), abs=1e-12)


def test_winding_turns_each_ring_as_a_whole():
    straight, wound = toys.SpiralGalaxy(winding=0.0), toys.SpiralGalaxy(winding=0.7)
    r, phi = torch.tensor([0.3, 1.0, 2.5]), torch.tensor([0.1, -2.0, 1.3])
    x = torch.stack((r * phi.cos(), r * phi.sin()), 1)
    turned = torch.stack((r * (phi + 0.7 * r).cos(), r * (phi + 0.7 * r).sin()), 1)
    assert wound.log_prob(turned).numpy() == pytest.approx(straight.log_prob(x).numpy(), abs=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_draws_follow_the_density(galaxy, seed):
    """s = r^2 / 2 is exponential, the unwound angle has the stated density, and they are independent."""
    x = galaxy.sample(20_000, torch.Generator().manual_seed(seed)).double()
    r, phi = torch.hypot(*x.T), torch.atan2(x[:, 1], x[:, 0])
    unwound = torch.remainder(phi - galaxy.winding * r, 2 * math.pi).numpy()
    assert stats.kstest((r * r / 2).numpy(), "expon").pvalue > 1e-4
    edges = np.linspace(0, 2 * math.pi, 31)
    shape = [
        integrate.quad(lambda a: math.exp(galaxy.contrast * math.cos(galaxy.arms * a)), low, high)[0]
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    shape = np.array(shape) / sum(shape)
    for inner in (r < 1, r >= 1):
        counts = np.histogram(unwound[inner.numpy()], edges)[0]
        assert stats.chisquare(counts, counts.sum() * shape).pvalue > 1e-4


def test_mean_of_minus_log_density_is_the_entropy_within_4_sigma(galaxy):
    values = -galaxy.log_prob(galaxy.sample(100_000, torch.Generator().manual_seed(5)))
    error = values.std().item() / math.sqrt(len(values))
    assert values.mean().item() == pytest.approx(galaxy.entropy, abs=4 * error)


def test_the_generator_decides_the_draws():
    galaxy = toys.SpiralGalaxy()
    first, again, other = (galaxy.sample(5, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert first.dtype == torch.float32 and first.shape == (5, 2)
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "bad, words",
    [
        (lambda: toys.SpiralGalaxy(arms=0), "arms: expected an integer of at least 1, got 0"),
        (lambda: toys.SpiralGalaxy(arms=2.0), "arms: expected an integer"),
        (lambda: toys.SpiralGalaxy(contrast=-1), "contrast: expected a finite number of at least 0, got -1"),
        (lambda: toys.SpiralGalaxy(contrast=math.nan), "contrast: expected"),
        (lambda: toys.SpiralGalaxy(winding=math.inf), "winding: expected a finite number, got inf"),
        (lambda: toys.SpiralGalaxy().sample(0), "n: expected a positive integer, got 0"),
        (lambda: toys.SpiralGalaxy().log_prob(torch.zeros(4, 3)), r"x: expected shape \(n, 2\), got \(4, 3\)"),
    ],
)
def test_bad_input_is_named(bad, words):
    with pytest.raises(InputError, match=words):
        bad()

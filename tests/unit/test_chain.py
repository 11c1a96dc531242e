"""A chain of conditional flows: its density is the product, normalised, and its draws follow it."""

import math

import pytest
import torch
from scipy.stats import kstest

from hepflows import flows
from hepflows.errors import InputError
from hepflows.flows.chain import ChainedFlow


def angle_then_number():
    """p(angle | y) p(number | angle, y) with weights that are not those of the identity."""
    torch.manual_seed(2)
    angle = flows.autoregressive_flow(features=1, context=1, transforms=1, domain="circle")
    number = flows.autoregressive_flow(features=1, context=3, transforms=1)
    for factor in (angle, number):
        torch.nn.init.normal_(factor.layers[-1].network.output.weight, std=0.5)
    return ChainedFlow([angle, number], [lambda x, y: y, lambda x, y: torch.cat((y, x.cos(), x.sin()), 1)]).double()


def test_density_is_normalised():
    flow = angle_then_number()
    angle = torch.linspace(-math.pi, math.pi, 301, dtype=torch.float64)
    number = torch.linspace(-9, 9, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(angle, number)
    density = flow.log_prob(grid, torch.full((len(grid), 1), 0.7, dtype=torch.float64)).exp().view(301, 601)
    assert torch.trapezoid(torch.trapezoid(density, number), angle).item() == pytest.approx(1, abs=1e-3)


def test_draws_follow_the_density():
    flow = angle_then_number()
    y = torch.full((2, 1), 0.7, dtype=torch.float64)
    torch.manual_seed(3)
    draws, log_prob = flow.sample_and_log_prob(2000, y)
    assert draws.shape == (2, 2000, 2) == flow.sample(2000, y).shape
    again = flow.log_prob(draws.flatten(0, 1), y.repeat_interleave(2000, 0)).view(2, 2000)
    torch.testing.assert_close(again, log_prob, rtol=0, atol=1e-8)
    # the latent variables of the draws are those of the base densities: uniform and normal
    x, y = draws[0], y[:1].expand(2000, 1)
    angle = flow.factors[0].transform_to_noise(x[:, :1], y)[:, 0].detach()
    number = flow.factors[1].transform_to_noise(x[:, 1:], flow.conditions[1](x[:, :1], y))[:, 0].detach()
    assert kstest(angle / (2 * math.pi) + 0.5, "uniform").pvalue > 1e-4
    assert kstest(number, "norm").pvalue > 1e-4


def test_standardises_the_real_pieces_only():
    flow = angle_then_number()
    x = torch.stack((torch.linspace(-3, 3, 50), torch.linspace(10, 20, 50)), 1).double()
    flow.standardise_from(x)
    assert flow.factors[1].layers[0].mean.item() == pytest.approx(15)


def test_needs_a_condition_for_each_factor():
    factor = flows.autoregressive_flow(features=1, context=1)
    with pytest.raises(InputError, match="conditions: expected one for each of 1 factors, got 2"):
        ChainedFlow([factor], [None, None])

"""Gluon amplitudes against closed formulas, for which nothing of the recursion is used."""

import itertools

import pytest
import torch

from hepflows.physics.amplitudes import Legs, colour_sum, gluon_amplitude, trace_matrix
from hepflows.physics.phase_space import Rambo

EVENTS, ENERGY = 24, 100.0


def gluons(n, generator, dtype=torch.float64):
    """Momenta of n gluons, all outgoing, of which the first two come in along z; (events, n, 4)."""
    rambo = Rambo(n - 2, ENERGY)
    final, _ = rambo(torch.rand(EVENTS, rambo.dims, generator=generator, dtype=torch.float64))
    half = torch.full((EVENTS,), ENERGY / 2, dtype=torch.float64)
    zero = torch.zeros_like(half)
    beams = [torch.stack([-half, zero, zero, sign * half], -1) for sign in (-1, 1)]
    return torch.cat([torch.stack(beams, 1), final], 1).to(dtype)


def products(momenta):
    """s_ij = 2 p_i.p_j, (n, n, events)."""
    metric = torch.tensor([1.0, -1, -1, -1], dtype=momenta.dtype)
    return 2 * torch.einsum("eim,ejm,m->ije", momenta, momenta, metric)


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_parke_taylor_and_vanishing_helicities(n, generator):
    """|A|^2 = prod of s_ij^4 over prod of neighbours for two equal helicities (Parke, Taylor 1986); else zero."""
    momenta = gluons(n, generator)
    amplitude = gluon_amplitude(Legs(momenta))
    s = products(momenta).abs()
    neighbours = torch.stack([s[i, (i + 1) % n] for i in range(n)]).prod(0)
    scale = amplitude.abs().amax(tuple(range(n)))
    checked = 0
    for helicities in itertools.product((0, 1), repeat=n):
        value = amplitude[helicities].abs()
        few = [i for i in range(n) if helicities[i] == (sum(helicities) <= n // 2)]
        if len(few) < 2:
            assert (value / scale).max() < 1e-12
        elif min(len(few), n - len(few)) == 2:
            pairs = [few] if len(few) == 2 else []
            pairs += [[i for i in range(n) if i not in few]] if n - len(few) == 2 else []
            expected = s[pairs[0][0], pairs[0][1]] ** 2 / neighbours.sqrt()
            torch.testing.assert_close(value, expected, rtol=1e-8, atol=0)
            checked += 1
    assert checked == (6 if n == 4 else n * (n - 1))


def squared(momenta):
    """Sum over helicities and colours of |M|^2 with g = 1."""
    n = momenta.shape[1]
    legs = Legs(momenta)
    amplitudes = [gluon_amplitude(legs, (*order, n - 1)) for order in itertools.permutations(range(n - 1))]
    return colour_sum(torch.stack(amplitudes), trace_matrix(n)).reshape(-1, len(momenta)).sum(0)


def test_two_gluons_to_two(generator):
    """Mean |M|^2 / g^4 = 9/2 (3 - tu/s^2 - su/t^2 - st/u^2)."""
    momenta = gluons(4, generator)
    s, t, u = products(momenta)[0, 1:]
    expected = 4.5 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2)
    torch.testing.assert_close(squared(momenta) / 256, expected, rtol=1e-12, atol=0)


def test_two_gluons_to_three(generator):
    """sum |M|^2 / g^6 = 2 N^3 (N^2 - 1) sum_{i<j} s_ij^4 sum over orderings of 1 / (s_12 s_23 s_34 s_45 s_51).

    The leading colour is exact for five gluons, each pair (i, j) is both the negative and the positive helicities of an
    amplitude, and the orderings are the 4! of four gluons before the fifth.
    """
    momenta = gluons(5, generator)
    s = products(momenta)
    numerator = sum(s[i, j] ** 4 for i, j in itertools.combinations(range(5), 2))
    chains = 0
    for order in itertools.permutations(range(4)):
        ring = (*order, 4)
        chains = chains + 1 / torch.stack([s[ring[i], ring[(i + 1) % 5]] for i in range(5)]).prod(0)
    torch.testing.assert_close(squared(momenta), 2 * 27 * 8 * numerator * chains, rtol=1e-11, atol=0)


def test_reference_vectors_and_single_precision(generator):
    momenta = gluons(5, generator)
    other = gluons(7, generator)[:, 2:]
    references = [Legs(other).spinors[i] for i in range(5)]
    legs = Legs(momenta)
    one, two = gluon_amplitude(legs), gluon_amplitude(legs, references=references)
    scale = one.abs().amax(tuple(range(5)))
    assert ((one.abs() - two.abs()) / scale).abs().max() < 1e-10
    single = gluon_amplitude(Legs(momenta.float())).abs().double()
    assert ((one.abs() - single) / scale).abs().max() < 1e-4

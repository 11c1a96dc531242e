"""Quark amplitudes against closed formulas, gauge invariance, limits, and a colour sum done component by component."""

import itertools
import math

import pytest
import torch

from hepflows.errors import InputError
from hepflows.physics.amplitudes import (
    GluonCurrents,
    Legs,
    LeptonPair,
    QuarkLine,
    colour_sum,
    four_quark_matrix,
    quark_line_matrix,
)
from hepflows.physics.amplitudes.four_quarks import LEFT, RIGHT, FourQuarks
from hepflows.physics.phase_space import Rambo

EVENTS, ENERGY = 24, 100.0


def event(gluons, generator, events=EVENTS):
    """Legs -e-, -e+, q, qbar, gluons: (events, 4 + gluons, 4)."""
    rambo = Rambo(gluons + 2, ENERGY)
    return with_beams(rambo(torch.rand(events, rambo.dims, generator=generator, dtype=torch.float64))[0])


def with_beams(final):
    half = torch.full_like(final[:, 0, 0], ENERGY / 2)
    zero = torch.zeros_like(half)
    beams = [torch.stack([-half, zero, zero, sign * half], -1) for sign in (-1, 1)]
    return torch.cat([torch.stack(beams, 1), final], 1)


def dot(p, i, j):
    metric = torch.tensor([1.0, -1, -1, -1], dtype=p.dtype)
    return (p[:, i] * p[:, j] * metric).sum(-1)


def amplitudes(momenta, **options):
    legs = Legs(momenta)
    currents = GluonCurrents(legs, range(4, momenta.shape[1]), other=2, **options)
    return QuarkLine(currents, 2, 3).amplitudes(LeptonPair(legs, lepton=1, antilepton=0))


def squared(momenta, **options):
    """Sum over colours and gluon helicities for both lepton helicities: (2, events)."""
    values = amplitudes(momenta, **options)
    return colour_sum(values, quark_line_matrix(momenta.shape[1] - 4)).reshape(2, -1, len(momenta)).sum(1)


def test_annihilation_to_quarks(generator):
    """N |A|^2 = 4 N (2 p.q)^2 of a left-handed quark: u^2 for a left-handed electron, t^2 for a right-handed one."""
    p = event(0, generator)
    # -p[:, 0] is the electron: angular momentum along z keeps left-handed quarks near left-handed electrons.
    same, opposite = 2 * dot(p, 0, 3), 2 * dot(p, 0, 2)
    expected = 12 * torch.stack([same**2, opposite**2])
    torch.testing.assert_close(squared(p), expected, rtol=1e-12, atol=1e-12 * expected.max().item())


def test_annihilation_to_quarks_and_a_gluon(generator):
    """sum |A|^2 over all helicities is proportional to e+.e- sum (e.q)^2 / (q.g qbar.g): Ellis, Gaillard, Ross 1976."""
    p = event(1, generator)
    numerator = sum(dot(p, electron, quark) ** 2 for electron in (0, 1) for quark in (2, 3))
    # twice, for right-handed quarks
    expected = 64 * numerator * dot(p, 0, 1) / (dot(p, 2, 4) * dot(p, 3, 4)) * 2
    torch.testing.assert_close(2 * squared(p).sum(0), expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("gluons", [1, 2, 3])
def test_reference_vectors_change_nothing(gluons, generator):
    p = event(gluons, generator)
    others = Legs(event(2, generator)).spinors
    one, two = squared(p), squared(p, references=[others[2 + i % 4] for i in range(gluons)])
    torch.testing.assert_close(one, two, rtol=1e-10, atol=0)


@pytest.mark.parametrize("gluons", [1, 2, 3])
def test_ward_identity(gluons, generator):
    """A longitudinal gluon, polarised along its momentum, decouples from every ordering."""
    p = event(gluons, generator)
    momentum = Legs(p).momentum(4).unsqueeze(1)
    longitudinal, physical = amplitudes(p, external={0: momentum}), amplitudes(p)
    scale = physical.abs().amax() * p[:, 4, 0].max()
    assert longitudinal.abs().max() / scale < 1e-10


def test_soft_gluon(generator):
    """|A(.. a s b ..)|^2 -> a.b / (a.s s.b) |A(.. a b ..)|^2 for small energies of s, summed over its helicities."""
    rambo = Rambo(3, ENERGY)
    hard, _ = rambo(torch.rand(EVENTS, 5, generator=generator, dtype=torch.float64))
    direction, _ = Rambo(2, 1.0)(torch.rand(EVENTS, 2, generator=generator, dtype=torch.float64))
    soft = 1e-7 * direction[:, :1]
    p = with_beams(torch.cat([hard, soft], 1))
    with_soft, without = amplitudes(p), amplitudes(p[:, :5])
    base = (without.abs() ** 2)[0].sum((0, 1))
    for number, order in enumerate(itertools.permutations((0, 1))):
        chain = [2, *(4 + gluon for gluon in order), 3]
        position = chain.index(5)
        a, b = chain[position - 1], chain[position + 1]
        eikonal = dot(p, a, b) / (dot(p, a, 5) * dot(p, 5, b))
        ratio = (with_soft[number].abs() ** 2).sum((0, 1, 2)) / (eikonal * base)
        torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=1e-4, atol=0)


def test_gradient_against_finite_differences(generator):
    x = torch.rand(4, 8, generator=generator, dtype=torch.float64).clamp(0.1, 0.9).requires_grad_()

    def value(points):
        return squared(with_beams(Rambo(4, ENERGY)(points)[0])).sum(0)

    (gradient,) = torch.autograd.grad(value(x).sum(), x)
    step = 1e-6
    for column in range(8):
        shift = torch.zeros(8, dtype=torch.float64)
        shift[column] = step
        difference = (value(x.detach() + shift) - value(x.detach() - shift)) / (2 * step)
        scale = gradient.abs().amax(1)
        assert ((difference - gradient[:, column]).abs() / scale).max() < 1e-6


def test_gluons_are_bosons(generator):
    """Exchanging two gluons exchanges orderings and helicities, and leaves the sum over colours as it is."""
    p = event(3, generator)
    torch.testing.assert_close(squared(p), squared(p[:, [0, 1, 2, 3, 6, 4, 5]]), rtol=1e-10, atol=0)


@pytest.mark.parametrize("gluons", [0, 1, 2, 3])
def test_single_precision(gluons, generator):
    p = event(gluons, generator, events=200)
    torch.testing.assert_close(squared(p.float()).double(), squared(p), rtol=2e-3, atol=0)


def fierz(traces):
    """A product of traces of T^a, each letter twice: T^a_ij T^a_kl = delta_il delta_jk - delta_ij delta_kl / 3."""
    traces = [trace for trace in traces if trace] + [()] * sum(not trace for trace in traces)
    if not traces or not traces[0]:
        return 3.0 ** len(traces)
    (letter, *rest), *others = traces
    if letter in rest:
        place = rest.index(letter)
        inside, outside = tuple(rest[:place]), tuple(rest[place + 1 :])
        return fierz([inside, outside, *others]) - fierz([inside + outside, *others]) / 3
    number = next(i for i, trace in enumerate(others) if letter in trace)
    other = others.pop(number)
    place = other.index(letter)
    turned = other[place + 1 :] + other[:place]
    return fierz([tuple(rest) + turned, *others]) - fierz([tuple(rest), turned, *others]) / 3


@pytest.mark.parametrize("gluons", [0, 1, 2, 3])
def test_colour_matrix_against_fierz_identity(gluons):
    orders = list(itertools.permutations(range(gluons)))
    expected = torch.tensor([[fierz([s + t[::-1]]) for t in orders] for s in orders], dtype=torch.float64)
    torch.testing.assert_close(quark_line_matrix(gluons), expected, rtol=1e-13, atol=1e-13)


def test_colour_of_four_quarks():
    """Tr(T^a T^b) Tr(T^a T^b) = 8 and Tr(T^a T^b T^a T^b) = -8/3."""
    expected = torch.tensor([[8, -8 / 3], [-8 / 3, 8]], dtype=torch.float64)
    torch.testing.assert_close(four_quark_matrix(), expected, rtol=1e-13, atol=1e-13)


def test_four_quarks_against_an_explicit_sum_of_diagrams(generator):
    """Two Feynman diagrams for each line, with Dirac matrices: every pairing of helicities, also against each other."""
    p = event(2, generator)
    legs = Legs(p)
    ours = FourQuarks(legs, (2, 3, 4, 5), LeptonPair(legs, lepton=1, antilepton=0))
    by_hand = Dirac(p)
    for helicities in itertools.product((LEFT, RIGHT), repeat=2):
        for lepton in (LEFT, RIGHT):
            first = ours.emitted_by_first(2, 3, 4, 5, helicities)[lepton]
            second = ours.emitted_by_first(4, 5, 2, 3, helicities[::-1])[lepton]
            one = by_hand.amplitude((2, 3), (4, 5), helicities, lepton) / 2  # Tr(T T) = delta: 1 / sqrt 2 a vertex
            two = by_hand.amplitude((4, 5), (2, 3), helicities[::-1], lepton) / 2
            torch.testing.assert_close(first.abs(), one.abs(), rtol=1e-9, atol=0)
            # the relative phase of both diagrams is what Z and photon interfere with
            torch.testing.assert_close(
                first * second.conj(), one * two.conj(), rtol=1e-8, atol=1e-10 * one.abs().max() ** 2
            )


class Dirac:
    """Amplitudes from 4 x 4 matrices in the chiral basis, one diagram after the other."""

    def __init__(self, p):
        zero, one = torch.zeros(2, 2, dtype=torch.complex128), torch.eye(2, dtype=torch.complex128)
        pauli = torch.tensor([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=torch.complex128)
        matrices = [torch.cat([torch.cat([zero, one], 1), torch.cat([one, zero], 1)])]
        matrices += [torch.cat([torch.cat([zero, s], 1), torch.cat([-s, zero], 1)]) for s in pauli]
        self.gamma = torch.stack(matrices)
        self.metric = torch.tensor([1.0, -1, -1, -1], dtype=torch.complex128)
        self.p = p

    def slash(self, vector):
        return torch.einsum("em,m,mij->eij", vector.to(torch.complex128), self.metric, self.gamma)

    def spinor(self, leg, helicity):
        """(events, 4): LEFT in the upper, RIGHT in the lower components; |E| + sigma.p = lambda lambda^dagger."""
        p = self.p[:, leg] * torch.sign(self.p[:, leg, :1])
        plus = p[:, 0] + p[:, 3]
        along = plus < 1e-12 * p[:, 0]
        root = torch.where(along, 1.0, plus).sqrt()
        up = torch.where(along, 0.0, root).to(torch.complex128)
        down = torch.where(along, (p[:, 0] - p[:, 3]).clamp(min=0).sqrt() + 0j, torch.complex(p[:, 1], p[:, 2]) / root)
        zero = torch.zeros_like(up)
        if helicity == RIGHT:
            return torch.stack([zero, zero, up, down], -1)
        return torch.stack([-down.conj(), up.conj(), zero, zero], -1)

    def bar(self, leg, helicity):
        return self.spinor(leg, helicity).conj() @ self.gamma[0]

    def current(self, quark, antiquark, helicity):
        """ubar gamma^mu v, (events, 4)."""
        return torch.einsum("ei,mij,ej->em", self.bar(quark, helicity), self.gamma, self.spinor(antiquark, helicity))

    def amplitude(self, emitting, other, helicities, lepton):
        quark, antiquark = emitting
        momentum = self.p[:, other[0]] + self.p[:, other[1]]
        gluon = self.current(*other, helicities[1])
        gluon = gluon / ((momentum**2) @ self.metric.real)[:, None]
        pair = self.current(1, 0, lepton)
        boson = self.p[:, 0] + self.p[:, 1]
        row, column = self.bar(quark, helicities[0]), self.spinor(antiquark, helicities[0])
        total = 0
        for first, second, taken in ((gluon, pair, momentum), (pair, gluon, boson)):
            inner = self.p[:, quark] + taken
            chain = self.slash(first) @ self.slash(inner) @ self.slash(second)
            value = torch.einsum("ei,eij,ej->e", row, chain, column)
            total = total + value / ((inner**2) @ self.metric.real)
        return total


def test_legs_refuse_what_are_no_momenta():
    with pytest.raises(InputError, match="momenta: expected"):
        Legs(torch.zeros(3, 4))
    with pytest.raises(InputError, match="momenta: expected"):
        Legs(torch.zeros(3, 4, 4, dtype=torch.long))


def test_coupling_constants_match_the_width_of_the_z():
    """Gamma(Z -> l l) = alpha M_Z (g_L^2 + g_R^2) / 6 at tree level, from the residue of the propagator."""
    from hepflows.physics.processes import Electroweak

    weak = Electroweak()
    s = torch.tensor(weak.z_mass**2, dtype=torch.float64)
    gl, gr = weak._z_coupling(-1.0, -0.5, 0), weak._z_coupling(-1.0, -0.5, 1)
    width = weak.alpha * weak.z_mass * (gl**2 + gr**2) / 6
    assert math.isclose(width, 0.0835, rel_tol=0.02)
    peak = weak.neutral(2, s, 0, 0).imag
    expected = -4 * math.pi * weak.alpha * gl * weak._z_coupling(2 / 3, 0.5, 0) / (weak.z_mass * weak.z_width)
    assert math.isclose(peak.item(), expected, rel_tol=1e-12)

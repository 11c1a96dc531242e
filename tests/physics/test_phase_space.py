"""Phase space: volumes, momentum conservation, masses on shell; the mapping of two protons against flat phase space."""

import math

import pytest
import torch

from hepflows.errors import InputError
from hepflows.physics.phase_space import (
    BreitWigner,
    MultiChannel,
    ProtonPhaseSpace,
    Rambo,
    SequentialDecay,
    mass_squared,
    two_body_decay,
)

EVENTS = 40_000


def points(count, dims, generator):
    return torch.rand(count, dims, generator=generator, dtype=torch.float64)


def agrees(values, expected, error=0.0, sigmas=4):
    """The mean of values is what is expected, within standard deviations."""
    deviation = math.hypot(values.std().item() / len(values) ** 0.5, error)
    assert deviation > 0
    assert abs(values.mean().item() - expected) < sigmas * deviation, (values.mean().item(), expected, deviation)


@pytest.mark.parametrize("particles", [2, 3, 4, 5])
def test_rambo_conserves_momentum_and_is_flat(particles, generator):
    rambo = Rambo(particles, 100.0)
    momenta, weight = rambo(points(EVENTS, rambo.dims, generator))
    total = torch.tensor([100.0, 0, 0, 0], dtype=torch.float64).expand(EVENTS, 4)
    torch.testing.assert_close(momenta.sum(1), total, rtol=0, atol=1e-9)
    assert mass_squared(momenta).abs().max() < 1e-8
    torch.testing.assert_close(weight * rambo.density(momenta), torch.ones_like(weight))
    # Flat phase space is symmetric in the particles; the noise is for two of them, whose energies are fixed.
    energies = momenta[..., 0]
    for i in range(particles):
        agrees(energies[:, i] + 1e-6 * torch.randn(EVENTS, generator=generator), 100.0 / particles)
    if particles > 2:
        agrees(energies[:, 0] ** 2 - energies[:, -1] ** 2, 0.0)


@pytest.mark.parametrize(("particles", "power"), [(3, 1.0), (4, 0.5), (4, 0.0), (5, 0.8)])
def test_volume_of_sequential_decays(particles, power, generator):
    """With no lowest mass, or a negligible one, the volume is that of Rambo, which is known in closed form."""
    minimum = 1e-12 if power == 1 else 0.0
    chain = SequentialDecay(range(particles), 50.0, power, minimum)
    momenta, weight = chain(points(EVENTS, chain.dims, generator))
    agrees(weight / Rambo(particles, 50.0).volume, 1.0)

    # A small mass that is read off the momenta has lost digits: the density is checked where masses are not small.
    chain = SequentialDecay(range(particles), 50.0, power, 1e-2)
    momenta, weight = chain(points(EVENTS, chain.dims, generator))
    possible = weight > 0
    product = (weight * chain.density(momenta))[possible]
    assert (product - 1).abs().median() < 1e-10


@pytest.mark.parametrize("fractions", [None, (0.7, 0.2, 0.1)])
def test_multichannel_gives_the_same_integral_for_all_fractions(fractions, generator):
    """int s_12^2 dPhi_3 = E^4 Phi_3 / 6, where flat phase space has the density 2 (1 - s / E^2) / E^2 of s_12."""
    mappings = [SequentialDecay(order, 1.0, 1.0, 1e-9) for order in ((0, 1, 2), (1, 2, 0))] + [Rambo(3, 1.0)]
    channels = MultiChannel(mappings, fractions)
    total = 0.0
    for number in range(3):
        momenta, weight = channels(points(EVENTS, 5, generator), torch.full((EVENTS,), number))
        total = total + mass_squared(momenta[:, :2].sum(1)) ** 2 * weight
    agrees(total / mappings[-1].volume, 1 / 6)


def test_multichannel_keeps_the_order_of_points(generator):
    mappings = [SequentialDecay(order, 1.0, 1.0, 1e-9) for order in ((0, 1, 2), (1, 2, 0))]
    x, channel = points(50, 5, generator), torch.randint(0, 2, (50,), generator=generator)
    momenta, _ = MultiChannel(mappings)(x, channel)
    for number, mapping in enumerate(mappings):
        torch.testing.assert_close(momenta[channel == number], mapping(x[channel == number])[0])


def test_two_body_decay(generator):
    """On shell, conserving momentum, isotropic, with the volume 1 / (8 pi) of massless daughters."""
    momentum = 30 * torch.randn(2000, 3, generator=generator, dtype=torch.float64)
    mass = 10 + 5 * torch.rand(2000, generator=generator, dtype=torch.float64)
    parent = torch.cat([(mass**2 + (momentum**2).sum(1)).sqrt()[:, None], momentum], 1)
    u = points(2000, 2, generator)
    one, two, volume = two_body_decay(parent, mass, 2 * u[:, 0] - 1, 2 * math.pi * u[:, 1], (3.0, 1.0))
    torch.testing.assert_close(one + two, parent)
    torch.testing.assert_close(mass_squared(one), torch.full_like(mass, 9.0), rtol=0, atol=1e-9)
    torch.testing.assert_close(mass_squared(two), torch.full_like(mass, 1.0), rtol=0, atol=1e-9)
    root = ((mass**2 - 16) * (mass**2 - 4)).sqrt()
    torch.testing.assert_close(volume, root / (8 * math.pi * mass**2))
    massless = two_body_decay(parent, mass, u[:, 0], u[:, 1])[2]
    torch.testing.assert_close(massless, torch.full_like(mass, 1 / (8 * math.pi)))


def test_breit_wigner(generator):
    """The Jacobian integrates to the range of s, and against the propagator to an arctangent."""
    resonance = BreitWigner(80.0, 2.0, (20.0, 200.0))
    s, jacobian = resonance(points(1000, 1, generator)[:, 0])
    assert s.min() >= 400 * (1 - 1e-9) and s.max() <= 40_000 * (1 + 1e-9)
    low, high = (math.atan((edge**2 - 6400) / 160) for edge in (20.0, 200.0))
    flat = jacobian / ((s - 6400) ** 2 + 160**2)
    torch.testing.assert_close(flat, torch.full_like(flat, (high - low) / 160), rtol=1e-9, atol=0)
    u = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    assert resonance(u)[1].mean().item() == pytest.approx(40_000 - 400, rel=1e-3)


@pytest.mark.parametrize("jets", [0, 1, 2])
def test_volume_of_the_proton_mapping(jets, generator):
    """int dx1 dx2 dPhi with all cuts, against flat phase space in the partons' frame and flat x1, x2."""
    sqrt_s, window, lowest, highest, radius = 300.0, (20.0, 120.0), 15.0, 2.0, 1.0
    mapping = ProtonPhaseSpace(jets, BreitWigner(60.0, 40.0, window), sqrt_s, lowest, highest, radius)
    events = mapping(points(EVENTS, mapping.dims, generator))
    ours = torch.where(events.separated, events.weight, 0.0)

    rambo = Rambo(jets + 2, 1.0)
    count = 400_000
    x = points(count, 2, generator)
    momenta = rambo(points(count, rambo.dims, generator))[0] * (sqrt_s * (x[:, 0] * x[:, 1]).sqrt())[:, None, None]
    volume = rambo.volume * (sqrt_s**2 * x[:, 0] * x[:, 1]) ** jets
    mass = mass_squared(momenta[:, :2].sum(1)).clamp(min=0).sqrt()
    kept = (mass > window[0]) & (mass < window[1])
    shift = (x[:, 0] / x[:, 1]).log() / 2
    pt = momenta[..., 1].hypot(momenta[..., 2])
    y = torch.asinh(momenta[..., 3] / pt) + shift[:, None]
    phi = torch.atan2(momenta[..., 2], momenta[..., 1])
    for i in range(2, jets + 2):
        kept = kept & (pt[:, i] > lowest) & (y[:, i].abs() < highest)
        for j in range(2, i):
            apart = torch.remainder(phi[:, i] - phi[:, j] + math.pi, 2 * math.pi) - math.pi
            kept = kept & ((y[:, i] - y[:, j]) ** 2 + apart**2 > radius**2)
    flat = torch.where(kept, volume, 0.0)
    if jets == 0:  # one mass for two massless leptons: every accepted x1 x2 S is a mass, flat is exact in the angles
        assert kept.double().mean() > 0.01
    scale = flat.mean().item()
    agrees(ours / scale, 1.0, flat.std().item() / scale / count**0.5)
    assert (flat.std() / scale / count**0.5) < 0.03


def test_proton_events_are_events(generator):
    mapping = ProtonPhaseSpace(2, BreitWigner(80.4, 2.1, (20.0, 200.0)))
    events = mapping(points(2000, mapping.dims, generator))
    kept = events.weight > 0
    momenta = events.momenta[kept]
    balance = momenta[:, :2].sum(1) - momenta[:, 2:].sum(1)
    assert (balance.abs() / momenta[:, :2, 0].sum(1, keepdim=True)).max() < 1e-9
    assert (mass_squared(momenta).abs() / momenta[..., 0] ** 2).max() < 1e-9
    pair = mass_squared(momenta[:, 2:4].sum(1))
    torch.testing.assert_close(pair, events.mass_squared[kept], rtol=1e-5, atol=0)
    assert events.x1[kept].max() <= 1 and events.x2[kept].max() <= 1
    assert momenta[:, 4:, 1].hypot(momenta[:, 4:, 2]).min() >= 20 * (1 - 1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rambo(1, 10.0), "particles: expected at least 2"),
        (lambda: Rambo(3, 10.0)(torch.rand(5, 4)), r"x: expected points of the unit cube, a real tensor \(events, 5\)"),
        (lambda: BreitWigner(80.0, 2.0, (90.0, 30.0)), "window: expected"),
        (lambda: BreitWigner(80.0, 0.0, (30.0, 90.0)), "mass, width: expected"),
        (lambda: SequentialDecay((0, 0, 1), 10.0), "order: expected a permutation"),
        (lambda: SequentialDecay((0, 1, 2), 10.0, 1.0, 0.0), "minimum: expected"),
        (lambda: MultiChannel([Rambo(3, 1.0), Rambo(4, 1.0)]), "mappings: expected"),
        (lambda: MultiChannel([Rambo(3, 1.0)], (0.0,)), "fractions: expected"),
        (lambda: MultiChannel([Rambo(3, 1.0)])(torch.rand(2, 5), torch.tensor([0, 1])), "channel: expected"),
        (lambda: ProtonPhaseSpace(-1, None), "jets: expected"),
        (lambda: ProtonPhaseSpace(1, None, lowest=8000.0), "cuts: nothing passes"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make()

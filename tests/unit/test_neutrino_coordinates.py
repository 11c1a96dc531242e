"""Coordinates of the neutrinos: a bijection, its Jacobian by autograd, the mass by four-vectors."""

import math

import pytest
import torch

from hepflows.errors import InputError
from hepflows.physics import neutrinos


def drawn(number=200, seed=0):
    """(neutrinos, event) of the sizes of WW scattering."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    leptons = [torch.stack((20 + 30 * normal(number).abs(), normal(number), 1.5 * normal(number)), 1) for _ in range(2)]
    return 60 * normal(number, 2, 3), torch.cat((*leptons, 60 * normal(number, 2)), 1)


def coordinate_of(azimuth, event):
    """u of the first neutrino's azimuth from its lepton."""
    return neutrinos.stretched(azimuth, neutrinos.squeeze(event[:, 0], event[:, 6:].norm(dim=1)))[0]


def test_coordinates_and_momenta_are_inverse():
    momenta, event = drawn()
    u, _ = neutrinos.to_coordinates(momenta, event)
    torch.testing.assert_close(neutrinos.to_momenta(u, event), momenta, rtol=1e-8, atol=1e-8)
    single = neutrinos.to_momenta(u.float(), event.float())
    assert ((single - momenta).norm(dim=2) / momenta.norm(dim=2)).max() < 1e-3


def test_jacobian_is_that_of_autograd():
    momenta, event = drawn(30)
    _, log_jacobian = neutrinos.to_coordinates(momenta, event)
    for i in range(30):

        def coordinates(p, i=i):
            return neutrinos.to_coordinates(p.view(1, 2, 3), event[i : i + 1])[0].flatten()

        matrix = torch.autograd.functional.jacobian(coordinates, momenta[i].flatten())
        assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(log_jacobian[i].item(), abs=1e-9)


def test_mass_is_that_of_the_four_vectors():
    momenta, event = drawn()
    u, _ = neutrinos.to_coordinates(momenta, event)
    for k in (0, 1):
        lepton = neutrinos.from_cylinder(*event[:, 3 * k : 3 * k + 3].unbind(1))
        energy = lepton.norm(dim=1) + momenta[:, k].norm(dim=1)
        mass_squared = energy**2 - (lepton + momenta[:, k]).square().sum(1)
        torch.testing.assert_close(
            neutrinos.log_mass_squared(u[:, 3 * k + 1]).exp(), mass_squared, rtol=1e-6, atol=1e-4
        )


def test_breit_wigner_becomes_a_logistic_distribution():
    w = torch.tensor([-12.0, -3.0, -1.0, 0.0, 1.0, 3.0, 12.0], dtype=torch.float64)
    mass, width = neutrinos.W_MASS, neutrinos.PEAK_WIDTH
    # r is the part of the Breit-Wigner below, by quadrature in the angle arctan[(s - M^2) / (M G)]
    mass_squared = neutrinos.log_mass_squared(w).exp()
    lowest = -math.atan(mass / width)
    part = (torch.atan((mass_squared - mass**2) / (mass * width)) - lowest) / (math.pi / 2 - lowest)
    torch.testing.assert_close(part, torch.sigmoid(w), rtol=1e-6, atol=1e-9)


def test_peak_coordinate_far_from_the_peak():
    w = torch.linspace(-20, 20, 401)  # float32
    log_mass_squared = neutrinos.log_mass_squared(w)
    assert torch.isfinite(log_mass_squared).all() and (log_mass_squared.diff() > 0).all()
    back, slope = neutrinos.peak_coordinate(log_mass_squared)
    torch.testing.assert_close(back, w, rtol=0, atol=2e-4)
    at_the_ends = slope[[0, -1]].exp()  # w follows log m^2
    torch.testing.assert_close(at_the_ends, torch.ones(2), rtol=0, atol=0.05)


def test_first_neutrino_leaves_the_second():
    momenta, event = drawn()
    event[:, 6:] = momenta[:, :, :2].sum(1)  # a perfect detector
    u, _ = neutrinos.to_coordinates(momenta, event)
    torch.testing.assert_close(u[:, 3], torch.zeros(len(u), dtype=torch.float64), rtol=0, atol=1e-9)
    first = neutrinos.first_neutrino(u[:, :3], event)
    torch.testing.assert_close(neutrinos.from_cylinder(*first), momenta[:, 0], rtol=1e-8, atol=1e-8)
    size, _ = neutrinos.left_over(first, event)
    torch.testing.assert_close(size, momenta[:, 1, :2].norm(dim=1), rtol=1e-8, atol=1e-8)


def test_wrong_shapes_are_named():
    momenta, event = drawn(3)
    with pytest.raises(InputError, match=r"neutrinos: expected shape \(events, 2, 3\), got \(3, 6\)"):
        neutrinos.to_coordinates(momenta.flatten(1), event)
    with pytest.raises(InputError, match=r"event: expected shape \(events, 8\)"):
        neutrinos.to_coordinates(momenta, event[:, :6])


def test_room_for_second_names_the_two_solutions():
    momenta, event = drawn()
    event[:, 6:] = momenta[:, :, :2].sum(1)
    u, _ = neutrinos.to_coordinates(momenta, event)
    room = neutrinos.room_for_second(u[:, :3], event)
    distance, transverse_mass = room[:, 11], room[:, 9]
    reachable = (distance > 1e-2) & (transverse_mass < 1)
    assert reachable.sum() > 50
    # at this distance a neutrino of the remaining transverse momentum has the mass of the W
    pt, _, phi = neutrinos.to_cylinder(momenta[:, 1])
    for sign in (-1, 1):
        mass_squared = neutrinos.mass_squared(event[:, 3:6].unbind(1), (pt, event[:, 4] + sign * distance, phi))
        expected = torch.full_like(mass_squared, neutrinos.W_MASS**2)
        torch.testing.assert_close(mass_squared[reachable], expected[reachable], rtol=1e-6, atol=0)


def test_room_for_second_is_finite_wherever_a_flow_may_draw():
    _, event = drawn()
    extreme = torch.tensor([[3.1, -15.0, -6.0], [0.0, 15.0, 0.0], [-3.1, 0.0, 6.0]])
    for row in extreme:
        room = neutrinos.room_for_second(row.expand(len(event), 3), event.float())
        assert torch.isfinite(room).all() and room.abs().max() < 11


def test_generic_coordinates():
    momenta, _ = drawn(20)
    u, log_jacobian = neutrinos.generic_coordinates(momenta)
    torch.testing.assert_close(neutrinos.from_generic_coordinates(u), momenta, rtol=1e-9, atol=1e-9)
    for i in range(20):

        def coordinates(p):
            return neutrinos.generic_coordinates(p.view(1, 2, 3))[0].flatten()

        matrix = torch.autograd.functional.jacobian(coordinates, momenta[i].flatten())
        assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(log_jacobian[i].item(), abs=1e-9)


def test_room_is_where_the_second_is_possible():
    """A second neutrino that exists has room; beyond the largest transverse mass of a W with lepton 1 there is none."""
    momenta, event = drawn(400)
    event[:, 6:] = momenta[:, :, :2].sum(1)  # a perfect detector: the second neutrino is what is left
    lepton, second = neutrinos.from_cylinder(*event[:, 3:6].unbind(1))[:, :2], momenta[:, 1, :2]
    energy = lepton.norm(dim=1) + second.norm(dim=1)
    transverse_mass_squared = energy**2 - (lepton + second).square().sum(1)
    room = neutrinos.room_left(neutrinos.to_cylinder(momenta[:, 0]), event)
    assert torch.equal(room > 0, transverse_mass_squared < neutrinos.W_MASS**2)
    assert (room > 0).sum() > 100 and (room < 0).sum() > 50 and room.abs().max() <= 1


def test_room_has_the_resolution_of_the_missing_momentum():
    """Where r = - 1 / sqrt(2), the transverse mass squared is one standard deviation s above M^2: s by smearing."""
    generator = torch.Generator().manual_seed(1)
    pt, azimuth, m = 40.0, 2.0, neutrinos.W_MASS
    opening = 1 - math.cos(azimuth)
    q = m**2 / (2 * pt * opening)
    event = (
        torch.tensor([[30.0, 0, 0, pt, 0, 0, q * math.cos(azimuth), q * math.sin(azimuth)]]).double().repeat(50000, 1)
    )
    event[:, 6:] += neutrinos.BLUR / 2 * torch.randn(50000, 2, generator=generator, dtype=torch.float64)
    q_measured = event[:, 6:].norm(dim=1)
    spread = (2 * pt * (q_measured - event[:, 6])).std()  # of m_T^2, from the missing momentum alone
    nothing = torch.zeros(1, dtype=torch.float64)
    s = math.hypot(spread, 2 * m * neutrinos.PEAK_WIDTH)
    further = event[:1].clone()
    further[:, 6:] = (q + s / (2 * pt * opening)) * torch.tensor([math.cos(azimuth), math.sin(azimuth)])
    room = neutrinos.room_left((nothing + 1e-9, nothing, nothing), further)
    assert room.item() == pytest.approx(-math.sqrt(0.5), abs=0.01)  # the spread is known to 0.3 %


def test_room_on_grids():
    _, event = drawn(50)
    u = torch.stack((torch.linspace(-3, 3, 50), torch.linspace(-4, 4, 50)), 1).double()
    room = neutrinos.room_for_first(u, event)
    for k, distance in enumerate(neutrinos.DISTANCES):
        for sign in (-1, 1):  # the room is that of -d, too
            d = torch.full((50, 1), sign * distance, dtype=torch.float64)
            first = neutrinos.first_neutrino(torch.cat((u, d), 1), event)
            torch.testing.assert_close(room[:, k], neutrinos.room_left(first, event))
    by_azimuth = neutrinos.room_by_azimuth(event)
    for k, azimuth in enumerate(neutrinos.AZIMUTHS):
        at_mass = torch.tensor([[azimuth, 0.0]], dtype=torch.float64).expand(50, 2)
        torch.testing.assert_close(by_azimuth[:, k], neutrinos.room_for_first(at_mass, event)[:, ::2].mean(1))


@pytest.mark.parametrize("w", (-15.0, 0.0, 15.0))
def test_room_is_finite_wherever_a_flow_may_draw(w):
    _, event = drawn()
    event[0, 6:] = 0
    for azimuth in (-3.14159, 0.0, 5.8e-8, 3.14159):
        room = neutrinos.room_for_first(torch.tensor([[azimuth, w]]).expand(len(event), 2), event.float())
        assert torch.isfinite(room).all() and room.abs().max() <= 1 + 1e-6


@pytest.mark.parametrize("factor", (1.0, 1.7, 25.0))
def test_stretched_is_a_map_of_the_circle(factor):
    angle = torch.linspace(-math.pi, math.pi, 401, dtype=torch.float64, requires_grad=True)
    image, log_slope = neutrinos.stretched(angle, factor)
    (slope,) = torch.autograd.grad(image.sum(), angle)
    torch.testing.assert_close(log_slope.exp(), slope, rtol=1e-9, atol=0)
    assert image[0].item() == pytest.approx(-math.pi) and image[-1].item() == pytest.approx(math.pi)
    assert slope[200].item() == pytest.approx(factor)  # at zero
    back, log_slope_back = neutrinos.stretched(image, 1 / factor)
    torch.testing.assert_close(back, angle, rtol=0, atol=1e-9)
    torch.testing.assert_close(log_slope_back, -log_slope, rtol=0, atol=1e-9)

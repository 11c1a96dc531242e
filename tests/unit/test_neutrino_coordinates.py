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


def test_room_for_first_is_where_the_second_is_possible():
    """Between the roots, and only there, the transverse mass of what is left and lepton 1 is below that of the W."""
    _, event = drawn(400)
    azimuth = torch.linspace(-3, 3, 400, dtype=torch.float64)
    room = neutrinos.room_for_first(coordinate_of(azimuth, event)[:, None], event)
    low, high = (room[:, :2] + 4).exp().T
    possible = (room[:, 4] > 0.05) & (high > 2)
    assert possible.sum() > 100
    phi = event[:, 2] + azimuth
    for p, sign in ((0.98 * high, -1), (1.02 * high, 1), (1.02 * low, -1), (0.98 * low, 1)):
        first = p, torch.zeros_like(p), phi
        q, origin = neutrinos.left_over(first, event)
        transverse_mass = torch.sqrt(2 * event[:, 3] * q * (1 - torch.cos(origin - event[:, 5])))
        used = possible & (low > 1) & (low < high) & (high < 2999)
        assert used.sum() > 20
        agree = torch.sign(transverse_mass - neutrinos.W_MASS)[used] == sign
        assert agree.double().mean() > 0.97  # but where |q| = - (A + q.l), the other branch of the squared equation
    assert torch.isfinite(room).all()


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


def test_distances_of_a_given_mass():
    """At the distance in eta that is named, a neutrino of this transverse momentum makes the mass that is asked for."""
    _, event = drawn(300)
    azimuth = torch.linspace(-3, 3, 300, dtype=torch.float64)
    mass_squared = torch.linspace(60, 120, 300, dtype=torch.float64) ** 2
    w = neutrinos.peak_coordinate(mass_squared.log())[0]
    room = neutrinos.room_for_first(torch.stack((coordinate_of(azimuth, event), w), 1), event)
    for log_pt, distance in ((room[:, 0], room[:, 2]), (room[:, 1], room[:, 3])):
        pt, reachable = (log_pt + 4).exp(), (distance > 1e-2) & (distance < 4.5)
        assert reachable.sum() > 20
        neutrino = pt, event[:, 1] + distance, event[:, 2] + azimuth
        made = neutrinos.mass_squared(event[:, :3].unbind(1), neutrino)
        torch.testing.assert_close(made[reachable], mass_squared[reachable], rtol=1e-6, atol=0)

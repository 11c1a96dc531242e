"""The soft permutation: a map of the unit box onto itself that keeps volumes, and starts as a permutation."""

import pytest
import torch

from hepflows import flows
from hepflows.errors import InputError

FEATURES = 4


@pytest.fixture
def turned(generator):
    """Away from its start, in double precision."""
    transform = flows.SoftPermutation(FEATURES, generator).double()
    with torch.no_grad():
        transform.generators.copy_(torch.randn(FEATURES, FEATURES, generator=generator))
    return transform


def test_starts_as_a_permutation(generator):
    transform = flows.SoftPermutation(FEATURES, generator).double()
    u = torch.rand(20, FEATURES, generator=generator, dtype=torch.float64)
    v, _ = transform(u)
    torch.testing.assert_close(v.sort(1)[0], u.sort(1)[0], rtol=1e-10, atol=1e-10)
    assert not torch.allclose(v, u)


@pytest.mark.parametrize(("dtype", "accuracy"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_inverse_undoes_forward(turned, generator, dtype, accuracy):
    turned, u = turned.to(dtype), torch.rand(2000, FEATURES, generator=generator, dtype=dtype)
    v, forward = turned(u)
    back, inverse = turned.inverse(v)
    inside = (u > 1e-3).all(1) & (u < 1 - 1e-3).all(1) & (v > 1e-3).all(1) & (v < 1 - 1e-3).all(1)
    torch.testing.assert_close(back[inside], u[inside], rtol=0, atol=accuracy)
    assert not forward.any() and not inverse.any()


def test_volumes_are_kept_by_autograd(turned, generator):
    for u in torch.rand(10, FEATURES, generator=generator, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda u: turned(u[None])[0][0], u)
        assert torch.linalg.det(jacobian).abs().log().item() == pytest.approx(0, abs=1e-8)


def test_uniform_points_stay_uniform_and_mix(turned, generator):
    u = torch.rand(100_000, FEATURES, generator=generator, dtype=torch.float64)
    v = turned(u)[0].detach()
    assert (v.mean(0) - 0.5).abs().max() < 5 / (12 * len(v)) ** 0.5
    assert torch.corrcoef(v.t()).sub(torch.eye(FEATURES)).abs().max() < 5 / len(v) ** 0.5
    assert torch.corrcoef(torch.cat((u, v), 1).t())[:FEATURES, FEATURES:].abs().max() < 0.99


def test_sides_of_the_box_give_finite_values_and_gradients(turned):
    u = torch.tensor([[0.0, 1.0, 0.5, 0.0], [1.0, 1.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    v, _ = turned(u)
    v.sum().backward()
    assert torch.isfinite(v).all() and torch.isfinite(u.grad).all() and torch.isfinite(turned.generators.grad).all()


def test_flow_with_soft_permutations_is_normalised_and_can_be_stored(tmp_path, generator):
    flow = flows.coupling_flow(2, domain="unit", permutation="soft", transforms=2, hidden=(8,))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    axis = (torch.arange(300) + 0.5) / 300
    points = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        log_prob = flow.log_prob(points)
    assert log_prob.exp().mean().item() == pytest.approx(1, abs=3e-3)
    flows.save(flow, tmp_path / "flow.pt")
    assert torch.equal(flows.load(tmp_path / "flow.pt").log_prob(points[:50]), flow.log_prob(points[:50]))


def test_from_noise_gives_points_with_their_density(generator):
    flow = flows.coupling_flow(3, context=2, domain="unit", permutation="soft").double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    noise = torch.rand(50, 3, generator=generator, dtype=torch.float64)
    context = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    x, log_q = flow.from_noise(noise, context)
    torch.testing.assert_close(log_q, flow.log_prob(x, context), rtol=0, atol=1e-6)
    torch.testing.assert_close(flow.transform_to_noise(x, context), noise, rtol=0, atol=1e-6)


def test_only_for_the_unit_box():
    with pytest.raises(InputError, match="permutation: expected 'soft' on the domain 'unit' only, got 'real'"):
        flows.coupling_flow(3, permutation="soft")

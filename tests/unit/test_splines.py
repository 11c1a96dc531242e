"""The spline against nflows' own, autograd, and extreme inputs."""

import shutil

import pytest
import torch
from nflows.transforms.splines import unconstrained_rational_quadratic_spline

from hepflows.errors import InputError
from hepflows.flows import bins
from hepflows.flows.splines import FEW, CircularSpline, RationalQuadraticSpline, UnitSpline, _backward, _forward

BINS, TAIL_BOUND = 8, 5.0


def example(features=4, events=500, scale=1.0, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = 3 * torch.randn(features, events, generator=generator, dtype=dtype)
    parameters = scale * torch.randn(features, 3 * BINS - 1, events, generator=generator, dtype=dtype)
    return inputs, parameters


def nflows_spline(inputs, parameters, inverse):
    widths, heights, slopes = (p.movedim(1, -1) for p in parameters.split((BINS, BINS, BINS - 1), 1))
    return unconstrained_rational_quadratic_spline(
        inputs, widths, heights, slopes, inverse=inverse, tails="linear", tail_bound=TAIL_BOUND
    )


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_equals_nflows_in_value_log_derivative_and_gradients(inverse, scale):
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    results = []
    for function in (spline.inverse if inverse else spline.forward, lambda x, p: nflows_spline(x, p, inverse)):
        inputs, parameters = (tensor.requires_grad_() for tensor in example(scale=scale))
        outputs, logabsdet = function(inputs, parameters)
        gradients = torch.autograd.grad((outputs.sin() + logabsdet.cos()).sum(), (inputs, parameters))
        results.append((outputs, logabsdet, *gradients))
    # Logits of size 3 make bins and slopes that differ by 10^4: both implementations round there.
    tolerance = 1e-10 if scale < 3 else 1e-5
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_analytic_backward_passes_gradcheck(direction):
    inputs, parameters = (tensor.requires_grad_() for tensor in example(features=2, events=6))
    assert torch.autograd.gradcheck(getattr(RationalQuadraticSpline(BINS, TAIL_BOUND), direction), (inputs, parameters))


def test_inverse_and_log_derivative():
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    inputs, parameters = example()
    inputs.requires_grad_()
    outputs, logabsdet = spline.forward(inputs, parameters)
    recovered, minus_logabsdet = spline.inverse(outputs, parameters)
    torch.testing.assert_close(recovered, inputs, rtol=0, atol=1e-10)
    torch.testing.assert_close(minus_logabsdet, -logabsdet, rtol=0, atol=1e-10)
    (slope,) = torch.autograd.grad(outputs.sum(), inputs)
    torch.testing.assert_close(slope.log(), logabsdet, rtol=0, atol=1e-10)


@pytest.mark.parametrize("inverse", [False, True])
def test_float32_is_close_to_float64(inverse):
    # In narrow bins the rounding of the knots is magnified, in any implementation: the tail is judged beside nflows'.
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    inputs, parameters = example(events=20_000)
    function = spline.inverse if inverse else spline.forward
    exact = function(inputs, parameters)
    ours = function(inputs.float(), parameters.float())
    theirs = nflows_spline(inputs.float(), parameters.float(), inverse)
    for reference, own, other in zip(exact, ours, theirs, strict=True):
        error, other_error = (own.double() - reference).abs(), (other.double() - reference).abs()
        assert error.quantile(0.999) < 1e-4
        assert error.square().mean().sqrt() < 4 * other_error.square().mean().sqrt()


def test_identity_parameters_and_tails():
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    inputs = torch.linspace(-8, 8, 401, dtype=torch.float64).unsqueeze(0)
    identity = spline.identity_parameters().double()[None, :, None].expand(1, -1, 401)
    outputs, logabsdet = spline.forward(inputs, identity)
    torch.testing.assert_close(outputs, inputs, rtol=0, atol=1e-7)
    assert logabsdet.abs().max() < 1e-7
    outputs, logabsdet = spline.forward(inputs, torch.randn(1, 3 * BINS - 1, 401).double())
    outside = inputs.abs() > TAIL_BOUND
    assert torch.equal(outputs[outside], inputs[outside])
    assert torch.all(logabsdet[outside] == 0)


def test_passes_through_its_knots():
    _, parameters = example(features=3, events=1)
    x, y, slopes = RationalQuadraticSpline(BINS, TAIL_BOUND).knots(parameters)
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    outputs, logabsdet = spline.forward(x[..., 0], parameters.expand(-1, -1, BINS + 1))
    torch.testing.assert_close(outputs, y[..., 0])
    torch.testing.assert_close(logabsdet.exp(), slopes[..., 0], rtol=1e-9, atol=0)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 30.0, 100.0])
def test_finite_everywhere(direction, dtype, scale):
    # nflows stops here: its discriminant is negative by rounding, and a knot at a tail bound is out of its range.
    inputs, parameters = example(features=5, events=200_000, scale=scale, dtype=dtype)
    inputs[0, :4] = torch.tensor([TAIL_BOUND, -TAIL_BOUND, 1e6, -1e6])
    inputs, parameters = inputs.requires_grad_(), parameters.requires_grad_()
    outputs, logabsdet = getattr(RationalQuadraticSpline(BINS, TAIL_BOUND), direction)(inputs, parameters)
    gradients = torch.autograd.grad((outputs + logabsdet).sum(), (inputs, parameters))
    for values in (outputs, logabsdet, *gradients):
        assert torch.isfinite(values).all()
    assert torch.all(outputs.abs() <= torch.maximum(inputs.abs(), torch.tensor(TAIL_BOUND)) * (1 + 1e-6))


@pytest.mark.parametrize("tail_bound", [1.0, 32.0, 1000.0])
def test_inputs_at_the_tail_bound(tail_bound):
    _, parameters = example(features=1, events=2, dtype=torch.float32)
    inputs = torch.tensor([[-tail_bound, tail_bound]])
    for direction in ("forward", "inverse"):
        outputs, logabsdet = getattr(RationalQuadraticSpline(BINS, tail_bound), direction)(inputs, parameters)
        torch.testing.assert_close(outputs, inputs)
        torch.testing.assert_close(logabsdet, torch.zeros_like(inputs), rtol=0, atol=1e-3)


SPLINES = {"linear": RationalQuadraticSpline, "circular": CircularSpline, "unit": UnitSpline}


def on_domain(kind, bins=5, events=300, seed=0, beyond=1.0, **options):
    """A spline of a kind with inputs over `beyond` times its box, and parameters."""
    spline = SPLINES[kind](bins, **options)
    generator = torch.Generator().manual_seed(seed)
    middle, half = (spline.box.low + spline.box.high) / 2, (spline.box.high - spline.box.low) / 2
    inputs = middle + beyond * half * (2 * torch.rand(3, events, generator=generator, dtype=torch.float64) - 1)
    parameters = torch.randn(3, spline.parameters_per_feature, events, generator=generator, dtype=torch.float64)
    return spline, inputs, parameters


@pytest.mark.parametrize("kind", SPLINES)
def test_every_domain_inverse_and_gradients(kind):
    spline, inputs, parameters = on_domain(kind)
    outputs, logabsdet = spline.forward(inputs, parameters)
    recovered, minus_logabsdet = spline.inverse(outputs, parameters)
    torch.testing.assert_close(recovered, inputs, rtol=0, atol=1e-10)
    torch.testing.assert_close(minus_logabsdet, -logabsdet, rtol=0, atol=1e-9)
    few = inputs[:, :5].clone().requires_grad_(), parameters[:, :, :5].clone().requires_grad_()
    assert torch.autograd.gradcheck(spline.forward, few)
    assert torch.autograd.gradcheck(spline.inverse, few)


@pytest.mark.parametrize("kind", ["circular", "unit"])
def test_bounded_domains_are_mapped_onto_themselves(kind):
    spline, _, parameters = on_domain(kind, events=1)
    grid = torch.linspace(spline.box.low, spline.box.high, 20_001, dtype=torch.float64).expand(3, -1)
    outputs, logabsdet = spline.forward(grid, parameters.expand(-1, -1, 20_001))
    length = spline.box.high - spline.box.low
    # The box is filled once: the integral of the derivative is its length.
    integral = torch.trapezoid(logabsdet.exp(), grid)
    torch.testing.assert_close(integral, torch.full_like(integral, length), rtol=1e-5, atol=0)
    assert torch.all(outputs.diff(dim=1) > 0)
    if kind == "circular":
        torch.testing.assert_close(logabsdet[:, 0], logabsdet[:, -1])


def test_networks_resolve_the_edges_of_the_unit_box():
    """u = 1e-5 and 1e-3 look as different as 0.01 and 0.5 do, both edges alike, and nothing is infinite at 0 and 1."""
    spline = UnitSpline(4)
    u = torch.tensor([[0.0, 1e-5, 1e-3, 0.01, 0.5], [1.0, 1 - 1e-5, 0.999, 0.99, 0.5]], dtype=torch.float64)
    u.requires_grad_()
    seen = spline.encode(u, 0).view(2, spline.encoded, -1)
    torch.testing.assert_close(seen[:, 0], u)
    edge = seen[:, 1]
    torch.testing.assert_close(edge[0], -edge[1])
    assert edge[0, 2] - edge[0, 1] > 0.9 * (edge[0, 4] - edge[0, 3]) > 1
    assert torch.isfinite(edge).all() and torch.isfinite(torch.autograd.grad(edge.sum(), u)[0]).all()
    torch.testing.assert_close(spline.encode(u.t(), 1), spline.encode(u, 0).t())


def test_angles_beyond_a_turn_are_the_same_angles():
    spline, inputs, parameters = on_domain("circular")
    for turns in (-2, 1, 7):
        torch.testing.assert_close(
            spline.forward(inputs + 2 * torch.pi * turns, parameters), spline.forward(inputs, parameters)
        )


@pytest.mark.parametrize("kind", SPLINES)
@pytest.mark.parametrize("inverse", [False, True])
def test_unrolled_bins_give_the_same_numbers(kind, inverse):
    # What the compiler is given, here without it.
    spline, inputs, parameters = on_domain(kind, beyond=1.2)
    parameters = parameters.transpose(0, 1).contiguous()
    gradients = torch.randn(2, *inputs.shape, dtype=torch.float64)
    results = []
    for find in (bins.find, bins.find_unrolled):
        settings = spline.bins, spline.box, inverse
        outputs, logabsdet, *saved = _forward(inputs, parameters, *settings, find)
        tensors, unrolled = (inputs, parameters, *saved), find is bins.find_unrolled
        results.append((outputs, logabsdet, *_backward(*gradients, tensors, *settings, unrolled)))
    for packed, unrolled in zip(*results, strict=True):
        torch.testing.assert_close(unrolled, packed, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("kind", ["linear", "circular", "unit"])
def test_few_inputs_give_the_same_numbers_as_many(kind, inverse):
    spline, inputs, parameters = on_domain(kind, events=2000, beyond=1.2)
    function = spline.inverse if inverse else spline.forward
    with torch.no_grad():
        many = function(inputs, parameters)
        few = [function(inputs[:, i : i + 100], parameters[..., i : i + 100]) for i in range(0, 2000, 100)]
    assert 300 <= FEW < inputs.numel(), "the two paths are compared"
    for own, other in zip(
        map(torch.cat, zip(*[[v.t() for v in part] for part in few], strict=True)), many, strict=True
    ):
        torch.testing.assert_close(own, other.t(), rtol=1e-9, atol=1e-9)


@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="torch.compile needs a C++ compiler")
def test_compiled_kernels_give_the_same_numbers():
    # Few bins: the compiler unrolls them, and its time grows with their number.
    results = []
    for compiled in (False, True):
        spline, inputs, parameters = on_domain("linear", bins=2, beyond=1.2, compiled=compiled)
        inputs, parameters = inputs.requires_grad_(), parameters.requires_grad_()
        outputs, logabsdet = spline.forward(inputs, parameters)
        gradients = torch.autograd.grad(outputs.sin().sum() + logabsdet.sin().sum(), (inputs, parameters))
        results.append((outputs, logabsdet, *gradients))
        with torch.no_grad():
            torch.testing.assert_close(spline.forward(inputs, parameters), (outputs, logabsdet))
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-9, atol=1e-9)


def test_integrates_to_one():
    # p(x) = N(f(x)) f'(x) by quadrature on a fine grid.
    spline = RationalQuadraticSpline(BINS, TAIL_BOUND)
    grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64).unsqueeze(0)
    _, parameters = example(features=1, events=1, seed=3)
    outputs, logabsdet = spline.forward(grid, parameters.expand(-1, -1, grid.shape[1]))
    density = torch.exp(logabsdet - 0.5 * outputs**2) / (2 * torch.pi) ** 0.5
    assert abs(torch.trapezoid(density[0], grid[0]).item() - 1) < 1e-5


@pytest.mark.parametrize(
    ("arguments", "message"), [({"bins": 1}, "bins: expected"), ({"tail_bound": 0.0}, "tail_bound: expected")]
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        RationalQuadraticSpline(**arguments)

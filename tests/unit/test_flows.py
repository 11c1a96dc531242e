"""Every transform: inverse, log-determinant against autograd, identity start, agreement with nflows, normalisation."""

import pytest
import torch
from nflows import transforms as nflows_transforms
from torch import nn

from hepflows.errors import InputError
from hepflows.flows import Affine, Coupling, LearnableLinear, MaskedAutoregressive, RationalQuadraticSpline, Standardise
from hepflows.flows.autoregressive import MaskedNetwork, hidden_degrees

FEATURES, CONTEXT, EVENTS = 5, 3, 40
ELEMENTS = {"affine": Affine(), "spline": RationalQuadraticSpline(8, 5.0)}


def perturbed(module, size=0.1, seed=0):
    """The module away from its start, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return module.double()


def standardise(features):
    transform = Standardise(features)
    transform.set_from(torch.randn(100, features, generator=torch.Generator().manual_seed(1)) * 3 + 2)
    return transform


TRANSFORMS = {
    "coupling affine": lambda d: Coupling(d, ELEMENTS["affine"], CONTEXT, (16, 16)),
    "coupling spline": lambda d: Coupling(d, ELEMENTS["spline"], CONTEXT, (16, 16)),
    "autoregressive affine": lambda d: MaskedAutoregressive(d, ELEMENTS["affine"], CONTEXT, (16, 16)),
    "autoregressive spline": lambda d: MaskedAutoregressive(d, ELEMENTS["spline"], CONTEXT, (16, 16)),
    "learnable linear": lambda d: LearnableLinear(d, torch.Generator().manual_seed(2)),
    "standardise": standardise,
}


@pytest.fixture(params=TRANSFORMS)
def transform(request):
    return perturbed(TRANSFORMS[request.param](FEATURES))


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(7)
    inputs = 2 * torch.randn(EVENTS, FEATURES, generator=generator, dtype=torch.float64)
    return inputs, torch.randn(EVENTS, CONTEXT, generator=generator, dtype=torch.float64)


def test_inverse_undoes_forward(transform, data):
    inputs, context = data
    outputs, logabsdet = transform(inputs, context)
    recovered, minus_logabsdet = transform.inverse(outputs, context)
    torch.testing.assert_close(recovered, inputs, rtol=0, atol=1e-10)
    torch.testing.assert_close(minus_logabsdet, -logabsdet, rtol=0, atol=1e-10)


def test_inverse_undoes_forward_in_single_precision(transform, data):
    inputs, context = (tensor.float() for tensor in data)
    transform.float()
    recovered, _ = transform.inverse(transform(inputs, context)[0], context)
    torch.testing.assert_close(recovered, inputs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_determinant_is_that_of_autograds_jacobian(transform, data, direction):
    inputs, context = data
    function = getattr(transform, direction)
    _, logabsdet = function(inputs, context)
    for event in range(5):
        one = slice(event, event + 1)
        jacobian = torch.autograd.functional.jacobian(
            lambda x, one=one: function(x[None], context[one])[0][0], inputs[event]
        )
        torch.testing.assert_close(jacobian.slogdet().logabsdet, logabsdet[event], rtol=0, atol=1e-10)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_are_finite_far_in_the_tails(transform, data, direction):
    inputs, context = data
    inputs = (1e3 * inputs).requires_grad_()
    outputs, logabsdet = getattr(transform, direction)(inputs, context)
    parameters = [p for p in transform.parameters() if p.requires_grad]
    gradients = torch.autograd.grad((outputs + logabsdet[:, None]).mean(), [inputs, *parameters], allow_unused=True)
    assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
@pytest.mark.parametrize("element", ELEMENTS)
def test_untrained_is_the_identity(kind, element, data):
    inputs, context = data
    outputs, logabsdet = TRANSFORMS[f"{kind} {element}"](FEATURES).double()(inputs, context)
    torch.testing.assert_close(outputs, inputs, rtol=0, atol=1e-6)
    assert logabsdet.abs().max() < 1e-6


# --- nflows' own transforms with the same weights ---------------------------------------------------------------------


class InNflowsLayout(nn.Module):
    """A conditioner of ours that answers in nflows' layout, from parameters of shape (events, features, parameters)."""

    def __init__(self, network, convert):
        super().__init__()
        self.network, self.convert = network, convert

    def forward(self, inputs, context=None):
        return self.convert(self.network(inputs, context).permute(2, 0, 1))


def scale_and_shift(parameters):
    """z' = (z - mu) exp(-alpha) as scale * z + shift, with alpha = 5 tanh(a / 5)."""
    scale = torch.exp(-5.0 * torch.tanh(parameters[..., 1] / 5.0))
    return scale, -parameters[..., 0] * scale


def for_nflows_coupling(parameters):
    # nflows: scale = sigmoid(u + 2) + 0.001, all shifts first, then all scales
    scale, shift = scale_and_shift(parameters)
    return torch.cat((shift, torch.logit(scale - 1e-3) - 2), 1)


def for_nflows_autoregressive(parameters):
    # nflows: scale = softplus(u) + 0.001, scale and shift of each feature side by side
    scale, shift = scale_and_shift(parameters)
    return torch.stack((torch.log(torch.expm1(scale - 1e-3)), shift), -1).flatten(1)


def nflows_twin(ours, kind, element):
    if kind == "coupling":
        # In nflows' mask, features that change are positive.
        mask = torch.cat((torch.zeros(ours.kept), torch.ones(FEATURES - ours.kept)))
        if element == "affine":
            return nflows_transforms.AffineCouplingTransform(
                mask, lambda i, o: InNflowsLayout(ours.conditioner, for_nflows_coupling)
            )
        return nflows_transforms.PiecewiseRationalQuadraticCouplingTransform(
            mask,
            lambda i, o: InNflowsLayout(ours.conditioner, lambda p: p.flatten(1)),
            num_bins=8, tails="linear", tail_bound=5.0,
        )  # fmt: skip
    if element == "affine":
        twin = nflows_transforms.MaskedAffineAutoregressiveTransform(FEATURES, 4)
        twin.autoregressive_net = InNflowsLayout(ours.network, for_nflows_autoregressive)
        return twin
    twin = nflows_transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        FEATURES, 4, num_bins=8, tails="linear", tail_bound=5.0
    )
    twin.autoregressive_net = InNflowsLayout(ours.network, lambda p: p.flatten(1))
    return twin


def assert_same_results(ours, theirs, inputs, context):
    for direction in ("forward", "inverse"):
        results = []
        for transform in (ours, theirs):
            outputs, logabsdet = getattr(transform, direction)(inputs, context)
            loss = outputs.sin().sum() + logabsdet.sum()
            results.append((outputs, logabsdet, *torch.autograd.grad(loss, list(ours.parameters()))))
        for own, other in zip(*results, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
@pytest.mark.parametrize("element", ELEMENTS)
def test_equals_nflows_with_the_same_conditioner(kind, element, data):
    ours = perturbed(TRANSFORMS[f"{kind} {element}"](FEATURES), 0.05)
    if kind == "coupling" and element == "affine":
        with torch.no_grad():  # nflows' coupling can only shrink: alpha > 0
            ours.conditioner.output.bias.view(2, -1)[1].add_(2.0)
    assert_same_results(ours, nflows_twin(ours, kind, element), *data)


def nflows_degrees(features, units):
    return torch.arange(units) % max(1, features - 1) + min(1, features - 1)


@pytest.mark.parametrize("features", [2, 5, 9])
def test_masked_network_equals_nflows_made_with_the_same_weights(features):
    units = 16
    theirs = nflows_transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        features, units, CONTEXT, num_bins=8, tails="linear", tail_bound=5.0, num_blocks=1, use_residual_blocks=False
    ).double()
    perturbed(theirs, 0.2)
    made = theirs.autoregressive_net
    # Ours keeps hidden units in the order of their degrees; nflows deals the degrees out in turn.
    order = torch.argsort(nflows_degrees(features, units), stable=True)
    degrees = [nflows_degrees(features, units)[order]] * 2
    ours = MaskedAutoregressive(features, ELEMENTS["spline"], CONTEXT, degrees=degrees).double()
    with torch.no_grad():
        # nflows adds relu(context layer): it is linear, as ours, for positive weights and a positive context.
        for tensor in (made.context_layer.weight, made.context_layer.bias):
            tensor.abs_()
        network = ours.network
        network.hidden[0].weight.copy_(made.initial_layer.weight[order])
        network.hidden[0].bias.copy_((made.initial_layer.bias + made.context_layer.bias)[order])
        network.context.weight.copy_(made.context_layer.weight[order])
        network.hidden[1].weight.copy_(made.blocks[0].linear.weight[order][:, order])
        network.hidden[1].bias.copy_(made.blocks[0].linear.bias[order])
        # nflows has all parameters of the first feature first, ours the first parameter of all features.
        for own, other in (
            (network.output.weight, made.final_layer.weight[:, order]),
            (network.output.bias, made.final_layer.bias),
        ):
            own.copy_(other.unflatten(0, (features, -1)).transpose(0, 1).flatten(0, 1))
        inputs = 2 * torch.randn(EVENTS, features, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        context = torch.rand(EVENTS, CONTEXT, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        for direction in ("forward", "inverse"):
            own, other = (getattr(transform, direction)(inputs, context) for transform in (ours, theirs))
            torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-9)


# --- the masked network -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("features", "hidden"), [(1, (8,)), (2, (3, 5)), (7, (64, 64)), (40, (16, 24))])
@pytest.mark.filterwarnings("ignore:hidden. expected")
def test_masks_are_autoregressive_and_no_input_goes_unseen(features, hidden):
    network = perturbed(MaskedNetwork(features, ELEMENTS["affine"], CONTEXT, hidden), 0.5)
    # Over many events, so that no unit is off in all of them.
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(300, features, generator=generator, dtype=torch.float64).requires_grad_()
    context = torch.randn(300, CONTEXT, generator=generator, dtype=torch.float64)
    outputs = network(inputs, context).sum(1)
    jacobian = (
        torch.stack([torch.autograd.grad(row.sum(), inputs, retain_graph=True)[0] for row in outputs]).abs().sum(1)
    )
    assert torch.all(jacobian.triu() == 0)
    assert torch.all(jacobian[:, : features - 1].abs().sum(0) > 0)


def test_no_input_is_unseen_where_nflows_is_blind():
    # 128 hidden units for 504 features: nflows gives its degrees to the first 128 inputs and never sees the others.
    features, units = 504, 128
    theirs = nflows_transforms.made.MADE(features, units, num_blocks=1, use_residual_blocks=False)
    with pytest.warns(UserWarning, match="hidden: expected"):
        ours = MaskedNetwork(features, ELEMENTS["affine"], 0, (units, units))
    perturbed(ours, 0.1)
    seen = {}
    for name, network in (("nflows", theirs), ("hepflows", ours)):
        inputs = torch.randn(64, features, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        inputs = inputs.to(next(network.parameters()).dtype).requires_grad_()
        (gradient,) = torch.autograd.grad(network(inputs).square().sum(), inputs)
        seen[name] = int((gradient.abs().sum(0) > 0).sum())
    assert seen["nflows"] <= units
    assert seen["hepflows"] == features - 1  # the last feature comes after all others


def test_every_feature_sees_the_context():
    # nflows' first feature never does: its hidden units all have degree 1 or more.
    network = perturbed(MaskedNetwork(FEATURES, ELEMENTS["affine"], CONTEXT, (16, 16)), 0.5)
    inputs, context = torch.randn(1, FEATURES, dtype=torch.float64), torch.randn(CONTEXT, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda c: network(inputs, c[None]).sum((1, 2)), context)
    assert torch.all(jacobian.abs().sum(1) > 0)


def test_too_few_hidden_units_warn():
    with pytest.warns(UserWarning, match="hidden: expected at least 39"):
        MaskedNetwork(40, ELEMENTS["affine"], 0, (16,))
    assert hidden_degrees(16, 40, 1)[-1] == 39


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.filterwarnings("ignore:hidden. expected")
def test_sampling_unit_by_unit_equals_one_pass_a_feature(element):
    features = 12
    transform = perturbed(MaskedAutoregressive(features, ELEMENTS[element], CONTEXT, (8, 32)), 0.1)
    latent, context = torch.randn(30, features).double(), torch.randn(30, CONTEXT).double()
    slow = torch.zeros_like(latent)
    for feature in range(features):
        parameters = transform.network(slow, context)
        column, _ = transform.element.inverse(latent.t(), parameters)
        slow = torch.where(torch.arange(features) == feature, column.t(), slow)
    with torch.no_grad():
        fast, _ = transform.inverse(latent, context)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    recorded, _ = transform.inverse(latent, context)
    assert recorded.requires_grad
    torch.testing.assert_close(recorded, slow, rtol=1e-12, atol=1e-12)


def test_gradients_through_sampling():
    transform = perturbed(MaskedAutoregressive(3, ELEMENTS["spline"], 0, (8, 8)))
    latent = torch.randn(4, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: transform.inverse(z), latent)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_bad_arguments():
    with pytest.raises(InputError, match="features: expected at least 2"):
        Coupling(1, ELEMENTS["affine"])
    with pytest.raises(InputError, match="bound: expected a positive number"):
        Affine(0.0)
    with pytest.raises(InputError, match="rising order"):
        MaskedNetwork(4, ELEMENTS["affine"], degrees=[[3, 2, 1]])
    with pytest.raises(InputError, match="vary in each column"):
        Standardise(2).set_from(torch.ones(10, 2))


def test_gradient_of_many_features_is_that_of_the_masked_product():
    # From 128 features on, the output layer and its gradient are worked out step by step under the mask.
    network = MaskedAutoregressive(130, ELEMENTS["affine"], hidden=(140, 140)).double().network
    assert len(network.stairs) > 1
    inputs = torch.randn(20, 130, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    perturbed(network, 0.3)
    results = []
    for stairs in (network.stairs, [(0, 130, 140)]):  # one step means autograd through the product
        network.stairs = stairs
        results.append(torch.autograd.grad(network(inputs).sin().sum(), list(network.parameters())))
    for own, other in zip(*results, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)

"""The same architecture in every library: two hidden layers with ReLU, rational-quadratic splines with linear tails.

Each builder returns a `Model`; those of nflows can be copied weight by weight into ours.
"""

from dataclasses import dataclass

import torch
from nflows import distributions, transforms
from nflows.flows.base import Flow as NflowsFlow
from torch import nn

from hepflows import flows
from hepflows.flows.base import StandardNormal

BINS, TAIL_BOUND = 8, 5.0


@dataclass
class Model:
    """Something that trains: parameters(), log_prob(x, context) and sample(events, context)."""

    module: nn.Module
    log_prob: object
    sample: object


class Perceptron(nn.Module):
    """The conditioner that nflows' and normflows' couplings are given."""

    def __init__(self, inputs, outputs, hidden, context):
        super().__init__()
        sizes = (inputs + context, hidden, hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.output = nn.Linear(hidden, outputs)

    def forward(self, inputs, context=None):
        values = inputs if context is None else torch.cat((inputs, context), 1)
        for layer in self.layers:
            values = torch.relu(layer(values))
        return self.output(values)


def as_model(flow):
    """A flow with nflows' interface as Model."""

    def sample(events, context):
        return flow.sample(events) if context is None else flow.sample(1, context)[:, 0]

    return Model(flow, lambda x, c: flow.log_prob(x, context=c), sample)


def _halves(features):
    """nflows' mask of a coupling that keeps the first half: what changes is positive."""
    return (torch.arange(features) >= features // 2).float()


def _stack(layer, features, count):
    layers = []
    for number in range(count):
        if number:
            layers.append(transforms.ReversePermutation(features))
        layers.append(layer())
    return layers


def nflows_coupling(features, context, hidden, layers):
    """nflows' coupling flow."""

    def layer():
        return transforms.PiecewiseRationalQuadraticCouplingTransform(
            mask=_halves(features),
            transform_net_create_fn=lambda i, o: Perceptron(i, o, hidden, context),
            num_bins=BINS,
            tails="linear",
            tail_bound=TAIL_BOUND,
        )

    stack = transforms.CompositeTransform(_stack(layer, features, layers))
    return as_model(NflowsFlow(stack, distributions.StandardNormal([features])))


def nflows_autoregressive(features, context, hidden, layers):
    """nflows' masked autoregressive flow."""

    def layer():
        return transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            features=features,
            hidden_features=hidden,
            context_features=context or None,
            num_bins=BINS,
            tails="linear",
            tail_bound=TAIL_BOUND,
            num_blocks=1,
            use_residual_blocks=False,
        )

    stack = transforms.CompositeTransform(_stack(layer, features, layers))
    return as_model(NflowsFlow(stack, distributions.StandardNormal([features])))


def _as_hepflows(layers, features, context):
    return flows.Flow(layers, StandardNormal(features), features, context, ("benchmark", {}))


def _by_parameter(rows, features):
    """Rows of an output layer in our order: nflows has all parameters of the first feature first."""
    return rows.unflatten(0, (features, -1)).transpose(0, 1).flatten(0, 1)


def hepflows_coupling(nflows_model, features, context, hidden):
    """Our coupling flow with the weights of an nflows model."""

    def convert(theirs):
        ours = flows.Coupling(features, flows.RationalQuadraticSpline(BINS, TAIL_BOUND), context, (hidden, hidden))
        state = {name.replace("layers", "hidden"): value for name, value in theirs.transform_net.state_dict().items()}
        for name in ("output.weight", "output.bias"):
            state[name] = _by_parameter(state[name], features - features // 2)
        ours.conditioner.load_state_dict(state)
        return ours

    return as_model(_as_hepflows(_converted(nflows_model, convert), features, context))


def hepflows_autoregressive(nflows_model, features, context, hidden):
    """Our autoregressive flow with masks and weights of an nflows model (whose hidden units we put in order)."""
    degrees = torch.arange(hidden) % max(1, features - 1) + min(1, features - 1)
    order = torch.argsort(degrees, stable=True)

    def convert(theirs):
        made = theirs.autoregressive_net
        element = flows.RationalQuadraticSpline(BINS, TAIL_BOUND)
        ours = flows.MaskedAutoregressive(features, element, context, degrees=[degrees[order]] * 2)
        network = ours.network
        with torch.no_grad():
            network.hidden[0].weight.copy_(made.initial_layer.weight[order])
            network.hidden[0].bias.copy_(made.initial_layer.bias[order])
            network.hidden[1].weight.copy_(made.blocks[0].linear.weight[order][:, order])
            network.hidden[1].bias.copy_(made.blocks[0].linear.bias[order])
            network.output.weight.copy_(_by_parameter(made.final_layer.weight[:, order], features))
            network.output.bias.copy_(_by_parameter(made.final_layer.bias, features))
            if context:  # nflows puts a ReLU on it, so the numbers differ; the work is the same
                network.context.weight.copy_(made.context_layer.weight[order])
        return ours

    return as_model(_as_hepflows(_converted(nflows_model, convert), features, context))


def _converted(nflows_model, convert):
    layers = nflows_model.module._transform._transforms
    return [layer if isinstance(layer, transforms.Permutation) else convert(layer) for layer in layers]


def zuko_flow(features, context, hidden, layers, coupling):
    """zuko's neural spline flow, coupling or autoregressive."""
    import zuko

    shapes = dict(univariate=zuko.transforms.MonotonicRQSTransform, shapes=[(BINS,), (BINS,), (BINS - 1,)])
    if coupling:
        masks = [torch.arange(features) % 2 == number % 2 for number in range(layers)]
        stack = [
            zuko.flows.GeneralCouplingTransform(
                features, context, mask=mask, hidden_features=(hidden, hidden), **shapes
            )
            for mask in masks
        ]
        normal = zuko.lazy.UnconditionalDistribution(
            zuko.distributions.DiagNormal, torch.zeros(features), torch.ones(features), buffer=True
        )
        flow = zuko.lazy.Flow(stack, normal)
    else:
        flow = zuko.flows.NSF(features, context, bins=BINS, transforms=layers, hidden_features=(hidden, hidden))

    def sample(events, condition):
        return flow(condition).sample((events,) if condition is None else ())

    return Model(flow, lambda x, c: flow(c).log_prob(x), sample)


def normflows_flow(features, hidden, layers, coupling):
    """normflows' spline flow, without a context: its conditional models cannot hold its permutations."""
    import normflows
    from normflows.flows.neural_spline import autoregressive
    from normflows.flows.neural_spline import coupling as couplings

    common = dict(num_bins=BINS, tails="linear", tail_bound=TAIL_BOUND)

    class Layer(normflows.flows.Flow):
        """normflows calls the sampling direction forward."""

        def __init__(self, transform):
            super().__init__()
            self.transform = transform

        def forward(self, z, context=None):
            outputs, logabsdet = self.transform.inverse(z, context)
            return outputs, logabsdet.view(-1)

        def inverse(self, z, context=None):
            outputs, logabsdet = self.transform(z, context)
            return outputs, logabsdet.view(-1)

    def layer():
        if coupling:
            return couplings.PiecewiseRationalQuadraticCoupling(
                mask=_halves(features),
                transform_net_create_fn=lambda i, o: Perceptron(i, o, hidden, 0),
                apply_unconditional_transform=False,
                **common,
            )
        return autoregressive.MaskedPiecewiseRationalQuadraticAutoregressive(
            features=features,
            hidden_features=hidden,
            num_blocks=1,
            use_residual_blocks=False,
            init_identity=False,
            **common,
        )

    stack = []
    for number in range(layers):
        if number:
            stack.append(normflows.flows.Permute(features, mode="swap"))
        stack.append(Layer(layer()))
    base = normflows.distributions.base.DiagGaussian(features, trainable=False)
    model = normflows.NormalizingFlow(base, stack)
    return Model(model, lambda x, c: model.log_prob(x), lambda events, c: model.sample(events)[0])


def madnis_coupling(features, context, hidden, layers):
    """madnis' coupling flow."""
    from madnis.nn import Flow

    masks = torch.stack([torch.arange(features) % 2 == number % 2 for number in range(layers)])
    flow = Flow(
        features, context, uniform_latent=False, condition_masks=masks, bins=BINS, spline_bounds=TAIL_BOUND,
        layers=3, units=hidden,
    )  # fmt: skip

    def sample(events, condition):
        if condition is None:
            return flow.sample(events, device=torch.device("cpu"), dtype=torch.float32)
        return flow.sample(events, condition)

    return Model(flow, lambda x, c: flow.log_prob(x, c), sample)

"""Autoregressive transforms: feature i is transformed as features 1 .. i-1 say (arXiv:1502.03509, arXiv:1705.07057).

A masked network gives the parameters of all features in one pass when the inputs are known (density). The other
direction finds one input after the other; here each hidden unit is evaluated once, as soon as the inputs that it sees
are known, so that a draw costs about one pass, not one pass a feature, and gives the same numbers.
"""

import warnings
from itertools import pairwise

import torch
from nflows.transforms import Transform
from torch import nn
from torch.nn import functional

from hepflows.errors import InputError

# With at least twice as many features, the mask of the output layer is worked through in steps of about so many.
FEATURES_OF_A_STEP = 64


def hidden_degrees(units, features, lowest):
    """Degrees of hidden units in rising order, spread evenly from `lowest` to features - 1.

    A unit of degree m sees the inputs 1 .. m. The last degree is always features - 1, so that no input goes unseen.
    """
    steps = features - lowest
    if units >= steps:
        return lowest + torch.arange(units) * steps // units
    return torch.linspace(lowest, features - 1, units, dtype=torch.float64).round().long()


class MaskedNetwork(nn.Module):
    """MADE: parameters of feature i from features 1 .. i-1 and the context (arXiv:1502.03509, section 4).

    Hidden units are ordered by degree. With a context there are units of degree 0, which see nothing but the context:
    without them the first feature could not depend on it. `degrees`: hidden degrees of each layer in rising order, to
    compare with another implementation. Warns when there are fewer hidden units than features - 1: some dependences
    are then lost. Returns parameters of shape (features, parameters, events); `in_groups` those of some features after
    the other, which is faster where there are many.
    """

    def __init__(self, features, element, context=0, hidden=(64, 64), degrees=None):
        super().__init__()
        lowest = 0 if context or features == 1 else 1
        if degrees is None:
            degrees = [hidden_degrees(units, features, lowest) for units in hidden]
            if min(hidden) < features - lowest:
                warnings.warn(
                    f"hidden: expected at least {features - lowest} units a layer, got {min(hidden)}: "
                    "some features will not see all of those before them",
                    stacklevel=3,
                )
        self.features = features
        self.element = element
        self.parameters_per_feature = element.parameters_per_feature
        degrees = [torch.as_tensor(layer) for layer in degrees]
        if any((layer.diff() < 0).any() for layer in degrees):
            raise InputError("degrees: expected them in rising order in each layer")
        self.levels = _levels(features, degrees)
        output_degrees = torch.arange(1, features + 1)
        seen = [output_degrees.repeat_interleave(element.encoded), *degrees]
        self.hidden = nn.ModuleList(nn.Linear(len(a), len(b)) for a, b in pairwise(seen))
        self.context = nn.Linear(context, len(seen[1]), bias=False) if context else None
        self.output = nn.Linear(len(seen[-1]), features * self.parameters_per_feature)
        for number, (a, b) in enumerate(pairwise(seen)):
            self.register_buffer(f"mask_{number}", (b[:, None] >= a[None, :]).float(), persistent=False)
        self.register_buffer("output_mask", (output_degrees[:, None] > seen[-1][None, :]).float(), persistent=False)
        self.stairs = _stairs(features, degrees[-1])
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(element.identity_parameters().repeat_interleave(features))

    def forward(self, inputs, context=None):
        return torch.cat([parameters for _, _, parameters in self.in_groups(inputs, context)])

    def in_groups(self, inputs, context=None):
        """[(start, stop, parameters of the features start to stop)] of all features."""
        activations = self.element.encode(inputs, 1)
        for number, layer in enumerate(self.hidden):
            total = functional.linear(activations, layer.weight * getattr(self, f"mask_{number}"), layer.bias)
            if number == 0 and self.context is not None:
                total = total + self.context(context)
            activations = total.relu_()
        arguments = activations, self.output.weight, self.output.bias, self.output_mask
        outputs = [_masked_product(*arguments)] if len(self.stairs) == 1 else _Staircase.apply(*arguments, self.stairs)
        return [
            (start, stop, output.view(self.parameters_per_feature, stop - start, len(inputs)).transpose(0, 1))
            for (start, stop, _), output in zip(self.stairs, outputs, strict=True)
        ]

    def one_by_one(self, events, context=None):
        """Generator: yields (start, stop, parameters) of the next features, is sent their values (features, events).

        The slices need no mask: what is evaluated at a step sees, by its degree, all that is known by then.
        """
        entering = self.hidden[0].bias.unsqueeze(1).expand(-1, events)
        if self.context is not None:
            entering = torch.addmm(entering, self.context.weight, context.t())
        offsets = [entering, *(layer.bias.unsqueeze(1).expand(-1, events) for layer in self.hidden[1:])]
        known = [_Rows(self.hidden[0].in_features, entering)]
        for layer, offset in zip(self.hidden, offsets, strict=True):
            known.append(_Units(layer.weight, offset, known[-1]))
        features, units = known[0], known[-1]
        shape = self.parameters_per_feature, self.features, -1
        weights = self.output.weight.view(shape).split([stop - start for start, stop, _ in self.levels], 1)
        biases = self.output.bias.view(shape).split([stop - start for start, stop, _ in self.levels], 1)
        for (start, stop, upto), weight, bias in zip(self.levels, weights, biases, strict=True):
            for layer, count in zip(known[1:], upto, strict=True):
                layer.extend(count)
            outputs = torch.addmm(bias.flatten(0, 1), weight[..., : units.count].flatten(0, 1), units.rows())
            values = yield start, stop, outputs.view(self.parameters_per_feature, stop - start, events).transpose(0, 1)
            features.append(self.element.encode(values, 0))


def _levels(features, degrees):
    """Runs of features found together when sampling: (start, stop, number of units that they see in each layer)."""
    known = [[int((layer <= feature).sum()) for layer in degrees] for feature in range(features)]
    starts = [i for i in range(features) if i == 0 or known[i] != known[i - 1]]
    return [(start, stop, known[start]) for start, stop in pairwise([*starts, features])]


def _masked_weight(weight, mask):
    """Weight (parameters * features, units) times mask (features, units), the same for each parameter."""
    return (weight.view(-1, *mask.shape) * mask).flatten(0, 1)


def _masked_product(activations, weight, bias, mask):
    """The output layer: (parameters * features, events) from activations (events, units)."""
    return torch.addmm(bias.unsqueeze(1), _masked_weight(weight, mask), activations.t())


def _stairs(features, degrees):
    """Groups of features, (start, stop, number of hidden units that any of them sees): the steps of the mask."""
    count = max(1, features // FEATURES_OF_A_STEP)
    edges = [features * number // count for number in range(count + 1)]
    return [(start, stop, int((degrees < stop).sum())) for start, stop in pairwise(edges)]


class _Staircase(torch.autograd.Function):
    """`_masked_product` step by step under the mask, for many features: one output for each group of them.

    What stands right of a step is zero, and is not multiplied; a step's output is small enough for the cache.
    """

    @staticmethod
    def forward(ctx, activations, weight, bias, mask, stairs):
        by_feature, offsets = weight.view(-1, *mask.shape), bias.view(-1, len(mask))
        steps, outputs = [], []
        for start, stop, units in stairs:
            step = (by_feature[:, start:stop, :units] * mask[start:stop, :units]).flatten(0, 1)
            outputs.append(torch.addmm(offsets[:, start:stop].reshape(-1, 1), step, activations[:, :units].t()))
            steps.append(step)
        ctx.save_for_backward(activations, mask, *steps)
        ctx.stairs = stairs
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):
        activations, mask, *steps = ctx.saved_tensors
        of_activations = torch.zeros_like(activations.t())
        of_weight = mask.new_empty(len(gradients[0]) // ctx.stairs[0][1], *mask.shape)
        of_bias = mask.new_empty(of_weight.shape[:2])
        for (start, stop, units), gradient, step in zip(ctx.stairs, gradients, steps, strict=True):
            of_activations[:units].addmm_(step.t(), gradient)
            product = (gradient @ activations[:, :units]).view(len(of_weight), stop - start, units)
            torch.mul(product, mask[start:stop, :units], out=of_weight[:, start:stop, :units])
            of_weight[:, start:stop, units:] = 0
            of_bias[:, start:stop] = gradient.sum(1).view(-1, stop - start)
        return of_activations.t(), of_weight.flatten(0, 1), of_bias.flatten(), None, None


class _Rows:
    """Rows that grow: written into one buffer, or joined when autograd records (it forbids writing in place)."""

    def __init__(self, rows, like):
        self.count = 0
        self.recorded = torch.is_grad_enabled()
        self.buffer = like.new_empty(0 if self.recorded else rows, like.shape[1])

    def append(self, rows):
        if self.recorded:
            self.buffer = torch.cat((self.buffer, rows))
        else:
            self.buffer[self.count : self.count + len(rows)] = rows
        self.count += len(rows)

    def rows(self, start=0):
        return self.buffer[start : self.count]


class _Units(_Rows):
    """Units relu(weight source + offset) of a hidden layer, evaluated as far as its source, which grows, is known.

    A unit alone would read all of the source for one product. So the part that is known already is worked out for a
    block of units at once, and what comes to be known meanwhile is added when the turn of a unit comes.
    """

    block = 32

    def __init__(self, weight, offset, source):
        super().__init__(len(weight), offset)
        self.weight, self.offset, self.source = weight, offset, source
        self.prepared = range(0)

    def extend(self, upto):
        """Evaluate the units before number `upto`."""
        new = slice(self.count, upto)
        if new.start == new.stop:
            return
        if upto > self.prepared.stop:
            self.prepared = range(new.start, min(max(new.start + self.block, upto), len(self.weight)))
            self.seen = self.source.count
            ahead = slice(self.prepared.start, self.prepared.stop)
            self.known = torch.addmm(self.offset[ahead], self.weight[ahead, : self.seen], self.source.rows())
        units = self.known[new.start - self.prepared.start : new.stop - self.prepared.start]
        if self.source.count > self.seen:
            units = torch.addmm(units, self.weight[new, self.seen : self.source.count], self.source.rows(self.seen))
        self.append(torch.relu(units))


class MaskedAutoregressive(Transform):
    """z_i = tau(x_i; h_i(x_1 .. x_i-1, context)): triangular Jacobian, log|det J| = sum_i log |dtau/dx_i|.

    forward (density): one pass of the masked network. inverse (sampling): one feature after the other, each hidden unit
    evaluated once. Inputs (events, features), context (events, context).
    """

    def __init__(self, features, element, context=0, hidden=(64, 64), degrees=None):
        super().__init__()
        if features < 1:
            raise InputError(f"features: expected at least 1, got {features}")
        self.element = element
        self.network = MaskedNetwork(features, element, context, hidden, degrees)

    def forward(self, inputs, context=None):
        outputs, logabsdets = [], []
        for start, stop, parameters in self.network.in_groups(inputs, context):
            values, logabsdet = self.element.forward(inputs[:, start:stop].t(), parameters)
            outputs.append(values)
            logabsdets.append(logabsdet.sum(0))
        return torch.cat(outputs).t(), sum(logabsdets[1:], logabsdets[0])

    def inverse(self, inputs, context=None):
        latent = inputs.t().contiguous()
        found, logabsdets = [], []
        network = self.network.one_by_one(len(inputs), context)
        try:
            start, stop, parameters = next(network)
            while True:
                values, logabsdet = self.element.inverse(latent[start:stop], parameters)
                found.append(values)
                logabsdets.append(logabsdet)
                start, stop, parameters = network.send(values)
        except StopIteration:
            return torch.cat(found).t(), torch.cat(logabsdets).sum(0)

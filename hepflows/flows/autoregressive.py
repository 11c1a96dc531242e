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
    are then lost. Returns parameters of shape (features, parameters, events).
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
        output_degrees = output_degrees.repeat_interleave(self.parameters_per_feature)
        self.register_buffer("output_mask", (output_degrees[:, None] > seen[-1][None, :]).float(), persistent=False)
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(element.identity_parameters().repeat(features))

    def forward(self, inputs, context=None):
        activations = self.element.encode(inputs, 1)
        for number, layer in enumerate(self.hidden):
            total = functional.linear(activations, layer.weight * getattr(self, f"mask_{number}"), layer.bias)
            if number == 0 and self.context is not None:
                total = total + self.context(context)
            activations = torch.relu(total)
        outputs = torch.addmm(self.output.bias.unsqueeze(1), self.output.weight * self.output_mask, activations.t())
        return outputs.view(self.features, self.parameters_per_feature, -1)

    def one_by_one(self, events, context=None):
        """Generator: yields (start, stop, parameters) of the next features, is sent their values (features, events).

        The slices need no mask: what is evaluated at a step sees, by its degree, all that is known by then.
        """
        like = self.output.weight
        entering = self.hidden[0].bias.unsqueeze(1).expand(-1, events)
        if self.context is not None:
            entering = torch.addmm(entering, self.context.weight, context.t())
        recorded = torch.is_grad_enabled()
        known_features = _Rows(self.hidden[0].in_features, events, like, recorded)
        known_units = [_Rows(layer.out_features, events, like, recorded) for layer in self.hidden]
        for start, stop, units in self.levels:
            source = known_features
            for number, (layer, upto) in enumerate(zip(self.hidden, units, strict=True)):
                new = slice(known_units[number].count, upto)
                if new.start < new.stop:
                    offset = entering[new] if number == 0 else layer.bias[new].unsqueeze(1)
                    total = torch.addmm(offset, layer.weight[new, : source.count], source.rows())
                    known_units[number].append(torch.relu(total))
                source = known_units[number]
            rows = slice(start * self.parameters_per_feature, stop * self.parameters_per_feature)
            outputs = torch.addmm(
                self.output.bias[rows].unsqueeze(1), self.output.weight[rows, : source.count], source.rows()
            )
            values = yield start, stop, outputs.view(stop - start, self.parameters_per_feature, events)
            known_features.append(self.element.encode(values, 0))


def _levels(features, degrees):
    """Runs of features found together when sampling: (start, stop, number of units that they see in each layer)."""
    known = [[int((layer <= feature).sum()) for layer in degrees] for feature in range(features)]
    starts = [i for i in range(features) if i == 0 or known[i] != known[i - 1]]
    return [(start, stop, known[start]) for start, stop in pairwise([*starts, features])]


class _Rows:
    """Rows that grow: written into one buffer, or joined when autograd records (it forbids writing in place)."""

    def __init__(self, rows, events, like, recorded):
        self.count = 0
        self.recorded = recorded
        self.buffer = like.new_empty(0 if recorded else rows, events)

    def append(self, rows):
        if self.recorded:
            self.buffer = torch.cat((self.buffer, rows))
        else:
            self.buffer[self.count : self.count + len(rows)] = rows
        self.count += len(rows)

    def rows(self):
        return self.buffer[: self.count]


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
        outputs, logabsdet = self.element.forward(inputs.t(), self.network(inputs, context))
        return outputs.t(), logabsdet.sum(0)

    def inverse(self, inputs, context=None):
        latent = inputs.t()
        found, logabsdets = [], []
        network = self.network.one_by_one(len(inputs), context)
        try:
            start, stop, parameters = next(network)
            while True:
                values, logabsdet = self.element.inverse(latent[start:stop], parameters)
                found.append(values)
                logabsdets.append(logabsdet.sum(0))
                start, stop, parameters = network.send(values)
        except StopIteration:
            return torch.cat(found).t(), torch.stack(logabsdets).sum(0)

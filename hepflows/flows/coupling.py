"""Coupling transforms: one half of the features sets how the other half is transformed (arXiv:1410.8516)."""

import torch
from nflows.transforms import Transform
from torch import nn

from hepflows.errors import InputError


class Conditioner(nn.Module):
    """Fully connected network (features, context) -> element parameters of shape (outputs, parameters, events).

    The last layer starts at the element's identity, so that an untrained flow is the identity.
    """

    def __init__(self, features, context, hidden, outputs, element):
        super().__init__()
        self.element = element
        sizes = (features * element.encoded + context, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.output_shape = element.parameters_per_feature, outputs
        self.output = nn.Linear(sizes[-1], outputs * element.parameters_per_feature)
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.output.bias.copy_(element.identity_parameters().repeat_interleave(outputs))

    def forward(self, inputs, context=None):
        activations = self.element.encode(inputs, 1)
        if context is not None:
            activations = torch.cat((activations, context), 1)
        for layer in self.hidden:
            activations = layer(activations).relu_()
        # Weight times transposed activations: the first parameter of all features comes out in front, and
        # the events contiguous, as splines want them.
        outputs = torch.addmm(self.output.bias.unsqueeze(1), self.output.weight, activations.t())
        return outputs.view(*self.output_shape, -1).transpose(0, 1)


class Coupling(Transform):
    """(x_A, x_B) -> (x_A, tau(x_B; h(x_A, context))): log|det J| is the sum of the log-derivatives of tau.

    A is the first half of the features (rounded down), B the rest; both directions evaluate the conditioner once.
    Inputs (events, features), context (events, context); raises InputError for fewer than two features.
    """

    def __init__(self, features, element, context=0, hidden=(64, 64)):
        super().__init__()
        if features < 2:
            raise InputError(f"features: expected at least 2 for a coupling, got {features}")
        self.kept = features // 2
        self.element = element
        self.conditioner = Conditioner(self.kept, context, hidden, features - self.kept, element)

    def forward(self, inputs, context=None):
        return self._transform(inputs, context, self.element.forward)

    def inverse(self, inputs, context=None):
        return self._transform(inputs, context, self.element.inverse)

    def _transform(self, inputs, context, function):
        kept, changed = inputs[:, : self.kept], inputs[:, self.kept :]
        outputs, logabsdet = function(changed.t(), self.conditioner(kept, context))
        return torch.cat((kept, outputs.t()), 1), logabsdet.sum(0)

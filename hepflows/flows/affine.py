"""The affine element of a flow: shift and scale each feature (arXiv:1705.07057)."""

import torch

from hepflows.errors import InputError
from hepflows.flows.element import Element


class Affine(Element):
    """Element-wise z' = (z - mu) exp(-alpha), with parameters (mu, a) and alpha = bound tanh(a / bound).

    The bound keeps the scale between exp(-bound) and exp(bound), so that no network output makes it overflow.
    Inputs of shape (features, events), parameters (features, 2, events); raises InputError unless bound > 0.
    """

    parameters_per_feature = 2

    def __init__(self, bound=5.0):
        if not bound > 0:
            raise InputError(f"bound: expected a positive number, got {bound}")
        self.bound = float(bound)

    def identity_parameters(self):
        """Parameters of the identity, shape (2,)."""
        return torch.zeros(self.parameters_per_feature)

    def _shift_and_log_scale(self, parameters):
        shift, raw = parameters.unbind(1)
        return shift, self.bound * torch.tanh(raw / self.bound)

    def forward(self, inputs, parameters):
        """(z', log |dz'/dz| = -alpha), each of shape (features, events)."""
        shift, log_scale = self._shift_and_log_scale(parameters)
        return (inputs - shift) * torch.exp(-log_scale), -log_scale

    def inverse(self, inputs, parameters):
        """(z, log |dz/dz'| = alpha), each of shape (features, events)."""
        shift, log_scale = self._shift_and_log_scale(parameters)
        return inputs * torch.exp(log_scale) + shift, log_scale

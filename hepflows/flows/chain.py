"""The chain rule: a density of many features as a product of conditional flows, each with its own domain."""

import torch
from torch import nn

from hepflows.errors import InputError
from hepflows.flows.linear import Standardise


class ChainedFlow(nn.Module):
    """log p(x|y) = sum_k log p_k(x_k | c_k(x_<k, y)): x is cut into pieces x_k, and flow k describes piece k.

    `factors`: conditional flows, in the order of the pieces; `conditions`: for each a function (x_<k of shape
    (events, features before), y of shape (events, C)) -> its context (events, context_features). So angles can have
    circular splines and the rest those of the real line, and a condition may be anything that is known by then.
    Raises InputError if there is not one condition for each factor.
    """

    def __init__(self, factors, conditions):
        super().__init__()
        if len(factors) != len(conditions) or not factors:
            raise InputError(f"conditions: expected one for each of {len(factors)} factors, got {len(conditions)}")
        self.factors = nn.ModuleList(factors)
        self.conditions = list(conditions)
        self.sizes = [factor.features for factor in factors]
        self.features = sum(self.sizes)

    def standardise_from(self, features):
        """Set mean and scale of each real factor from features (events, D); returns the flow."""
        for factor, piece in zip(self.factors, torch.as_tensor(features).split(self.sizes, 1), strict=True):
            if isinstance(factor.layers[0], Standardise):
                factor.layers[0].set_from(piece)
        return self

    def log_prob(self, inputs, context):
        """log p(x|y) in nats, shape (events,), for inputs (events, D) and context y (events, C)."""
        total, start = 0.0, 0
        for factor, condition in zip(self.factors, self.conditions, strict=True):
            stop = start + factor.features
            total = total + factor.log_prob(inputs[:, start:stop], condition(inputs[:, :start], context))
            start = stop
        return total

    def sample(self, num_samples, context):
        """Draws x ~ p(x|y) of shape (events, num_samples, D)."""
        return self.sample_and_log_prob(num_samples, context)[0]

    @torch.no_grad()
    def sample_and_log_prob(self, num_samples, context):
        """Draws (events, num_samples, D) and their log p(x|y), (events, num_samples): one factor after the other."""
        context = context.repeat_interleave(num_samples, 0)
        x, total = context[:, :0], 0.0
        for factor, condition in zip(self.factors, self.conditions, strict=True):
            piece, log_prob = factor.sample_and_log_prob(1, condition(x, context))
            x, total = torch.cat((x, piece[:, 0]), 1), total + log_prob[:, 0]
        return x.view(-1, num_samples, self.features), total.view(-1, num_samples)

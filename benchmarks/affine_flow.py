"""The flow of the first CATHODE programs, in plain torch: a conditional affine MAF with batch normalisation.

Written from the description in arXiv:2109.00546, section 3, and the settings of the public walkthrough
(github.com/uhh-pd-ml/sk_cathode): 15 MADE blocks with two hidden layers of 128 units, each followed by a batch
normalisation, whose averages for evaluation are taken over all training events after each epoch, and a reversal.
"""

import math

import torch
from torch import nn


class MaskedLinear(nn.Module):
    """W x + b with the weights that would break the order of the features at zero."""

    def __init__(self, degrees_in, degrees_out, strict):
        super().__init__()
        self.linear = nn.Linear(len(degrees_in), len(degrees_out))
        nn.init.orthogonal_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        above = degrees_out[:, None] - degrees_in[None, :]
        self.register_buffer("mask", (above > 0 if strict else above >= 0).float())

    def forward(self, x):
        return nn.functional.linear(x, self.linear.weight * self.mask, self.linear.bias)


class AffineBlock(nn.Module):
    """u = (x - mu(x, c)) exp(-alpha(x, c)), where mu and alpha of a feature know the features before it and c."""

    def __init__(self, features, context, units):
        super().__init__()
        inputs, hidden = torch.arange(features) + 1, torch.arange(units) % (features - 1) + 1
        self.first = MaskedLinear(inputs, hidden, strict=False)
        self.second = MaskedLinear(hidden, hidden, strict=False)
        self.last = MaskedLinear(hidden, inputs.repeat(2), strict=True)
        self.condition = nn.Linear(context, units, bias=False)
        nn.init.orthogonal_(self.condition.weight)

    def parameters_at(self, x, c):
        hidden = torch.relu(self.first(x) + self.condition(c))
        return self.last(torch.relu(self.second(hidden))).chunk(2, dim=1)

    def forward(self, x, c):
        mu, alpha = self.parameters_at(x, c)
        return (x - mu) * torch.exp(-alpha), -alpha.sum(1)

    def inverse(self, u, c):
        x = torch.zeros_like(u)
        for feature in range(u.shape[1]):
            mu, alpha = self.parameters_at(x, c)
            x[:, feature] = u[:, feature] * torch.exp(alpha[:, feature]) + mu[:, feature]
        return x


class Normalisation(nn.Module):
    """Batch normalisation with its Jacobian; it remembers the moments of the last batch that it saw in training."""

    def __init__(self, features):
        super().__init__()
        self.log_gamma, self.beta = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x, c):
        mean, variance = self.mean, self.variance
        if self.training:
            mean, variance = x.mean(0), x.var(0, unbiased=False) + 1e-5
            self.mean, self.variance = mean.detach(), variance.detach()
        u = (x - mean) / variance.sqrt() * self.log_gamma.exp() + self.beta
        return u, (self.log_gamma - variance.log() / 2).sum()

    def inverse(self, u, c):
        return (u - self.beta) * torch.exp(-self.log_gamma) * self.variance.sqrt() + self.mean


class AffineFlow(nn.Module):
    """p(x|c) of a standard normal base, and draws from it."""

    def __init__(self, features=4, context=1, blocks=15, units=128):
        super().__init__()
        self.features = features
        layers = [(AffineBlock(features, context, units), Normalisation(features)) for _ in range(blocks)]
        self.layers = nn.ModuleList(layer for pair in layers for layer in pair)

    def log_prob(self, x, c):
        total = 0.0
        for number, layer in enumerate(self.layers):
            x, log_determinant = layer(x, c)
            total = total + log_determinant
            if number % 2:
                x = x.flip(1)
        return total - (x**2).sum(1) / 2 - self.features / 2 * math.log(2 * math.pi)

    @torch.no_grad()
    def sample(self, c):
        u = torch.randn(len(c), self.features)
        for number, layer in reversed(list(enumerate(self.layers))):
            u = layer.inverse(u.flip(1) if number % 2 else u, c)
        return u

    @torch.no_grad()
    def settle(self, x, c):
        """Take the averages of the normalisations over all of x."""
        self.train()
        self.log_prob(x, c)
        self.eval()

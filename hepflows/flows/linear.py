"""What stands between the layers of a flow: permutations, a learnable linear map, and standardisation."""

import torch
from nflows.transforms import Permutation, Transform
from torch import nn

from hepflows.errors import InputError

# The distance from 0 and 1 that single precision still resolves.
EDGE = 1e-7


def reversal(features):
    """The order of the features turned round."""
    return Permutation(torch.arange(features - 1, -1, -1))


def random_permutation(features, generator, kept=0):
    """Random order of the features; with `kept` > 0, one that does not leave the same features in the first half.

    A coupling keeps its first `kept` features: a permutation that only shuffles within the halves would never let the
    other half change.
    """
    while True:
        order = torch.randperm(features, generator=generator)
        if not kept or set(order[:kept].tolist()) != set(range(kept)):
            return Permutation(order)


class LearnableLinear(Transform):
    """z = P L (D + U) x + b: L unit lower, U strictly upper triangular, D > 0 diagonal (arXiv:1807.03039, section 3.2).

    log|det J| = sum log D. P is a fixed permutation: with P and L the map mixes and reorders all features.
    """

    def __init__(self, features, generator):
        super().__init__()
        self.register_buffer("order", torch.randperm(features, generator=generator))
        self.lower = nn.Parameter(torch.zeros(features, features))
        self.upper = nn.Parameter(torch.zeros(features, features))
        self.log_diagonal = nn.Parameter(torch.zeros(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def _factors(self):
        identity = torch.eye(len(self.bias), dtype=self.bias.dtype, device=self.bias.device)
        return self.lower.tril(-1) + identity, self.upper.triu(1) + torch.diag(self.log_diagonal.exp())

    def forward(self, inputs, context=None):
        lower, upper = self._factors()
        outputs = (inputs @ upper.t() @ lower.t())[:, self.order] + self.bias
        return outputs, self.log_diagonal.sum().expand(len(inputs))

    def inverse(self, inputs, context=None):
        lower, upper = self._factors()
        columns = (inputs - self.bias)[:, torch.argsort(self.order)].t()
        columns = torch.linalg.solve_triangular(lower, columns, upper=False, unitriangular=True)
        columns = torch.linalg.solve_triangular(upper, columns, upper=True)
        return columns.t(), -self.log_diagonal.sum().expand(len(inputs))


class SoftPermutation(Transform):
    """Learnable rotation of the unit box onto itself: u -> Phi(R Phi^-1(u)), Phi the standard normal's distribution.

    R = exp(A - A^T) P, with A learnable and P a random permutation, where it starts; every permutation of the features
    is such an R, up to signs. log|det J| = 0: uniform points become normal ones, whose density is round, and a rotation
    leaves it alone. Inputs are kept EDGE away from the sides of the box, where Phi^-1 is infinite.
    """

    def __init__(self, features, generator):
        super().__init__()
        self.register_buffer("order", torch.randperm(features, generator=generator))
        self.generators = nn.Parameter(torch.zeros(features, features))

    def rotation(self):
        """R, shape (D, D)."""
        lower = self.generators.tril(-1)
        return torch.matrix_exp(lower - lower.t())[:, torch.argsort(self.order)]

    def forward(self, inputs, context=None):
        return self._turn(inputs, self.rotation())

    def inverse(self, inputs, context=None):
        return self._turn(inputs, self.rotation().t())

    def _turn(self, inputs, rotation):
        normal = torch.special.ndtri(inputs.clamp(EDGE, 1 - EDGE))
        return torch.special.ndtr(normal @ rotation.t()), inputs.new_zeros(len(inputs))


class Standardise(Transform):
    """z = (x - mean) / scale for each feature, inside the flow: log|det J| = - sum log scale."""

    def __init__(self, features):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def set_from(self, values, name="features"):
        """Take mean and standard deviation from values (events, features); InputError for a constant column."""
        values = torch.as_tensor(values).to(self.mean)
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise InputError(f"{name}: expected shape (events, {len(self.mean)}), got {tuple(values.shape)}")
        scale = values.std(0)
        if not torch.all(torch.isfinite(scale) & (scale > 0)):
            raise InputError(
                f"{name}: expected finite values that vary in each column, standard deviations are {scale}"
            )
        self.mean.copy_(values.mean(0))
        self.scale.copy_(scale)

    def forward(self, inputs, context=None):
        return (inputs - self.mean) / self.scale, -self.scale.log().sum().expand(len(inputs))

    def inverse(self, inputs, context=None):
        return inputs * self.scale + self.mean, self.scale.log().sum().expand(len(inputs))


class StandardiseContext(nn.Module):
    """(y - mean) / scale of the condition: y is no dimension of the flow, so there is no Jacobian."""

    def __init__(self, context):
        super().__init__()
        self.standardise = Standardise(context)

    def forward(self, context):
        return self.standardise(context)[0]

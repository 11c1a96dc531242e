"""Preprocessing inside the flow: each feature by itself is mapped to a normal density, with its Jacobian."""

import numpy as np
import torch
from nflows.transforms import Transform

from hepflows.errors import InputError

REACH = 3.5  # standard deviations of the outermost knots
EVENTS_OUTSIDE = 5  # so many events, at least, lie beyond the outermost knots


class NormalMarginals(Transform):
    """z_d = F(x_d) for each feature d: F is a monotonic spline through the data's quantiles, (x_k, z_k = Phi^-1(q_k)).

    A rational-quadratic spline (arXiv:1906.04032, eq. 4) between the outermost knots, straight lines beyond them:
    log|det J| = sum_d log dF/dx_d. The flow behind it starts from normal marginals and learns what ties them together.
    Until `set_from` has seen data it is the identity. Raises InputError for fewer than 3 knots.
    """

    def __init__(self, features, knots=32):
        super().__init__()
        if isinstance(knots, bool) or not isinstance(knots, int) or knots < 3:
            raise InputError(f"knots: expected an integer of at least 3, got {knots!r}")
        grid = torch.linspace(-REACH, REACH, knots).repeat(features, 1)
        self.register_buffer("x", grid.clone())
        self.register_buffer("z", grid.clone())
        self.register_buffer("slopes", torch.ones(features, knots))

    def set_from(self, values, name="features"):
        """Take the quantiles of values (events, features); InputError where a feature has too few different values."""
        values = torch.as_tensor(values).detach().to("cpu", torch.float64)
        features, knots = self.x.shape
        if values.ndim != 2 or values.shape[1] != features:
            raise InputError(f"{name}: expected shape (events, {features}), got {tuple(values.shape)}")
        normal = torch.distributions.Normal(0.0, 1.0)
        reach = min(REACH, float(-normal.icdf(torch.tensor(min(0.4, EVENTS_OUTSIDE / len(values))))))
        z = torch.linspace(-reach, reach, knots, dtype=torch.float64)
        # numpy's quantiles have no limit on the number of events
        x = torch.from_numpy(np.quantile(values.numpy(), normal.cdf(z).numpy(), axis=0).T.copy())
        if not torch.all(torch.isfinite(x)) or not torch.all(x.diff(dim=1) > 0):
            raise InputError(f"{name}: expected finite values whose {knots} quantiles all differ in each column")
        secants = z.diff() / x.diff(dim=1)
        # The harmonic mean of the neighbouring secants keeps the spline smooth where the density changes fast.
        inner = 2 / (1 / secants[:, 1:] + 1 / secants[:, :-1])
        self.x.copy_(x)
        self.z.copy_(z.expand(features, -1))
        self.slopes.copy_(torch.cat([secants[:, :1], inner, secants[:, -1:]], dim=1))

    def forward(self, inputs, context=None):
        low, high, left, right, start, end = self._bins(inputs, self.x)
        delta = (end - start) / (high - low)
        theta = ((inputs - low) / (high - low)).clamp(0, 1)
        rest = theta * (1 - theta)
        bottom = delta + (left + right - 2 * delta) * rest
        inside = start + (end - start) * (delta * theta**2 + left * rest) / bottom
        slope = delta**2 * (right * theta**2 + 2 * delta * rest + left * (1 - theta) ** 2) / bottom**2
        # Beyond the outermost knots theta is 0 or 1: the spline stands at its end, and a straight line goes on.
        outside = torch.where(inputs > high, inputs - high, torch.where(inputs < low, inputs - low, 0.0))
        return inside + slope * outside, slope.log().sum(1)

    def inverse(self, inputs, context=None):
        start, end, left, right, low, high = self._bins(inputs, self.z)
        delta = (end - start) / (high - low)
        height = inputs.clamp(start, end) - start
        common = height * (left + right - 2 * delta)
        a = (end - start) * (delta - left) + common
        b = (end - start) * left - common
        c = -delta * height
        theta = (2 * c / (-b - (b**2 - 4 * a * c).clamp_min(0).sqrt())).clamp(0, 1)
        rest = theta * (1 - theta)
        bottom = delta + (left + right - 2 * delta) * rest
        slope = delta**2 * (right * theta**2 + 2 * delta * rest + left * (1 - theta) ** 2) / bottom**2
        outside = torch.where(inputs > end, inputs - end, torch.where(inputs < start, inputs - start, 0.0))
        return low + (high - low) * theta + outside / slope, -slope.log().sum(1)

    def _bins(self, values, knots):
        """Of each value's bin: corners in `knots`, slopes, corners on the other side; (events, features) each."""
        other = self.z if knots is self.x else self.x
        bins = torch.searchsorted(knots, values.t().contiguous()).clamp(1, knots.shape[1] - 1)
        return tuple(
            table.gather(1, index).t()
            for table, index in (
                (knots, bins - 1),
                (knots, bins),
                (self.slopes, bins - 1),
                (self.slopes, bins),
                (other, bins - 1),
                (other, bins),
            )
        )

"""Monotonic rational-quadratic splines (arXiv:1906.04032, section 3.1), exact and fast.

Layout: bin first, then feature, event last. What one bin needs lies apart from what the next needs, so that every
operation runs along contiguous numbers; the conditioners deliver their parameters in this order. The backward pass is
the analytic one; the inverse takes the root that does not cancel and its derivatives from the implicit function
theorem. How the bin of an input is found stands in `hepflows.flows.bins`.
"""

import math
from functools import cache, partial

import torch

from hepflows.errors import InputError
from hepflows.flows import bins as binning
from hepflows.flows.element import Element

# How much the compiler keeps in registers before it stores an intermediate result: at its own values (30 and 4) the
# kernels take 1.3 to 1.6 times as long, at 100 and 10 they are hardly faster and take minutes to compile.
COMPILER_OPTIONS = {"realize_opcount_threshold": 60, "realize_reads_threshold": 8}
# The distance from 0 and 1 at which a network stops to see a difference.
EDGE = 1e-6
# Up to so many inputs the number of operations counts, not their size.
FEW = 2048


class RationalQuadraticSpline(Element):
    """Element-wise spline on [-tail_bound, tail_bound], identity outside; K bins, 3 K - 1 parameters a feature.

    In the bin with corners (x_k, y_k), (x_k+1, y_k+1), slopes d_k, d_k+1, delta = (y_k+1 - y_k) / (x_k+1 - x_k) and
    theta = (x - x_k) / (x_k+1 - x_k):
        y = y_k + (y_k+1 - y_k) [delta theta^2 + d_k theta (1 - theta)]
                  / [delta + (d_k+1 + d_k - 2 delta) theta (1 - theta)]      (arXiv:1906.04032, eq. 4).
    Parameters of shape (features, parameters_per_feature, events): K logits of the widths, K of the heights, then the
    inner slopes before the softplus; the outer slopes are 1, so that y is smooth at the tails. Inputs of shape
    (features, events). `compiled` runs the kernels through torch.compile: the first call of a run takes seconds.
    Raises InputError for fewer than 2 bins or a tail bound that is not positive.
    """

    ends = "linear"

    def __init__(self, bins=8, tail_bound=5.0, compiled=False):
        if not tail_bound > 0:
            raise InputError(f"tail_bound: expected a positive number, got {tail_bound}")
        self._set(bins, -float(tail_bound), float(tail_bound), compiled)
        self.tail_bound = float(tail_bound)

    def _set(self, bins, low, high, compiled):
        if not 2 <= bins < 1 / binning.MINIMAL_SIZE:
            raise InputError(f"bins: expected 2 to {int(1 / binning.MINIMAL_SIZE) - 1}, got {bins}")
        self.bins = bins
        self.box = binning.Box(low, high, self.ends)
        self.parameters_per_feature = 2 * bins + self.box.free_slopes(bins)
        self.compiled = compiled

    def identity_parameters(self):
        """Parameters of the identity, shape (parameters_per_feature,)."""
        parameters = torch.zeros(self.parameters_per_feature)
        parameters[2 * self.bins :] = binning.UNIT_SLOPE
        return parameters

    def forward(self, inputs, parameters):
        """(y, log dy/dx), each of shape (features, events)."""
        return self._apply(inputs, parameters, False)

    def inverse(self, inputs, parameters):
        """(x, log dx/dy), each of shape (features, events)."""
        return self._apply(inputs, parameters, True)

    def knots(self, parameters):
        """Knot positions and slopes x_k, y_k, d_k of shape (features, K + 1, events); for pictures and checks."""
        return tuple(
            values.transpose(0, 1) for values in binning.knots(parameters.transpose(0, 1), self.bins, self.box)
        )

    def _apply(self, inputs, parameters, inverse):
        # Inputs are often a transposed view, and every operation would stride through it. Parameters come from the
        # conditioners as a transposed view, so that this costs nothing.
        inputs, parameters = inputs.contiguous(), parameters.transpose(0, 1).contiguous()
        recorded = torch.is_grad_enabled() and (inputs.requires_grad or parameters.requires_grad)
        if inputs.numel() <= FEW and not (recorded or self.compiled):
            return _forward(inputs, parameters, self.bins, self.box, inverse, binning.find_in_few)[:2]
        forward, backward = _kernels(self.bins, self.box, inverse, self.compiled)
        return _Spline.apply(inputs, parameters, forward, backward) if recorded else forward(inputs, parameters)[:2]


class CircularSpline(RationalQuadraticSpline):
    """Spline of an angle on [-pi, pi], with one slope at both ends: smooth on the circle (arXiv:2002.02428).

    3 K parameters a feature: widths, heights and K slopes, the first of them that of -pi and pi. Inputs beyond the box
    are taken back into it by whole turns.
    """

    ends = "periodic"
    encoded = 2

    def __init__(self, bins=8, compiled=False):
        self._set(bins, -math.pi, math.pi, compiled)

    def _apply(self, inputs, parameters, inverse):
        wrapped = inputs - 2 * math.pi * torch.round(inputs / (2 * math.pi))
        return super()._apply(wrapped, parameters, inverse)

    def encode(self, values, axis):
        """(cos, sin) of each angle, side by side: no jump at pi."""
        return torch.stack((values.cos(), values.sin()), axis + 1).flatten(axis, axis + 1)


class UnitSpline(RationalQuadraticSpline):
    """Spline of [0, 1] onto itself with free slopes at the ends, for integrals over the unit box (arXiv:2001.05486).

    3 K + 1 parameters a feature: widths, heights and K + 1 slopes. Outside the box the identity. Networks see a feature
    as it is and on a scale that resolves the edges, where integrands of particle physics have their steepest slopes.
    """

    ends = "free"
    encoded = 2

    def __init__(self, bins=8, compiled=False):
        self._set(bins, 0.0, 1.0, compiled)

    def encode(self, values, axis):
        """(u, logit(u) / 4) side by side, of u kept EDGE away from 0 and 1."""
        return torch.stack((values, torch.logit(values, EDGE) / 4), axis + 1).flatten(axis, axis + 1)


class _Spline(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs, parameters, forward, backward):
        outputs, logabsdet, *saved = forward(inputs.detach(), parameters.detach())
        ctx.save_for_backward(inputs, parameters, *saved)
        ctx.backward_kernel = backward
        return outputs, logabsdet

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_outputs, grad_logabsdet):
        tensors = [tensor.detach() for tensor in ctx.saved_tensors]
        gradients = ctx.backward_kernel(grad_outputs.contiguous(), grad_logabsdet.contiguous(), tensors)
        return *gradients, None, None


@cache
def _kernels(bins, box, inverse, compiled):
    """The forward and backward kernel of a spline, (inputs, parameters) and (gradients, saved tensors)."""
    if not compiled:
        settings = dict(bins=bins, box=box, inverse=inverse)
        return partial(_forward, **settings, find=binning.find), partial(_backward, **settings, unrolled=False)

    # The compiler would read the box's numbers from memory for every event if they were not declared constant.
    @torch.compiler.assume_constant_result
    def limits():
        return box.low, box.high

    def forward(inputs, parameters):
        return _forward(inputs, parameters, bins, binning.Box(*limits(), box.ends), inverse, binning.find_unrolled)

    def backward(*gradients_and_tensors):
        return _backward(*gradients_and_tensors, bins, binning.Box(*limits(), box.ends), inverse, True)

    # dynamic: any number of features and events without compiling again.
    compiler = torch.compile(dynamic=True, fullgraph=True, options=COMPILER_OPTIONS)
    return compiler(forward), compiler(backward)


def _forward(inputs, parameters, bins, box, inverse, find):
    """(outputs, logabsdet, what the backward pass needs beside inputs and parameters)."""
    clamped = inputs.clamp(box.low, box.high)
    outside = (inputs - clamped).ne_(0.0)  # 1 or 0: multiplying is far faster than choosing
    corner, size, slopes, *saved = find(clamped, parameters, bins, box, inverse)
    outputs, logabsdet, evaluated = _evaluate(clamped, corner, size, slopes, inverse)
    if box.ends != "linear":  # rounding must not carry a point out of a domain beyond which nothing is
        outputs = outputs.clamp(box.low, box.high)
    outputs = torch.lerp(outputs, inputs, outside)
    logabsdet = torch.addcmul(logabsdet, logabsdet, outside, value=-1)
    if find is not binning.find:  # the compiler finds the bin again for less than it costs to store what was found
        return outputs, logabsdet
    return outputs, logabsdet, outside, corner, size, slopes, *evaluated, *saved


def _backward(grad_outputs, grad_logabsdet, tensors, bins, box, inverse, unrolled):
    """Gradients with respect to inputs and parameters."""
    inputs, parameters, *saved = tensors
    if unrolled:
        clamped = inputs.clamp(box.low, box.high)
        outside = (inputs - clamped).ne_(0.0)
        corner, size, slopes, *saved = binning.find_unrolled(clamped, parameters, bins, box, inverse)
        _, _, evaluated = _evaluate(clamped, corner, size, slopes, inverse)
    else:
        outside, corner, size, slopes, *saved = saved
        evaluated, saved = saved[:EVALUATED], saved[EVALUATED:]
    grad_outside = grad_outputs * outside
    grad_inside = grad_outputs - grad_outside
    grad_logabsdet = torch.addcmul(grad_logabsdet, grad_logabsdet, outside, value=-1)
    grad_x, *grad_bin = _evaluate_backward(grad_inside, grad_logabsdet, size, slopes, evaluated, inverse)
    scatter = binning.scatter_unrolled if unrolled else binning.scatter
    grad_parameters = scatter(grad_bin, corner, size, parameters, saved, bins, box)
    return grad_x + grad_outside, grad_parameters


EVALUATED = 7  # tensors that _evaluate hands to its backward pass


def _evaluate(inputs, corner, size, slopes, inverse):
    """Output and its log-derivative in a bin, and what the backward pass needs.

    arXiv:1906.04032, eqs. 4, 5 and, for the inverse, 6 to 8.
    """
    left_x, left_y = corner
    width, height = size
    slope_left, slope_right = slopes
    delta = height / width
    curvature = torch.sub(slope_left + slope_right, delta, alpha=2)
    if inverse:
        rise = inputs - left_y
        bend = rise * curvature
        b = torch.addcmul(bend, height, slope_left, value=-1)  # minus the linear coefficient
        a = torch.addcmul(bend, height, delta - slope_left)
        c = delta * rise  # minus the constant
        # The root in the form that does not cancel. The discriminant is >= 0 up to rounding, so it is clamped.
        root = torch.addcmul(b * b, a, c, value=4).clamp_min(0.0).sqrt()
        theta = ((c + c) / (root - b)).clamp(0.0, 1.0)
    else:
        theta = (inputs - left_x) / width
    rest = 1 - theta
    product = theta * rest
    theta_squared = theta * theta
    inverse_denominator = torch.reciprocal(torch.addcmul(delta, curvature, product))
    numerator = torch.addcmul(slope_right * theta_squared, delta, product, value=2)
    numerator = torch.addcmul(numerator, slope_left, rest * rest)
    steepness = delta * inverse_denominator
    logabsdet = torch.log(numerator * steepness * steepness)
    ratio = torch.addcmul(delta * theta_squared, slope_left, product) * inverse_denominator  # (y - y_k) / height
    evaluated = theta, rest, delta, curvature, inverse_denominator, numerator, ratio
    if inverse:
        return torch.addcmul(left_x, theta, width), -logabsdet, evaluated
    return torch.addcmul(left_y, height, ratio), logabsdet, evaluated


def _evaluate_backward(grad_outputs, grad_logabsdet, size, slopes, evaluated, inverse):
    """Gradients with respect to the input and, in pairs, the bin's lower corner, its size and its two slopes."""
    width, height = size
    slope_left, slope_right = slopes
    theta, rest, delta, curvature, inverse_denominator, numerator, ratio = evaluated
    inverse_width = torch.reciprocal(width)
    inverse_numerator = torch.reciprocal(numerator)
    product = theta * rest
    tilt = rest - theta  # d product / d theta
    theta_squared = theta * theta
    # half of d numerator / d theta
    half_slope = torch.addcmul(torch.addcmul(slope_right * theta, delta, tilt), slope_left, rest, value=-1)
    curved_tilt = curvature * tilt  # d denominator / d theta
    if inverse:
        # x = f^-1(y; p) moves by (dy - df/dp dp) / f', and log dx/dy = -log f'(x; p).
        steepness = delta * inverse_denominator  # f' = steepness^2 numerator
        half_logabsdet_slope = torch.addcmul(half_slope * inverse_numerator, curved_tilt, inverse_denominator, value=-1)
        grad_input = torch.addcmul(grad_outputs, grad_logabsdet, half_logabsdet_slope * inverse_width, value=-2)
        grad_input = grad_input * inverse_numerator / (steepness * steepness)
        grad_outputs, grad_logabsdet = -grad_input, -grad_logabsdet

    grad_ratio = grad_outputs * height * inverse_denominator
    minus_grad_denominator = torch.addcmul(grad_ratio * ratio, grad_logabsdet, inverse_denominator, value=2)
    grad_numerator = grad_logabsdet * inverse_numerator
    # numerator and denominator hold 2 delta product and - 2 delta product
    grad_delta = torch.addcmul(grad_ratio * theta_squared, grad_numerator + minus_grad_denominator, product, value=2)
    grad_delta = torch.add(grad_delta - minus_grad_denominator, grad_logabsdet / delta, alpha=2)
    grad_theta = torch.addcmul(
        grad_ratio * torch.addcmul(slope_left * tilt, delta, theta, value=2), grad_numerator, half_slope, value=2
    )
    grad_theta = torch.addcmul(grad_theta, minus_grad_denominator, curved_tilt, value=-1)
    grad_slope_left = torch.addcmul((grad_ratio - minus_grad_denominator) * product, grad_numerator, rest * rest)
    grad_slope_right = torch.addcmul(grad_numerator * theta_squared, minus_grad_denominator, product, value=-1)
    grad_x = grad_theta * inverse_width
    grad_width = torch.addcmul(grad_delta * delta, grad_theta, theta).neg_().mul_(inverse_width)
    grad_height = torch.addcmul(grad_outputs * ratio, grad_delta, inverse_width)
    return (
        grad_input if inverse else grad_x,
        (-grad_x, grad_outputs),
        (grad_width, grad_height),
        (grad_slope_left, grad_slope_right),
    )

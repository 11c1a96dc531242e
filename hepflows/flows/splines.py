"""Monotonic rational-quadratic splines (arXiv:1906.04032, section 3.1), exact and fast.

Layout: feature first, event last. What one bin needs lies apart from what the next needs, and events lie together, so
that every operation runs along contiguous events. The backward pass is the analytic one; the inverse takes the root
that does not cancel and its derivatives from the implicit function theorem. How the bin of an input is found stands in
`hepflows.flows.bins`: by one packed gather, or unrolled for the compiler.
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
        return binning.knots(parameters, self.bins, self.box)

    def _apply(self, inputs, parameters, inverse):
        inputs = inputs.contiguous()  # it is often a transposed view, and every operation would stride through it
        forward, backward = _kernels(self.bins, self.box, inverse, self.compiled)
        if torch.is_grad_enabled() and (inputs.requires_grad or parameters.requires_grad):
            return _Spline.apply(inputs, parameters, forward, backward)
        return forward(inputs, parameters)[:2]


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

    3 K + 1 parameters a feature: widths, heights and K + 1 slopes. Outside the box the identity.
    """

    ends = "free"

    def __init__(self, bins=8, compiled=False):
        self._set(bins, 0.0, 1.0, compiled)


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
        settings = dict(bins=bins, box=box, inverse=inverse, unrolled=False)
        return partial(_forward, **settings), partial(_backward, **settings)

    # The compiler would read the box's numbers from memory for every event if they were not declared constant.
    @torch.compiler.assume_constant_result
    def limits():
        return box.low, box.high

    def forward(inputs, parameters):
        return _forward(inputs, parameters, bins, binning.Box(*limits(), box.ends), inverse, True)

    def backward(*gradients_and_tensors):
        return _backward(*gradients_and_tensors, bins, binning.Box(*limits(), box.ends), inverse, True)

    # dynamic: any number of features and events without compiling again.
    compiler = torch.compile(dynamic=True, fullgraph=True, options=COMPILER_OPTIONS)
    return compiler(forward), compiler(backward)


def _forward(inputs, parameters, bins, box, inverse, unrolled):
    """(outputs, logabsdet, what the backward pass needs beside inputs and parameters)."""
    find = binning.find_unrolled if unrolled else binning.find
    clamped = inputs.clamp(box.low, box.high)
    inside = inputs == clamped
    corner, size, slopes, saved = find(clamped, parameters, bins, box, inverse)
    theta, outputs, logabsdet = _evaluate(clamped, corner, size, slopes, inverse)
    if box.ends != "linear":  # rounding must not carry a point out of a domain beyond which nothing is
        outputs = outputs.clamp(box.low, box.high)
    outputs = torch.where(inside, outputs, inputs)
    logabsdet = torch.where(inside, logabsdet, 0.0)
    if unrolled:  # cheaper to find the bin again than to store what was found
        return outputs, logabsdet
    return outputs, logabsdet, theta, inside, *corner, *size, *slopes, *saved


def _backward(grad_outputs, grad_logabsdet, tensors, bins, box, inverse, unrolled):
    """Gradients with respect to inputs and parameters."""
    inputs, parameters, *saved = tensors
    if unrolled:
        clamped = inputs.clamp(box.low, box.high)
        inside = inputs == clamped
        corner, size, slopes, saved = binning.find_unrolled(clamped, parameters, bins, box, inverse)
        theta, _, _ = _evaluate(clamped, corner, size, slopes, inverse)
    else:
        theta, inside, *rest = saved
        corner, size, slopes, saved = rest[:2], rest[2:4], rest[4:6], rest[6:]
    grad_inside = torch.where(inside, grad_outputs, 0.0)
    grad_logabsdet = torch.where(inside, grad_logabsdet, 0.0)
    grad_x, *grad_bin = _evaluate_backward(grad_inside, grad_logabsdet, size, slopes, theta, inverse)
    scatter = binning.scatter_unrolled if unrolled else binning.scatter
    grad_parameters = scatter(grad_bin, corner, size, parameters, saved, bins, box)
    return torch.where(inside, grad_x, grad_outputs), grad_parameters


def _evaluate(inputs, corner, size, slopes, inverse):
    """theta, output and its log-derivative in a bin; arXiv:1906.04032, eqs. 4, 5 and, for the inverse, 6 to 8."""
    left_x, left_y = corner
    width, height = size
    slope_left, slope_right = slopes
    delta = height / width
    twice_delta = delta + delta  # sums, not products with 2: a Python number costs a conversion for each operation
    curvature = slope_left + slope_right - twice_delta
    if inverse:
        rise = inputs - left_y
        bend = rise * curvature
        a = height * (delta - slope_left) + bend
        b = height * slope_left - bend
        c = -delta * rise
        # The root in the form that does not cancel. The discriminant is >= 0 up to rounding, so it is clamped.
        theta = ((c + c) / (-b - (b * b - 4 * a * c).clamp_min(0.0).sqrt())).clamp(0.0, 1.0)
    else:
        theta = (inputs - left_x) / width
    rest = 1 - theta
    product = theta * rest
    inverse_denominator = torch.reciprocal(delta + curvature * product)
    numerator = slope_right * theta * theta + twice_delta * product + slope_left * rest * rest
    ratio = delta * inverse_denominator
    logabsdet = torch.log(numerator * ratio * ratio)
    if inverse:
        return theta, theta * width + left_x, -logabsdet
    outputs = left_y + height * (delta * theta * theta + slope_left * product) * inverse_denominator
    return theta, outputs, logabsdet


def _evaluate_backward(grad_outputs, grad_logabsdet, size, slopes, theta, inverse):
    """Gradients with respect to the input and, in pairs, the bin's lower corner, its size and its two slopes."""
    width, height = size
    slope_left, slope_right = slopes
    inverse_width = torch.reciprocal(width)
    delta = height * inverse_width
    twice_delta = delta + delta
    curvature = slope_left + slope_right - twice_delta
    rest = 1 - theta
    product = theta * rest
    tilt = rest - theta  # d product / d theta
    inverse_denominator = torch.reciprocal(delta + curvature * product)
    theta_squared = theta * theta
    rest_squared = rest * rest
    inverse_numerator = torch.reciprocal(
        slope_right * theta_squared + twice_delta * product + slope_left * rest_squared
    )
    half_slope = slope_right * theta + delta * tilt - slope_left * rest
    numerator_slope = half_slope + half_slope
    ratio = (delta * theta_squared + slope_left * product) * inverse_denominator  # (y - y_k) / height
    curved_tilt = curvature * tilt  # d denominator / d theta
    if inverse:
        # x = f^-1(y; p) moves by (dy - df/dp dp) / f', and log dx/dy = -log f'(x; p).
        steepness = delta * inverse_denominator  # f' = steepness^2 numerator
        bend = curved_tilt * inverse_denominator
        logabsdet_slope = (numerator_slope * inverse_numerator - bend - bend) * inverse_width
        grad_input = (grad_outputs - grad_logabsdet * logabsdet_slope) * inverse_numerator / (steepness * steepness)
        grad_outputs, grad_logabsdet = -grad_input, -grad_logabsdet

    twice_grad = grad_logabsdet + grad_logabsdet
    grad_ratio = grad_outputs * height * inverse_denominator
    grad_denominator = -(grad_ratio * ratio + twice_grad * inverse_denominator)
    grad_numerator = grad_logabsdet * inverse_numerator
    # numerator and denominator hold 2 delta product and - 2 delta product
    through_product = (grad_numerator - grad_denominator) * product
    grad_delta = grad_ratio * theta_squared + grad_denominator + through_product + through_product + twice_grad / delta
    grad_theta = (
        grad_ratio * (twice_delta * theta + slope_left * tilt)
        + grad_denominator * curved_tilt
        + grad_numerator * numerator_slope
    )
    grad_slope_left = (grad_ratio + grad_denominator) * product + grad_numerator * rest_squared
    grad_slope_right = grad_denominator * product + grad_numerator * theta_squared
    grad_width = -(grad_delta * delta + grad_theta * theta) * inverse_width
    grad_height = grad_outputs * ratio + grad_delta * inverse_width
    grad_x = grad_theta * inverse_width
    return (
        grad_input if inverse else grad_x,
        (-grad_x, grad_outputs),
        (grad_width, grad_height),
        (grad_slope_left, grad_slope_right),
    )

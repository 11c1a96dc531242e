"""Monotonic rational-quadratic splines with linear tails (arXiv:1906.04032, section 3.1), exact and fast.

Layout: feature first, event last. The parameters of an event lie apart and those of one bin together, so that every
operation runs along contiguous events. No boolean mask, no gather per event of a masked subset: the bin is found by
counting the knots below the input, and its knots are taken in one packed gather. The backward pass is the analytic one.
"""

import math

import torch
from torch.nn import functional

from hepflows.errors import InputError

MINIMAL_SIZE = 1e-3  # of a bin's width and height, as a fraction of the box
MINIMAL_SLOPE = 1e-3


class RationalQuadraticSpline:
    """Element-wise spline on [-tail_bound, tail_bound], identity outside; K bins, 3 K - 1 parameters a feature.

    In the bin with corners (x_k, y_k), (x_k+1, y_k+1), slopes d_k, d_k+1, delta = (y_k+1 - y_k) / (x_k+1 - x_k) and
    theta = (x - x_k) / (x_k+1 - x_k):
        y = y_k + (y_k+1 - y_k) [delta theta^2 + d_k theta (1 - theta)]
                  / [delta + (d_k+1 + d_k - 2 delta) theta (1 - theta)]      (arXiv:1906.04032, eq. 4).
    Parameters of shape (features, 3 K - 1, events): K logits of the widths, K of the heights, K - 1 slopes before the
    softplus. Inputs of shape (features, events). The outer slopes are 1, so that y is smooth at
    the tails. Raises InputError for fewer than 2 bins or a tail bound that is not positive.
    """

    def __init__(self, bins=8, tail_bound=5.0):
        if not 2 <= bins < 1 / MINIMAL_SIZE:
            raise InputError(f"bins: expected 2 to {int(1 / MINIMAL_SIZE) - 1}, got {bins}")
        if not tail_bound > 0:
            raise InputError(f"tail_bound: expected a positive number, got {tail_bound}")
        self.bins = bins
        self.tail_bound = float(tail_bound)
        self.parameters_per_feature = 3 * bins - 1

    def identity_parameters(self):
        """Parameters of the identity, shape (3 K - 1,)."""
        parameters = torch.zeros(self.parameters_per_feature)
        parameters[2 * self.bins :] = UNIT_SLOPE
        return parameters

    def forward(self, inputs, parameters):
        """(y, log dy/dx), each of shape (features, events)."""
        return _Spline.apply(inputs, parameters, self.bins, self.tail_bound, False)

    def inverse(self, inputs, parameters):
        """(x, log dx/dy), each of shape (features, events)."""
        return _Spline.apply(inputs, parameters, self.bins, self.tail_bound, True)


# softplus(UNIT_SLOPE) + MINIMAL_SLOPE = 1
UNIT_SLOPE = math.log(math.expm1(1 - MINIMAL_SLOPE))


def knots(parameters, bins, tail_bound):
    """Knot positions and slopes of shape (features, K + 1, events): x_k, y_k, d_k; for pictures and checks."""
    _, sizes, cumulated = _bin_sizes(parameters, bins, tail_bound)
    edges = functional.pad(cumulated, (0, 0, 1, 0)) - tail_bound
    slopes = functional.softplus(_padded_slopes(parameters, bins)) + MINIMAL_SLOPE
    return edges[:, 0], edges[:, 1], slopes


def _bin_sizes(parameters, bins, tail_bound):
    """Softmax, sizes and cumulated sizes of the bins, each (features, 2, K, events): widths, then heights."""
    features, _, events = parameters.shape
    fractions = torch.softmax(parameters[:, : 2 * bins].reshape(features, 2, bins, events), dim=2)
    sizes = fractions * (2 * tail_bound * (1 - MINIMAL_SIZE * bins)) + 2 * tail_bound * MINIMAL_SIZE
    return fractions, sizes, sizes.cumsum(2)


def _padded_slopes(parameters, bins):
    return functional.pad(parameters[:, 2 * bins :], (0, 0, 1, 1), value=UNIT_SLOPE)


class _Spline(torch.autograd.Function):
    @staticmethod
    def forward(ctx, inputs, parameters, bins, tail_bound, inverse):
        clamped = inputs.clamp(-tail_bound, tail_bound)
        inside = inputs == clamped
        fractions, sizes, cumulated = _bin_sizes(parameters, bins, tail_bound)
        # The bin is the number of inner knots at or below the input; along x, or along y for the inverse.
        bin_index = (clamped.unsqueeze(1) + tail_bound >= cumulated[:, int(inverse), :-1]).sum(1, keepdim=True)
        both = bin_index.unsqueeze(1).expand(-1, 2, 1, -1)
        size = sizes.gather(2, both).squeeze(2)
        left = cumulated.gather(2, both).squeeze(2) - size - tail_bound
        corners = torch.cat((bin_index, bin_index + 1), 1)
        raw_slopes = _padded_slopes(parameters, bins).gather(1, corners)
        slopes = functional.softplus(raw_slopes) + MINIMAL_SLOPE

        theta, outputs, logabsdet = _evaluate(clamped, left, size, slopes, inverse)
        ctx.save_for_backward(fractions, bin_index, corners, left, size, raw_slopes, slopes, theta, inside)
        ctx.settings = bins, tail_bound, inverse
        return torch.where(inside, outputs, inputs), torch.where(inside, logabsdet, 0.0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_outputs, grad_logabsdet):
        fractions, bin_index, corners, left, size, raw_slopes, slopes, theta, inside = ctx.saved_tensors
        bins, tail_bound, inverse = ctx.settings
        grad_inside = torch.where(inside, grad_outputs, 0.0)
        grad_logabsdet = torch.where(inside, grad_logabsdet, 0.0)
        grad_x, grad_left, grad_size, grad_slopes = _evaluate_backward(
            grad_inside, grad_logabsdet, left, size, slopes, theta, inverse
        )
        features, _, _, events = fractions.shape
        grad_parameters = fractions.new_empty(features, 3 * bins - 1, events)
        _softmax_backward(
            grad_parameters[:, : 2 * bins].view(features, 2, bins, events),
            grad_left, grad_size, fractions, left, size, bin_index, bins, tail_bound,
        )  # fmt: skip
        padded = fractions.new_zeros(features, bins + 1, events)
        padded.scatter_(1, corners, grad_slopes * torch.sigmoid(raw_slopes))
        grad_parameters[:, 2 * bins :] = padded[:, 1:-1]
        return torch.where(inside, grad_x, grad_outputs), grad_parameters, None, None, None


def _evaluate(inputs, left, size, slopes, inverse):
    """theta, output and its log-derivative in a bin; arXiv:1906.04032, eqs. 4, 5 and, for the inverse, 6 to 8."""
    left_x, left_y = left.unbind(1)
    width, height = size.unbind(1)
    slope_left, slope_right = slopes.unbind(1)
    delta = height / width
    curvature = slope_left + slope_right - 2 * delta
    if inverse:
        rise = inputs - left_y
        a = height * (delta - slope_left) + rise * curvature
        b = height * slope_left - rise * curvature
        c = -delta * rise
        # The root in the form that does not cancel. The discriminant is >= 0 up to rounding, so it is clamped.
        theta = (2 * c / (-b - (b * b - 4 * a * c).clamp_min(0.0).sqrt())).clamp(0.0, 1.0)
    else:
        theta = (inputs - left_x) / width
    rest = 1 - theta
    product = theta * rest
    denominator = delta + curvature * product
    numerator = slope_right * theta * theta + 2 * delta * product + slope_left * rest * rest
    logabsdet = 2 * torch.log(delta / denominator) + torch.log(numerator)
    if inverse:
        return theta, theta * width + left_x, -logabsdet
    outputs = left_y + height * (delta * theta * theta + slope_left * product) / denominator
    return theta, outputs, logabsdet


def _evaluate_backward(grad_outputs, grad_logabsdet, left, size, slopes, theta, inverse):
    """Gradients with respect to the input, the bin's lower corner, its size and its two slopes."""
    width, height = size.unbind(1)
    slope_left, slope_right = slopes.unbind(1)
    delta = height / width
    curvature = slope_left + slope_right - 2 * delta
    rest = 1 - theta
    product = theta * rest
    tilt = 1 - 2 * theta  # d product / d theta
    inverse_denominator = 1 / (delta + curvature * product)
    numerator = slope_right * theta * theta + 2 * delta * product + slope_left * rest * rest
    numerator_slope = 2 * (slope_right * theta + delta * tilt - slope_left * rest)
    ratio = (delta * theta * theta + slope_left * product) * inverse_denominator  # (y - y_k) / height
    if inverse:
        # x = f^-1(y; p) moves by (dy - df/dp dp) / f', and log dx/dy = -log f'(x; p).
        derivative = delta * delta * numerator * inverse_denominator * inverse_denominator
        logabsdet_slope = (numerator_slope / numerator - 2 * curvature * tilt * inverse_denominator) / width
        grad_input = (grad_outputs - grad_logabsdet * logabsdet_slope) / derivative
        grad_outputs, grad_logabsdet = -grad_input, -grad_logabsdet

    grad_ratio = grad_outputs * height * inverse_denominator
    grad_denominator = -(grad_ratio * ratio + 2 * grad_logabsdet * inverse_denominator)
    grad_numerator = grad_logabsdet / numerator
    grad_delta = (
        grad_ratio * theta * theta
        + grad_denominator * (1 - 2 * product)
        + 2 * grad_numerator * product
        + 2 * grad_logabsdet / delta
    )
    grad_theta = (
        grad_ratio * (2 * delta * theta + slope_left * tilt)
        + grad_denominator * curvature * tilt
        + grad_numerator * numerator_slope
    )
    shared = (grad_ratio + grad_denominator) * product
    grad_slopes = torch.stack(
        (shared + grad_numerator * rest * rest, grad_denominator * product + grad_numerator * theta * theta), 1
    )
    grad_size = torch.stack(
        (-(grad_delta * delta + grad_theta * theta) / width, grad_outputs * ratio + grad_delta / width), 1
    )
    grad_left = torch.stack((-grad_theta / width, grad_outputs), 1)
    return grad_input if inverse else grad_theta / width, grad_left, grad_size, grad_slopes


def _softmax_backward(grad_logits, grad_left, grad_size, fractions, left, size, bin_index, bins, tail_bound):
    """Gradient of the widths' and heights' logits, written to grad_logits (features, 2, K, events).

    The bins below the chosen one move its lower corner, the chosen one is its size, and those above do nothing.
    """
    scale = 2 * tail_bound * (1 - MINIMAL_SIZE * bins)
    offset = 2 * tail_bound * MINIMAL_SIZE
    chosen = bin_index.unsqueeze(1)
    below = torch.arange(bins, device=fractions.device).view(1, 1, bins, 1) < chosen
    torch.mul(grad_left.unsqueeze(2), below, out=grad_logits)
    grad_logits.scatter_(2, chosen.expand(-1, 2, 1, -1), grad_size.unsqueeze(2))
    # sum_j fraction_j gradient_j, from the sums that are known already
    below_sum = left + tail_bound - bin_index.to(left.dtype) * offset
    mean = (grad_left * below_sum + grad_size * (size - offset)) / scale
    grad_logits.sub_(mean.unsqueeze(2)).mul_(fractions).mul_(scale)

"""The bins of a spline: their sizes from the network's logits, which bin an input is in, and the way back.

Three ways that give the same numbers. `find` and `scatter` take few operations on whole tensors, with one flat table of
the bins' sizes and edges: the fast way in eager mode. `find_in_few` takes still fewer, but slower ones. `find_unrolled`
and `scatter_unrolled` walk the bins with comparisons alone, element by element: torch.compile makes a few loops over
the events of them. Parameters come as (parameters of a feature, features, events).
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional

# Smallest width and height of a bin as a fraction of the box, and smallest slope.
MINIMAL_SIZE = 1e-3
MINIMAL_SLOPE = 1e-3
# softplus(UNIT_SLOPE) + MINIMAL_SLOPE = 1
UNIT_SLOPE = math.log(math.expm1(1 - MINIMAL_SLOPE))
LOG2_E = math.log2(math.e)


class Box(NamedTuple):
    """Domain and range [low, high] of a spline; ends: "linear" (outer slopes 1), "periodic" (equal) or "free"."""

    low: float
    high: float
    ends: str

    def free_slopes(self, bins):
        """Number of slopes that are parameters."""
        return bins + {"linear": -1, "periodic": 0, "free": 1}[self.ends]

    def scale_and_offset(self, bins):
        """size = scale * softmax + offset: the sizes of all bins add up to the box."""
        length = self.high - self.low
        return length * (1 - MINIMAL_SIZE * bins), length * MINIMAL_SIZE


def knots(parameters, bins, box):
    """x_k, y_k and slopes d_k of all knots, each (K + 1, features, events)."""
    edges = functional.pad(_sizes(parameters, bins, box).cumsum(1), (0, 0, 0, 0, 1, 0)) + box.low
    return *edges, functional.softplus(_all_slopes(parameters, bins, box)) + MINIMAL_SLOPE


def _sizes(parameters, bins, box):
    """Widths and heights of all bins, (2, K, features, events)."""
    scale, offset = box.scale_and_offset(bins)
    return torch.softmax(parameters[: 2 * bins].unflatten(0, (2, bins)), dim=1).mul_(scale).add_(offset)


def _all_slopes(parameters, bins, box):
    """Slopes of all knots before the softplus, (K + 1, features, events)."""
    slopes = parameters[2 * bins :]
    if box.ends == "linear":
        return functional.pad(slopes, (0, 0, 0, 0, 1, 1), value=UNIT_SLOPE)
    return slopes if box.ends == "free" else torch.cat((slopes, slopes[:1]))


def find_in_few(inputs, parameters, bins, box, inverse):
    """As `find`, in the fewest operations, for few inputs and no backward pass: what a step of sampling needs."""
    sizes = _sizes(parameters, bins, box)
    edges = sizes.cumsum(1)  # upper ones
    number = (inputs - box.low >= edges[int(inverse), :-1]).sum(0, keepdim=True)
    both = number.expand(2, -1, -1, -1)
    size = sizes.gather(1, both).squeeze(1)
    corner = edges.gather(1, both).squeeze(1).sub_(size).add_(box.low)
    raw_slopes = _all_slopes(parameters, bins, box).gather(0, torch.cat((number, number + 1)))
    return corner, size, functional.softplus(raw_slopes).add_(MINIMAL_SLOPE)


def find(inputs, parameters, bins, box, inverse):
    """Lower corner (x, y), size (width, height) and slopes (left, right) of each input's bin, and what `scatter` needs.

    Inputs (features, events) within the box, along y if inverse; each pair comes as one tensor (2, features, events).

    What decides the speed here: exp2 takes a third of the time of exp; masks are numbers 0 and 1 that multiply, because
    `where` follows a random condition at a tenth of the speed; and a bin is read by index_select from a flat table, in
    half the time of a gather along an inner axis.
    """
    shape, plane = inputs.shape, inputs.numel()
    scale, offset = box.scale_and_offset(bins)
    table = parameters.new_empty(4, bins, *shape)  # powers of widths and heights, then their sums below each bin
    powers, sums = table[:2], table[2:]
    logits = parameters[: 2 * bins].unflatten(0, (2, bins))
    torch.add(logits.amax(1, keepdim=True).mul_(-LOG2_E), logits, alpha=LOG2_E, out=powers).exp2_()
    of_bin, below_bin = powers.unbind(1), sums.unbind(1)
    below_bin[0].zero_()
    for k in range(1, bins):  # bin by bin: several times faster than cumsum along an inner axis
        torch.add(below_bin[k - 1], of_bin[k - 1], out=below_bin[k])
    total = below_bin[-1] + of_bin[-1]
    # Knot k stands at low + unit * sum_k + k * offset. The comparison is made in units of the powers.
    unit = torch.reciprocal(total).mul_(scale)
    powers_in_length = total[int(inverse)].mul_(1 / scale)
    position = (inputs - box.low).mul_(powers_in_length)
    minus_k = torch.arange(-1, -bins, -1, dtype=inputs.dtype, device=inputs.device).view(-1, 1, 1)
    passed = torch.addcmul(position, powers_in_length.mul_(offset), minus_k)
    passed.ge_(sums[int(inverse), 1:])  # 1 where inner knot k is at or below the input: ge_ keeps the dtype
    number = passed.sum(0)

    # Where each input's bin stands in a flat table of one number a bin and input.
    integer = torch.int32 if table.numel() < 2**31 else torch.int64
    index = torch.arange(plane, dtype=integer, device=inputs.device)
    index += number.view(-1).to(integer).mul_(plane)
    found = table.new_empty(4, plane)
    for values, target in zip(table.view(4, -1), found, strict=True):
        torch.index_select(values, 0, index, out=target)
    found = found.view(2, 2, *shape)
    shift = number.mul_(offset).add_(box.low)
    size = found[0].mul_(unit).add_(offset)
    corner = found[1].mul_(unit).add_(shift)
    raw_slopes = _find_slopes(parameters, index, passed, bins, box)
    slopes = functional.softplus(raw_slopes).add_(MINIMAL_SLOPE)
    return corner, size, slopes, table, unit, passed, shift, index, raw_slopes


def _slope_planes(index, passed, bins, box):
    """Where the slopes left and right of the bins stand in the flat parameters: twice (first row, index)."""
    left = 2 * bins - (box.ends == "linear")
    if box.ends != "periodic":
        return (left, index), (left + 1, index)
    # The last bin ends with the slope that the first one begins with.
    last = passed[-1].to(index.dtype).view(-1)
    return (left, index), (left, index + len(index) - last.mul_(bins * len(index)))


def _find_slopes(parameters, index, passed, bins, box):
    """Slopes before the softplus at both ends of each input's bin, (2, features, events)."""
    plane = len(index)
    flat = parameters.reshape(-1)
    found = parameters.new_empty(2, plane)
    for (row, at), target in zip(_slope_planes(index, passed, bins, box), found, strict=True):
        values = flat[row * plane :]
        if box.ends == "linear":  # the last knot has no parameter: what is read instead is replaced below
            at = at.clamp(max=len(values) - 1)
        torch.index_select(values, 0, at, out=target)
    found = found.view(2, *passed.shape[1:])
    if box.ends == "linear":
        left, right = found
        unit_slope = parameters.new_full((), UNIT_SLOPE)
        torch.lerp(unit_slope, left, passed[0], out=left)
        torch.lerp(right, unit_slope, passed[-1], out=right)
    return found


def scatter(grad_bin, corner, size, parameters, saved, bins, box):
    """Gradient of the parameters from those of a bin's corner, size and slopes.

    The bins below the chosen one move its corner, the chosen one is its size, those above do nothing; then the backward
    pass of the softmax, whose sum over bins follows from corner and size.
    """
    table, unit, passed, shift, index, raw_slopes = saved
    grad_corner, grad_size, grad_slopes = (torch.stack(pair) for pair in grad_bin)
    scale, offset = box.scale_and_offset(bins)
    count, plane = len(parameters), len(index)
    # One row more than there are parameters, for the slopes of last knots, which have none.
    flat = parameters.new_empty((count + 1) * plane)
    gradient = flat[:-plane].view_as(parameters)
    gradient[2 * bins :] = 0.0
    grad_slopes.mul_(torch.sigmoid(raw_slopes))
    for (row, at), values in zip(_slope_planes(index, passed, bins, box), grad_slopes, strict=True):
        flat[row * plane :].index_add_(0, at, values.view(-1))

    # What the slopes of first knots left among the logits is overwritten now.
    logits = gradient[: 2 * bins].unflatten(0, (2, bins))
    above = (grad_corner * (corner - shift) + grad_size * (size - offset)).mul_(unit).mul_(-1 / scale)
    below = grad_corner.mul_(unit)
    torch.addcmul(above.unsqueeze(1), passed, below.unsqueeze(1), out=logits[:, :-1])
    logits[:, -1] = above
    for row, values in zip((0, bins), grad_size.mul_(unit), strict=True):
        flat[row * plane :].index_add_(0, index, values.view(-1))
    logits.mul_(table[:2])
    return gradient


def find_unrolled(inputs, parameters, bins, box, inverse):
    """As `find`, one bin after the other."""
    scale, offset = box.scale_and_offset(bins)
    axes = []
    for axis in range(2):
        logits = [parameters[axis * bins + k] for k in range(bins)]
        largest = logits[0]
        for logit in logits[1:]:
            largest = torch.maximum(largest, logit)
        powers = [torch.exp(logit - largest) for logit in logits]
        unit = scale / sum(powers[1:], powers[0])
        sizes = [power * unit + offset for power in powers]
        edges, edge = [], box.low
        for size in sizes:
            edges.append(edge)
            edge = edge + size
        axes.append((powers, unit, sizes, edges))
    passed = [inputs >= edge for edge in axes[int(inverse)][3][1:]]  # inner knots at or below the input
    raw = _slope_list(parameters, bins, box)
    shift = torch.full_like(inputs, box.low)
    corner = [shift, shift]
    size = [sizes[0] for _, _, sizes, _ in axes]
    left, right = raw[0], raw[1]
    for k, condition in enumerate(passed, start=1):
        corner = [torch.where(condition, edges[k], old) for (_, _, _, edges), old in zip(axes, corner, strict=True)]
        size = [torch.where(condition, sizes[k], old) for (_, _, sizes, _), old in zip(axes, size, strict=True)]
        left, right = torch.where(condition, raw[k], left), torch.where(condition, raw[k + 1], right)
        shift = torch.where(condition, box.low + k * offset, shift)
    slopes = tuple(functional.softplus(value) + MINIMAL_SLOPE for value in (left, right))
    return corner, size, slopes, [axis[:2] for axis in axes], passed, shift, (left, right)


def _slope_list(parameters, bins, box):
    slopes = [parameters[2 * bins + k] for k in range(box.free_slopes(bins))]
    if box.ends == "linear":
        unit = torch.full_like(slopes[0], UNIT_SLOPE)
        return [unit, *slopes, unit]
    return slopes if box.ends == "free" else [*slopes, slopes[0]]


def scatter_unrolled(grad_bin, corner, size, parameters, saved, bins, box):
    """As `scatter`, one bin after the other."""
    axes, passed, shift, raw = saved
    scale, offset = box.scale_and_offset(bins)
    true, false = torch.ones_like(passed[0]), torch.zeros_like(passed[0])
    at_or_above = [true, *passed, false, false]  # [k]: the chosen bin is k or higher
    gradient = []
    for axis, (powers, unit) in enumerate(axes):
        grad_corner, grad_size = grad_bin[0][axis], grad_bin[1][axis]
        above = -(grad_corner * (corner[axis] - shift) + grad_size * (size[axis] - offset)) / scale * unit
        below, chosen = above + grad_corner * unit, above + grad_size * unit
        for k in range(bins):
            of_size = torch.where(at_or_above[k], chosen, above)
            gradient.append(powers[k] * torch.where(at_or_above[k + 1], below, of_size))
    left, right = (grad * torch.sigmoid(value) for grad, value in zip(grad_bin[2], raw, strict=True))
    at_knots = [torch.where(passed[0], 0.0, left)]
    for k in range(1, bins + 1):
        of_knot = torch.where(at_or_above[k - 1], right, 0.0)
        of_knot = torch.where(at_or_above[k], left, of_knot)
        at_knots.append(torch.where(at_or_above[k + 1], 0.0, of_knot))
    if box.ends == "periodic":
        at_knots[0] = at_knots[0] + at_knots[-1]
    first = 1 if box.ends == "linear" else 0
    return torch.stack(gradient + at_knots[first : first + box.free_slopes(bins)])

"""The bins of a spline: their sizes from the network's logits, which bin an input is in, and the way back.

Two ways that give the same numbers. `find` and `scatter` take few operations on whole tensors, with one packed gather
of the bin's sizes and edges: the fast way in eager mode. `find_unrolled` and `scatter_unrolled` walk the bins with
comparisons alone, element by element: torch.compile makes a few loops over the events of them.
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
    """x_k, y_k and slopes d_k of all knots, each (features, K + 1, events)."""
    scale, offset = box.scale_and_offset(bins)
    fractions = _fractions(parameters, bins)
    inner = (fractions * scale + offset).cumsum(2)
    edges = functional.pad(inner, (0, 0, 1, 0)) + box.low
    slopes = functional.softplus(_padded_slopes(parameters, bins, box)) + MINIMAL_SLOPE
    return edges[:, 0], edges[:, 1], slopes


def _fractions(parameters, bins):
    """Softmax of the logits, (features, 2, K, events): widths, then heights."""
    features, _, events = parameters.shape
    return torch.softmax(parameters[:, : 2 * bins].reshape(features, 2, bins, events), dim=2)


def _lower_sums(fractions):
    """Sum of the fractions below each bin: slice by slice, several times faster than cumsum along an inner axis."""
    sums = torch.empty_like(fractions)
    sums[:, :, 0] = 0.0
    for k in range(1, fractions.shape[2]):
        torch.add(sums[:, :, k - 1], fractions[:, :, k - 1], out=sums[:, :, k])
    return sums


def _padded_slopes(parameters, bins, box):
    """The slopes of all K + 1 knots before the softplus, (features, K + 1, events)."""
    slopes = parameters[:, 2 * bins :]
    if box.ends == "linear":
        return functional.pad(slopes, (0, 0, 1, 1), value=UNIT_SLOPE)
    return slopes if box.ends == "free" else torch.cat((slopes, slopes[:, :1]), 1)


def find(inputs, parameters, bins, box, inverse):
    """Lower corner (x, y), size (width, height) and slopes (left, right) of each input's bin, and what `scatter` needs.

    Inputs (features, events) within the box, along y if inverse; everything returned has their shape, but for the last.
    """
    scale, offset = box.scale_and_offset(bins)
    fractions = _fractions(parameters, bins)
    sums = _lower_sums(fractions)
    # Knot k stands at low + scale * sum + k * offset. The bin is the number of inner knots at or below the input; the
    # comparison is made in units of the sums, so that only what was found is scaled.
    position = (inputs - box.low).mul_(1 / scale).unsqueeze(1)
    steps = torch.arange(1, bins, dtype=inputs.dtype, device=inputs.device).mul_(offset / scale).view(1, -1, 1)
    number = (position - steps >= sums[:, int(inverse), 1:]).sum(1, keepdim=True)
    both = number.unsqueeze(1).expand(-1, 2, 1, -1)
    size = fractions.gather(2, both).squeeze(2).mul_(scale).add_(offset)
    corner = sums.gather(2, both).squeeze(2).mul_(scale).add_(number, alpha=offset).add_(box.low)
    ends = torch.cat((number, number + 1), 1)
    raw_slopes = _padded_slopes(parameters, bins, box).gather(1, ends)
    slopes = functional.softplus(raw_slopes).add_(MINIMAL_SLOPE)
    return corner.unbind(1), size.unbind(1), slopes.unbind(1), (fractions, number, raw_slopes)


def scatter(grad_bin, corner, size, parameters, saved, bins, box):
    """Gradient of the parameters from those of a bin's corner, size and slopes.

    The bins below the chosen one move its corner, the chosen one is its size, those above do nothing; then the backward
    pass of the softmax, whose sum over bins follows from corner and size.
    """
    fractions, number, raw_slopes = saved
    grad_corner, grad_size, grad_slopes = (torch.stack(pair, 1) for pair in grad_bin)
    features, _, _, events = fractions.shape
    scale, offset = box.scale_and_offset(bins)
    gradient = torch.empty_like(parameters, memory_format=torch.contiguous_format)
    logits = gradient[:, : 2 * bins].view(features, 2, bins, events)
    chosen = number.unsqueeze(1)
    below = torch.arange(bins, device=number.device).view(1, 1, bins, 1) < chosen
    grad_corner.mul_(scale)
    grad_size.mul_(scale)
    torch.where(below, grad_corner.unsqueeze(2), gradient.new_zeros(()), out=logits)
    logits.scatter_(2, chosen.expand(-1, 2, 1, -1), grad_size.unsqueeze(2))
    below_sum = torch.stack(tuple(corner), 1).sub_(box.low).sub_(number, alpha=offset)
    chosen_fraction = torch.stack(tuple(size), 1).sub_(offset)
    mean = (grad_corner * below_sum + grad_size * chosen_fraction) / scale
    logits.sub_(mean.unsqueeze(2)).mul_(fractions)

    padded = gradient.new_zeros(features, bins + 1, events)
    padded.scatter_(1, torch.cat((number, number + 1), 1), grad_slopes.mul_(torch.sigmoid(raw_slopes)))
    if box.ends == "periodic":
        padded[:, 0] += padded[:, -1]
    first = 1 if box.ends == "linear" else 0
    gradient[:, 2 * bins :] = padded[:, first : first + box.free_slopes(bins)]
    return gradient


def find_unrolled(inputs, parameters, bins, box, inverse):
    """As `find`, one bin after the other."""
    scale, offset = box.scale_and_offset(bins)
    axes = []
    for axis in range(2):
        logits = [parameters[:, axis * bins + k] for k in range(bins)]
        largest = logits[0]
        for logit in logits[1:]:
            largest = torch.maximum(largest, logit)
        powers = [torch.exp(logit - largest) for logit in logits]
        normalisation = 1 / sum(powers[1:], powers[0])
        fractions = [power * normalisation for power in powers]
        sizes = [fraction * scale + offset for fraction in fractions]
        edges, edge = [], box.low
        for size in sizes:
            edges.append(edge)
            edge = edge + size
        axes.append((fractions, sizes, edges))
    passed = [inputs >= edge for edge in axes[int(inverse)][2][1:]]  # inner knots at or below the input
    raw = _slope_list(parameters, bins, box)
    corner = [torch.full_like(inputs, box.low)] * 2
    size = [sizes[0] for _, sizes, _ in axes]
    left, right = raw[0], raw[1]
    for k, condition in enumerate(passed, start=1):
        corner = [torch.where(condition, edges[k], old) for (_, _, edges), old in zip(axes, corner, strict=True)]
        size = [torch.where(condition, sizes[k], old) for (_, sizes, _), old in zip(axes, size, strict=True)]
        left, right = torch.where(condition, raw[k], left), torch.where(condition, raw[k + 1], right)
    slopes = tuple(functional.softplus(value) + MINIMAL_SLOPE for value in (left, right))
    return corner, size, slopes, ([fractions for fractions, _, _ in axes], passed, (left, right))


def _slope_list(parameters, bins, box):
    slopes = [parameters[:, 2 * bins + k] for k in range(box.free_slopes(bins))]
    if box.ends == "linear":
        unit = torch.full_like(slopes[0], UNIT_SLOPE)
        return [unit, *slopes, unit]
    return slopes if box.ends == "free" else [*slopes, slopes[0]]


def scatter_unrolled(grad_bin, corner, size, parameters, saved, bins, box):
    """As `scatter`, one bin after the other."""
    fractions, passed, raw = saved
    scale, _ = box.scale_and_offset(bins)
    true, false = torch.ones_like(passed[0]), torch.zeros_like(passed[0])
    at_or_above = [true, *passed, false]  # [k]: the chosen bin is k or higher
    chosen = [at_or_above[k] & ~at_or_above[k + 1] for k in range(bins)]
    gradient = []
    for grad_corner, grad_size, of_axis in zip(*grad_bin[:2], fractions, strict=True):
        of_sizes = [
            torch.where(at_or_above[k + 1], grad_corner, torch.where(chosen[k], grad_size, 0.0)) for k in range(bins)
        ]
        mean = sum(fraction * value for fraction, value in zip(of_axis, of_sizes, strict=True))
        gradient += [f * (value - mean) * scale for f, value in zip(of_axis, of_sizes, strict=True)]
    left, right = (grad * torch.sigmoid(value) for grad, value in zip(grad_bin[2], raw, strict=True))
    at_knots = [torch.where(chosen[k], left, 0.0) if k < bins else torch.zeros_like(left) for k in range(bins + 1)]
    at_knots = [at_knots[0]] + [at_knots[k] + torch.where(chosen[k - 1], right, 0.0) for k in range(1, bins + 1)]
    if box.ends == "periodic":
        at_knots[0] = at_knots[0] + at_knots[-1]
    first = 1 if box.ends == "linear" else 0
    return torch.stack(gradient + at_knots[first : first + box.free_slopes(bins)], 1)

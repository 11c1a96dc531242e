"""From weights to an integral with an honest error: strata, scramblings, and estimates of different quality."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Part:
    """Estimates of one quality: their mean and its variance, for the halves A and B of the points."""

    values: tuple[float, float]
    variances: tuple[float, float]


def stratified(weights: torch.Tensor, channel: torch.Tensor, channels: int) -> tuple[float, float]:
    """sum_c <w>_c and its variance sum_c Var_c(w) / n_c for independent points, w = f / q(x|c)."""
    value, variance = 0.0, 0.0
    for c in range(channels):
        own = weights[channel == c]
        value += float(own.mean())
        variance += float(own.var()) / len(own)
    return value, variance


def part_of_points(weights: torch.Tensor, channel: torch.Tensor, channels: int) -> Part:
    """The part that independent points make: every second point of each channel goes into the same half."""
    order = torch.argsort(channel, stable=True)
    halves = [stratified(weights[rows], channel[rows], channels) for rows in (order[::2], order[1::2])]
    return Part(*zip(*halves, strict=True))


def part_of_replicas(values: torch.Tensor) -> Part:
    """The part that independent estimates of equal quality make, such as scramblings of one Sobol sequence."""
    halves = values[::2], values[1::2]
    return Part(tuple(float(half.mean()) for half in halves), tuple(float(half.var()) / len(half) for half in halves))


def combine(parts: list[Part]) -> tuple[float, float]:
    """Value and error of the parts together, with weights that do not know the values that they multiply.

        I = 1/2 sum_k (a_k^B I_k^A + a_k^A I_k^B),   a_k^H = (1/V_k^H) / sum_j 1/V_j^H
        sigma^2 = 1/4 sum_k [(a_k^B)^2 V_k^A + (a_k^A)^2 V_k^B]

    Weights 1/V_k from the same points would pull the value down and make the error too small: without its rare large
    weights an estimate is low, and looks precise. Here the variances of one half of the points weight the means of the
    other half. A part may be drawn from a density that was learned from earlier parts: its mean is the integral
    whatever the density is.
    """
    values = torch.tensor([part.values for part in parts], dtype=torch.float64)
    variances = torch.tensor([part.variances for part in parts], dtype=torch.float64)
    exact = variances <= 0
    inverse = torch.where(exact.any(0), exact.double(), 1 / variances.clamp_min(1e-300))
    shares = (inverse / inverse.sum(0)).flip(1)
    value = (shares * values).sum() / 2
    return float(value), float((shares.square() * variances).sum().sqrt() / 2)

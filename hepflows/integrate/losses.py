"""What a flow learns from points that others drew: divergences between p = f/I and q, with the noise taken out.

Points x come with the density m of the mixture that drew them all. With w = p/m and r = q/m,

    int p log(p/q) dx            = < w log(p/q) - w + r >
    int (p - q)^2 / q dx         = < r (p/q - 1)^2 >

over the points. The terms that do not depend on q, or integrate to a constant, are chosen such that each point's
gradient vanishes at q = p: what is left of the noise goes to zero while the flow learns.
"""

from __future__ import annotations

import torch

LOSSES = ("kl", "chi2", "clipped_chi2")
CLIP = 10.0


def divergence(name: str, log_p: torch.Tensor, log_q: torch.Tensor, log_m: torch.Tensor) -> torch.Tensor:
    """Mean over the points, (n,) each; gradient through log_q. log_p is minus infinity where f = 0.

    kl: the Kullback-Leibler divergence; chi2: the relative variance of f/q; clipped_chi2: p/q enters as
    c arcsinh((p/q)/c) with c = CLIP, so that single points far above q count by their logarithm.
    """
    r = torch.exp(log_q - log_m)
    if name == "kl":
        w = torch.exp(log_p - log_m)
        return (torch.special.xlogy(w, w) - w * (log_q - log_m) - w + r).mean()
    weight = torch.exp(log_p - log_q)
    if name == "clipped_chi2":
        weight = CLIP * torch.asinh(weight / CLIP)
    return (r * (weight - 1).square()).mean()

"""The mass of a resonance, drawn so that its propagator is flat."""

import math

import torch

from hepflows.errors import InputError


class BreitWigner:
    """s = M^2 + M Gamma tan(a), a uniform: the density of s is proportional to 1 / ((s - M^2)^2 + M^2 Gamma^2).

    `mass`, `width` and the `window` (low, high) of sqrt(s), GeV. Calling it with u in [0, 1] gives s and ds/du in
    GeV^2. Raises InputError for a window or a width that is none.
    """

    def __init__(self, mass, width, window):
        if not (mass > 0 and width > 0):
            raise InputError(f"mass, width: expected positive numbers, got {mass} and {width}")
        if not 0 <= window[0] < window[1]:
            raise InputError(f"window: expected 0 <= low < high, got {window}")
        self.mass, self.width, self.window = mass, width, window
        self._angles = [math.atan((edge**2 - mass**2) / (mass * width)) for edge in window]

    def __call__(self, u):
        low, high = self._angles
        tangent = torch.tan(low + (high - low) * u)
        scale = self.mass * self.width
        return self.mass**2 + scale * tangent, (high - low) * scale * (1 + tangent**2)

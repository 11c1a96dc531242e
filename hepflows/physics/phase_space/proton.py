"""Two protons to a vector boson and n jets, from the unit cube, in the manner of Chili (arXiv:2302.10449).

Jets are drawn in transverse momentum, rapidity and azimuth, which is what the cuts are made of, the boson's mass from
its Breit-Wigner; the boson recoils in the transverse plane, and its rapidity lies where both momentum fractions stay
below one. GeV, radians.
"""

import itertools
import math
from dataclasses import dataclass

import torch

from hepflows.errors import InputError
from hepflows.physics.phase_space.breit_wigner import BreitWigner
from hepflows.physics.phase_space.rambo import check_points
from hepflows.physics.phase_space.two_body import from_components, stack_particles, two_body_decay


@dataclass(frozen=True)
class ProtonEvents:
    """`momenta` (events, 4 + n, 4) of partons 1 and 2, lepton, antilepton and jets; the partons' as they come in.

    `x1`, `x2`: momentum fractions; `mass_squared`: of the lepton pair; `transverse_momenta` (n, events) of the jets;
    `weight`: dx1 dx2 dPhi / (unit cube), zero outside phase space; `separated`: whether all jets are apart by R.
    """

    momenta: torch.Tensor
    x1: torch.Tensor
    x2: torch.Tensor
    mass_squared: torch.Tensor
    transverse_momenta: torch.Tensor
    weight: torch.Tensor
    separated: torch.Tensor


class ProtonPhaseSpace:
    """Lepton pair and n jets: 3 numbers in [0, 1] for n = 0, 3 n + 3 for n > 0.

        dx1 dx2 dPhi_(n+2) = (2 pi)^4 (2 / S) dy_V / (2 (2 pi)^3) ds / (2 pi) dPhi_2(s) prod_j dpT^2 dy dphi / (4 (2 pi)^3)

    Columns of x: mass, rapidity of the boson, polar angle of the lepton, then pT (density 1 / pT^4 in pT^2), rapidity
    and azimuth of each jet. The common azimuth of an event means nothing: the first jet lies at zero, and its third
    number is the azimuth of the lepton. `lowest`: of the jets' pT; `rapidity`: highest of their |y|; `radius`: lowest
    distance R of two jets in (y, phi). Raises InputError for cuts that leave nothing.
    """

    def __init__(self, jets, resonance: BreitWigner, sqrt_s=14000.0, lowest=20.0, rapidity=6.0, radius=0.4):
        if not isinstance(jets, int) or jets < 0:
            raise InputError(f"jets: expected an integer of at least 0, got {jets!r}")
        if not 0 < lowest < sqrt_s / 2 or not rapidity > 0 or not radius >= 0:
            raise InputError(f"cuts: nothing passes lowest={lowest}, rapidity={rapidity}, radius={radius}")
        self.jets, self.resonance, self.sqrt_s = jets, resonance, float(sqrt_s)
        self.lowest, self.rapidity, self.radius = lowest, rapidity, radius
        self.dims = 3 * jets + 3

    def __call__(self, x):
        columns = check_points(x, self.dims).T.contiguous()
        s, weight = self.resonance(columns[0])
        weight = weight / (2 * math.pi) * 2 * math.pi / self.sqrt_s**2  # (2 pi)^4 (2 / S) / (2 (2 pi)^3)
        momentum, rapidities, azimuths, weight = self._jets(columns, weight)
        jets = [
            from_components([pt * y.cosh(), pt * phi.cos(), pt * phi.sin(), pt * y.sinh()])
            for pt, y, phi in zip(momentum, rapidities, azimuths, strict=True)
        ]
        recoil = sum(jets) if jets else torch.zeros_like(x[:, :1]).expand(-1, 4)
        transverse = (s + recoil[:, 1] ** 2 + recoil[:, 2] ** 2).sqrt()
        plus, minus = (
            sum((pt * torch.exp(sign * y) for pt, y in zip(momentum, rapidities, strict=True)), torch.zeros_like(s))
            for sign in (1, -1)
        )
        upper, lower = self.sqrt_s - plus, self.sqrt_s - minus
        possible = torch.minimum(upper, lower) > 0
        high = torch.where(possible, upper / transverse, 1.0).clamp(min=1e-30).log()
        low = -torch.where(possible, lower / transverse, 1.0).clamp(min=1e-30).log()
        possible = possible & (high > low)
        y = low + (high - low) * columns[1]
        weight = torch.where(possible, weight * (high - low), 0.0)
        boson = from_components([transverse * y.cosh(), -recoil[:, 1], -recoil[:, 2], transverse * y.sinh()])
        azimuth = 2 * math.pi * columns[5] if self.jets else torch.zeros_like(s)
        lepton, antilepton, volume = two_body_decay(boson, s.sqrt(), 2 * columns[2] - 1, azimuth)
        x1 = ((plus + transverse * torch.exp(y)) / self.sqrt_s).clamp(max=1)
        x2 = ((minus + transverse * torch.exp(-y)) / self.sqrt_s).clamp(max=1)
        zero, half = torch.zeros_like(s), self.sqrt_s / 2
        beams = [
            from_components([half * x1, zero, zero, half * x1]),
            from_components([half * x2, zero, zero, -half * x2]),
        ]
        return ProtonEvents(
            momenta=stack_particles([*beams, lepton, antilepton, *jets]),
            x1=x1,
            x2=x2,
            mass_squared=s,
            transverse_momenta=torch.stack(momentum) if momentum else x.new_zeros(0, len(x)),
            weight=weight * volume,
            separated=self._separated(rapidities, azimuths, possible),
        )

    def _jets(self, columns, weight):
        """pT, y, phi of the jets (lists), and the weight with their factors."""
        momentum, rapidities, azimuths = [], [], []
        lowest, highest = self.lowest**-2, (self.sqrt_s / 2) ** -2
        for jet in range(self.jets):
            u, v, w = columns[3 + 3 * jet : 6 + 3 * jet]
            squared = 1 / (lowest + (highest - lowest) * u)
            pt = squared.sqrt()
            # Rapidities beyond arcosh(sqrt S / 2 pT) are out of reach of any parton.
            edge = torch.acosh((self.sqrt_s / (2 * pt)).clamp(min=1.0 + 1e-7)).clamp(max=self.rapidity)
            momentum.append(pt)
            rapidities.append(edge * (2 * v - 1))
            azimuths.append(2 * math.pi * w if jet else torch.zeros_like(w))
            weight = weight * squared**2 * (lowest - highest) * 2 * edge * 2 * math.pi / (4 * (2 * math.pi) ** 3)
        return momentum, rapidities, azimuths, weight

    def _separated(self, rapidities, azimuths, possible):
        for i, j in itertools.combinations(range(self.jets), 2):
            apart = torch.remainder(azimuths[i] - azimuths[j] + math.pi, 2 * math.pi) - math.pi
            possible = possible & ((rapidities[i] - rapidities[j]) ** 2 + apart**2 > self.radius**2)
        return possible

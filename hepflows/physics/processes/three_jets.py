"""The rate of three jets in e+ e- annihilation at first order, in closed form: what integrations are compared with."""

import math

import torch
from scipy.special import spence

from hepflows.errors import InputError
from hepflows.physics.processes.couplings import DOWN_TYPE, PICOBARN, UP_TYPE, Electroweak


def quark_pair_cross_section(energy=91.1876, electroweak=None):
    """sigma_0(e+ e- -> q qbar) = 3 s / (48 pi) sum over five flavours and helicities of |photon + Z|^2, in pb.

    `energy`: sqrt(s) in GeV.
    """
    weak, s = electroweak or Electroweak(), torch.tensor(float(energy) ** 2, dtype=torch.float64)
    flavours, helicities = (*UP_TYPE, *DOWN_TYPE), (0, 1)
    squares = sum(weak.neutral(f, s, q, h).abs() ** 2 for f in flavours for q in helicities for h in helicities)
    return (squares * s).item() * PICOBARN / (16 * math.pi)


def three_jet_cross_section(y_cut, alpha_s=0.118, energy=91.1876, electroweak=None):
    """sigma_3 of e+ e- -> q qbar g with all y_ij > y = y_cut (JADE), in pb.

        sigma_3 / sigma_0 = 2 alpha_s / (3 pi) [2 L^2 + 3 (1 - 2 y) log(y / (1 - 2 y)) + 5/2 - 6 y - 9/2 y^2
                            + 4 Li_2(y / (1 - y)) - pi^2 / 3],   L = log(y / (1 - y))

    G. Kramer, B. Lampe, Fortschr. Phys. 37 (1989) 161. Raises InputError for y_cut not between 0 and 1/3.
    """
    if not 0 < y_cut < 1 / 3:
        raise InputError(f"y_cut: expected a number between 0 and 1/3, got {y_cut}")
    y = y_cut
    logs = 2 * math.log(y / (1 - y)) ** 2 + 3 * (1 - 2 * y) * math.log(y / (1 - 2 * y))
    bracket = logs + 2.5 - 6 * y - 4.5 * y**2 + 4 * spence(1 - y / (1 - y)) - math.pi**2 / 3
    return quark_pair_cross_section(energy, electroweak) * 2 * alpha_s / (3 * math.pi) * bracket

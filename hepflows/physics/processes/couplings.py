"""Electroweak couplings in the G_mu scheme, fixed widths, diagonal CKM matrix; the running of alpha_s."""

import math
from dataclasses import dataclass

import torch

PICOBARN = 0.3893793721e9  # GeV^2 pb: (hbar c)^2, CODATA 2018
UP_TYPE, DOWN_TYPE = (2, 4), (1, 3, 5)  # PDG numbers of the quarks of which there is a density
FLAVOURS = 5


@dataclass(frozen=True)
class Electroweak:
    """Input parameters: G_mu in GeV^-2, masses and widths in GeV."""

    fermi_constant: float = 1.16639e-5
    w_mass: float = 80.379
    w_width: float = 2.085
    z_mass: float = 91.1876
    z_width: float = 2.4952

    @property
    def sine_squared(self):
        """sin^2 theta_W = 1 - M_W^2 / M_Z^2."""
        return 1 - (self.w_mass / self.z_mass) ** 2

    @property
    def alpha(self):
        """alpha = sqrt 2 G_mu M_W^2 sin^2 theta_W / pi."""
        return math.sqrt(2) * self.fermi_constant * self.w_mass**2 * self.sine_squared / math.pi

    def w_squared(self, mass_squared):
        """|g_W^2 / 2 / (s - M_W^2 + i M_W Gamma_W)|^2 of a W between left-handed fermions, g_W^2 = 4 sqrt 2 G_mu M_W^2."""
        coupling = (2 * math.sqrt(2) * self.fermi_constant * self.w_mass**2) ** 2
        return coupling / ((mass_squared - self.w_mass**2) ** 2 + (self.w_mass * self.w_width) ** 2)

    def neutral(self, flavour, mass_squared, quark_helicity, lepton_helicity):
        """Photon and Z between a quark and a charged lepton: complex, in GeV^-2; helicity 0 left-handed, 1 right-handed.

        e^2 [ Q_q Q_l / s + g_q g_l / (s - M_Z^2 + i M_Z Gamma_Z) ],  g_f = (T3 - Q sin^2 theta_W) / (sin cos theta_W).
        """
        charge, isospin = (2 / 3, 0.5) if flavour in UP_TYPE else (-1 / 3, -0.5)
        product = self._z_coupling(charge, isospin, quark_helicity) * self._z_coupling(-1.0, -0.5, lepton_helicity)
        # 1 / (a + ib) in parts, so that autograd and float32 see real numbers
        difference, imaginary = mass_squared - self.z_mass**2, self.z_mass * self.z_width
        norm = product / (difference**2 + imaginary**2)
        e2 = 4 * math.pi * self.alpha
        return torch.complex(e2 * (-charge / mass_squared + norm * difference), -e2 * norm * imaginary)

    def neutral_squared(self, flavour, mass_squared):
        """Sums over |neutral|^2 of equal helicities of quark and lepton, and of opposite ones, in GeV^-4."""
        values = [[self.neutral(flavour, mass_squared, q, lepton) for lepton in (0, 1)] for q in (0, 1)]
        squares = [[value.real**2 + value.imag**2 for value in row] for row in values]
        return squares[0][0] + squares[1][1], squares[0][1] + squares[1][0]

    def _z_coupling(self, charge, isospin, helicity):
        sine2 = self.sine_squared
        return ((isospin if helicity == 0 else 0.0) - charge * sine2) / math.sqrt(sine2 * (1 - sine2))


@dataclass(frozen=True)
class StrongCoupling:
    """alpha_s at a scale q in GeV, at one loop with five flavours: alpha_s(M) / (1 + b0 alpha_s(M) ln(q^2 / M^2)).

    b0 = (33 - 2 n_f) / (12 pi).
    """

    value: float = 0.118
    at: float = 91.1876

    def __call__(self, q):
        b0 = (33 - 2 * FLAVOURS) / (12 * math.pi)
        return self.value / (1 + b0 * self.value * 2 * torch.log(q / self.at))

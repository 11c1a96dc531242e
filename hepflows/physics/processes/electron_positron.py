"""e+ e- -> q qbar + n gluons, photon and Z exchange, on the unit cube."""

import itertools
import math

import torch

from hepflows.errors import InputError
from hepflows.physics.amplitudes import GluonCurrents, Legs, LeptonPair, QuarkLine, colour_sum, quark_line_matrix
from hepflows.physics.phase_space import MultiChannel, Rambo, SequentialDecay
from hepflows.physics.processes.batches import evaluate_where
from hepflows.physics.processes.couplings import DOWN_TYPE, PICOBARN, UP_TYPE, Electroweak

SPINS = 4  # of two incoming fermions


class ElectronPositronJets:
    """Integrand of sigma(e+ e- -> q qbar + n g) in pb, five massless quark flavours: f(x), x in [0, 1]^(3 n + 2).

        f = Phi / (2 s) (1/4) sum |M|^2 / n!,   all y_ij = 2 p_i.p_j / s > y_cut   (zero elsewhere)

    Momenta come from flat phase space (`Rambo`). With `channels=True` there are two of a chain of decays instead, whose
    masses follow the poles at small quark-gluon and antiquark-gluon masses: then it is called with the number of the
    channel, f(x, channel), and the sum of the channels is the cross section. `gluons`: n from 0 to 3; `y_cut`: JADE
    resolution, positive for n > 0; `energy`: sqrt(s) in GeV; `alpha_s`: at that energy. `dims`: columns of x;
    `channels`: names, or None. Raises InputError for other values.
    """

    def __init__(self, gluons=1, y_cut=0.01, energy=91.1876, alpha_s=0.118, channels=False, electroweak=None):
        if gluons not in range(4):
            raise InputError(f"gluons: expected 0 to 3, got {gluons!r}")
        if not (0 < y_cut < 1 or (gluons == 0 and y_cut == 0)):
            raise InputError(f"y_cut: expected a number between 0 and 1 (0 only without gluons), got {y_cut}")
        if channels and gluons == 0:
            raise InputError("channels: two quarks alone have no poles; expected False for gluons=0")
        self.gluons, self.y_cut, self.energy, self.alpha_s = gluons, y_cut, float(energy), alpha_s
        self.electroweak = electroweak or Electroweak()
        self.phase_space = self._mappings() if channels else Rambo(gluons + 2, energy)
        self.channels = ["quark emits", "antiquark emits"] if channels else None
        self.dims = self.phase_space.dims

    def _mappings(self):
        quark, antiquark, *gluons = range(self.gluons + 2)
        orders = [(quark, *gluons, antiquark), (antiquark, *gluons, quark)]
        return MultiChannel([SequentialDecay(order, self.energy, 1.0, self.y_cut) for order in orders])

    def __call__(self, x, channel=None):
        if (channel is None) != (self.channels is None):
            raise InputError("channel: expected one number a point if and only if the integrand has channels")
        momenta, weight = self.phase_space(x) if channel is None else self.phase_space(x, channel)
        return evaluate_where(self.passes(momenta), self._cross_section, momenta.permute(2, 1, 0), weight)

    def passes(self, momenta):
        """Whether all pairs of momenta (events, n + 2, 4) have y_ij > y_cut."""
        s = self.energy**2
        kept = torch.ones_like(momenta[:, 0, 0], dtype=torch.bool)
        energy, *direction = momenta.permute(2, 1, 0)
        for i, j in itertools.combinations(range(self.gluons + 2), 2):
            product = energy[i] * energy[j] - sum(d[i] * d[j] for d in direction)
            kept = kept & (2 * product > self.y_cut * s)
        return kept

    def _cross_section(self, momenta, weight):
        squared = self.squared_amplitude(momenta.permute(2, 1, 0))
        flux = 2 * self.energy**2
        return squared * weight * (PICOBARN / flux)

    def squared_amplitude(self, momenta):
        """(1/4) sum over spins, colours and flavours of |M|^2 / n!, (events,); momenta (events, 2 + n, 4): q, qbar, g."""
        n = self.gluons
        half = torch.full_like(momenta[:, 0, 0], self.energy / 2)
        zero = torch.zeros_like(half)
        beams = torch.stack([torch.stack([-half, zero, zero, sign * half]) for sign in (-1, 1)], 1)
        legs = Legs(torch.cat([beams, momenta.permute(2, 1, 0)], 1).permute(2, 1, 0))
        currents = GluonCurrents(legs, range(4, 4 + n), other=2)
        # The incoming positron is an outgoing electron.
        amplitudes = QuarkLine(currents, 2, 3).amplitudes(LeptonPair(legs, lepton=1, antilepton=0))
        sums = colour_sum(amplitudes, quark_line_matrix(n)).reshape(2, -1, len(half)).sum(1)
        s = torch.tensor(self.energy**2, dtype=torch.float64)
        total = 0.0
        for flavour in (*UP_TYPE, *DOWN_TYPE):
            equal, opposite = self.electroweak.neutral_squared(flavour, s)
            total = total + equal.item() * sums[0] + opposite.item() * sums[1]
        strong = (4 * math.pi * self.alpha_s) ** n
        return total * (strong / SPINS / math.factorial(n))

"""pp -> W+, W- or Z (to leptons) + n jets on the unit cube."""

import math

import torch

from hepflows.errors import InputError
from hepflows.physics.amplitudes import GluonCurrents, Legs, LeptonPair, QuarkLine, colour_sum, quark_line_matrix
from hepflows.physics.density_splines import DensitySplines
from hepflows.physics.phase_space import BreitWigner, ProtonPhaseSpace
from hepflows.physics.processes.batches import evaluate_where
from hepflows.physics.processes.couplings import DOWN_TYPE, PICOBARN, UP_TYPE, Electroweak, StrongCoupling
from hepflows.physics.processes.crossings import ANTILEPTON, LEPTON, PARTON_1, PARTON_2, crossings, luminosity

# Flavours of the line as pairs (quark that comes in, quark that goes out); each inner list has one coupling.
LINES = {
    "W+": [[(2, 1), (4, 3)]],
    "W-": [[(1, 2), (3, 4)]],
    "Z": [[(quark, quark) for quark in kind] for kind in (UP_TYPE, DOWN_TYPE)],
}
WINDOWS = {"W+": (20.0, 200.0), "W-": (20.0, 200.0), "Z": (66.0, 116.0)}
RUNNING = "running"


class VectorBosonJets:
    """Integrand of sigma(pp -> V + n jets) in pb, V -> l lbar of one generation: f(x), x in [0, 1]^dims.

        f = x1 f_a x2 f_b  dx1 dx2 dPhi / (x1 x2)  sum |M|^2 / (2 x1 x2 S)

    summed over the channels, or f(x, channel) of one channel each, whose sum is the cross section. `channels`: their
    names, "q g" for a quark of proton 1 and a gluon of proton 2. `boson`: "W+", "W-" or "Z" (with the photon); `jets`:
    n from 0 to 3; `densities`: `DensitySplines`, by default those that ship; `scale`: of factorisation and
    renormalisation in GeV, or "running" for half the sum of the transverse masses of boson and jets; `window`: of the
    mass of the leptons, GeV; `cuts`: arguments of `ProtonPhaseSpace`; `only`: names of the channels to keep. Jets: pT > 20 GeV, |y| < 6,
    distance R > 0.4 by default. dims = 3 n + 3. Raises InputError for anything else.
    """

    def __init__(
        self,
        boson="W+",
        jets=1,
        densities=None,
        scale=91.1876,
        alpha_s=None,
        window=None,
        electroweak=None,
        only=None,
        **cuts,
    ):
        if boson not in LINES:
            raise InputError(f"boson: expected one of {', '.join(LINES)}, got {boson!r}")
        if jets not in range(4):
            raise InputError(f"jets: expected 0 to 3, got {jets!r}")
        self.boson, self.jets, self.scale = boson, jets, scale
        self.electroweak = electroweak or Electroweak()
        self.alpha_s = alpha_s or StrongCoupling()
        kind = "z" if boson == "Z" else "w"
        mass, width = (getattr(self.electroweak, f"{kind}_{name}") for name in ("mass", "width"))
        self.phase_space = ProtonPhaseSpace(jets, BreitWigner(mass, width, window or WINDOWS[boson]), **cuts)
        self.dims = self.phase_space.dims
        splines = densities or DensitySplines.shipped()
        self._densities = splines if scale == RUNNING else splines.at(scale)
        available = {crossing.name: crossing for crossing in crossings(jets)}
        unknown = set(only or ()) - set(available)
        if unknown:
            raise InputError(f"only: expected names among {', '.join(available)}, got {', '.join(sorted(unknown))}")
        self._crossings = [crossing for name, crossing in available.items() if only is None or name in only]
        self.channels = [crossing.name for crossing in self._crossings]

    def __call__(self, x, channel=None):
        events = self.phase_space(x)
        passes = events.separated & (events.weight > 0)
        arguments = [events.momenta.permute(2, 1, 0), events.x1, events.x2, events.mass_squared]
        arguments += [events.transverse_momenta, events.weight]
        if channel is None:
            return evaluate_where(passes, self._total, *arguments)
        channel = torch.as_tensor(channel, device=x.device).expand(len(x))
        if len(x) and not 0 <= int(channel.min()) <= int(channel.max()) < len(self.channels):
            raise InputError(f"channel: expected numbers from 0 to {len(self.channels) - 1}, one a point")
        result = torch.zeros_like(events.weight)
        for number, crossing in enumerate(self._crossings):
            chosen = passes & (channel == number)
            result = result + evaluate_where(chosen, lambda *a, one=crossing: self._total(*a, only=[one]), *arguments)
        return result

    def _total(self, momenta, x1, x2, mass_squared, transverse_momenta, weight, only=None):
        scale = self._scale(momenta, mass_squared, transverse_momenta)
        first, second = self._parton_densities(x1, x2, scale)
        total = 0.0
        for crossing, sums in self._helicity_sums(momenta, only or self._crossings):
            for flavours, couplings in zip(LINES[self.boson], self._couplings(mass_squared), strict=True):
                partons = luminosity(crossing.incoming, flavours, first, second)
                squared = sum(coupling * square for coupling, square in zip(couplings, sums, strict=True))
                total = total + partons * squared
        if scale is None:
            total = total * (4 * math.pi * self.alpha_s(torch.tensor(float(self.scale))).item()) ** self.jets
        else:
            total = total * (4 * math.pi * self.alpha_s(scale)) ** self.jets
        flux = 2 * self.phase_space.sqrt_s**2 * (x1 * x2) ** 2  # and 1 / (x1 x2) of the densities x f
        return total * weight * (PICOBARN / flux)

    def _scale(self, momenta, mass_squared, transverse_momenta):
        """Half the sum of transverse masses, or None for a fixed scale."""
        if self.scale != RUNNING:
            return None
        boson = momenta[:, LEPTON] + momenta[:, ANTILEPTON]
        return ((mass_squared + boson[1] ** 2 + boson[2] ** 2).sqrt() + transverse_momenta.sum(0)) / 2

    def _parton_densities(self, x1, x2, scale):
        arguments = () if scale is None else (torch.cat([scale, scale]),)
        return self._densities(torch.cat([x1, x2]), *arguments).chunk(2)

    def _couplings(self, mass_squared):
        """For each list of flavours the squared coupling and propagator for each helicity of the lepton."""
        if self.boson != "Z":
            return [[self.electroweak.w_squared(mass_squared)]]
        return [self.electroweak.neutral_squared(flavours[0][0], mass_squared) for flavours in LINES["Z"]]

    def _helicity_sums(self, momenta, wanted):
        """(crossing, sums over gluon helicities and colours with averages, one for each lepton helicity).

        Currents of gluons are shared by the channels that have the same gluons.
        """
        incoming = torch.tensor([-1.0 if leg in (PARTON_1, PARTON_2) else 1.0 for leg in range(momenta.shape[1])])
        legs = Legs((momenta * incoming.to(momenta)[:, None]).permute(2, 1, 0))
        leptons = LeptonPair(legs, LEPTON, ANTILEPTON, (0, 1) if self.boson == "Z" else (0,))
        matrix = quark_line_matrix(self.jets)
        currents = {}
        for crossing in wanted:
            if crossing.gluons not in currents:
                currents[crossing.gluons] = GluonCurrents(legs, crossing.gluons, other=crossing.quark)
            amplitudes = QuarkLine(currents[crossing.gluons], crossing.quark, crossing.antiquark).amplitudes(leptons)
            sums = colour_sum(amplitudes, matrix).reshape(amplitudes.shape[1], -1, momenta.shape[-1]).sum(1)
            yield crossing, sums * (crossing.average / math.factorial(crossing.identical))

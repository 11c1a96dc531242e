"""Several mappings of one phase space, one for each way in which a matrix element peaks."""

import torch

from hepflows.errors import InputError
from hepflows.physics.phase_space.rambo import check_points


class MultiChannel:
    """Momenta from mapping number i with the weight w_i = alpha_i / sum_j alpha_j g_j (R. Kleiss, R. Pittau, 1994).

    g_j is the density of mapping j and alpha its fraction, so that for every function f

        int f dPhi = sum_i int dx f(p_i(x)) w_i(x),

    whatever the fractions. `mappings`: objects with `dims`, `__call__(x) -> (momenta, weight)` and `density(momenta)`;
    `fractions`: positive, they are scaled to the sum 1 (equal by default).
    """

    def __init__(self, mappings, fractions=None):
        self.mappings = list(mappings)
        count = len(self.mappings)
        if not count or len({mapping.dims for mapping in self.mappings}) != 1:
            raise InputError("mappings: expected one or more mappings of the same number of dimensions")
        fractions = [1.0] * count if fractions is None else list(fractions)
        if len(fractions) != count or min(fractions) <= 0:
            raise InputError(f"fractions: expected {count} positive numbers, got {fractions}")
        self.dims = self.mappings[0].dims
        self.fractions = [fraction / sum(fractions) for fraction in fractions]

    def __call__(self, x, channel):
        """Momenta (events, particles, 4) and weights w (events,); `channel`: the mapping's number, (events,)."""
        check_points(x, self.dims)
        channel = torch.as_tensor(channel, device=x.device).expand(len(x))
        if len(x) and not 0 <= int(channel.min()) <= int(channel.max()) < len(self.mappings):
            raise InputError(f"channel: expected numbers from 0 to {len(self.mappings) - 1}")
        rows = [(channel == number).nonzero()[:, 0] for number in range(len(self.mappings))]
        momenta = torch.cat([mapping(x[row])[0] for mapping, row in zip(self.mappings, rows, strict=True)])
        momenta = momenta[torch.argsort(torch.cat(rows))]
        fractions = torch.tensor(self.fractions, dtype=x.dtype, device=x.device)
        return momenta, fractions[channel] / self.density(momenta)

    def density(self, momenta):
        """sum_j alpha_j g_j, (events,)."""
        pairs = zip(self.fractions, self.mappings, strict=True)
        return sum(fraction * mapping.density(momenta) for fraction, mapping in pairs)

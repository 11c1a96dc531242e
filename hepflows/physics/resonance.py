"""A resonance over a flat background: events of it, and the exact posterior of its mass and width on a grid."""

from dataclasses import dataclass

import numpy as np

from hepflows.errors import InputError


class Resonance:
    """Invariant masses m of independent events in a window [a, b]: a Breit-Wigner of mass M and width Gamma on a plain.

    p(m | M, Gamma) = f / N  (Gamma / 2 pi) / [(m - M)^2 + Gamma^2 / 4] + (1 - f) / (b - a),
    N = [arctan(2 (b - M) / Gamma) - arctan(2 (a - M) / Gamma)] / pi: the part of the Breit-Wigner inside the window.
    `window`: (a, b); `signal_fraction`: f; `mass`, `width`: ranges of the uniform prior of M and Gamma; all masses and
    widths in GeV. Parameters are arrays (..., 2) of (M, Gamma). Raises InputError for a range that is not one, a width
    that is not positive, or a fraction outside [0, 1].
    """

    def __init__(self, window=(75.0, 105.0), signal_fraction=0.8, mass=(89.0, 93.0), width=(1.0, 5.0)):
        for name, (low, high) in {"window": window, "mass": mass, "width": width}.items():
            if not -np.inf < low < high < np.inf:
                raise InputError(f"{name}: expected a finite range (low, high) with low < high, got ({low}, {high})")
        if not width[0] > 0:
            raise InputError(f"width: expected a range of positive numbers, got {width}")
        if not 0 <= signal_fraction <= 1:
            raise InputError(f"signal_fraction: expected a number from 0 to 1, got {signal_fraction}")
        self.window = window
        self.signal_fraction = signal_fraction
        self.prior = np.array([mass, width], dtype=np.float64)  # (low, high) of M, then of Gamma

    def draw_parameters(self, n, rng):
        """n draws of (M, Gamma) from the prior, shape (n, 2)."""
        _check_count("n", n, 1)
        return rng.uniform(*self.prior.T, size=(n, 2))

    def to_unit(self, parameters):
        """Parameters in GeV as fractions of the prior's ranges: the prior becomes uniform on the unit box."""
        low, high = self.prior.T
        return (np.asarray(parameters) - low) / (high - low)

    def from_unit(self, fractions):
        """The inverse of `to_unit`."""
        low, high = self.prior.T
        return low + (high - low) * np.asarray(fractions)

    def simulate(self, parameters, events, rng):
        """Masses of a set of `events` events for each row of parameters (n, 2): shape (n, events)."""
        _check_count("events", events, 1)
        mass, half_width = self._columns(parameters)
        first, last = (np.arctan((edge - mass) / half_width) for edge in self.window)
        shape = (len(mass), events)
        signal = mass + half_width * np.tan(first + (last - first) * rng.random(shape))  # inverse of the cumulative
        background = rng.uniform(*self.window, size=shape)
        return np.where(rng.random(shape) < self.signal_fraction, signal, background)

    def density(self, m, parameters):
        """p(m | M, Gamma) in 1/GeV of masses m (n, events) under parameters (n, 2), or one set under all of them."""
        mass, half_width = self._columns(parameters)
        low, high = self.window
        inside = np.arctan((high - mass) / half_width) - np.arctan((low - mass) / half_width)
        signal = half_width / (inside * ((m - mass) ** 2 + half_width**2))
        return self.signal_fraction * signal + (1 - self.signal_fraction) / (high - low)

    def cumulative(self, m, parameters):
        """P(mass < m | M, Gamma) for masses m in the window; inputs as in `density`."""
        mass, half_width = self._columns(parameters)
        low, high = self.window
        first, here, last = (np.arctan((edge - mass) / half_width) for edge in (low, m, high))
        background = (m - low) / (high - low)
        return self.signal_fraction * (here - first) / (last - first) + (1 - self.signal_fraction) * background

    def log_likelihood(self, m, parameters):
        """log p(set | M, Gamma) = sum over its events of log p(m | M, Gamma), shape (n,); inputs as in `density`."""
        return np.log(self.density(m, parameters)).sum(1)

    def posterior(self, m, points=120):
        """The exact p(M, Gamma | set) of each set (n, events): a `GridPosterior` on points x points cells of the prior.

        Bayes: p(M, Gamma | set) = p(set | M, Gamma) p(M, Gamma) / p(set), and the prior is constant. A cell must be
        smaller than the posterior is wide. InputError for masses outside the window.
        """
        m = np.asarray(m, dtype=np.float64)
        if m.ndim != 2 or not m.size or not np.all((m >= self.window[0]) & (m <= self.window[1])):
            raise InputError(f"m: expected masses inside {self.window} of shape (sets, events), got shape {m.shape}")
        mass, width, grid = self.grid(points)
        log_likelihood = np.stack([self.log_likelihood(one_set, grid) for one_set in m])
        return GridPosterior.from_log_density(mass, width, log_likelihood.reshape(-1, points, points))

    def grid(self, points=120):
        """Centres of points x points equal cells of the prior: those of M, those of Gamma, and all pairs of them.

        Shapes (points,), (points,) and (points^2, 2), where Gamma varies fastest.
        """
        _check_count("points", points, 2)
        mass, width = (low + (high - low) * (np.arange(points) + 0.5) / points for low, high in self.prior)
        return mass, width, np.stack(np.meshgrid(mass, width, indexing="ij"), -1).reshape(-1, 2)

    @staticmethod
    def _columns(parameters):
        parameters = np.asarray(parameters, dtype=np.float64)
        if parameters.ndim != 2 or parameters.shape[1] != 2 or not np.all(parameters[:, 1] > 0):
            raise InputError(
                f"parameters: expected rows (M, Gamma) with Gamma > 0, got an array of shape {parameters.shape}"
            )
        return parameters[:, :1], parameters[:, 1:] / 2


@dataclass(frozen=True)
class GridPosterior:
    """Densities of two parameters on a grid, one for each set.

    mass (i,), width (j,): the centres of the cells in GeV; density (sets, i, j) in 1/GeV^2, whose sum times the area of
    a cell is one; log_evidence (sets,): log of the integral of what was normalised, in GeV^2.
    """

    mass: np.ndarray
    width: np.ndarray
    density: np.ndarray
    log_evidence: np.ndarray

    @classmethod
    def from_log_density(cls, mass, width, log_density):
        """Normalise densities that are known up to a factor; log_density (sets, i, j)."""
        area = (mass[1] - mass[0]) * (width[1] - width[0])
        highest = log_density.max((1, 2), keepdims=True)
        density = np.exp(log_density - highest)
        integral = density.sum((1, 2), keepdims=True) * area
        return cls(mass, width, density / integral, (highest + np.log(integral))[:, 0, 0])

    @property
    def cell(self):
        """Lengths of a cell in mass and in width."""
        return np.array([self.mass[1] - self.mass[0], self.width[1] - self.width[0]])

    def marginal(self, parameter):
        """Density of the mass (parameter 0) or of the width (1) alone, in 1/GeV, shape (sets, cells)."""
        return self.density.sum(2 - parameter) * self.cell[1 - parameter]

    def moments(self):
        """(mean, standard deviation) of mass and width under each posterior, each (sets, 2), in GeV."""
        means, deviations = [], []
        for parameter, values in enumerate((self.mass, self.width)):
            weight = self.marginal(parameter) * self.cell[parameter]
            mean = weight @ values
            means.append(mean)
            deviations.append(np.sqrt((weight * (values - mean[:, None]) ** 2).sum(1)))
        return np.stack(means, 1), np.stack(deviations, 1)


def _check_count(name, value, lowest):
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
        raise InputError(f"{name}: expected an integer of at least {lowest}, got {value!r}")

"""The integrator: a flow learns where the integrand is large, and draws there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.quasirandom import SobolEngine
from tqdm import tqdm

from hepflows.errors import InputError
from hepflows.evaluate import unweighting
from hepflows.integrate import settings as steering
from hepflows.integrate.estimate import combine, part_of_points, part_of_replicas, stratified
from hepflows.integrate.grid import SmoothMap, VegasGrid
from hepflows.integrate.integrand import CountedIntegrand
from hepflows.integrate.learning import Learner
from hepflows.integrate.proposal import Proposal
from hepflows.integrate.replay import Replay
from hepflows.integrate.result import IntegrationResult, Iteration, chi2_per_dof
from hepflows.integrate.settings import TrainingHistory, TrainingSettings

# Scramblings of the Sobol sequence in one integration, at least; their scatter is the error.
SCRAMBLINGS = 16
# Points with f > 0 that the start of a training must find.
NEEDED = 20
# Points of which `unweight` takes the largest weight.
PILOT = 10_000


@dataclass(frozen=True)
class Sample:
    """Points x (n, dims) of channel (n,), None without channels, and weights w (n,), whose mean is the integral."""

    x: torch.Tensor
    channel: torch.Tensor | None
    weights: torch.Tensor


@dataclass(frozen=True)
class UnweightedSample(Sample):
    """Events with weight 1, above 1 for those that exceed the maximum; `efficiency`: accepted / drawn."""

    efficiency: float


class Integrator:
    """Integral of f >= 0 over the unit box, by a coupling-spline flow (i-flow, arXiv:2001.05486) that is trained on f.

        I = sum_c int f_c(x) dx  ~  sum_c <f_c(x) / q(x|c)>,   x ~ q(x|c)

    Points come in rounds: the flow draws, f is evaluated, and all points so far train the flow. VEGAS draws the first
    ones. The channel's number is a condition of one flow, and each channel gets its fraction of the points.

    Args:
        integrand: function of points x (n, dims), float64 in the open unit box -> (n,) torch tensor, f(x) >= 0; with
            channels a function of x and the channel's number (n,), integers from 0.
        dims: dimensions of the box.
        channels: number of channels; None: f has no second argument.
        transforms, spline, hidden, permutation: architecture of the flow, as in `flows.coupling_flow`.
        base_bins: bins of the map through the grid of VEGAS on which the flow stands: 2, 4, 8, 16, 32 or 64; None: the
            flow stands on the bare box, and VEGAS only draws the first points.
        seed: seed of the flow's weights and of all points.

    Raises InputError for arguments out of range; what a bad integrand raises stands in `CountedIntegrand`.
    """

    def __init__(
        self,
        integrand: Callable[..., torch.Tensor],
        dims: int,
        channels: int | None = None,
        *,
        transforms: int = 6,
        spline: int = 10,
        hidden: tuple[int, ...] = (64, 64),
        permutation: str = "soft",
        base_bins: int | None = 16,
        seed: int = 0,
    ):
        for name, value in (("dims", dims), ("channels", 1 if channels is None else channels)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}: expected a positive integer, got {value!r}")
        if base_bins not in (None, 2, 4, 8, 16, 32, 64):
            raise InputError(f"base_bins: expected 2, 4, 8, 16, 32, 64 or None, got {base_bins!r}")
        self.dims, self.channels, self.base_bins = dims, channels, base_bins
        self.integrand = CountedIntegrand(integrand, dims, channels)
        architecture = dict(transforms=transforms, spline=spline, hidden=hidden, permutation=permutation)
        self.proposal = Proposal(dims, channels, architecture, seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.replay = Replay(dims, self.proposal.channels)
        self._rounds: list[tuple[torch.Tensor, torch.Tensor]] = []  # weights and channels of rounds that may be used

    @property
    def evaluations(self) -> int:
        """Points at which the integrand was evaluated so far."""
        return self.integrand.evaluations

    def train(
        self,
        evaluations: int = 100_000,
        *,
        loss: str = "clipped_chi2",
        reuse: float = 8,
        batch_size: int = 1024,
        learning_rate: float = 5e-3,
        clip_norm: float = 5.0,
        progress: bool = True,
    ) -> TrainingHistory:
        """Train on as many evaluations of the integrand; a second call goes on with the same flow and points.

        `loss`: what the second half of the rounds minimises: "kl", "chi2" (the variance) or "clipped_chi2" (without the
        pull of its tails), see `losses.divergence`; the first half, while q is far from f, always takes "kl". `reuse`:
        how often each point is used, in batches of `batch_size`. The points of the second half of the rounds go into
        the next estimate of the integral.
        """
        settings = TrainingSettings(
            evaluations, loss, reuse, batch_size, learning_rate, clip_norm, self.proposal.channels
        )
        history = TrainingHistory()
        before = len(self.replay)
        if not before:
            self._start(round(steering.START * evaluations))
        rest = evaluations - (len(self.replay) - before)
        sizes = [round(rest * share / sum(steering.ROUNDS)) for share in steering.ROUNDS]
        steps = [settings.steps(size) for size in (max(before, len(self.replay)), *sizes)]
        learner = Learner(self.proposal, settings, sum(steps), self.generator)
        # `disable` is passed only if we mean it: an explicit False would overrule TQDM_DISABLE.
        bar = tqdm(total=sum(steps), unit="step", **({} if progress else {"disable": True}))
        self._rounds = []
        with bar:
            for number, count in enumerate(steps):
                if number:
                    self._round(sizes[number - 1], history, keep=number > len(sizes) // 2)
                name = loss if number > len(sizes) // 2 else "kl"
                for value in learner.learn(self.replay, count, name):
                    history.loss.append(value)
                    history.loss_name.append(name)
                    bar.update()
        return history

    def integrate(self, n: int = 100_000, *, sobol: bool = True) -> IntegrationResult:
        """The integral from n new points, or a few less, together with those of the second half of the last training.

        Points: independent scramblings of a Sobol sequence through the flow, 16 to 31 of a power of two each, or as
        many independent sets of random points without `sobol`. Their scatter is the error: no smoothness is assumed.
        Warns (UnderTrainedWarning) if the result should not be believed. Raises InputError if f vanishes at all points.
        """
        self._check_count("n", n, 4 * SCRAMBLINGS * self.proposal.channels)
        each = 2 ** int(math.log2(n / SCRAMBLINGS))
        sets = [self._weighted(each, sobol)[1:3] for _ in range(n // each)]
        channels = self.proposal.channels
        values = torch.tensor([stratified(*one, channels)[0] for one in sets], dtype=torch.float64)
        parts = [part_of_replicas(values), *(part_of_points(*one, channels) for one in self._rounds)]
        everything = torch.cat([weights for weights, _ in sets])
        if not everything.any():
            raise InputError(f"integrand: expected f > 0 at some of {len(everything)} points, got zeros")
        value, error = combine(parts)
        iterations = tuple(self._iteration(*one) for one in (*self._rounds, *sets))
        result = IntegrationResult(
            value=value,
            error=error,
            chi2_per_dof=chi2_per_dof(iterations),
            largest_share=float(everything.max() / everything.sum()),
            evaluations=self.evaluations,
            nonfinite=self.integrand.nonfinite,
            iterations=iterations,
        )
        result.warn_if_under_trained()
        return result

    def sample(self, n: int) -> Sample:
        """n weighted events (with channels: rounded in each); the mean of the weights is the integral."""
        self._check_count("n", n, 2 * self.proposal.channels)
        x, weights, channel, _ = self._weighted(n, False)
        counts = torch.bincount(channel, minlength=self.proposal.channels)
        weights = weights * (len(x) / counts.double())[channel]
        order = torch.randperm(len(x), generator=self.generator)
        return Sample(x[order], channel[order] if self.channels else None, weights[order])

    def unweight(self, n: int, share: float = 1e-3) -> UnweightedSample:
        """n unweighted events by accept-reject; the maximum leaves `share` of the integral above itself (definition b).

        It is taken from PILOT points, which are used too. Events above it keep the weight w / w_max.
        """
        self._check_count("n", n, 1)
        drawn, accepted, total, count = self.sample(PILOT), [], 0, 0
        maximum = unweighting.overweight_maximum(drawn.weights, share)
        while True:
            rows, weights = unweighting.accept_reject(drawn.weights, maximum, self.generator)
            accepted.append((drawn.x[rows], None if drawn.channel is None else drawn.channel[rows], weights))
            total, count = total + len(rows), count + len(drawn.x)
            if total >= n:
                break
            wanted = 1.1 * (n - total) * count / max(total, 1)
            drawn = self.sample(int(min(max(wanted, 2 * self.proposal.channels + 100), 10 * count)))
        x, weights = (torch.cat([part[i] for part in accepted])[:n] for i in (0, 2))
        channel = torch.cat([part[1] for part in accepted])[:n] if self.channels else None
        return UnweightedSample(x, channel, weights, total / count)

    def _start(self, points):
        """Let VEGAS explore; fix the map on which the flow stands; keep the points as the first to learn from."""
        channels = self.proposal.channels
        channel = torch.arange(channels).repeat_interleave(max(1, points // steering.START_ITERATIONS // channels))
        grid, drawn = VegasGrid(self.dims, channels), []
        for _ in range(steering.START_ITERATIONS):
            y = torch.rand(len(channel), self.dims, dtype=torch.float64, generator=self.generator)
            x, log_jacobian = grid.forward(y, channel)
            f = self._evaluate(x, channel)
            drawn.append((x, f, grid))
            grid = grid.adapted(y, channel, f * log_jacobian.exp())
        found = sum(int((f > 0).sum()) for _, f, _ in drawn)
        if found < NEEDED:
            tried = len(channel) * len(drawn)
            raise InputError(
                f"integrand: expected f > 0 at {NEEDED} points or more, got {found} of {tried}: too few to learn from; "
                "a mapping of the box that finds its support, or more evaluations, may help"
            )
        if self.base_bins is not None:
            self.proposal.map = SmoothMap(grid, self.base_bins)
        smooth = self.proposal.map
        for x, f, source in drawn:
            y, log_jacobian = smooth.inverse(x, channel)

            def log_density(y, channel, source=source):
                x, log_jacobian = smooth.forward(y, channel)
                return source.log_density(x, channel) + log_jacobian

            self.replay.add(y, channel, f.log() + log_jacobian, log_density)

    def _round(self, points, history, keep):
        """Draw as many points from the flow as it is, and remember them."""
        x, weights, channel, (y, log_f) = self._weighted(points, False)
        self.replay.add(y, channel, log_f, self.proposal.frozen())
        self._set_fractions(weights, channel)
        value, variance = stratified(weights, channel, self.proposal.channels)
        counts = torch.bincount(channel, minlength=self.proposal.channels)
        event_weights = weights * (len(x) / counts.double())[channel]
        square = float(event_weights.square().mean())
        history.round_evaluations.append(self.evaluations)
        history.value.append(value)
        history.error.append(math.sqrt(variance))
        history.spread.append(math.sqrt(max(square - value**2, 0.0)) / value if value else math.inf)
        history.ess_fraction.append(value**2 / square if square else 0.0)
        if keep:
            self._rounds.append((weights, channel))

    def _weighted(self, points, sobol):
        """x, weights f/q(x|c), channel and (y, log f dx/dy) of new points."""
        channel = self.proposal.share_out(points)
        noise = torch.cat([self._noise(count, sobol) for count in torch.bincount(channel).tolist()])
        x, y, log_q, log_jacobian = self.proposal.draw(noise, channel)
        log_f = self._evaluate(x, channel).log() + log_jacobian
        return x, torch.exp(log_f - log_q), channel, (y, log_f)

    def _noise(self, count, sobol):
        if not sobol:
            return torch.rand(count, self.dims, generator=self.generator)
        seed = int(torch.randint(2**31 - 1, (1,), generator=self.generator))
        return SobolEngine(self.dims, scramble=True, seed=seed).draw(count)

    def _evaluate(self, x, channel):
        return self.integrand(x, channel if self.channels else None)

    def _set_fractions(self, weights, channel):
        """Points in proportion to the root mean square of a channel's weights, a twentieth of them evenly."""
        count = self.proposal.channels
        squares = [weights[channel == c].square().mean().sqrt() for c in range(count)]
        rms = torch.stack(squares).clamp_min(1e-300)
        self.proposal.fractions = 0.95 * rms / rms.sum() + 0.05 / count

    def _iteration(self, weights, channel):
        value, variance = stratified(weights, channel, self.proposal.channels)
        return Iteration(value, math.sqrt(variance), len(weights))

    @staticmethod
    def _check_count(name, value, lowest):
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise InputError(f"{name}: expected an integer of at least {lowest}, got {value!r}")

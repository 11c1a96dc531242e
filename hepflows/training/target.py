"""Training on a function: the flow draws the points, the function says how good they are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from hepflows.errors import InputError
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.schedule import fraction_done, set_cosine_rate
from hepflows.training.settings import checked_settings

DIVERGENCES = ("reverse_kl", "weighted_kl", "chi2")
SCHEDULES = ("cosine", None)
STEPS_BETWEEN_REPORTS = 20


@dataclass
class TargetHistory:
    """A training on a function, step by step; each number is that of the points drawn for the step.

    evaluations: points at which the function was called so far; loss: estimate of the divergence (reverse_kl: minus
    log I); log_integral: log <f/q>; ess_fraction: <f/q>^2 / <(f/q)^2>; seconds since the start. stopped_by: "steps" or
    "seconds".
    """

    step: list[int] = field(default_factory=list)
    evaluations: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    log_integral: list[float] = field(default_factory=list)
    ess_fraction: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_by: str | None = None

    def to_dict(self) -> dict:
        """Plain lists and numbers, ready for JSON."""
        return asdict(self)


def fit_to_target(
    flow: torch.nn.Module,
    log_target: Callable[[torch.Tensor], torch.Tensor],
    *,
    divergence: str = "reverse_kl",
    steps: int = 1000,
    seconds: float | None = None,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    schedule: str | None = "cosine",
    clip_norm: float | None = 5.0,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> TargetHistory:
    """Train a flow q on a function f = I p, of unknown integral I, at points x ~ q that the flow itself draws.

    One of these is minimised with Adam; w = (f/q) / <f/q> are the weights of a batch, with mean 1:
        reverse_kl    KL(q || p) = <log q - log f> + log I, through the points: x = T(u), u fixed
        weighted_kl   KL(p || q) = <w log w>, at fixed points: gradient - <(w - 1) d log q>        (arXiv:2001.05486)
        chi2          int (p - q)^2 / q = <w^2> - 1, the relative variance of f/q, at fixed points:
                      gradient - <(w^2 - <w^2>) d log q>
    At fixed points f may vanish and needs no derivative. What is subtracted from w and w^2 does not change the mean,
    because <d log q> = 0, but takes away all of the noise at q = p, and most of it near there. The flow ends in
    evaluation mode with its last weights.

    Args:
        flow: hepflows Flow without context; changed in place.
        log_target: function x (n, d) -> log f(x), shape (n,); -inf where f = 0.
        divergence: "reverse_kl" (f > 0, in torch operations that autograd can differentiate), "weighted_kl" or "chi2".
        steps: number of steps, each at `batch_size` new points.
        seconds: wall-clock budget; None: no bound.
        batch_size: points drawn for a step.
        learning_rate: Adam's, at the start.
        schedule: "cosine" (to zero over the steps, or over the elapsed part of `seconds`) or None.
        clip_norm: largest norm of the gradient, longer ones are shortened to it; None: no bound.
        seed: seed of the points.
        device: where to train; None: where the flow is.
        progress: show a progress bar.

    Raises:
        InputError: an argument has a wrong type or value, or f cannot be used with this divergence.
        NonFiniteLoss: f, the loss or its gradient became NaN or infinite.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"steps: expected an integer of at least 1, got {steps!r}")
    if divergence not in DIVERGENCES:
        raise InputError(f"divergence: expected one of {', '.join(DIVERGENCES)}, got {divergence!r}")
    if schedule not in SCHEDULES:
        raise InputError(f"schedule: expected one of {SCHEDULES}, got {schedule!r}")
    settings = checked_settings(
        epochs=1,
        seconds=seconds,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        clip_norm=clip_norm,
        patience=None,
        average=None,
        seed=seed,
    )
    if not any(parameter.requires_grad for parameter in flow.parameters()):
        raise InputError("flow: expected at least one trainable parameter, got none")
    if device is not None:
        flow.to(device)
    run = _Run(flow, log_target, divergence, {**settings, "steps": steps})
    run.train(progress)
    return run.history


class _Run:
    """All that changes during a training."""

    def __init__(self, flow, log_target, divergence, settings):
        self.flow, self.log_target, self.settings = flow, log_target, settings
        self.loss = {
            "reverse_kl": self._through_points,
            "weighted_kl": self._weighted_kl,
            "chi2": self._chi2,
        }[divergence]
        self.parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
        device = self.parameters[0].device
        self.generator = torch.Generator(device).manual_seed(settings["seed"])
        fused = device.type in ("cpu", "cuda")  # one kernel for all weights
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings["learning_rate"], fused=fused)
        self.history = TargetHistory()
        self.estimates = []

    def train(self, progress):
        history, steps = self.history, self.settings["steps"]
        self.started = time.perf_counter()
        # `disable` is passed only if we mean it: an explicit False would overrule TQDM_DISABLE.
        bar = tqdm(total=steps, unit="step", **({} if progress else {"disable": True}))
        self.flow.train()
        try:
            while history.stopped_by is None:
                self._step(len(history.step) + 1)
                bar.update()
                if len(history.step) % STEPS_BETWEEN_REPORTS == 0:
                    loss, _, ess = self.estimates[-1].tolist()
                    bar.set_postfix(loss=f"{loss:.4f}", ess=f"{ess:.3f}")
        finally:
            bar.close()
            self.flow.eval()
            if self.estimates:  # collected on the device, so that an accelerator is waited for once
                columns = torch.stack(self.estimates).cpu().double().T.tolist()
                history.loss, history.log_integral, history.ess_fraction = columns

    def _step(self, step):
        history, settings = self.history, self.settings
        self.step = step
        self._schedule_learning_rate()
        surrogate, loss, log_weights = self.loss()
        self.optimizer.zero_grad()
        surrogate.backward()
        clip_norm = math.inf if settings["clip_norm"] is None else settings["clip_norm"]
        gradient_norm = clip_grad_norm_(self.parameters, clip_norm)
        if not torch.isfinite(surrogate.detach() + gradient_norm):  # before the step, which would ruin the weights
            advice = "a lower learning_rate or clip_norm may help"
            raise self._not_finite(f"the loss or its gradient is not finite in step {step}, though f is; {advice}")
        self.optimizer.step()
        self.estimates.append(torch.stack((loss, *integral_and_ess(log_weights))))
        history.step.append(step)
        history.evaluations.append(step * settings["batch_size"])
        history.seconds.append(time.perf_counter() - self.started)
        if step == settings["steps"]:
            history.stopped_by = "steps"
        elif settings["seconds"] and history.seconds[-1] >= settings["seconds"]:
            history.stopped_by = "seconds"

    def _schedule_learning_rate(self):
        if self.settings["schedule"] == "cosine":
            elapsed = time.perf_counter() - self.started
            done = fraction_done(self.step - 1, self.settings["steps"], elapsed, self.settings["seconds"])
            set_cosine_rate(self.optimizer, self.settings["learning_rate"], done)

    def _through_points(self):
        """KL(q || p) - log I: the gradient takes the way through the points into f."""
        x, log_q = self.flow.sample_and_log_prob(self.settings["batch_size"], generator=self.generator, gradients=True)
        log_f = self._checked(self.log_target(x), x)
        if not log_f.requires_grad:
            raise InputError(
                "log_target: expected torch operations that autograd can differentiate, got a result without gradient; "
                "the divergences weighted_kl and chi2 need none"
            )
        vanishing = log_f == -torch.inf
        if vanishing.any():
            raise InputError(
                f"log_target: expected f > 0 wherever the flow draws, got f = 0 at x = {_shown(x[vanishing][0])}; "
                "the divergences weighted_kl and chi2 allow it"
            )
        log_weights = log_f - log_q
        loss = -log_weights.mean()
        return loss, loss.detach(), log_weights.detach()

    def _weighted_kl(self):
        log_q, log_weights, w = self._at_fixed_points()
        return -((w - 1) * log_q).mean(), torch.special.xlogy(w, w).mean(), log_weights

    def _chi2(self):
        log_q, log_weights, w = self._at_fixed_points()
        square = w.square()
        return -((square - square.mean()) * log_q).mean(), square.mean() - 1, log_weights

    def _at_fixed_points(self):
        """log q with its gradient, log f/q and the weights w of mean 1, both without, at points drawn from q."""
        batch_size = self.settings["batch_size"]
        x = self.flow.sample(batch_size, generator=self.generator)
        with torch.no_grad():
            log_f = self._checked(self.log_target(x), x)
        log_q = self.flow.log_prob(x)
        log_weights = log_f - log_q.detach()
        if (log_f == -torch.inf).all():
            raise InputError(
                f"log_target: expected f > 0 at some of the flow's {batch_size} points in step {self.step}, got none"
            )
        w = torch.exp(log_weights - torch.logsumexp(log_weights, 0) + math.log(batch_size))
        return log_q, log_weights, w

    def _checked(self, log_f, x):
        if not isinstance(log_f, torch.Tensor) or log_f.shape != x.shape[:1]:
            what = f"shape {tuple(log_f.shape)}" if isinstance(log_f, torch.Tensor) else type(log_f).__name__
            raise InputError(f"log_target: expected a tensor of shape ({len(x)},), one number a point, got {what}")
        bad = torch.isnan(log_f) | (log_f == torch.inf)
        if bad.any():
            rows = bad.nonzero().flatten().tolist()
            raise self._not_finite(
                f"log f is {log_f[rows[0]].item()} at x = {_shown(x[rows[0]])}, in step {self.step}; "
                f"such are {len(rows)} of {len(x)} points",
                rows,
            )
        return log_f.to(x)

    def _not_finite(self, message, rows=()):
        return NonFiniteLoss(message, epoch=1, batch=self.step, rows=list(rows), feature=None)


def integral_and_ess(log_weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """log <w> and the effective fraction <w>^2 / <w^2> of weights w that are given by their logarithms, shape (n,)."""
    count = math.log(len(log_weights))
    log_mean = torch.logsumexp(log_weights, 0) - count
    return log_mean, torch.exp(2 * log_mean - torch.logsumexp(2 * log_weights, 0) + count)


def _shown(point):
    return [float(f"{value:.4g}") for value in point.tolist()]

"""Probability density distillation: a student that samples in one pass learns from a teacher that knows densities."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from nflows.transforms import InverseTransform, Permutation
from numpy.typing import ArrayLike
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from hepflows.errors import InputError
from hepflows.flows import inverse_autoregressive_flow
from hepflows.flows.linear import Standardise
from hepflows.flows.splines import RationalQuadraticSpline
from hepflows.training import checkpoint as checkpoints
from hepflows.training.likelihood import as_rows
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.settings import checked_settings

VALIDATION_EVENTS = 2000


@dataclass
class DistillationHistory:
    """A distillation, epoch by epoch; seconds since its start at the end of the epoch.

    loss_x, loss_z: means over the batches of both directions; kl: KL(student || teacher) in nats on conditions that were
    held out, which is watched, not minimised. stopped_by is "epochs" or "seconds".
    """

    epoch: list[int] = field(default_factory=list)
    loss_x: list[float] = field(default_factory=list)
    loss_z: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_by: str | None = None

    def to_dict(self) -> dict:
        """Plain lists and numbers, ready for JSON."""
        return asdict(self)


def student_of(teacher: torch.nn.Module) -> torch.nn.Module:
    """An untrained inverse autoregressive flow with the teacher's architecture, permutations and standardisation.

    Raises InputError for a teacher that was not built by `autoregressive_flow` with splines on the real line.
    """
    name, arguments = getattr(teacher, "recipe", (type(teacher).__name__, {}))
    if name != "autoregressive_flow" or arguments["spline"] is None or arguments["domain"] != "real":
        raise InputError(f"teacher: expected an autoregressive_flow of splines on the real line, got {name} {arguments}")
    student = inverse_autoregressive_flow(**arguments).to(next(teacher.parameters()).device)
    student.layers[0].load_state_dict(teacher.layers[0].state_dict())
    if teacher.context_features:
        student._embedding_net.load_state_dict(teacher._embedding_net.state_dict())
    return student


def distill(
    teacher: torch.nn.Module,
    student: torch.nn.Module,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor,
    *,
    balance: float = 0.5,
    epochs: int | None = None,
    seconds: float | None = None,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    schedule: str | None = "cosine",
    clip_norm: float | None = 100.0,
    average: float | None = 0.999,
    checkpoint: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> DistillationHistory:
    """Train an inverse autoregressive flow to be the inverse of a frozen autoregressive flow (arXiv:2110.11377).

    The student's likelihood of data costs D passes, but both its draws and the teacher's likelihood cost one. So two
    circles are closed, each in two passes, and the loss is (1 - b) L_z + b L_x with b = `balance`:
        L_x: data x -> teacher -> z -> student -> x'
        L_z: noise z -> student -> x -> teacher -> z'
    Both are means over the events of the squared differences of the two ways: between end points, between all
    intermediate points, and between the splines of each layer (edges of the bins in x and y, logarithms of the slopes;
    the student's spline is the inverse of the teacher's, so x and y change places). Points are standardised.
    The student ends in evaluation mode with the weights of the lowest KL on held-out conditions.

    Args:
        teacher: a trained `autoregressive_flow` of splines; it is not changed.
        student: `student_of(teacher)`; changed in place.
        features, context: x, shape (n, d), and c, shape (n, c); a twentieth, at most 2000 rows, is held out.
        balance: b, between 0 and 1.
        average: decay of an exponential moving average of the weights, which is what is kept; None: no average.
        checkpoint: file that is renewed after each epoch; a later call with the same arguments continues from it.
        epochs, seconds, batch_size, learning_rate, schedule, clip_norm, seed, progress: as in `fit`; schedule "cosine"
            or None.

    Raises:
        InputError: an argument has a wrong shape, type or value; the flows do not belong together; or the checkpoint is
            of another training.
        NonFiniteLoss: loss or gradient became NaN or infinite.
    """
    settings = checked_settings(
        epochs=epochs,
        seconds=seconds,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        clip_norm=clip_norm,
        patience=None,
        average=average,
        seed=seed,
    )
    if schedule == "plateau":
        raise InputError("schedule: expected 'cosine' or None, got 'plateau'")
    if isinstance(balance, bool) or not isinstance(balance, int | float) or not 0 <= balance <= 1:
        raise InputError(f"balance: expected a number between 0 and 1, got {balance!r}")
    settings["balance"] = float(balance)
    blocks = _blocks(teacher, student)
    features = as_rows("features", features, teacher, dimensions=2)
    context = as_rows("context", context, teacher, length=len(features))
    run = _Run(teacher, student, blocks, features, context, settings)
    if checkpoint is not None:
        run.resume(Path(checkpoint))
    run.train(progress)
    return run.history


def _blocks(teacher, student):
    """Pairs (layer of the teacher, layer of the student) in the direction x -> z, without the standardisation."""
    pairs = list(zip(teacher.layers, student.layers, strict=False))
    fits = len(teacher.layers) == len(student.layers)
    for ours, theirs in pairs:
        if isinstance(ours, Permutation):
            fits &= isinstance(theirs, Permutation) and torch.equal(ours._permutation, theirs._permutation)
        elif isinstance(ours, Standardise):
            fits &= isinstance(theirs, Standardise) and torch.equal(ours.mean, theirs.mean)
        else:
            fits &= isinstance(theirs, InverseTransform) and isinstance(ours.element, RationalQuadraticSpline)
    if not fits:
        raise InputError("student: expected student_of(teacher), got a flow with other layers")
    return pairs[1:]


class Way(list):
    """Points and splines that a flow passes in the direction x -> z, and the sum of the log-derivatives of x -> z."""

    def __init__(self):
        self.splines = []
        self.logabsdet = 0.0


def teacher_way(blocks, x, context):
    """From x to z through the teacher; one pass a layer."""
    way = Way()
    way.append(x)
    for layer, _ in blocks:
        if isinstance(layer, Permutation):
            way.append(layer(way[-1])[0])
            continue
        parameters = layer.network(way[-1], context)
        z, logabsdet = layer.element.forward(way[-1].t(), parameters)
        way.append(z.t())
        way.splines.append(_shape(parameters, layer.element, mirrored=False))
        way.logabsdet = way.logabsdet + logabsdet.sum(0)
    return way


def student_way(blocks, z, context):
    """From z to x through the student, one pass a layer; listed from x to z."""
    way = Way()
    way.append(z)
    for _, layer in reversed(blocks):
        if isinstance(layer, Permutation):
            way.append(layer.inverse(way[-1])[0])
            continue
        transform = layer._transform
        parameters = transform.network(way[-1], context)
        x, logabsdet = transform.element.forward(way[-1].t(), parameters)
        way.append(x.t())
        way.splines.append(_shape(parameters, transform.element, mirrored=True))
        way.logabsdet = way.logabsdet - logabsdet.sum(0)
    way.reverse()
    way.splines.reverse()
    return way


def _shape(parameters, element, mirrored):
    """Inner knots along x and y, and log slopes there, each (features, K - 1, events); of the inverse if mirrored."""
    bins, length = element.bins, 2 * element.tail_bound
    logits = parameters[:, : 2 * bins].unflatten(1, (2, bins))
    x, y = (length * torch.softmax(logits, 2).cumsum(2)[:, :, :-1]).unbind(1)
    log_slopes = functional.softplus(parameters[:, 2 * bins :]).log()
    return (y, x, -log_slopes) if mirrored else (x, y, log_slopes)


def distance(one, other):
    """Mean over the events of the squared differences of points and splines of two ways."""
    total = sum((a - b).square().sum() for a, b in zip(one, other, strict=True))
    for ours, theirs in zip(one.splines, other.splines, strict=True):
        total = total + sum((a - b).square().sum() for a, b in zip(ours, theirs, strict=True)) / ours[0].shape[1]
    return total / len(one[0])


class _Run:
    """All that changes during a distillation."""

    def __init__(self, teacher, student, blocks, features, context, settings):
        self.teacher, self.student, self.blocks, self.settings = teacher, student, blocks, settings
        self.given = features, context
        with torch.no_grad():
            standardised = teacher.layers[0](features)[0]
            embedded = teacher._embedding_net(context)
        self.generator = torch.Generator().manual_seed(settings["seed"])
        order = torch.randperm(len(features), generator=self.generator)
        held_out = min(VALIDATION_EVENTS, max(1, len(features) // 20))
        self.rows = order[held_out:]
        self.features, self.context = standardised, embedded
        self.validation_context = embedded[order[:held_out].to(embedded.device)]
        noise = torch.randn(held_out, features.shape[1], generator=self.generator)
        self.validation_noise = noise.to(features)
        self.parameters = list(student.parameters())
        fused = features.device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings["learning_rate"], fused=fused)
        self.averaged = None
        if settings["average"] is not None:
            self.averaged = AveragedModel(student, multi_avg_fn=self._update_average)
        self.history = DistillationHistory()
        self.best_kl, self.best_weights = math.inf, None
        self.steps, self.checkpoint = 0, None

    def train(self, progress):
        history, settings = self.history, self.settings
        self.started = time.perf_counter() - (history.seconds[-1] if history.seconds else 0.0)
        self.batches = max(1, len(self.rows) // settings["batch_size"])
        frozen = [(parameter, parameter.requires_grad) for parameter in self.teacher.parameters()]
        for parameter, _ in frozen:
            parameter.requires_grad_(False)
        total = settings["epochs"] and settings["epochs"] * self.batches
        bar = tqdm(total=total, initial=self.steps, unit="batch", **({} if progress else {"disable": True}))
        try:
            while history.stopped_by is None:
                self._train_one_epoch(bar)
                bar.set_postfix(x=f"{history.loss_x[-1]:.3f}", z=f"{history.loss_z[-1]:.3f}", kl=f"{history.kl[-1]:.3f}")
                if self.checkpoint is not None:
                    checkpoints.write(self.checkpoint, self._state())
        finally:
            bar.close()
            for parameter, required in frozen:
                parameter.requires_grad_(required)
            if self.best_weights is not None:
                self.student.load_state_dict(self.best_weights)
            self.student.eval()

    def _train_one_epoch(self, bar):
        settings, losses, out_of_time = self.settings, [], False
        self.student.train()
        order = self.rows[torch.randperm(len(self.rows), generator=self.generator)]
        for rows in order.split(settings["batch_size"])[: self.batches]:
            self._schedule_learning_rate()
            rows = rows.to(self.features.device)
            loss_x, loss_z = self._losses(self.features[rows], self.context[rows])
            loss = (1 - settings["balance"]) * loss_z + settings["balance"] * loss_x
            self.optimizer.zero_grad()
            loss.backward()
            norm = clip_grad_norm_(self.parameters, settings["clip_norm"] or math.inf)
            if self.features.device.type == "cpu" and not torch.isfinite(loss.detach() + norm):
                epoch = len(self.history.epoch) + 1
                message = f"the distillation's loss or gradient is not finite in epoch {epoch}, step {self.steps + 1}"
                raise NonFiniteLoss(message, epoch, None, [], None)
            self.optimizer.step()
            self.steps += 1
            if self.averaged is not None:
                self.averaged.update_parameters(self.student)
            losses.append(torch.stack((loss_x.detach(), loss_z.detach())))
            bar.update()
            out_of_time = bool(settings["seconds"]) and self._elapsed() >= settings["seconds"]
            if out_of_time:
                break
        self._finish_epoch(torch.stack(losses).mean(0).tolist(), out_of_time)

    def _losses(self, x, context):
        """(L_x, L_z) of one batch."""
        with torch.no_grad():
            of_teacher = teacher_way(self.blocks, x, context)
        loss_x = distance(student_way(self.blocks, of_teacher[-1], context), of_teacher)
        noise = torch.randn(x.shape, generator=self.generator).to(x)
        of_student = student_way(self.blocks, noise, context)
        return loss_x, distance(teacher_way(self.blocks, of_student[0], context), of_student)

    @torch.no_grad()
    def _kl(self, student):
        """<log q(x) - log p(x)> for x from the student q, which costs one pass of each flow."""
        blocks = _blocks(self.teacher, student)
        of_student = student_way(blocks, self.validation_noise, self.validation_context)
        of_teacher = teacher_way(blocks, of_student[0], self.validation_context)
        log_p = of_teacher.logabsdet - of_teacher[-1].square().sum(1) / 2
        log_q = of_student.logabsdet - self.validation_noise.square().sum(1) / 2
        return (log_q - log_p).mean().item()

    def _finish_epoch(self, losses, out_of_time):
        history = self.history
        student = self.student if self.averaged is None else self.averaged.module
        kl = self._kl(student)
        if kl < self.best_kl:
            self.best_kl = kl
            self.best_weights = {name: value.clone() for name, value in student.state_dict().items()}
        history.epoch.append(len(history.epoch) + 1)
        history.loss_x.append(losses[0])
        history.loss_z.append(losses[1])
        history.kl.append(kl)
        history.seconds.append(self._elapsed())
        if out_of_time:
            history.stopped_by = "seconds"
        elif history.epoch[-1] == self.settings["epochs"]:
            history.stopped_by = "epochs"

    def _schedule_learning_rate(self):
        if self.settings["schedule"] == "cosine":
            epochs, seconds = self.settings["epochs"], self.settings["seconds"]
            done = max(
                self.steps / (epochs * self.batches) if epochs else 0.0,
                min(1.0, self._elapsed() / seconds) if seconds else 0.0,
            )
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings["learning_rate"] * (1 + math.cos(math.pi * done)) / 2

    def _update_average(self, averaged, current, _):
        decay = min(self.settings["average"], self.steps / (self.steps + 10))
        get_ema_multi_avg_fn(decay)(averaged, current, _)

    def _elapsed(self):
        return time.perf_counter() - self.started

    def _state(self):
        return {
            "settings": self.all_settings,
            "student": self.student.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "best_kl": self.best_kl,
            "best_weights": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "steps": self.steps,
            "history": self.history.to_dict(),
        }

    def resume(self, path):
        """Continue from a checkpoint of the same distillation, if there is one, and renew it after each epoch."""
        self.checkpoint = path
        path.parent.mkdir(parents=True, exist_ok=True)
        data = checkpoints.fingerprint(*self.given, *self.teacher.state_dict().values())
        self.all_settings = {**self.settings, "data and teacher": data, **checkpoints.architecture(self.student)}
        state = checkpoints.read(path, self.all_settings)
        if state is None:
            return
        self.student.load_state_dict(state["student"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.best_kl, self.best_weights = state["best_kl"], state["best_weights"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.steps = state["steps"]
        self.history = DistillationHistory(**state["history"])

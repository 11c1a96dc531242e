"""Probability density distillation: a student that samples in one pass learns from a teacher that knows densities."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from hepflows.errors import InputError
from hepflows.training import checkpoint as checkpoints
from hepflows.training.circles import blocks_of, distance, divergence, student_way, teacher_way
from hepflows.training.likelihood import as_rows
from hepflows.training.nonfinite import NonFiniteLoss
from hepflows.training.schedule import fraction_done, moving_average, set_cosine_rate
from hepflows.training.settings import checked_settings

VALIDATION_EVENTS = 2000


@dataclass
class DistillationHistory:
    """A distillation, epoch by epoch; seconds since its start at the end of the epoch.

    loss_x, loss_z: means over the batches of both directions; kl: KL(student || teacher) in nats on conditions that
    were held out. stopped_by is "epochs" or "seconds".
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


def distill(
    teacher: torch.nn.Module,
    student: torch.nn.Module,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor,
    *,
    balance: float = 0.5,
    kl: float = 10.0,
    epochs: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    schedule: str | None = "cosine",
    clip_norm: float | None = 100.0,
    average: float | None = 0.999,
    checkpoint: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> DistillationHistory:
    """Train an inverse autoregressive flow q to be the inverse of a frozen autoregressive flow p (arXiv:2110.11377).

    The student's likelihood of data costs D passes, but its draws cost one, and so does the teacher's likelihood. Two
    circles are closed, each by one pass of each flow; minimised is (1 - b) L_z + b L_x + k KL, b = `balance`, k = `kl`:
        L_x: data x -> teacher -> z -> student -> x'
        L_z: noise z -> student -> x -> teacher -> z'
        KL(q || p) = <log q(x) - log p(x)> at the student's points x of L_z, where both are known.
    L_x and L_z are squared differences of the two ways at the ends and after every layer, in standardised coordinates.
    The paper compares the parameters of the splines as well, and only watches KL; here KL is minimised, too, which is
    cheaper, as it is known already. The student ends in evaluation mode with the weights of the lowest KL on
    conditions that were held out.

    Args:
        teacher: a trained `autoregressive_flow`; it is not changed.
        student: `student_of(teacher)`; changed in place.
        features, context: x, shape (n, d), and c, shape (n, c); a twentieth, at most 2000 rows, is held out.
        balance: b, between 0 and 1.
        kl: k, at least 0.
        average: decay of an exponential moving average of the weights, which is what is kept; None: no average.
        checkpoint: file that is renewed after each epoch; a later call with the same arguments continues from it.
        epochs, seconds, clock, batch_size, learning_rate, schedule, clip_norm, seed, progress: as in `fit`; schedule
            "cosine" or None.

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
    if isinstance(kl, bool) or not isinstance(kl, int | float) or not 0 <= kl < math.inf:
        raise InputError(f"kl: expected a number of at least 0, got {kl!r}")
    settings |= {"balance": float(balance), "kl": float(kl)}
    blocks = blocks_of(teacher, student)
    features = as_rows("features", features, teacher, dimensions=2)
    context = as_rows("context", context, teacher, length=len(features))
    if not callable(clock):
        raise InputError(f"clock: expected a function such as time.process_time, got {clock!r}")
    run = _Run(teacher, student, blocks, features, context, settings, clock)
    if checkpoint is not None:
        run.resume(Path(checkpoint))
    run.train(progress)
    return run.history


class _Run:
    """All that changes during a distillation."""

    def __init__(self, teacher, student, blocks, features, context, settings, clock):
        self.clock = clock
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
            self.averaged = moving_average(student, settings["average"], lambda: self.steps)
        self.history = DistillationHistory()
        self.best_kl, self.best_weights = math.inf, None
        self.steps, self.checkpoint = 0, None

    def train(self, progress):
        history, settings = self.history, self.settings
        self.started = self.clock() - (history.seconds[-1] if history.seconds else 0.0)
        self.batches = max(1, len(self.rows) // settings["batch_size"])
        frozen = [(parameter, parameter.requires_grad) for parameter in self.teacher.parameters()]
        for parameter, _ in frozen:
            parameter.requires_grad_(False)
        self.total_steps = settings["epochs"] and settings["epochs"] * self.batches
        bar = tqdm(total=self.total_steps, initial=self.steps, unit="batch", **({} if progress else {"disable": True}))
        try:
            while history.stopped_by is None:
                self._train_one_epoch(bar)
                bar.set_postfix(
                    x=f"{history.loss_x[-1]:.3f}", z=f"{history.loss_z[-1]:.3f}", kl=f"{history.kl[-1]:.3f}"
                )
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
            loss_x, loss_z, kl = self._losses(self.features[rows], self.context[rows])
            loss = (1 - settings["balance"]) * loss_z + settings["balance"] * loss_x + settings["kl"] * kl
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
        """(L_x, L_z, KL) of one batch."""
        with torch.no_grad():
            of_data = teacher_way(self.blocks, x, context)
        noise = torch.randn(x.shape, generator=self.generator).to(x)
        # Both circles pass through the student at once: its masks are applied to its weights once, not twice.
        ways = student_way(self.blocks, torch.cat((of_data[-1], noise)), torch.cat((context, context)))
        back, of_student = ways.split(len(x))
        of_teacher = teacher_way(self.blocks, of_student[0], context)
        return distance(back, of_data), distance(of_teacher, of_student), divergence(of_student, of_teacher)

    @torch.no_grad()
    def _kl(self, student):
        """KL on the held-out conditions, always at the same noise."""
        blocks = blocks_of(self.teacher, student)
        of_student = student_way(blocks, self.validation_noise, self.validation_context)
        return divergence(of_student, teacher_way(blocks, of_student[0], self.validation_context)).item()

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
            done = fraction_done(self.steps, self.total_steps, self._elapsed(), self.settings["seconds"])
            set_cosine_rate(self.optimizer, self.settings["learning_rate"], done)

    def _elapsed(self):
        return self.clock() - self.started

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

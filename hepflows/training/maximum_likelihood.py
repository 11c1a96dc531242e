"""Maximum likelihood on samples: the one training loop of the course."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import ReduceLROnPlateau
from tqdm import tqdm

from hepflows.errors import InputError
from hepflows.training import checkpoint as checkpoints
from hepflows.training.history import History
from hepflows.training.likelihood import log_prob
from hepflows.training.nonfinite import explain
from hepflows.training.samples import Samples
from hepflows.training.schedule import fraction_done, moving_average, set_cosine_rate
from hepflows.training.settings import checked_settings

PLATEAU_PATIENCE = 5  # epochs without improvement before the learning rate is halved
STEPS_BETWEEN_CHECKS = 50


def fit(
    flow: torch.nn.Module,
    features: ArrayLike | torch.Tensor,
    context: ArrayLike | torch.Tensor | None = None,
    *,
    validation: float | tuple = 0.1,
    epochs: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
    batch_size: int = 1024,
    learning_rate: float = 1e-3,
    schedule: str | None = "cosine",
    clip_norm: float | None = 5.0,
    patience: int | None = None,
    average: float | None = None,
    checkpoint: str | Path | None = None,
    seed: int = 0,
    names: Sequence[str] | dict[str, Sequence[str]] | None = None,
    device: str | torch.device | None = None,
    progress: bool = True,
) -> History:
    """Train a flow by maximum likelihood: minimise L = -(1/N) sum_i log q(x_i|c_i) over its weights with Adam.

    L is, up to a constant, the forward Kullback-Leibler divergence KL(p || q). The flow ends in evaluation mode with
    the weights of the lowest validation loss, also when the training is stopped early, interrupted or fails.

    Args:
        flow: nflows Flow; changed in place.
        features: x, shape (n, d).
        context: c, shape (n, c) or (n, ..., c), or None.
        validation: fraction of the rows (chosen by the seed) or a tuple (features, context) of held-out events.
        epochs: passes through the training rows; None: 100, or no bound if `seconds` is given.
        seconds: time budget, validation included; the training stops with the batch that exhausts it.
        clock: what tells the seconds: time.perf_counter, or time.process_time for CPU time, which other programs do
            not take from a training that is to be compared with another.
        batch_size: events in a batch; an incomplete last batch is left out unless it is the only one.
        learning_rate: Adam's, at the start.
        schedule: "cosine" (to zero over the epochs, or over the elapsed part of `seconds`), "plateau" (halved after 5
            epochs without a better validation loss) or None.
        clip_norm: largest norm of the gradient, longer ones are shortened to it; None: no bound.
        patience: stop after this many epochs without a better validation loss.
        average: decay of an exponential moving average of the weights, such as 0.999; the average is then what is
            validated and kept. Its memory grows with the steps, so that the initial weights are soon forgotten.
        checkpoint: file that is renewed after each epoch; a later call with the same arguments continues from it, on a
            CPU with the same number of threads to the last bit.
        seed: seed of the split and of the order of events.
        names: names of the features for error messages, or {"features": [...], "context": [...]}.
        device: where to train; None: where the flow is.
        progress: show a progress bar.

    Raises:
        InputError: an argument has a wrong shape, type or value, or numbers that are not finite; or the checkpoint is
            of another training.
        NonFiniteLoss: loss or gradient became NaN or infinite.
        DataError: the checkpoint is damaged.
    """
    settings = checked_settings(
        epochs=epochs,
        seconds=seconds,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        clip_norm=clip_norm,
        patience=patience,
        average=average,
        seed=seed,
    )
    if not any(parameter.requires_grad for parameter in flow.parameters()):
        raise InputError("flow: expected at least one trainable parameter, got none")
    if device is not None:
        flow.to(device)
    generator = torch.Generator().manual_seed(settings["seed"])
    samples = Samples(flow, features, context, validation, names, generator)
    settings["validation"] = validation if samples.split else "given"
    if not callable(clock):
        raise InputError(f"clock: expected a function such as time.process_time, got {clock!r}")
    run = _Run(flow, samples, settings, generator, checkpoint, clock)
    run.train(progress)
    return run.history


class _Run:
    """All that changes during a training."""

    def __init__(self, flow, samples, settings, generator, checkpoint, clock):
        self.clock = clock
        self.flow, self.samples, self.settings, self.generator = flow, samples, settings, generator
        self.history = History()
        self.best_weights = None
        self.sound_weights = None
        self.steps = 0
        self.validation_seconds = None
        self.device = samples.features.device
        self.parameters = [parameter for parameter in flow.parameters() if parameter.requires_grad]
        fused = self.device.type in ("cpu", "cuda")  # one kernel for all weights
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings["learning_rate"], fused=fused)
        self.plateau = None
        if settings["schedule"] == "plateau":
            self.plateau = ReduceLROnPlateau(self.optimizer, factor=0.5, patience=PLATEAU_PATIENCE)
        self.averaged = None
        if settings["average"] is not None:
            self.averaged = moving_average(flow, settings["average"], lambda: self.steps)
        self.checkpoint = None
        if checkpoint is not None:
            self._resume(Path(checkpoint))

    @property
    def validated_flow(self):
        return self.flow if self.averaged is None else self.averaged.module

    def train(self, progress):
        history, epochs = self.history, self.settings["epochs"]
        self.started = self.clock() - (history.seconds[-1] if history.seconds else 0.0)
        batches = self.samples.batches_per_epoch(self.settings["batch_size"])
        # `disable` is passed only if we mean it: an explicit False would overrule TQDM_DISABLE.
        silence = {} if progress else {"disable": True}
        bar = tqdm(total=epochs and epochs * batches, initial=self.steps, unit="batch", **silence)
        try:
            while history.stopped_by is None:
                bar.set_description(f"epoch {len(history.epoch) + 1}" + (f"/{epochs}" if epochs else ""), refresh=False)
                self._train_one_epoch(bar)
                bar.set_postfix(train=f"{history.train_loss[-1]:.4f}", validation=f"{history.validation_loss[-1]:.4f}")
                if self.checkpoint is not None:
                    checkpoints.write(self.checkpoint, self._state())
        finally:
            bar.close()
            if self.best_weights is not None:
                self.flow.load_state_dict(self.best_weights)
            self.flow.eval()

    def _train_one_epoch(self, bar):
        self.flow.train()
        epoch, epoch_started = len(self.history.epoch) + 1, self._elapsed()
        batches = self.samples.batches(self.settings["batch_size"], self.generator)
        clip_norm = math.inf if self.settings["clip_norm"] is None else self.settings["clip_norm"]
        check_every = _steps_between_checks(self.device)
        losses, unchecked = [], []
        if check_every > 1:
            self.sound_weights = _weights(self.flow)
        for number, rows in enumerate(batches, start=1):
            learning_rate = self._schedule_learning_rate(len(batches))
            features, context = self.samples.select(rows)
            loss = -self.flow.log_prob(features, context=context).mean()
            self.optimizer.zero_grad()
            loss.backward()
            gradient_norm = clip_grad_norm_(self.parameters, clip_norm)
            losses.append(loss.detach())
            unchecked.append(losses[-1] + gradient_norm)
            if len(unchecked) == check_every:  # before the step: a gradient that is not finite ruins the weights
                self._check(unchecked, epoch, number, batches)
            self.optimizer.step()
            self.steps += 1
            if self.averaged is not None:
                self.averaged.update_parameters(self.flow)
            bar.update()
            out_of_time = self._out_of_time((self._elapsed() - epoch_started) / number)
            if out_of_time:
                break
        self._check(unchecked, epoch, number, batches)
        self._validate(epoch, torch.stack(losses).mean().item(), learning_rate, out_of_time)

    def _validate(self, epoch, train_loss, learning_rate, out_of_time):
        history, began = self.history, self._elapsed()
        samples, flow = self.samples, self.validated_flow
        values = log_prob(
            flow, samples.validation_features, samples.validation_context, 4 * self.settings["batch_size"]
        )
        validation_loss = -values.mean().item()
        if not math.isfinite(validation_loss):
            raise explain(flow, samples, epoch, None, None)
        if self.plateau is not None:
            self.plateau.step(validation_loss)
        if validation_loss < history.best_validation_loss:
            history.best_epoch, history.best_validation_loss = epoch, validation_loss
            self.best_weights = _weights(flow)
        history.epoch.append(epoch)
        history.train_loss.append(train_loss)
        history.validation_loss.append(validation_loss)
        history.learning_rate.append(learning_rate)
        history.seconds.append(self._elapsed())
        self.validation_seconds = history.seconds[-1] - began
        patience = self.settings["patience"]
        if out_of_time or self._out_of_time():
            history.stopped_by = "seconds"
        elif epoch == self.settings["epochs"]:
            history.stopped_by = "epochs"
        elif patience is not None and epoch - history.best_epoch >= patience:
            history.stopped_by = "patience"

    def _schedule_learning_rate(self, batches):
        if self.settings["schedule"] == "cosine":
            total = self.settings["epochs"] and self.settings["epochs"] * batches
            done = fraction_done(self.steps, total, self._elapsed(), self.settings["seconds"])
            set_cosine_rate(self.optimizer, self.settings["learning_rate"], done)
        return self.optimizer.param_groups[0]["lr"]

    def _check(self, unchecked, epoch, number, batches):
        """Raise for the first loss or gradient that is not finite; these are the last of `number` batches."""
        bad = (~torch.isfinite(torch.stack(unchecked))).nonzero() if unchecked else []
        if len(bad):
            if self.sound_weights is not None:  # the steps since have ruined the present ones
                self.flow.load_state_dict(self.sound_weights)
            first = number - len(unchecked) + int(bad[0])
            raise explain(self.flow, self.samples, epoch, first + 1, batches[first])
        if self.sound_weights is not None:
            self.sound_weights = _weights(self.flow)
        unchecked.clear()

    def _elapsed(self):
        return self.clock() - self.started

    def _out_of_time(self, seconds_per_batch=0.0):
        """Is there no more time than the validation needs?"""
        if self.settings["seconds"] is None:
            return False
        reserve = self.validation_seconds
        if reserve is None:  # not measured yet: a pass without gradient takes about a third of a training step
            reserve = seconds_per_batch / 3 * len(self.samples.validation_features) / self.settings["batch_size"]
        return self._elapsed() + reserve >= self.settings["seconds"]

    def _state(self):
        on_cuda = self.device.type == "cuda"
        return {
            "settings": self.all_settings,
            "flow": self.flow.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "best_weights": self.best_weights,
            "optimizer": self.optimizer.state_dict(),
            "plateau": None if self.plateau is None else self.plateau.state_dict(),
            "generator": self.generator.get_state(),
            "torch_generator": torch.get_rng_state(),  # dropout draws from it
            "cuda_generator": torch.cuda.get_rng_state(self.device) if on_cuda else None,
            "steps": self.steps,
            "history": self.history.to_dict(),
        }

    def _resume(self, path):
        self.checkpoint = path
        path.parent.mkdir(parents=True, exist_ok=True)
        data = checkpoints.fingerprint(*self.samples.given)
        self.all_settings = {**self.settings, "data": data, **checkpoints.architecture(self.flow)}
        state = checkpoints.read(path, self.all_settings)
        if state is None:
            return
        self.flow.load_state_dict(state["flow"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.best_weights = state["best_weights"]
        self.optimizer.load_state_dict(state["optimizer"])
        if self.plateau is not None:
            self.plateau.load_state_dict(state["plateau"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])
        if state["cuda_generator"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_generator"], self.device)
        self.steps = state["steps"]
        self.history = History(**state["history"])


def _weights(flow):
    return {name: value.clone() for name, value in flow.state_dict().items()}


def _steps_between_checks(device):
    # To look at a loss on an accelerator is to wait for all work before it.
    return 1 if device.type == "cpu" else STEPS_BETWEEN_CHECKS

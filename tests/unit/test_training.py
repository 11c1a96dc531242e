"""Maximum likelihood: against closed forms, and what happens when a training is stopped, killed or goes wrong."""

import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from nflows.distributions import ConditionalDiagonalNormal, StandardNormal
from nflows.flows.base import Flow
from nflows.transforms import (
    CompositeTransform,
    IdentityTransform,
    MaskedAffineAutoregressiveTransform,
    PointwiseAffineTransform,
    ReversePermutation,
)
from torch import nn

from hepflows import flows, training
from hepflows.errors import DataError, InputError
from hepflows.training import checkpoint, maximum_likelihood


class Gaussian(nn.Module):
    """Independent normal features with learnable mean and width, whose maximum likelihood is known."""

    def __init__(self, features, dtype=torch.float32):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(features, dtype=dtype))
        self.log_width = nn.Parameter(torch.zeros(features, dtype=dtype))
        self.calls = []

    def log_prob(self, inputs, context=None):
        self.calls.append((len(inputs), torch.is_grad_enabled()))
        z = (inputs - self.mean) / self.log_width.exp()
        return (-0.5 * z.square() - self.log_width - 0.5 * math.log(2 * math.pi)).sum(dim=1)


class Broken(Gaussian):
    """A density with an infinite gradient where the first feature is exactly zero: d/dw sqrt((w x)^2)."""

    def __init__(self, features):
        super().__init__(features)
        self.weight = nn.Parameter(torch.ones(()))

    def log_prob(self, inputs, context=None):
        return super().log_prob(inputs) - (self.weight * inputs[:, 0]).square().sqrt()


def autoregressive(features=2, context=None, dropout=0.0, hidden=16, seed=0):
    """Two affine autoregressive transforms, made of nflows alone."""
    torch.manual_seed(seed)
    layers = []
    for _ in range(2):
        layers += [
            MaskedAffineAutoregressiveTransform(features, hidden, context, dropout_probability=dropout),
            ReversePermutation(features),
        ]
    return Flow(CompositeTransform(layers), StandardNormal([features]))


def conditional_events(events=1200, seed=1):
    rng = np.random.default_rng(seed)
    context = rng.normal(size=(events, 1))
    noise = rng.normal(size=(events, 2))
    return np.column_stack([2 * context[:, 0] + 0.5 * noise[:, 0], noise[:, 1] * np.exp(0.3 * context[:, 0])]), context


def weights_of(flow):
    return {name: value.clone() for name, value in flow.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ---------------------------------------------------------------- the maximum of the likelihood


def test_gaussian_reaches_the_analytic_maximum_of_the_likelihood(rng):
    events = rng.normal([1.0, -2.0], [0.5, 3.0], size=(4000, 2))
    flow = Gaussian(2, dtype=torch.float64)
    history = training.fit(
        flow, events, validation=(events, None), epochs=600, batch_size=4000, learning_rate=0.05, progress=False
    )
    minimum = np.sum(np.log(events.std(axis=0)) + 0.5 * np.log(2 * np.pi * np.e))
    assert history.best_validation_loss == pytest.approx(minimum, abs=1e-5)
    np.testing.assert_allclose(flow.mean.detach(), events.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(flow.log_width.detach(), np.log(events.std(axis=0)), atol=1e-3)


def test_conditional_flow_learns_the_conditional_density():
    features, context = conditional_events(6000)
    flow = autoregressive(context=1)
    training.fit(flow, features, context, epochs=30, batch_size=256, learning_rate=5e-3, progress=False)
    held_out, conditions = conditional_events(4000, seed=2)
    residuals = (held_out - np.column_stack([2 * conditions[:, 0], 0 * conditions[:, 0]])) / np.column_stack(
        [np.full(4000, 0.5), np.exp(0.3 * conditions[:, 0])]
    )
    log_p = -0.5 * (residuals**2).sum(1) - np.log(2 * np.pi) - np.log(0.5) - 0.3 * conditions[:, 0]
    excess = log_p - training.log_prob_batched(flow, held_out, conditions)
    # KL(p || q) >= 0 is estimated by the mean excess: small, but not below zero by more than its error.
    error = excess.std() / math.sqrt(len(excess))
    assert -4 * error < excess.mean() < 0.04


def test_hepflows_flow_trains_and_is_calibrated_in_its_loss():
    features, context = conditional_events(4000)
    flow = flows.coupling_flow(2, 1, transforms=2, spline=4, hidden=(32,)).standardise_from(features, context)
    before = training.evaluate_nll(flow, features, context).mean
    history = training.fit(
        flow, features, context, epochs=15, batch_size=128, learning_rate=5e-3, average=0.98, progress=False
    )
    truth = math.log(2 * math.pi * math.e) + math.log(0.5)
    held_out, conditions = conditional_events(4000, seed=2)
    after = training.evaluate_nll(flow, held_out, conditions)
    assert before > truth + 0.5
    assert truth - 4 * after.standard_error < after.mean < truth + 0.1
    assert history.stopped_by == "epochs" and history.epoch == list(range(1, 16))


def test_same_seed_same_weights_other_seed_others():
    features, context = conditional_events()
    results = []
    for seed in (3, 3, 4):
        flow = autoregressive(context=1)
        training.fit(flow, features, context, epochs=2, batch_size=100, seed=seed, progress=False)
        results.append(weights_of(flow))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_training_does_not_touch_the_global_random_numbers():
    features, context = conditional_events()
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    flow = Gaussian(2)
    training.fit(flow, features, epochs=1, progress=False)
    assert torch.equal(torch.rand(3), expected)


# ---------------------------------------------------------------- validation, best weights, stopping


def test_validation_loss_is_the_mean_over_all_validation_events_and_the_best_weights_stay():
    features, context = conditional_events(700)
    held_out = conditional_events(333, seed=5)  # 4 * 32 does not divide 333: the last batch is smaller
    flow = autoregressive(context=1)
    history = training.fit(
        flow, features, context, validation=held_out, epochs=12, batch_size=32, learning_rate=0.1, schedule=None,
        progress=False,
    )  # fmt: skip
    expected = -flow.log_prob(*(torch.tensor(part, dtype=torch.float32) for part in held_out)).double().mean().item()
    assert history.best_validation_loss == pytest.approx(expected, abs=1e-6)
    assert history.best_validation_loss == min(history.validation_loss)
    assert history.validation_loss[history.best_epoch - 1] == history.best_validation_loss
    assert history.best_epoch < 12, "the learning rate of this test is so large that the last epoch is not the best"
    assert not any(module.training for module in flow.modules())


def drifting(epochs, **options):
    """Training events far from the validation events: each epoch after the first makes the validation loss larger."""
    rng = np.random.default_rng(0)
    flow = Gaussian(1)
    flow.log_width.requires_grad_(False)
    history = training.fit(
        flow, rng.normal(5, 1, size=(200, 1)), validation=(rng.normal(-5, 1, size=(50, 1)), None), epochs=epochs,
        batch_size=50, progress=False, **options,
    )  # fmt: skip
    return flow, history


def test_patience_stops_and_returns_to_the_best_weights():
    flow, history = drifting(50, patience=3, schedule=None)
    once, _ = drifting(1, schedule=None)
    assert (history.stopped_by, history.best_epoch, history.epoch[-1]) == ("patience", 1, 4)
    assert same(weights_of(flow), weights_of(once))


def test_plateau_halves_the_learning_rate():
    _, history = drifting(16, schedule="plateau", learning_rate=1e-3)
    # The first epoch is the best; 5 bad ones are tolerated, so epochs 8 and 14 are the first with half the rate.
    assert history.learning_rate == pytest.approx([1e-3] * 7 + [5e-4] * 6 + [2.5e-4] * 3)


def test_cosine_schedule_equals_torch():
    _, history = drifting(5, schedule="cosine", learning_rate=0.01)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.01)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5 * 4)
    rates = []
    for _ in range(20):
        rates.append(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    assert history.learning_rate == pytest.approx(rates[3::4], rel=1e-9)


class Clock:
    """Time that passes only in the flow: one second a training batch, half a second a validation batch."""

    now = 100.0

    def __call__(self):
        return self.now


class Slow(Gaussian):
    clock = None

    def log_prob(self, inputs, context=None):
        self.clock.now += 1.0 if torch.is_grad_enabled() else 0.5
        return super().log_prob(inputs, context)


@pytest.mark.parametrize("seconds, batches, epochs", [(10, 9, 3), (7.8, 7, 2), (4.4, 4, 1), (2.1, 2, 1), (0.1, 1, 1)])
def test_seconds_of_a_clock_are_a_budget_with_validation_included(seconds, batches, epochs):
    flow = Slow(1)
    flow.clock = Clock()
    history = training.fit(
        flow, np.random.default_rng(0).normal(size=(40, 1)), validation=(np.zeros((5, 1)), None), seconds=seconds,
        clock=flow.clock, batch_size=10, learning_rate=0.1, progress=False,
    )  # fmt: skip
    assert history.stopped_by == "seconds"
    assert sum(gradient for _, gradient in flow.calls) == batches
    assert len(history.epoch) == epochs
    assert history.seconds[-1] == batches + 0.5 * epochs
    assert history.seconds[-1] <= max(seconds + 0.5, 1.5)
    # The last batch began with all but one batch and one validation of the budget used.
    began = min(1.0, (history.seconds[-1] - 1.5) / seconds)
    assert history.learning_rate[-1] == pytest.approx(0.05 * (1 + math.cos(math.pi * began)))


def test_epochs_and_seconds_whichever_comes_first():
    flow = Gaussian(1)
    history = training.fit(flow, np.random.default_rng(0).normal(size=(40, 1)), epochs=3, seconds=600, progress=False)
    assert (history.stopped_by, len(history.epoch)) == ("epochs", 3)
    assert history.learning_rate[-1] == pytest.approx(0.5e-3 * (1 + math.cos(math.pi * 2 / 3)))


def test_average_is_the_exponential_moving_average_of_the_weights(monkeypatch, rng):
    flow = Gaussian(2, dtype=torch.float64)
    steps = []
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, step=torch.optim.Adam.step: (step(self), steps.append(flow.mean.detach().clone())),
    )
    training.fit(
        flow, rng.normal(3, 1, size=(100, 2)), epochs=1, batch_size=1, learning_rate=0.05, average=0.8, progress=False
    )
    average = steps[0]
    for number, weights in enumerate(steps[1:], start=2):
        decay = min(0.8, number / (number + 10))
        average = decay * average + (1 - decay) * weights
    assert len(steps) == 90
    torch.testing.assert_close(flow.mean.detach(), average, rtol=0, atol=1e-14)
    assert not torch.allclose(average, steps[-1], atol=1e-3)


def test_gradient_clipping_bounds_the_norm(monkeypatch):
    norms = []

    def step(self, original=torch.optim.Adam.step):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
        return original(self)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    events = np.random.default_rng(0).normal(100, 1, size=(20, 1))
    training.fit(Gaussian(1), events, epochs=1, clip_norm=2.0, progress=False)
    training.fit(Gaussian(1), events, epochs=1, clip_norm=None, progress=False)
    assert norms[0] == pytest.approx(2.0, rel=1e-5)
    assert norms[1] > 1000


# ---------------------------------------------------------------- batches and conversions


@pytest.mark.parametrize("batch_size, sizes", [(40, [40, 40]), (1000, [90]), (45, [45, 45])])
def test_incomplete_batch_is_dropped_unless_it_is_alone(batch_size, sizes):
    flow = Gaussian(1)
    training.fit(flow, np.zeros((100, 1)), epochs=1, batch_size=batch_size, progress=False)
    assert [size for size, gradient in flow.calls if gradient] == sizes
    assert max(size for size, gradient in flow.calls if not gradient) == 10


def test_each_event_is_used_once_an_epoch_and_never_both_for_training_and_validation():
    seen = {True: [], False: []}

    class Recorder(Gaussian):
        def log_prob(self, inputs, context=None):
            if len(inputs) > 2:  # not the check of shapes at the start
                seen[torch.is_grad_enabled()].append((inputs[:, 0].tolist(), context[:, 0].tolist()))
            return super().log_prob(inputs)

    rows = np.arange(100.0)[:, None]
    training.fit(Recorder(1), rows, -rows, epochs=2, batch_size=40, validation=0.2, progress=False)
    for inputs, context in seen[True] + seen[False]:
        assert context == [-value for value in inputs]
    first, second = ({*seen[True][i][0], *seen[True][i + 1][0]} for i in (0, 2))
    held_out = {*seen[False][0][0]}
    assert first == second and len(first) == 80 and seen[True][0] != seen[True][2]
    assert len(held_out) == 20 and not first & held_out and seen[False][0] == seen[False][1]


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int32", "bool"])
def test_any_numbers_are_converted_to_the_dtype_of_the_flow(dtype):
    events = np.arange(40).reshape(20, 2).astype(dtype)
    events.flags.writeable = False
    flow = Gaussian(2, dtype=torch.float64)
    history = training.fit(flow, events, epochs=1, progress=False)
    assert flow.mean.dtype == torch.float64 and math.isfinite(history.train_loss[0])
    np.testing.assert_allclose(
        training.log_prob_batched(flow, events), flow.log_prob(torch.tensor(events.astype("f8"))).detach()
    )


def test_context_may_have_more_axes():
    class Sets(Gaussian):
        def log_prob(self, inputs, context=None):
            return super().log_prob(inputs - context.sum(dim=(1, 2))[:, None])

    context = np.random.default_rng(0).normal(size=(50, 3, 4))
    training.fit(Sets(1), context.sum(axis=(1, 2))[:, None], context, epochs=1, progress=False)
    context[7, 2, 3] = np.nan
    with pytest.raises(InputError, match=r"context: expected finite .* column 3 \('d'\) for 1 of 50 rows.* row 7"):
        training.fit(Sets(1), np.zeros((50, 1)), context, names={"context": list("abcd")}, progress=False)


# ---------------------------------------------------------------- what cannot be trained is refused

GOOD = np.random.default_rng(0).normal(size=(20, 2))


def with_value(value, row, column):
    events = GOOD.copy()
    events[row, column] = value
    return events


REFUSED = [
    (dict(features=GOOD[:, 0]), r"features: expected shape \(events, columns\).*got shape \(20,\)"),
    (dict(features=GOOD[:0]), r"features: expected .* without an empty axis, got shape \(0, 2\)"),
    (dict(features=GOOD[:1]), r"features: expected rows for training and validation, got 1"),
    (dict(features=[["a", "b"]]), r"features: expected an array of numbers, got list"),
    (dict(features=with_value(np.nan, 13, 1)), r"features: .*NaN or infinity in column 1 for 1 of 20 rows.* row 13"),
    (dict(features=with_value(np.inf, 3, 0), names=["pt", "eta"]), r"column 0 \('pt'\) for 1 of 20 rows.* row 3"),
    (dict(features=with_value(1e300, 3, 0)), r"expected finite numbers \(as torch.float32\).*column 0"),
    (dict(context=GOOD[:19]), r"context: expected 20 rows, as many as features, got 19"),
    (dict(context=GOOD[:, 0]), r"context: expected shape \(events, \.\.\., columns\)"),
    (dict(features=GOOD[:, :1]), r"flow: expected one that evaluates features with \(1,\) columns and no context"),
    (dict(context=GOOD), r"flow: expected .* and context with \(2,\) columns, got the error"),
    (dict(validation=0), r"validation: expected a fraction between 0 and 1 or a tuple .*got 0"),
    (dict(validation=1.0), r"validation: expected a fraction"),
    (dict(validation=GOOD), r"validation: expected a fraction"),
    (dict(validation=(GOOD,)), r"validation: expected a tuple \(features, context\), got 1"),
    (dict(validation=(GOOD, GOOD)), r"validation: expected no context"),
    (dict(validation=(GOOD[:, :1], None)), r"validation features: expected \(2,\) columns, got \(1,\)"),
    (dict(validation=(with_value(np.nan, 4, 1), None)), r"validation features: expected finite .*row 4"),
    (dict(epochs=0), r"epochs: expected an integer of at least 1 or None, got 0"),
    (dict(epochs=2.5), r"epochs: expected an integer"),
    (dict(seconds=-1), r"seconds: expected a positive number or None, got -1"),
    (dict(clock=10), r"clock: expected a function such as time.process_time, got 10"),
    (dict(batch_size=None), r"batch_size: expected an integer of at least 1, got None"),
    (dict(learning_rate=math.nan), r"learning_rate: expected a positive number, got nan"),
    (dict(schedule="linear"), r"schedule: expected one of \('cosine', 'plateau', None\), got 'linear'"),
    (dict(clip_norm=0), r"clip_norm: expected a positive number or None, got 0"),
    (dict(patience=0), r"patience: expected an integer"),
    (dict(average=1.0), r"average: expected a number between 0 and 1 or None, got 1.0"),
    (dict(seed=-1), r"seed: expected an integer of at least 0, got -1"),
    (dict(names=["pt"]), r"names: expected 2 names of features, got \['pt'\]"),
    (dict(names={"feature": ["pt", "eta"]}), r"names: expected the keys 'features' and 'context'"),
]


@pytest.mark.parametrize("arguments, message", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_bad_input_is_refused_and_named(arguments, message):
    flow = autoregressive()
    before = weights_of(flow)
    with pytest.raises(InputError, match=message):
        training.fit(flow, **{"features": GOOD, "epochs": 1, "progress": False, **arguments})
    assert same(before, weights_of(flow))


def test_flow_without_parameters_is_refused():
    with pytest.raises(InputError, match="flow: expected at least one trainable parameter"):
        training.fit(Flow(PointwiseAffineTransform(0.0, 1.0), StandardNormal([2])), GOOD, progress=False)


# ---------------------------------------------------------------- a loss that is not finite


@pytest.mark.parametrize("late", [False, True], ids=["every step", "every 50 steps"])
@pytest.mark.parametrize("culprit", ["feature", "context"])
def test_overflow_names_batch_row_and_column(monkeypatch, culprit, late):
    if late:  # as on an accelerator
        monkeypatch.setattr(maximum_likelihood, "_steps_between_checks", lambda device: 50)
    features, context = conditional_events(400)
    # Finite in float32, but its square is not. The other column is farther from its median, and harmless.
    features[:, 0] *= 1e-28
    if culprit == "feature":
        features[17, 1] = 1e25
    else:
        context[17, 0] = 1e37
    features[17, 0] = 1e10

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = nn.Parameter(torch.zeros(2))
            self.slope = nn.Parameter(torch.ones(1))

        def log_prob(self, inputs, context):
            return -0.5 * (inputs - self.mean - self.slope * context * 10).square().sum(dim=1)

    flow = Linear()
    with pytest.raises(training.NonFiniteLoss) as caught:
        training.fit(
            flow, features, context, validation=(features[:10], context[:10]), batch_size=40, epochs=3, seed=2,
            names={"features": ["rapidity", "mass"], "context": ["boost"]}, progress=False,
        )  # fmt: skip
    name = "mass" if culprit == "feature" else "boost"
    order = torch.randperm(400, generator=torch.Generator().manual_seed(2)).tolist()
    assert (caught.value.epoch, caught.value.batch) == (1, order.index(17) // 40 + 1)
    assert (caught.value.rows, caught.value.feature) == ([17], name)
    assert re.search(
        rf"epoch 1, batch {caught.value.batch} for 1 of 40 .*rows \[17\].*{culprit} .*'{name}'", str(caught.value)
    )
    assert isinstance(caught.value, FloatingPointError)
    assert all(torch.isfinite(value).all() for value in flow.state_dict().values())


def test_infinite_gradient_names_the_event_and_spares_the_weights():
    events = np.random.default_rng(0).normal(size=(100, 2))
    events[42, 0] = 0.0
    flow = Broken(2)
    with pytest.raises(
        training.NonFiniteLoss, match=r"the gradient is not finite in epoch 1, batch \d .*rows \[42\]"
    ) as caught:
        training.fit(flow, events, validation=(events[:5], None), batch_size=20, names=["pt", "eta"], progress=False)
    assert caught.value.rows == [42]
    assert all(torch.isfinite(value).all() for value in flow.state_dict().values())


def test_validation_event_that_overflows_is_named():
    held_out = GOOD.copy()
    held_out[6, 1] = -1e30
    with pytest.raises(training.NonFiniteLoss, match=r"in the validation after epoch 1 .*rows \[6\].*'eta'") as caught:
        training.fit(Gaussian(2), GOOD, validation=(held_out, None), names=["pt", "eta"], progress=False)
    assert caught.value.batch is None


def test_weights_that_are_not_finite_are_named():
    flow = Gaussian(2)
    flow.log_width.data[1] = math.nan
    with pytest.raises(training.NonFiniteLoss, match=r"weights of the flow are not: \['log_width'\]"):
        training.fit(flow, GOOD, progress=False)


def test_error_in_the_middle_leaves_the_best_weights():
    class Fails(Gaussian):
        def log_prob(self, inputs, context=None):
            if sum(gradient for _, gradient in self.calls) == 5:
                raise KeyboardInterrupt
            return super().log_prob(inputs)

    flow = Fails(1)
    events = np.random.default_rng(0).normal(3, 1, size=(40, 1))
    with pytest.raises(KeyboardInterrupt):
        training.fit(flow, events, validation=(events, None), batch_size=10, schedule=None, progress=False)
    once = Gaussian(1)
    training.fit(once, events, validation=(events, None), batch_size=10, schedule=None, epochs=1, progress=False)
    assert same(weights_of(flow), weights_of(once)) and not flow.training


# ---------------------------------------------------------------- checkpoints

TRAINING = """
import os, signal, sys
import torch
sys.path[:0] = [{root!r}, {tests!r}]
torch.set_num_threads({threads})
import test_training as here
from nflows.flows.base import Flow

calls, log_prob = [], Flow.log_prob
def killed_in_the_middle(self, inputs, context=None):
    calls.append(torch.is_grad_enabled())
    if sum(calls) == 47:  # 10 batches an epoch: the fifth epoch, its seventh batch
        os.kill(os.getpid(), signal.SIGKILL)
    return log_prob(self, inputs, context)
Flow.log_prob = killed_in_the_middle
here.train_with_dropout({path!r}, progress=True)
"""


def train_with_dropout(path, progress=False, seed=7):
    features, context = conditional_events()
    flow = autoregressive(context=1, dropout=0.2, seed=seed)
    torch.manual_seed(5)
    history = training.fit(
        flow, features, context, epochs=12, batch_size=100, average=0.9, checkpoint=path, progress=progress
    )
    return weights_of(flow), history


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_training_continues_to_the_same_bits(tmp_path):
    path = tmp_path / "folder" / "training.pt"
    folder = os.path.dirname(__file__)
    script = TRAINING.format(
        root=os.path.dirname(os.path.dirname(folder)), tests=folder, threads=torch.get_num_threads(), path=str(path)
    )
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    killed = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stderr == "" and killed.stdout == "", "TQDM_DISABLE=1 silences the progress bar"
    content = torch.load(path, weights_only=True)
    assert content["history"]["epoch"] == [1, 2, 3, 4]

    resumed, resumed_history = train_with_dropout(path, seed=99)  # other initial weights: all come from the file
    whole, whole_history = train_with_dropout(None)
    assert same(resumed, whole)
    for name in ("epoch", "train_loss", "validation_loss", "learning_rate", "best_epoch", "best_validation_loss"):
        assert getattr(resumed_history, name) == getattr(whole_history, name), name
    assert [file.name for file in path.parent.iterdir()] == ["training.pt"]


@pytest.mark.parametrize("options", [dict(schedule="plateau"), dict(schedule=None, clip_norm=None, patience=4)])
def test_interrupted_training_continues_to_the_same_bits(tmp_path, options):
    features, context = conditional_events()
    # Validation events far away get worse with every epoch, so that the plateau is reached.
    validation = (features + 20, context) if options["schedule"] == "plateau" else 0.1

    class Interrupted(Flow):
        left = math.inf

        def log_prob(self, inputs, context=None):
            self.left -= torch.is_grad_enabled()
            if self.left < 0:
                raise KeyboardInterrupt
            return super().log_prob(inputs, context)

    def train(path, left=math.inf, seed=1):
        flow = autoregressive(context=1, seed=seed)
        flow.__class__, Interrupted.left = Interrupted, left
        history = training.fit(
            flow, features, context, epochs=15, batch_size=100, learning_rate=0.03, checkpoint=path, progress=False,
            validation=validation, **options,
        )  # fmt: skip
        return weights_of(flow), history

    whole, whole_history = train(None)
    path = tmp_path / "training.pt"
    for left in (15, 25):
        with pytest.raises(KeyboardInterrupt):
            train(path, left)
    resumed, resumed_history = train(path, seed=3)
    assert same(whole, resumed)
    assert whole_history.validation_loss == resumed_history.validation_loss
    assert whole_history.learning_rate == resumed_history.learning_rate
    assert len(set(whole_history.learning_rate)) == (3 if options["schedule"] else 1)
    assert whole_history.stopped_by == resumed_history.stopped_by
    # Once more: the training is complete, nothing is trained, the best weights and the history come back.
    again, again_history = train(path, left=0, seed=4)
    assert same(whole, again) and again_history == resumed_history


def small_training(path, flow=None, features=GOOD, **options):
    return training.fit(
        flow or flows.coupling_flow(2, transforms=1, spline=4, hidden=(4,)), features, checkpoint=path, progress=False,
        **{"epochs": 2, **options},
    )  # fmt: skip


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(epochs=3), r"epochs was 2, now 3\."),
        (dict(learning_rate=0.5, seed=4), r"learning_rate was 0.001, now 0.5; seed was 0, now 4\."),
        (dict(validation=(GOOD, None)), r"validation was 0.1, now given"),
        (dict(features=with_value(0.125, 3, 0)), r"data was [0-9a-f]{64}, now [0-9a-f]{64}\."),
        (dict(flow=flows.coupling_flow(2, transforms=1, spline=4, hidden=(5,))), r"flow tensor .* was float32 \(4"),
        (dict(flow=flows.coupling_flow(2, transforms=1, spline=4, hidden=(4,), tail_bound=6.0)), r"'tail_bound': 6.0"),
        (dict(flow=Gaussian(2)), r"flow tensor mean was absent, now float32 \(2,\).*and \d+ more"),
    ],
)
def test_checkpoint_of_another_training_is_refused(tmp_path, change, message):
    path = tmp_path / "training.pt"
    small_training(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint: expected one of this training at .*" + message):
        small_training(path, **change)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) // 2], lambda data: b"not a checkpoint", lambda data: b""]
)
def test_damaged_checkpoint_is_refused(tmp_path, spoil):
    path = tmp_path / "training.pt"
    small_training(path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match="checkpoint: expected a whole checkpoint at .*training.pt"):
        small_training(path)


def test_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "training.pt"
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="checkpoint: expected a file of format hepflows-training-1"):
        small_training(path)


def test_a_write_that_fails_leaves_the_previous_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "training.pt"
    checkpoint.write(path, {"settings": {}, "steps": 1})

    def half(content, target):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint.torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.write(path, {"settings": {}, "steps": 2})
    assert checkpoint.read(path, {})["steps"] == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced")
def test_a_checkpoint_replaces_the_previous_one_at_once(tmp_path):
    path = tmp_path / "training.pt"
    checkpoint.write(path, {"settings": {}, "steps": 1})
    before = path.read_bytes()
    with path.open("rb") as still_open:
        checkpoint.write(path, {"settings": {}, "steps": 2})
        assert still_open.read() == before, "the previous file is not written to"
    assert checkpoint.read(path, {})["steps"] == 2


# ---------------------------------------------------------------- likelihood of many events


def test_nll_and_its_standard_error_of_a_gaussian():
    events = np.random.default_rng(3).normal(size=(20_000, 2))
    result = training.evaluate_nll(Gaussian(2), events, batch_size=777)
    # -log q = log(2 pi) + r^2/2, and r^2/2 is exponential: mean 1, standard deviation 1.
    assert result.mean == pytest.approx(math.log(2 * math.pi) + 1, abs=4 / math.sqrt(20_000))
    assert result.standard_error == pytest.approx(1 / math.sqrt(20_000), rel=0.05)


def test_log_prob_batched_equals_one_batch_and_keeps_the_mode():
    features, context = conditional_events(1001)
    flow = autoregressive(context=1, dropout=0.5)
    flow.train()
    values = training.log_prob_batched(flow, features, context, batch_size=100)
    assert all(module.training for module in flow.modules())
    flow.eval()
    expected = flow.log_prob(torch.tensor(features).float(), torch.tensor(context).float()).detach().numpy()
    assert values.dtype == np.float64 and values.shape == (1001,)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_nll_refuses_what_it_cannot_average():
    flow = Gaussian(2)
    with pytest.raises(InputError, match="at least 2 events"):
        training.evaluate_nll(flow, GOOD[:1])
    with pytest.raises(InputError, match="batch_size: expected a positive integer, got 0"):
        training.evaluate_nll(flow, GOOD, batch_size=0)
    with pytest.raises(FloatingPointError, match="not finite for 1 of 20 events, the first is row 9"):
        training.evaluate_nll(flow, with_value(1e30, 9, 0))


def test_conditional_normal_base_with_identity_is_trained_by_its_context():
    """A flow whose only weights are in the base distribution: q(x|c) = N(x; a c + b, s)."""
    features, context = conditional_events(4000)
    flow = Flow(IdentityTransform(), ConditionalDiagonalNormal([1], context_encoder=nn.Linear(1, 2)))
    training.fit(flow, features[:, :1], context, epochs=60, batch_size=400, learning_rate=0.03, progress=False)
    slope, _ = np.polyfit(context[:, 0], features[:, 0], 1)
    weights = flow.state_dict()["_distribution._context_encoder.weight"]
    # The slope's own error is 0.5 / sqrt(3600) = 0.008; the split removes a tenth of the events.
    assert weights[0, 0].item() == pytest.approx(slope, abs=4 * 0.008)


# ---------------------------------------------------------------- progress


def test_progress_shows_epoch_and_losses(capfd):
    history = training.fit(Gaussian(1), GOOD[:, :1], epochs=2, progress=True)
    shown = capfd.readouterr().err
    assert "epoch 2/2" in shown
    assert f"train={history.train_loss[1]:.4f}, validation={history.validation_loss[1]:.4f}" in shown
    training.fit(Gaussian(1), GOOD[:, :1], epochs=2, progress=False)
    assert capfd.readouterr().err == ""


def test_history_is_plain_data():
    import json

    history = training.fit(Gaussian(1), GOOD[:, :1], epochs=2, progress=False)
    copy = json.loads(json.dumps(history.to_dict()))
    assert training.History(**copy) == history
    assert set(copy) >= {"epoch", "train_loss", "validation_loss", "learning_rate", "seconds", "best_epoch"}


def test_the_loop_costs_little_more_than_the_flow():
    """No Python loop per event: a hundred times the events in a batch are not a hundred times the time."""
    events = np.random.default_rng(0).normal(size=(40_000, 1))

    def seconds(batch_size, batches):
        flow = Gaussian(1)
        began = time.perf_counter()
        training.fit(flow, events[: batch_size * batches + 10], validation=(events[:10], None), epochs=1,
                     batch_size=batch_size, progress=False)  # fmt: skip
        return time.perf_counter() - began

    seconds(10, 10)
    assert min(seconds(1000, 30) for _ in range(3)) < 20 * min(seconds(10, 30) for _ in range(3))

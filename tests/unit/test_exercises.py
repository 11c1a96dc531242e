"""Every check accepts the right answer in any sensible form, answers each typical mistake, and never raises."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hepflows import exercises
from hepflows.errors import InputError

HALF_S = 6500.0


def normal(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def log_normal(z):
    return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)


def highest_density(samples, level):
    """Shortest interval: the right level, the wrong tails."""
    ordered, count = np.sort(samples, axis=1), int(level * samples.shape[1])
    widths = ordered[:, count:] - ordered[:, :-count]
    start, rows = widths.argmin(axis=1), np.arange(len(samples))
    return ordered[rows, start], ordered[rows, start + count]


def sorted_interval(samples, level):
    """Central interval from the order statistics, without np.quantile."""
    ordered, tail = np.sort(samples, axis=1), (1 - level) / 2
    last = samples.shape[1] - 1
    return ordered[:, round(tail * last)], ordered[:, round((1 - tail) * last)]


RIGHT = {
    "01.density_of_transformed": [
        lambda x: normal(np.log(x)) / x,
        lambda x: torch.exp(torch.distributions.LogNormal(0.0, 1.0).log_prob(torch.as_tensor(x))),
    ],
    "01.log_abs_det": [
        lambda alpha: -alpha.sum(dim=1),
        lambda alpha: torch.exp(-alpha).prod(dim=-1).log(),
        lambda alpha: -np.sum(alpha.numpy(), axis=1),
    ],
    "01.compose": [lambda one, two: one + two, lambda one, two: torch.stack([one, two]).sum(0)],
    "01.loss": [
        lambda z, logabsdet: -(log_normal(z) + logabsdet).mean(),
        lambda z, logabsdet: (z**2).sum(1).mean() / 2 + np.log(2 * np.pi) - logabsdet.mean(),
        lambda z, logabsdet: -float(np.mean(np.log(normal(z.numpy())).sum(1) + logabsdet.numpy())),
    ],
    "05.momenta": [
        lambda x1, x2: ((x1 - x2) * HALF_S, (x1 + x2) * HALF_S),
        lambda x1, x2: [13000 * (x1 - x2) / 2, 13000 * (x1 + x2) / 2],
    ],
    "05.jacobian": [
        lambda log_density, x1, x2: log_density - torch.log(x1) - torch.log(x2),
        lambda log_density, x1, x2: log_density - np.log(x1 * x2),
        lambda log_density, x1, x2: np.asarray(log_density) - np.log(np.asarray(x1)) - np.log(np.asarray(x2)),
    ],
    "05.central_interval": [
        lambda samples, level: np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=1).tolist(),
        lambda samples, level: (
            np.percentile(samples, 50 - 50 * level, axis=1),
            np.percentile(samples, 50 + 50 * level, axis=1),
        ),
        sorted_interval,
    ],
}

# exercise, mistake, a word of the hint that names it
WRONG = [
    ("01.density_of_transformed", lambda x: normal(np.log(x)), "Jacobian is missing"),
    ("01.density_of_transformed", lambda x: normal(np.log(x)) * x, "multiply"),
    ("01.density_of_transformed", lambda x: normal(x), "at z = log x"),
    ("01.density_of_transformed", lambda x: np.log(normal(np.log(x)) / x), "log p_X"),
    ("01.density_of_transformed", lambda x: np.exp(-x), "interval"),
    ("01.density_of_transformed", lambda x: x * np.nan, "interval"),
    ("01.density_of_transformed", lambda x: 1.0, "shape"),
    ("01.log_abs_det", lambda alpha: alpha.sum(dim=1), "sign"),
    ("01.log_abs_det", lambda alpha: torch.exp(-alpha).prod(dim=1), "logarithm is wanted"),
    ("01.log_abs_det", lambda alpha: -alpha.mean(dim=1), "mean"),
    ("01.log_abs_det", lambda alpha: -alpha.sum(), "not over the batch"),
    ("01.log_abs_det", lambda alpha: -alpha, "adds up the features"),
    ("01.log_abs_det", lambda alpha: -alpha.sum(dim=0), "shape"),
    ("01.log_abs_det", lambda alpha: (-alpha).exp().sum(dim=1), "diagonal"),
    ("01.compose", lambda one, two: one * two, "multiply"),
    ("01.compose", lambda one, two: one - two, "same sign"),
    ("01.compose", lambda one, two: two, "product of the Jacobians"),
    ("01.compose", lambda one, two: (one + two).sum(), "shape"),
    ("01.loss", lambda z, logabsdet: (log_normal(z) + logabsdet).mean(), "minimised"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) + logabsdet).sum(), "sum over the events"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) + logabsdet), "one number"),
    ("01.loss", lambda z, logabsdet: -log_normal(z).mean(), "Jacobian is missing"),
    ("01.loss", lambda z, logabsdet: -(log_normal(z) - logabsdet).mean(), "sign of the log-determinant"),
    ("01.loss", lambda z, logabsdet: (z**2).sum(1).mean() / 2 - logabsdet.mean(), "constant"),
    ("01.loss", lambda z, logabsdet: z.mean(), "sum over the two dimensions"),
    ("05.momenta", lambda x1, x2: ((x1 + x2) * HALF_S, (x1 - x2) * HALF_S), "exchanged"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * 13000, (x1 + x2) * 13000), "factor of two"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * 6.5, (x1 + x2) * 6.5), "units"),
    ("05.momenta", lambda x1, x2: ((x2 - x1) * HALF_S, (x1 + x2) * HALF_S), "sign of pz"),
    ("05.momenta", lambda x1, x2: ((x1 + x2) * HALF_S, (x1 + x2) * HALF_S), "fly against"),
    ("05.momenta", lambda x1, x2: ((x1 - x2) * HALF_S, np.sqrt(x1 * x2) * 13000), "energies"),
    ("05.momenta", lambda x1, x2: (x1, x2), "four-vectors"),
    ("05.momenta", lambda x1, x2: (x1 - x2) * HALF_S, "two values"),
    ("05.jacobian", lambda log_density, x1, x2: log_density + np.log(x1 * x2), "sign"),
    ("05.jacobian", lambda log_density, x1, x2: log_density - np.log(x1), "both coordinates"),
    ("05.jacobian", lambda log_density, x1, x2: log_density / (x1 * x2), "subtract"),
    ("05.jacobian", lambda log_density, x1, x2: log_density, "changes with its coordinates"),
    ("05.jacobian", lambda log_density, x1, x2: log_density - x1 - x2, "diagonal"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.16, 0.84], axis=1).tolist(), "level 0.95"),
    ("05.central_interval", lambda s, level: np.quantile(s, [1 - level, level], axis=1).tolist(), "each side"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.0, level], axis=1).tolist(), "below as above"),
    ("05.central_interval", lambda s, level: (s.mean(1) - s.std(1), s.mean(1) + s.std(1)), "each side"),
    ("05.central_interval", lambda s, level: sorted_interval(s, level)[::-1], "exchange"),
    ("05.central_interval", lambda s, level: np.quantile(s, [0.1, 0.9], axis=0).tolist(), "shape"),
    ("05.central_interval", lambda s, level: (s.min(), s.max()), "shape"),
    ("05.central_interval", highest_density, "below as above"),
]

NOT_ATTEMPTED = [..., None, (..., ...), lambda *_: ..., lambda *_: None, lambda *_: (..., 1.0)]
UNUSABLE = [3, "text", [1, 2], object(), lambda: 1, lambda *_: "text", lambda *_: 1 / 0, np.zeros(3), type]


@pytest.fixture
def scratch(monkeypatch):
    monkeypatch.setattr(exercises.framework, "_exercises", {})


def test_every_exercise_is_tested():
    """Here, or those of lecture NN in test_exercises_NN.py."""
    elsewhere = {path.stem[-2:] for path in Path(__file__).parent.glob("test_exercises_*.py")}
    here = [name for name in exercises.names() if name[:2] not in elsewhere]
    assert here == sorted(RIGHT) == sorted({name for name, *_ in WRONG})


@pytest.mark.parametrize("name, answer", [(name, answer) for name in RIGHT for answer in RIGHT[name]])
def test_right_answer(name, answer, capsys):
    exercises.check(name, answer)
    exercises.check(name, answer, strict=True)
    assert capsys.readouterr().out == f"{name}: right.\n" * 2


@pytest.mark.parametrize("name, answer, word", WRONG)
def test_mistake_gets_its_hint(name, answer, word, capsys):
    exercises.check(name, answer)
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: not yet. ") and word.lower() in said.lower()
    with pytest.raises(AssertionError, match="not yet"):
        exercises.check(name, answer, strict=True)


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_not_attempted_and_unusable_never_stop(name, capsys):
    for answer in NOT_ATTEMPTED:
        exercises.check(name, answer)
        assert capsys.readouterr().out.startswith(f"{name}: not attempted yet")
        with pytest.raises(AssertionError, match="not attempted"):
            exercises.check(name, answer, strict=True)
    for answer in UNUSABLE:
        exercises.check(name, answer)
        assert f"{name}: not yet. " in capsys.readouterr().out
        with pytest.raises(AssertionError, match="not yet"):
            exercises.check(name, answer, strict=True)


def test_check_that_breaks_on_an_answer_becomes_a_hint(scratch, capsys):
    @exercises.exercise("09.shape", hint="Think of the axis.")
    def _shape(answer):
        return None if answer.shape == (3,) else "the shape is wrong."

    exercises.check("09.shape", 5)
    said = capsys.readouterr().out
    assert "could not use your answer (AttributeError" in said and "Think of the axis." in said
    exercises.check("09.shape", np.zeros(2))
    assert capsys.readouterr().out == "09.shape: not yet. The shape is wrong.\n"
    exercises.check("09.shape", np.zeros(3))
    assert capsys.readouterr().out == "09.shape: right.\n"


def test_student_cannot_change_the_check(capsys):
    def spoil(y):
        y *= 0
        return normal(y)

    exercises.check("01.density_of_transformed", spoil)
    exercises.check("01.density_of_transformed", RIGHT["01.density_of_transformed"][0], strict=True)


def test_names_are_unique_and_known(scratch):
    exercises.exercise("09.a", hint="")(lambda answer: None)
    with pytest.raises(InputError, match="'09.a', which exists"):
        exercises.exercise("09.a", hint="")(lambda answer: None)
    with pytest.raises(InputError, match="expected one of 09.a, got '09.b'"):
        exercises.check("09.b", 1)

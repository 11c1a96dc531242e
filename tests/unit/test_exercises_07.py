"""The checks of lecture 07 accept right answers in any sensible form, name each typical mistake, and never raise."""

import numpy as np
import pytest

from hepflows import exercises


def importance(f, q):
    w = f / q
    return w.mean(), w.std() / np.sqrt(len(w))


def chi2(values, errors):
    mean = np.average(values, weights=errors**-2.0)
    return np.sum(((values - mean) / errors) ** 2) / (len(values) - 1)


RIGHT = {
    "07.importance_sampling": [importance, lambda f, q: ((f / q).mean(), (f / q).std(ddof=1) / len(f) ** 0.5)],
    "07.accept_reject": [lambda w, top, u: u < w / top, lambda w, top, u: (u * top < w).astype(int)],
    "07.chi2": [chi2, lambda i, s: np.var((i - i.mean()) / s, ddof=1)],
}
# exercise, mistake, a word of the hint that names it
WRONG = [
    ("07.importance_sampling", lambda f, q: (f.mean(), f.std() / 20), "divide each f"),
    ("07.importance_sampling", lambda f, q: (f.mean() / q.mean(), 0.1), "mean of the ratios"),
    ("07.importance_sampling", lambda f, q: ((f / q).mean(), (f / q).std()), "smaller by sqrt"),
    ("07.importance_sampling", lambda f, q: ((f / q).sum(), 0.1), "mean of f / q"),
    ("07.importance_sampling", lambda f, q: ((f / q).mean(), 0.0), "over sqrt"),
    ("07.accept_reject", lambda w, top, u: u > w / top, "throws away"),
    ("07.accept_reject", lambda w, top, u: u < w, "exceed 1"),
    ("07.accept_reject", lambda w, top, u: w > 1, "eep a point where"),
    ("07.chi2", lambda i, s: chi2(i, s) * (len(i) - 1), "degrees of freedom"),
    ("07.chi2", lambda i, s: chi2(i, s) * (len(i) - 1) / len(i), "K - 1, not by K"),
    ("07.chi2", lambda i, s: i.mean(), "quare the pulls"),
]


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name, answers in RIGHT.items() for answer in answers])
def test_right_answers_pass(name, answer, capsys):
    exercises.check(name, answer, strict=True)
    assert capsys.readouterr().out == f"{name}: right.\n"


@pytest.mark.parametrize(("name", "answer", "word"), WRONG)
def test_mistakes_are_named(name, answer, word, capsys):
    exercises.check(name, answer)
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: not yet.") and word in said
    with pytest.raises(AssertionError, match="not yet"):
        exercises.check(name, answer, strict=True)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize(
    "answer", [lambda *inputs: ..., lambda *inputs: "x", lambda *inputs: 1 / 0, None, 3, lambda: 1]
)
def test_anything_is_answered(name, answer, capsys):
    exercises.check(name, answer)
    assert "not" in capsys.readouterr().out

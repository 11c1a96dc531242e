"""Every check accepts the right answer in any sensible form, answers each typical mistake, and never raises.

The answers stand in tests/exercise_answers, a file for each lecture: RIGHT and WRONG.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest

from hepflows import exercises
from hepflows.errors import InputError

FILES = sorted((Path(__file__).parents[1] / "exercise_answers").glob("lecture_*.py"))
LECTURES = [importlib.import_module(f"tests.exercise_answers.{path.stem}") for path in FILES]
RIGHT = {name: answers for lecture in LECTURES for name, answers in lecture.RIGHT.items()}
WRONG = [case for lecture in LECTURES for case in lecture.WRONG]

NOT_ATTEMPTED = [..., None, (..., ...), lambda *_: ..., lambda *_: None, lambda *_: (..., 1.0)]
UNUSABLE = [3, "text", [1, 2], object(), lambda: 1, lambda *_: "text", lambda *_: 1 / 0, np.zeros(3), type]


@pytest.fixture
def scratch(monkeypatch):
    monkeypatch.setattr(exercises.framework, "_exercises", {})


def test_every_exercise_is_tested():
    assert exercises.names() == sorted(RIGHT) == sorted({name for name, *_ in WRONG})


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
    right = RIGHT["01.density_of_transformed"][0]

    def spoil(y):
        y *= 0
        return right(y)

    exercises.check("01.density_of_transformed", spoil)
    exercises.check("01.density_of_transformed", right, strict=True)


def test_names_are_unique_and_known(scratch):
    exercises.exercise("09.a", hint="")(lambda answer: None)
    with pytest.raises(InputError, match="'09.a', which exists"):
        exercises.exercise("09.a", hint="")(lambda answer: None)
    with pytest.raises(InputError, match="expected one of 09.a, got '09.b'"):
        exercises.check("09.b", 1)

"""Exercises that answer: a check says what is wrong with an attempt, and never stops the notebook.

An attempt cell leaves `...` to fill in and ends in `exercises.check("05.momenta", momenta)`.
The solution cell passes the same check strictly: `exercises.check("05.momenta", momenta, strict=True)`.
"""

from hepflows.exercises import (
    lecture_01,
    lecture_02,
    lecture_03,
    lecture_04,
    lecture_05,
    lecture_06,
    lecture_07,
    lecture_08,
    lecture_09,
)  # they register their exercises
from hepflows.exercises.framework import check, exercise, names

__all__ = [
    "check",
    "exercise",
    "lecture_01",
    "lecture_02",
    "lecture_03",
    "lecture_04",
    "lecture_05",
    "lecture_06",
    "lecture_07",
    "lecture_08",
    "lecture_09",
    "names",
]

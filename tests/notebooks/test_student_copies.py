"""The student copy of every notebook runs to its end, from another folder, and gives no answer away."""

import nbformat
import pytest

from hepflows import runner, student
from hepflows.kernel import NotebookError

pytestmark = pytest.mark.notebook

NOTEBOOKS = sorted(runner.NOTEBOOKS.glob("*.ipynb"))
LONGEST_SECONDS = 720.0  # ends a copy that hangs; time is measured where the notebooks themselves are tested

# A copy has the cells of its notebook but some: what they compute is tested there, and here that nothing is missing. So
# every training gets two seconds, and everything else is as in the quick profile.
SHORT_TRAININGS = """
import inspect

from hepflows import training


def shortened(function):
    return lambda *arguments, **settings: function(*arguments, **{**settings, "seconds": 2.0})


for name, function in inspect.getmembers(training, inspect.isfunction):
    if "seconds" in inspect.signature(function).parameters:
        setattr(training, name, shortened(function))
"""


def with_short_trainings(path, folder):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SHORT_TRAININGS.strip()))
    folder.mkdir()
    nbformat.write(notebook, folder / path.name)
    return folder / path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_student_copy(path, tmp_path):
    (copy,) = student.write([path], tmp_path / "student")
    short = with_short_trainings(copy, tmp_path / "short")
    try:
        report = runner.execute(short, executed=tmp_path / "executed", timeout=LONGEST_SECONDS)
    except NotebookError:  # a flow that has learned too little can break a cell, too: only the whole training decides
        report = runner.execute(copy, executed=tmp_path / "executed", timeout=LONGEST_SECONDS)

    executed = nbformat.read(report.executed_path, as_version=4)
    printed = [output.text for cell in executed.cells for output in cell.get("outputs", []) if "text" in output]
    verdicts = [line for text in printed for line in text.splitlines() if line.startswith(path.stem[:2] + ".")]
    assert len(verdicts) >= 3, "expected an answer to each exercise's attempt"
    assert not [line for line in verdicts if line.endswith(": right.")]

"""Student copies: without solutions, still complete, never over somebody's work; and what needs a solution is found."""

import json
import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest

from hepflows import cli, runner, student
from hepflows.errors import DataError, InputError

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(runner.NOTEBOOKS.glob("*.ipynb"))
COURSE = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def code(source, *tags):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def text(source, *tags):
    return nbformat.v4.new_markdown_cell(source, metadata={"tags": list(tags)} if tags else {})


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))


def read(path):
    return nbformat.read(path, as_version=4)


ATTEMPT = code('answer = ...\nexercises.check("05.momenta", answer)', "exercise")
SOLVED = code('answer = 1\nexercises.check("05.momenta", answer, strict=True)', "solution", "hide-cell")


@pytest.fixture
def course(tmp_path):
    """A folder with two notebooks of an exercise each."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("01_first", "02_second"):
        content = notebook(text(f"# {name}"), ATTEMPT, SOLVED, text("because", "solution"), code("print(1)"))
        nbformat.write(content, folder / f"{name}.ipynb")
    return folder


def cells(path):
    return [cell.source for cell in read(path).cells]


# The course's own notebooks


def test_there_are_notebooks():
    assert NOTEBOOKS, f"expected notebooks in {runner.NOTEBOOKS}, got none"


@COURSE
def test_no_cell_needs_a_solution(path):
    assert student.dependences(read(path)) == []


@COURSE
def test_copy_is_the_notebook_without_solutions(path, tmp_path):
    (written,) = student.write([path], tmp_path)
    original, made = read(path), read(written)
    nbformat.validate(made)
    assert written == tmp_path / path.name
    assert [cell.id for cell in made.cells] == [
        cell.id for cell in original.cells if "solution" not in cell.metadata.get("tags", [])
    ]
    sources = {cell.id: cell.source for cell in original.cells}
    assert all(cell.source == sources[cell.id] for cell in made.cells)
    everything = "\n".join(sources.values())
    attempts = set(re.findall(r'exercises\.check\("([\w.]+)"', everything))
    assert len(attempts) >= 3
    kept = "\n".join(cell.source for cell in made.cells)
    assert set(re.findall(r'exercises\.check\("([\w.]+)"', kept)) == attempts
    assert not re.search(r"exercises\.check\(.*strict", kept)


@COURSE
def test_copy_finds_everything_from_another_folder(path):
    """Links lead to other notebooks of the same folder or to the web, and no cell opens a file by its place."""
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)\s]+)\)", cell.source):
                if not re.match(r"https?:|#|attachment:", target):
                    assert (path.parent / target).parent == path.parent, f"{target!r} leads out of the folder"
        else:
            assert not re.search(r"""["']\.\./|\w\(["'](data|results|notebooks)/""", cell.source), cell.source


# Copies


def test_outputs_and_widget_state_are_left_out():
    content = notebook(code("1 + 1"), SOLVED)
    content.cells[0].outputs = [nbformat.v4.new_output("stream", text="2")]
    content.cells[0].execution_count = 3
    content.metadata["widgets"] = {"state": {}}
    before = json.dumps(content)
    made = student.student_copy(content)
    assert made.cells[0].outputs == [] and made.cells[0].execution_count is None and "widgets" not in made.metadata
    assert len(made.cells) == 1
    assert json.dumps(content) == before  # the notebook itself stays as it was


def test_untouched_copies_follow_the_course(course, tmp_path):
    out = tmp_path / "deep" / "student"
    paths = sorted(course.glob("*.ipynb"))
    assert student.write(paths, out) == [out / "01_first.ipynb", out / "02_second.ipynb"]
    assert cells(out / "01_first.ipynb") == ["# 01_first", ATTEMPT.source, "print(1)"]
    opened = read(out / "01_first.ipynb")  # opened and saved by an editor that has its own way of writing
    opened.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (out / "01_first.ipynb").write_text(json.dumps(opened, indent=4))
    changed = read(paths[0])
    changed.cells.append(text("new"))
    nbformat.write(changed, paths[0])
    student.write(paths, out)
    assert cells(out / "01_first.ipynb")[-1] == "new"
    assert {path.name for path in out.iterdir()} == {path.name for path in paths}


def edit(content):
    content.cells[1].source = "answer = 42"


def execute(content):
    content.cells[1].outputs = [nbformat.v4.new_output("stream", text="05.momenta: right.")]


def add_a_cell(content):
    content.cells.insert(1, code("my_own = 1"))


def delete_a_cell(content):
    del content.cells[2]


@pytest.mark.parametrize("work", [edit, execute, add_a_cell, delete_a_cell])
def test_work_is_not_overwritten(course, tmp_path, work):
    paths, out = sorted(course.glob("*.ipynb")), tmp_path / "student"
    first, second = student.write(paths, out)
    content = read(first)
    work(content)
    nbformat.write(content, first)
    before = first.read_bytes()
    second.unlink()
    with pytest.raises(InputError, match=r"1 of 2 copies .* stay as they are: 01_first; .*--out.*--force") as refused:
        student.write(paths, out)
    assert "02_second" not in str(refused.value)
    assert first.read_bytes() == before
    assert cells(second)[0] == "# 02_second"  # the others are written
    student.write(paths, out, force=True)
    assert cells(first) == ["# 01_first", ATTEMPT.source, "print(1)"]


@pytest.mark.parametrize("content", ["{", "my notes", json.dumps(notebook(code("mine = 1")))])
def test_a_file_that_is_no_student_copy_stays(course, tmp_path, content):
    out = tmp_path / "student"
    out.mkdir()
    (out / "01_first.ipynb").write_text(content)
    with pytest.raises(InputError, match="hold work"):
        student.write([course / "01_first.ipynb"], out)
    assert (out / "01_first.ipynb").read_text() == content


@pytest.mark.parametrize("force", [False, True])
def test_a_notebook_is_not_written_onto_itself(course, tmp_path, force):
    (tmp_path / "link").symlink_to(course)
    before = {path: path.read_bytes() for path in course.iterdir()}
    for out in (course, tmp_path / "link", course / ".." / course.name):
        with pytest.raises(InputError, match="out: expected another folder than that of the notebooks, got '.*'"):
            student.write(sorted(course.glob("*.ipynb")), out, force)
    assert {path: path.read_bytes() for path in course.iterdir()} == before


def test_nothing_is_written_if_one_notebook_cannot_be(course, tmp_path):
    broken = course / "03_broken.ipynb"
    nbformat.write(notebook(SOLVED, code("print(answer)")), broken)
    paths = sorted(course.glob("*.ipynb"))
    said = "03_broken.ipynb: expected cells that run without the solutions; cell 2 uses 'answer', which the solution in"
    with pytest.raises(InputError, match=said):
        student.write(paths, tmp_path / "student")
    broken.write_text("{}")
    with pytest.raises(DataError, match="03_broken.ipynb: expected a Jupyter notebook"):
        student.write(paths, tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_an_interrupted_write_leaves_the_old_copy(course, tmp_path, monkeypatch):
    (first,) = student.write([course / "01_first.ipynb"], tmp_path / "student")
    before = first.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        student.write([course / "01_first.ipynb"], tmp_path / "student")
    assert first.read_bytes() == before and list(first.parent.iterdir()) == [first]


# What needs a solution: the cells (a solution begins with "# solution"), and the names that are found

NEEDS = {
    "a name of the solution": (["# solution\na = 1", "a"], "a"),
    "the attempt's name, as the solution leaves it": (["a = ...", "# solution\na = 1", "print(a)"], "a"),
    "also further down": (["# solution\na = 1", "b = 2", "b", "a"], "a"),
    "an import": (["# solution\nimport numpy as np", "np.zeros(1)"], "np"),
    "a function": (["# solution\ndef f():\n    return 1", "f()"], "f"),
    "a class": (["# solution\nclass A:\n    pass", "A()"], "A"),
    "a loop's variable": (["# solution\nfor i in range(3):\n    pass", "print(i)"], "i"),
    "a walrus": (["# solution\nprint(n := 3)", "n"], "n"),
    "augmented": (["a = 0", "# solution\na = 1", "a += 1"], "a"),
    "read, then bound": (["# solution\na = 1", "a = a + 1"], "a"),
    "an attribute": (["# solution\nfit = 1", "fit.loss"], "fit"),
    "an f-string": (["# solution\na = 1", "print(f'{a:.3f}')"], "a"),
    "in a comprehension": (["# solution\na = 1", "b = [a * i for i in range(3)]\na = 2"], "a"),
    "in a lambda": (["# solution\na = 1", "f = lambda x: a * x"], "a"),
    "in a function's body": (["# solution\na = 1", "def f():\n    return a"], "a"),
    "deep in a function": (["# solution\na = 1", "def f():\n    def g():\n        return a\n    return g"], "a"),
    "in a method": (["# solution\na = 1", "class A:\n    def f(self):\n        return a"], "a"),
    "as a default": (["# solution\na = 1", "def f(x=a):\n    return x"], "a"),
    "as a decorator": (["# solution\ndef d(f):\n    return f", "@d\ndef f():\n    pass"], "d"),
    "in a function before the solution": (["def f():\n    return a", "# solution\na = 1", "f()"], "a"),
    "beside a line for IPython": (["# solution\na = 1", "%matplotlib inline\nif True:\n    !ls\na"], "a"),
    "bound by a function with global": (["# solution\ndef f():\n    global a\n    a = 1\nf()", "a"], "a"),
}
NEEDS_NOT = {
    "bound anew": ["a = ...", "# solution\na = 1", "a = 2", "a"],
    "bound anew in the same cell": ["# solution\na = 1", "a = 2\na"],
    "a loop of its own": ["# solution\nfor row in [1]:\n    pass", "for row in [2]:\n    print(row)"],
    "imported anew": ["# solution\nimport numpy as np", "import numpy as np\nnp.zeros(1)"],
    "a parameter": ["# solution\na = 1", "def f(a):\n    return a", "g = lambda a: a"],
    "local to a function": ["# solution\na = 1", "def f():\n    a = 2\n    return a"],
    "local to a comprehension": ["# solution\na = 1", "[a for a in range(3)]"],
    "an attribute of the same name": ["# solution\nloss = 1", "fit = 0", "fit.loss"],
    "a class attribute": ["# solution\na = 1", "class A:\n    a = 2\n    b = a"],
    "a keyword argument": ["# solution\na = 1", "dict(a=3)"],
    "a later definition, when called": ["# solution\na = 1", "def f():\n    return a\na = 2\nf()"],
    "solution after solution": ["# solution\na = 1", "# solution\na"],
    "an attempt that a later cell uses": ["a = ...", "# solution\nb = 1", "a"],
}


def from_sources(sources):
    return notebook(*[code(source, *(["solution"] if source.startswith("# solution") else [])) for source in sources])


@pytest.mark.parametrize("sources, name", NEEDS.values(), ids=NEEDS)
def test_dependence_is_found(sources, name):
    (found,) = student.dependences(from_sources(sources))
    assert re.fullmatch(rf"cell \d+ uses '{name}', which the solution in cell \d+ defines", found)


@pytest.mark.parametrize("sources", NEEDS_NOT.values(), ids=NEEDS_NOT)
def test_independence_is_recognised(sources):
    assert student.dependences(from_sources(sources)) == []


def test_dependence_says_where():
    content = notebook(text("# Title"), code("a = ..."), code("a = b = 1", "solution"), text("."), code("print(b, a)"))
    assert student.dependences(content) == [
        "cell 5 uses 'a', which the solution in cell 3 defines",
        "cell 5 uses 'b', which the solution in cell 3 defines",
    ]


def test_a_cell_that_is_no_python_is_named():
    with pytest.raises(InputError, match=r"cell 2: expected Python, got 'a = = 1' \(invalid syntax\)"):
        student.dependences(notebook(text("# Title"), code("a = = 1")))


# Command line and make


def command(capsys, *arguments):
    code = cli.main(["student", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_command(course, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(capsys, "--notebooks", course) == (0, "2 notebooks without solutions -> _build/student\n", "")
    assert command(capsys, "2", "--notebooks", course, "--out", "mine")[0] == 0
    assert [path.name for path in Path("mine").iterdir()] == ["02_second.ipynb"]
    Path("mine/02_second.ipynb").write_text("work")
    code, out, err = command(capsys, "2", "--notebooks", course, "--out", "mine")
    assert (code, out) == (2, "") and err.startswith("hepflows: 1 of 1 copies in mine hold work") and "--force" in err
    assert command(capsys, "2", "--notebooks", course, "--out", "mine", "--force")[0] == 0
    code, out, err = command(capsys, "7", "--notebooks", course)
    assert (code, out) == (2, "") and err == "hepflows: unknown notebook, got '7'; there are: 01_first, 02_second\n"
    Path("file").touch()
    code, _, err = command(capsys, "--notebooks", course, "--out", "file")
    assert code == 2 and err.startswith("hepflows: ") and err.count("\n") == 1


def test_make_runs_the_command():
    asked = ["make", "--no-print-directory", "-n", "student", "ARGS=--force 05"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == ".venv/bin/hepflows student --force 05", done.stderr


def test_make_clean_keeps_the_students_work(tmp_path):
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for _ in range(2):  # the second time there is nothing left to delete
        (tmp_path / "_build/student").mkdir(parents=True, exist_ok=True)
        (tmp_path / "_build/a folder").mkdir(exist_ok=True)
        (tmp_path / "_build/student/01.ipynb").touch()
        subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
        assert [path.name for path in (tmp_path / "_build").iterdir()] == ["student"]
        assert (tmp_path / "_build/student/01.ipynb").exists()

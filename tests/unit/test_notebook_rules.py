"""The rules of every notebook: small cells, no output, a card, checked solutions, figures with alternative text."""

import ast
import re
import statistics

import nbformat
import pytest

from hepflows import exercises, runner

NOTEBOOKS = sorted(runner.NOTEBOOKS.glob("*.ipynb"))
LONGEST_CELL = 25
LARGEST_MEDIAN = 8


def lines(cell):
    return len(cell.source.splitlines())


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return set(cell.metadata.get("tags", []))


def calls(cell):
    """Every call in a code cell as (dotted name, call node); lines for IPython are left out."""
    source = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in cell.source.splitlines())
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in nodes]


def checks(cell):
    """Names of the exercises that a cell checks: (those of an attempt, those checked strictly)."""
    attempts, strict = set(), set()
    for name, node in calls(cell):
        if name == "exercises.check":
            is_strict = any(
                keyword.arg == "strict" and ast.unparse(keyword.value) == "True" for keyword in node.keywords
            )
            (strict if is_strict else attempts).add(ast.literal_eval(node.args[0]))
    return attempts, strict


# Rules: each takes a notebook and yields what is wrong with it


def no_cell_is_long(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if lines(cell) > LONGEST_CELL:
            yield f"cell {number}: {lines(cell)} lines, {LONGEST_CELL} allowed; move code to hepflows, or split text"


def median_code_cell_is_short(notebook):
    median = statistics.median([lines(cell) for cell in code_cells(notebook)] or [0])
    if median > LARGEST_MEDIAN:
        yield f"median code cell of {median} lines, {LARGEST_MEDIAN} allowed"


def no_outputs(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and (cell.outputs or cell.execution_count is not None):
            yield f"cell {number}: has outputs or an execution count; run nbstripout"
    if "widgets" in notebook.metadata:
        yield "widget state in the notebook's metadata; run nbstripout"


def starts_with_a_card(notebook):
    card = notebook.cells[0].source if notebook.cells and notebook.cells[0].cell_type == "markdown" else ""
    for words in ("you will be able to", "you need", "minutes", "memory"):
        if words not in card.lower():
            yield f"first cell: expected a card with the words {words!r}"


def starts_the_course(notebook):
    source = "\n".join(cell.source for cell in code_cells(notebook))
    if not re.search(r"^from hepflows import .*\bcourse\b", source, re.MULTILINE):
        yield "expected `from hepflows import course`"
    first_calls = [name for cell in code_cells(notebook)[:2] for name, _ in calls(cell)]
    if "course.start" not in first_calls:
        yield "expected course.start in the first or second code cell"


def names_no_device(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code" and re.search(r"cuda|[\"']mps\b", cell.source):
            yield f"cell {number}: names a device; use the one that course.start has chosen"


def solutions_are_folded(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if "solution" not in tags(cell):
            continue
        if "hide-cell" not in tags(cell):
            yield f"cell {number}: a solution, without the tag hide-cell"
        if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"cell {number}: a solution, without jupyter.source_hidden"


def exercises_have_checked_solutions(notebook):
    attempts, solutions = set(), set()
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        attempted, strict = checks(cell)
        attempts |= attempted
        solutions |= strict
        if strict and "solution" not in tags(cell):
            yield f"cell {number}: checks strictly, without the tag solution: an attempt may never stop the run"
        if attempted and "solution" in tags(cell):
            yield f"cell {number}: a solution must pass its check with strict=True"
    if attempts != solutions:
        yield f"exercises without a strict solution, or solutions without an attempt: {sorted(attempts ^ solutions)}"
    unknown = (attempts | solutions) - set(exercises.names())
    if unknown:
        yield f"exercises without a check in hepflows.exercises: {sorted(unknown)}"


def figures_have_alt_text(notebook):
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        for name, node in calls(cell):
            if name in ("plt.show", "plots.plt.show", "figure.show", "fig.show"):
                yield f"cell {number}: {name} carries no alternative text; use plots.show(figure, alt=...)"
            if name == "plots.show" and "alt" not in [keyword.arg for keyword in node.keywords]:
                yield f"cell {number}: plots.show without alt=..."


def ends_with_references(notebook):
    last = notebook.cells[-1] if notebook.cells else None
    if last is None or last.cell_type != "markdown" or "References" not in last.source or "arXiv" not in last.source:
        yield "last cell: expected text with 'References' and at least one arXiv number"


RULES = [
    no_cell_is_long,
    median_code_cell_is_short,
    no_outputs,
    starts_with_a_card,
    starts_the_course,
    names_no_device,
    solutions_are_folded,
    exercises_have_checked_solutions,
    figures_have_alt_text,
    ends_with_references,
]


def test_there_are_notebooks():
    assert NOTEBOOKS, f"expected notebooks in {runner.NOTEBOOKS}, got none"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_rule(path, rule):
    broken = list(rule(nbformat.read(path, as_version=4)))
    assert not broken, f"{path.name}: " + "\n".join(broken)


# The rules themselves: a notebook that keeps all of them, and for each rule the changes that break it


def text(source, **metadata):
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def code(source, **metadata):
    return nbformat.v4.new_code_cell(source, metadata=metadata)


FOLDED = {"tags": ["solution", "hide-cell"], "jupyter": {"source_hidden": True}}
STRICT = 'exercises.check("05.momenta", answer, strict=True)'


def good():
    cells = [
        text("## Card\nYou will be able to read. You need nothing; 2 minutes, memory 0.5 GB."),
        code("%matplotlib inline\nfrom hepflows import course, exercises, plots\nlesson = course.start(seed=1)"),
        code('answer = ...\nexercises.check("05.momenta", answer)', tags=["exercise"]),
        code(f"answer = 1\n{STRICT}", **FOLDED),
        code('plots.show(figure, alt="A falling line.")'),
        text("## References\narXiv:1906.04032"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def widget_state(notebook):
    notebook.metadata["widgets"] = {}


def output(notebook):
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="a")]


def replace(index, cell):
    return lambda notebook: notebook.cells.__setitem__(index, cell)


BREAKS = [
    (no_cell_is_long, replace(4, code("a = 1\n" * 26))),
    (no_cell_is_long, replace(0, text(good().cells[0].source + "\n" * 24 + "end"))),
    (median_code_cell_is_short, lambda notebook: notebook.cells.__setitem__(slice(2, 5), [code("a = 1\n" * 9)] * 3)),
    (no_outputs, output),
    (no_outputs, lambda notebook: notebook.cells[1].__setitem__("execution_count", 1)),
    (no_outputs, widget_state),
    (starts_with_a_card, lambda notebook: notebook.cells.pop(0)),
    (starts_with_a_card, replace(0, text("You will be able to read. You need nothing; 2 minutes."))),
    (starts_with_a_card, replace(0, code("print('you will be able to, you need, minutes, memory')"))),
    (starts_the_course, replace(1, code("from hepflows import exercises, plots"))),
    (starts_the_course, replace(1, code("from hepflows import course, plots\ncourse.start"))),
    (names_no_device, replace(4, code('model.to("cuda:0")'))),
    (names_no_device, replace(4, code("model.cuda()"))),
    (names_no_device, replace(4, code("device = 'mps'"))),
    (solutions_are_folded, replace(3, code(STRICT, tags=["solution"], jupyter={"source_hidden": True}))),
    (solutions_are_folded, replace(3, code(STRICT, tags=["solution", "hide-cell"]))),
    (exercises_have_checked_solutions, lambda notebook: notebook.cells.pop(3)),
    (exercises_have_checked_solutions, lambda notebook: notebook.cells.pop(2)),
    (exercises_have_checked_solutions, replace(3, code(STRICT, tags=["hide-cell"]))),
    (exercises_have_checked_solutions, replace(3, code(STRICT.replace("True", "False"), **FOLDED))),
    (exercises_have_checked_solutions, replace(2, code('exercises.check("05.unheard_of", 1)'))),
    (figures_have_alt_text, replace(4, code("plots.show(figure)"))),
    (figures_have_alt_text, replace(4, code("plt.show()"))),
    (ends_with_references, lambda notebook: notebook.cells.pop()),
    (ends_with_references, replace(-1, text("## References\nnone"))),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_accepts_a_good_notebook(rule):
    assert list(rule(good())) == []


@pytest.mark.parametrize("rule, damage", BREAKS)
def test_rule_finds_the_fault(rule, damage):
    notebook = good()
    damage(notebook)
    assert list(rule(notebook))


def test_every_rule_can_fail():
    assert {rule for rule, _ in BREAKS} == set(RULES)

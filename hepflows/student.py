"""Student copies of the notebooks: without the solutions, and running without them."""

import ast
import copy
import dis
import hashlib
import json
from pathlib import Path
from types import CodeType

from hepflows import records as _records
from hepflows.errors import DataError, InputError
from hepflows.kernel import need

SOLUTION = "solution"  # the tag of the cells that a student copy leaves out
_READS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
_BINDS = {"STORE_NAME", "STORE_GLOBAL"}
# most comprehensions are code objects of their own only before Python 3.12
_RUN_AT_ONCE = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}


def student_copy(notebook):
    """A notebook without its solution cells and without outputs; everything else stays, attempts included.

    Raises InputError if a cell that stays uses a name that a solution defines (see `dependences`).
    """
    broken = dependences(notebook)
    if broken:
        raise InputError(f"expected cells that run without the solutions; {'; '.join(broken)}")
    made = copy.deepcopy(notebook)
    made.cells = [cell for cell in made.cells if not _is_solution(cell)]
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    made.metadata.pop("widgets", None)
    made.metadata["hepflows"] = {"student_copy": _digest(made)}
    return made


def write(paths, out, force=False):
    """Write student copies of notebooks into the folder `out`, each whole or not at all; returns their paths.

    A copy that was changed or executed since it was written stays as it is, and so does a file that is no student copy;
    force: replace them. Raises InputError naming those that stayed (the others are written then), or if a notebook
    needs its solutions or is to be written onto itself (nothing is written then); DataError for what is no notebook.
    """
    nbformat = need("nbformat")
    copies = {}
    for path in map(Path, paths):
        target = Path(out) / path.name
        if target.resolve() == path.resolve():
            raise InputError(f"out: expected another folder than that of the notebooks, got {str(out)!r}")
        try:
            copies[target] = student_copy(_read(path))
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from None
    stayed = [] if force else [target for target in copies if target.exists() and not _is_untouched(target)]
    for target, made in copies.items():
        if target not in stayed:
            _records.write_atomically(target, nbformat.writes(made) + "\n")
    if stayed:
        raise InputError(
            f"{len(stayed)} of {len(copies)} copies in {out} hold work and stay as they are: "
            f"{', '.join(target.stem for target in stayed)}; choose another folder (--out), or replace them (--force)"
        )
    return list(copies)


def dependences(notebook):
    """What keeps a notebook from running without its solutions: one sentence for each use of a name of theirs.

    A cell that stays may use a name only as cells that stay have left it. Found without executing anything, from the
    names that Python's compiler sees; a solution that changes an object in place goes unnoticed.
    Raises InputError for a cell that is no Python.
    """
    cells = [
        (number, _is_solution(cell), *_names(cell.source, number))
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code"
    ]
    by_solutions = {name: number for number, is_solution, _, binds in cells if is_solution for name in binds}
    by_others = {name for _, is_solution, _, binds in cells if not is_solution for name in binds}
    only_by_solutions = {name: number for name, number in by_solutions.items() if name not in by_others}
    broken, latest = [], {}  # latest: name -> the solution that bound it last, while no other cell has bound it anew
    for number, is_solution, reads, binds in cells:
        if is_solution:
            latest.update(dict.fromkeys(binds, number))
            continue
        # a function may stand before the solution whose name it uses, hence the names that no other cell binds
        found = {name: (only_by_solutions | latest)[name] for name in reads if name in only_by_solutions | latest}
        broken += [
            f"cell {number} uses {name!r}, which the solution in cell {solution} defines"
            for name, solution in sorted(found.items())
        ]
        latest = {name: solution for name, solution in latest.items() if name not in binds}
    return broken


def _is_solution(cell):
    return SOLUTION in cell.metadata.get("tags", [])


def _names(source, number):
    """(names that a cell reads before it has bound them itself, names that it binds)."""
    # lines for IPython are no Python; `pass` keeps the block in which one stands
    lines = source.splitlines()
    lines = [
        line[: len(line) - len(line.lstrip())] + "pass" if line.lstrip().startswith(("%", "!")) else line
        for line in lines
    ]
    try:
        code = compile("\n".join(lines), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        raise InputError(f"cell {number}: expected Python, got {(error.text or '').strip()!r} ({error.msg})") from None
    reads, when_called, binds = set(), set(), set()
    for step in dis.get_instructions(code):
        if isinstance(step.argval, CodeType):
            inner_reads, inner_binds = _names_inside(step.argval)
            if step.argval.co_name in _RUN_AT_ONCE:
                reads |= inner_reads - binds
            else:
                when_called |= inner_reads
            binds |= inner_binds
        elif step.opname in _READS and step.argval not in binds:
            reads.add(step.argval)
        elif step.opname in _BINDS:
            binds.add(step.argval)
    return reads | (when_called - binds), binds


def _names_inside(code):
    """(names of the notebook that the body of a function, class or comprehension reads, names of it that it binds)."""
    steps = list(dis.get_instructions(code))
    reads = {step.argval for step in steps if step.opname in _READS}
    reads -= {step.argval for step in steps if step.opname == "STORE_NAME"}  # those of a class itself
    binds = {step.argval for step in steps if step.opname == "STORE_GLOBAL"}
    inside = [_names_inside(step.argval) for step in steps if isinstance(step.argval, CodeType)]
    return reads.union(*(names for names, _ in inside)), binds.union(*(names for _, names in inside))


def _digest(notebook):
    """SHA-256 of what a student changes: the cells, their order, and whether they have been executed."""
    cells = [(cell.cell_type, cell.source, bool(cell.get("outputs"))) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def _is_untouched(path):
    """True for a student copy as it was written; what cannot be read may be somebody's work as well."""
    try:
        notebook = _read(path)
    except DataError:
        return False
    return notebook.metadata.get("hepflows", {}).get("student_copy") == _digest(notebook)


def _read(path):
    nbformat = need("nbformat")
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its parser raises
        raise DataError(f"{path.name}: expected a Jupyter notebook; {error}") from None

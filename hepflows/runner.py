"""Execute one notebook in a fresh kernel and write down what it measured, where, and at what cost."""

import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hepflows import provenance
from hepflows import records as _records
from hepflows.errors import DataError, InputError
from hepflows.kernel import KernelRun, NotebookError, Progress, need

NOTEBOOKS = provenance.REPOSITORY / "notebooks"
RESULTS = Path("_build/results")  # not results/: what the repository ships changes only when it is named


@dataclass
class RunReport:
    """One run: what goes into DIR/<profile>/<NN>.json, and the files that were written."""

    notebook: str
    profile: str
    seed: int | None
    hardware: dict
    versions: dict
    commit: str | None
    seconds: float
    peak_memory_bytes: int | None
    records: list[dict]
    results_path: Path | None = field(default=None, compare=False)
    executed_path: Path | None = field(default=None, compare=False)
    html_path: Path | None = field(default=None, compare=False)

    def as_dict(self):
        """The content of the JSON file."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_path")}


def list_notebooks(folder=None):
    """Paths of the notebooks in a folder (the course's own by default), in order; DataError if none."""
    folder = Path(folder or NOTEBOOKS)
    found = sorted(path for path in folder.glob("*.ipynb") if not path.name.startswith("."))
    if not found:
        raise DataError(f"notebooks: expected a folder with notebooks, got {folder}; name one with --notebooks")
    return found


def find_notebook(name, folder=None):
    """Path of '05', '5', 'gluon_momenta', '05_gluon_momenta' or a path; InputError lists what exists."""
    name = str(name)
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name)
    if Path(name).name != name:
        raise InputError(f"notebook: expected a name or the path of a notebook that exists, got {name!r}")
    found = list_notebooks(folder)
    wanted = Path(name).stem if name.endswith(".ipynb") else name
    matches = [path for path in found if path.stem == wanted]
    matches = matches or [path for path in found if path.stem.partition("_")[2] == wanted]
    if not matches and wanted.isdecimal():
        matches = [path for path in found if _number(path).isdecimal() and int(_number(path)) == int(wanted)]
    if len(matches) != 1:
        problem = "expected the name of one notebook" if matches else "unknown notebook"
        raise InputError(f"{problem}, got {name!r}; there are: {', '.join(path.stem for path in found)}")
    return matches[0]


def find_notebooks(names, folder=None):
    """Paths of several notebooks, each once, in the order of the names; 'all' is every one."""
    paths = []
    for name in names:
        paths += list_notebooks(folder) if name == "all" else [find_notebook(name, folder)]
    return list(dict.fromkeys(paths))


def _number(path):
    """'05' of 05_gluon_momenta.ipynb; the whole stem where there is no number."""
    head = path.stem.partition("_")[0]
    return head if head.isdecimal() else path.stem


def execute(
    notebook, profile="quick", seed=None, results=None, executed=None, html=False, progress=True, timeout=None
) -> RunReport:
    """Run a notebook from its first cell to its last in a fresh kernel of this Python, in the notebook's folder.

    notebook: name or path (see find_notebook); profile: "quick" or "full"; seed: overrides the notebook's own;
    results: folder that receives <profile>/<NN>.json if the run succeeds (None: nothing is written);
    executed: folder that receives the executed copy, also of a failed run, with an HTML page beside it if `html`;
    timeout: seconds for the whole notebook (None: no limit).
    Raises NotebookError with the failing cell's source and error, or with what killed the kernel.
    """
    if profile not in _records.PROFILES:
        raise InputError(f"profile: expected quick or full, got {profile!r}")
    if html and executed is None:
        raise InputError("html: expected a folder in `executed` to write the page to, got None")
    nbformat = need("nbformat")
    path = find_notebook(notebook).resolve()
    try:
        content = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises whatever its parser raises
        raise DataError(f"{path.name}: expected a Jupyter notebook; {error}") from None
    commit = provenance.commit()

    with tempfile.TemporaryDirectory(prefix="hepflows-") as scratch:
        gathered = Path(scratch) / "records.jsonl"
        environment = _environment(profile, seed, gathered, scratch)
        run = KernelRun(path, content, environment, Progress(path.stem, content, progress))
        begin = time.perf_counter()
        try:
            asyncio.run(run.execute(timeout))
            seconds = time.perf_counter() - begin
        finally:
            run.progress.close()
            executed_path, html_path = _write_copy(content, path, executed, html) if executed else (None, None)
        about, recorded = _read_gathered(gathered, path.name)

    report = RunReport(
        notebook=path.stem,
        profile=profile,
        seed=about.get("seed", seed),
        hardware=provenance.hardware(about.get("device"), about.get("accelerator"), about.get("threads")),
        versions=provenance.versions(),
        commit=commit,
        seconds=round(seconds, 3),
        peak_memory_bytes=run.peak,
        records=recorded,
        executed_path=executed_path,
        html_path=html_path,
    )
    if results is not None:
        text = json.dumps(report.as_dict(), indent=2, allow_nan=False) + "\n"
        report.results_path = _records.write_atomically(Path(results) / profile / f"{_number(path)}.json", text)
    return report


def _environment(profile, seed, gathered, scratch):
    environment = dict(os.environ)
    environment.update(HEPFLOWS_PROFILE=profile, HEPFLOWS_RECORDS=str(gathered))
    if seed is not None:
        environment["HEPFLOWS_SEED"] = str(seed)
    environment["IPYTHONDIR"] = scratch  # nobody's start-up files
    environment.setdefault("TQDM_DISABLE", "1")  # bars make no sense on a static page
    environment.pop("MPLBACKEND", None)  # the kernel's own, so that figures become outputs
    if provenance.REPOSITORY.name != "site-packages":  # the kernel imports the same hepflows as we are
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([str(provenance.REPOSITORY)] + ([inherited] if inherited else []))
    return environment


def _read_gathered(gathered, name):
    """What course.start said of itself, and the records, in their order."""
    about, recorded = {}, []
    for line in gathered.read_text(encoding="utf-8").splitlines() if gathered.exists() else []:
        entry = json.loads(line)
        if "course" in entry:
            about = entry["course"]
        else:
            recorded.append(entry["record"])
    names = [record["name"] for record in recorded]
    twice = sorted({record for record in names if names.count(record) > 1})
    if twice:
        raise NotebookError(f"{name}: expected every record once, got twice: {', '.join(twice)}")
    return about, recorded


def _write_copy(content, path, executed, html):
    nbformat = need("nbformat")
    executed_path = _records.write_atomically(Path(executed) / path.name, nbformat.writes(content) + "\n")
    if not html:
        return executed_path, None
    exporter = need("nbconvert").HTMLExporter()
    page, _ = exporter.from_notebook_node(content, {"metadata": {"name": path.stem, "path": str(path.parent)}})
    return executed_path, _records.write_atomically(executed_path.with_suffix(".html"), page)

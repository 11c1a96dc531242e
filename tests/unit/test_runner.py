"""Running notebooks: records, failures, memory, time limits, and the report that is written."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from hepflows import provenance, runner
from hepflows.errors import DataError, InputError, MissingExtraError
from hepflows.kernel import NotebookError

RECORDING = """
import os
from hepflows import course
course.record("auc", 0.51, 0.004, reference=0.5, source="lecture")
course.record("events", 200)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for variable in ("HEPFLOWS_SEED", "HEPFLOWS_PROFILE", "HEPFLOWS_THREADS", "TQDM_DISABLE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def small(make_notebook):
    return make_notebook([("markdown", "# Title"), RECORDING, "print(os.getcwd())"], "07_small")


def test_report_is_written_and_complete(small, tmp_path):
    report = runner.execute(small, seed=5, results=tmp_path / "out", progress=False)
    written = json.loads((tmp_path / "out/quick/07.json").read_text())
    assert written == report.as_dict()
    assert list(written) == [
        "notebook",
        "profile",
        "seed",
        "hardware",
        "versions",
        "commit",
        "seconds",
        "peak_memory_bytes",
        "records",
    ]
    assert (written["notebook"], written["profile"], written["seed"]) == ("07_small", "quick", 5)
    assert written["records"] == [
        {"name": "auc", "value": 0.51, "uncertainty": 0.004, "reference": 0.5, "source": "lecture"},
        {"name": "events", "value": 200, "uncertainty": None, "reference": None, "source": None},
    ]
    assert written["versions"]["python"] == sys.version.split()[0]
    assert written["versions"]["torch"] and written["versions"]["hepflows"]
    assert written["hardware"]["cores"] >= 1 and written["hardware"]["accelerator"] is None
    assert 0 < written["seconds"] < 120
    assert [path.name for path in (tmp_path / "out/quick").iterdir()] == ["07.json"]


def test_executed_copy_and_page(small, tmp_path):
    before = small.read_bytes()
    report = runner.execute(small, executed=tmp_path / "copies", html=True, progress=False)
    copy = nbformat.read(report.executed_path, as_version=4)
    assert str(small.parent) in copy.cells[2].outputs[0].text  # runs in the notebook's folder
    assert "auc = 0.5100 +- 0.0040" in report.html_path.read_text()
    assert small.read_bytes() == before
    assert report.results_path is None


def test_kernel_is_this_python_with_a_clean_environment(make_notebook, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    source = "import sys, os, hepflows; print([sys.executable, hepflows.__file__, os.environ['HEPFLOWS_PROFILE']])"
    expected = [sys.executable, str(provenance.REPOSITORY / "hepflows/__init__.py"), "full"]
    check = f"assert [sys.executable, hepflows.__file__, os.environ['HEPFLOWS_PROFILE']] == {expected!r}"
    inline = "assert 'inline' in os.environ['MPLBACKEND'] and os.environ['TQDM_DISABLE'] == '1'"
    history = "assert get_ipython().history_manager.hist_file == ':memory:'"
    runner.execute(make_notebook([source, check, inline, history]), "full", progress=False)


def test_seed_and_profile_reach_course_start(make_notebook):
    cell = "from hepflows import course\nlesson = course.start(seed=3)\ncourse.record('draw', lesson.rng.normal())"
    reports = [runner.execute(make_notebook([cell]), seed=seed, progress=False) for seed in (None, 11, 11)]
    assert [report.seed for report in reports] == [3, 11, 11]
    draws = [report.records[0]["value"] for report in reports]
    assert draws[1] == draws[2] != draws[0]
    assert reports[0].hardware["device"] and reports[0].hardware["threads"] >= 1


def test_failing_cell_is_shown_and_nothing_is_written(make_notebook, tmp_path, capsys):
    path = make_notebook(["a = 1", "width = 3\nwidth / (a - 1)", "never = 1"])
    with pytest.raises(NotebookError) as caught:
        runner.execute(path, results=tmp_path / "out", executed=tmp_path / "copies")
    text = str(caught.value)
    assert "01_small.ipynb: cell 2 of 3 failed: ZeroDivisionError" in text
    assert text.count("--- the cell ---\nwidth = 3\nwidth / (a - 1)\n--- the error ---\n") == 1
    assert text.endswith("ZeroDivisionError: division by zero") and "\x1b" not in text
    assert caught.value.cell == 1 and caught.value.source == "width = 3\nwidth / (a - 1)"
    assert not (tmp_path / "out").exists()
    copy = nbformat.read(tmp_path / "copies/01_small.ipynb", as_version=4)
    assert copy.cells[1].outputs[-1].ename == "ZeroDivisionError"
    progress = capsys.readouterr().err
    assert re.search(r"01_small  cell 1/3  a = 1  \[\d+\.\d s\]\n.*cell 2/3  width = 3  \[failed\]\n$", progress)


def test_record_twice_fails_the_run(make_notebook):
    path = make_notebook(["from hepflows import course\ncourse.record('a', 1)", "course.record('a', 2)"])
    with pytest.raises(NotebookError, match="'a' a second time"):
        runner.execute(path, progress=False)


def test_record_of_nan_fails_the_run(make_notebook):
    path = make_notebook(["from hepflows import course\ncourse.record('auc', float('nan'))"])
    with pytest.raises(NotebookError, match="value of 'auc': expected a finite number, got nan"):
        runner.execute(path, progress=False)


def test_kernel_that_is_killed_is_reported(make_notebook):
    path = make_notebook(["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"])
    with pytest.raises(NotebookError) as caught:
        runner.execute(path, progress=False)
    assert "cell 2 of 2 failed: the kernel was killed by signal 9" in str(caught.value)
    assert "memory" in str(caught.value)


def test_kernel_that_leaves_is_reported(make_notebook):
    with pytest.raises(NotebookError, match="the kernel exited with code 3"):
        runner.execute(make_notebook(["import os; os._exit(3)"]), progress=False)


def test_time_limit_ends_the_kernel(make_notebook, tmp_path):
    pid_file = tmp_path / "pid"
    path = make_notebook([f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"])
    begin = time.perf_counter()
    with pytest.raises(NotebookError, match="ran longer than 10 s"):
        runner.execute(path, progress=False, timeout=10)
    assert time.perf_counter() - begin < 40
    assert not is_running(int(pid_file.read_text()))


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupt_shuts_the_kernel_down(make_notebook, tmp_path):
    pid_file = tmp_path / "pid"
    write = f"import os, time; open({str(pid_file)!r} + '.new', 'w').write(str(os.getpid()))"
    path = make_notebook([f"{write}\nos.rename({str(pid_file)!r} + '.new', {str(pid_file)!r})\ntime.sleep(120)"])
    command = [sys.executable, "-m", "hepflows.cli", "run", str(path), "--results", str(tmp_path / "out")]

    def interruptible():  # a shell in the background ignores SIGINT, and hands that down
        signal.signal(signal.SIGINT, signal.default_int_handler)

    options = dict(cwd=provenance.REPOSITORY, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible)
    process = subprocess.Popen(command, **options)
    deadline = time.monotonic() + 60
    while not pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "hepflows: interrupted" in errors and "Traceback" not in errors
    assert not is_running(int(pid_file.read_text()))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="calibrated with Linux's page accounting")
def test_peak_memory_is_the_kernels(make_notebook):
    import numpy as np

    parent = np.ones(75_000_000)  # 600 MB here must not count there
    allocate = "import numpy\nblock = numpy.ones(37_500_000)\ndel block"
    baseline = runner.execute(make_notebook(["import numpy"]), progress=False).peak_memory_bytes
    peak = runner.execute(make_notebook([allocate]), progress=False).peak_memory_bytes
    assert parent.sum() == len(parent)
    assert baseline < 300e6
    assert peak - baseline == pytest.approx(300e6, rel=0.3)


def test_memory_where_there_is_no_proc(make_notebook, monkeypatch):
    """The question to the kernel, used on other systems, agrees with /proc and leaves the notebook as it was."""
    from hepflows.kernel import KernelRun

    peaks = []
    sample = KernelRun._sample_memory

    def remember(self):
        sample(self)
        peaks.append(self.peak)
        self.peak = None

    monkeypatch.setattr(KernelRun, "_sample_memory", remember)
    cells = ["import numpy\nblock = numpy.ones(50_000_000)"]
    peak = runner.execute(make_notebook(cells), progress=False).peak_memory_bytes
    # ru_maxrss may count the parent at the time of the fork, so it bounds from above
    assert peak >= 400e6
    if peaks[-1]:
        assert peak >= 0.9 * peaks[-1]


def test_finding_notebooks(make_notebook):
    made = [make_notebook([], name) for name in ("01_flow_basics", "05_gluon_momenta", "12_beyond")]
    folder = made[0].parent
    for name in ("05", "5", "gluon_momenta", "05_gluon_momenta", "05_gluon_momenta.ipynb", made[1]):
        assert runner.find_notebook(name, folder) == made[1]
    assert runner.find_notebooks(["all"], folder) == made
    assert runner.find_notebooks(["12", "1", "beyond"], folder) == [made[2], made[0]]


@pytest.mark.parametrize("name", ["06", "gluon", "", "nowhere.ipynb", "_"])
def test_unknown_notebook_lists_what_exists(make_notebook, name):
    folder = make_notebook([], "05_gluon_momenta").parent
    with pytest.raises(InputError, match="05_gluon_momenta"):
        runner.find_notebook(name, folder)


def test_wrong_input(make_notebook, tmp_path):
    path = make_notebook([])
    with pytest.raises(InputError, match="expected quick or full, got 'fast'"):
        runner.execute(path, profile="fast")
    with pytest.raises(InputError, match="html: expected a folder"):
        runner.execute(path, html=True)
    with pytest.raises(InputError, match="a notebook that exists"):
        runner.execute(tmp_path / "05_gluon_momenta.ipynb")
    with pytest.raises(DataError, match="expected a folder with notebooks"):
        runner.list_notebooks(tmp_path)
    path.write_text("no JSON")
    with pytest.raises(DataError, match="expected a Jupyter notebook"):
        runner.execute(path)


def test_missing_extra_is_named(make_notebook, monkeypatch):
    path = make_notebook([])
    monkeypatch.setitem(sys.modules, "nbformat", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hepflows\[notebooks\]'"):
        runner.execute(path)


def test_commit_of_a_checkout(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert provenance.commit(tmp_path) is None
    (tmp_path / "hepflows").mkdir()
    (tmp_path / "results").mkdir()
    code, result = tmp_path / "hepflows/provenance.py", tmp_path / "results/05.json"
    code.write_text("a")
    result.write_text("1")
    git("init", "-q")
    git("add", ".")
    assert provenance.commit(tmp_path) is None  # nothing is committed yet
    git("commit", "-q", "-m", "first")
    clean = provenance.commit(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{40}", clean)
    result.write_text("2")  # a run's own output
    assert provenance.commit(tmp_path) == clean
    code.write_text("b")
    assert provenance.commit(tmp_path) == f"{clean}-dirty"


def test_widgets_that_capture_output_do_not_stall_a_run(make_notebook):
    # nbclient answers each such widget on the socket on which it waits: without a wake-up a reply goes unnoticed, and
    # the run hangs within the first few cells.
    cell = (
        "ipywidgets.interact(lambda a, b: display({'text/plain': 'x' * 300_000}, raw=True), a=(0.0, 1.0), b=(0.0, 1.0))"
    )
    path = make_notebook(["import ipywidgets", *[cell] * 15])
    runner.execute(path, timeout=60, progress=False)

"""The command line: exit codes, one-line errors, and a start that does not wait for torch."""

import json
import os
import socket
import subprocess
import sys
import types

import pytest

from hepflows import cli, provenance
from hepflows.errors import DataError, MissingExtraError


def hepflows(capsys, *arguments):
    """(exit code, standard output, standard error) of a command."""
    try:
        code = cli.main([str(argument) for argument in arguments])
    except SystemExit as left:  # argparse
        code = left.code
    return code, *capsys.readouterr()


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for variable in ("SEED", "PROFILE"):
        monkeypatch.delenv(f"HEPFLOWS_{variable}", raising=False)


@pytest.fixture
def datasets(monkeypatch):
    def card(name):
        if name != "gluon_momenta":
            raise DataError(f"name: expected gluon_momenta, got {name!r}")
        return types.SimpleNamespace(summary=lambda: "gluon_momenta  one line", text=lambda: "the\nwhole card")

    fetched = []

    def download(*arguments):
        fetched.append(arguments)
        return "folder/far.h5"

    module = types.SimpleNamespace(
        list_datasets=lambda: ["gluon_momenta"],
        card=card,
        list_public=lambda: {"far": "From afar"},
        download=download,
        fetched=fetched,
    )
    monkeypatch.setattr("hepflows.datasets", module, raising=False)
    monkeypatch.setitem(sys.modules, "hepflows.datasets", module)
    return module


@pytest.fixture
def generators(monkeypatch):
    calls = []
    module = types.SimpleNamespace(
        names=lambda: ["gluon_momenta"], generate=lambda name, **keywords: calls.append((name, keywords)), calls=calls
    )
    monkeypatch.setattr("hepflows.generators", module, raising=False)
    monkeypatch.setitem(sys.modules, "hepflows.generators", module)
    return module


# run


def test_run_writes_under_build_unless_told(make_notebook, tmp_path, capsys):
    path = make_notebook(["from hepflows import course\ncourse.record('a', 1.5)"], "05_gluon_momenta")
    code, out, err = hepflows(capsys, "run", "gluon_momenta", "--notebooks", path.parent, "--seed", "4", "--html")
    assert code == 0
    assert out.startswith("05_gluon_momenta  passed") and "1 records" in out
    assert "cell 1/1" in err
    written = json.loads((tmp_path / "_build/results/quick/05.json").read_text())
    assert written["records"][0]["value"] == 1.5 and written["seed"] == 4
    assert (tmp_path / "_build/notebooks/05_gluon_momenta.html").exists()


def test_run_goes_on_after_a_failure_and_says_so(make_notebook, tmp_path, capsys):
    bad = make_notebook(["raise ValueError('wrong scale')"], "01_bad")
    make_notebook(["from hepflows import course\nassert course.profile_from_environment() == 'full'"], "02_good")
    arguments = ["run", "all", "--notebooks", bad.parent, "--profile", "full", "--results", "out"]
    code, out, err = hepflows(capsys, *arguments)
    assert code == 1
    assert "02_good  passed" in out and "01_bad" not in out
    assert "hepflows: 01_bad.ipynb: cell 1 of 1 failed: ValueError: wrong scale" in err
    assert err.endswith("hepflows: 1 of 2 notebooks failed: 01_bad\n")
    assert [path.name for path in (tmp_path / "out/full").iterdir()] == ["02.json"]


def test_run_takes_the_profile_of_the_environment(make_notebook, monkeypatch, capsys):
    path = make_notebook([])
    monkeypatch.setenv("HEPFLOWS_PROFILE", "fast")
    code, _, err = hepflows(capsys, "run", path)
    assert (code, err) == (2, "hepflows: HEPFLOWS_PROFILE: expected quick or full, got 'fast'\n")


# bad usage: argument by argument, and what must be said


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "COMMAND"),
        (["lesson"], "invalid choice: 'lesson'"),
        (["run"], "NAME"),
        (["run", "05", "--profile", "fast"], "invalid choice: 'fast'"),
        (["run", "05", "--seed", "-3"], "--seed: expected an integer from 0 to 4294967295, got '-3'"),
        (["data"], "ACTION"),
        (["data", "show"], "NAME"),
        (["generate", "gluon_momenta", "--out", "f"], "--events"),
        (["generate", "gluon_momenta", "--events", "10"], "--out"),
        (["generate", "gluon_momenta", "--events", "0", "--out", "f"], "--events: expected an integer >= 1, got '0'"),
        (["generate", "g", "--events", "9", "--workers", "x", "--out", "f"], "--workers: expected an integer >= 1"),
        (
            ["generate", "g", "--events", "9", "--workers", "2", "--scheduler", "tcp://a:1", "--out", "f"],
            "argument --scheduler: not allowed with argument --workers",
        ),
        (["lab", "--port", "70000"], "--port: expected an integer from 1 to 65535, got '70000'"),
    ],
)
def test_bad_usage(capsys, arguments, said):
    code, _, err = hepflows(capsys, *arguments)
    assert code == 2 and said in err and "Traceback" not in err


def test_unknown_notebook_is_one_line(make_notebook, capsys):
    folder = make_notebook([], "05_gluon_momenta").parent
    code, _, err = hepflows(capsys, "run", "6", "--notebooks", folder)
    assert (code, err) == (2, "hepflows: unknown notebook, got '6'; there are: 05_gluon_momenta\n")


# data and generate


def test_data(datasets, capsys):
    code, out, err = hepflows(capsys, "data", "list")
    assert (code, err) == (0, "") and out.startswith("gluon_momenta  one line\n") and out.endswith("far  From afar\n")
    assert hepflows(capsys, "data", "show", "gluon_momenta") == (0, "the\nwhole card\n", "")
    assert hepflows(capsys, "data", "show", "x") == (2, "", "hepflows: name: expected gluon_momenta, got 'x'\n")


def test_data_download_passes_the_options(datasets, capsys):
    assert hepflows(capsys, "data", "download", "far") == (0, "folder/far.h5\n", "")
    hepflows(capsys, "data", "download", "far", "--folder", "d", "--files", "a.h5", "b.h5")
    assert datasets.fetched == [("far", None, None), ("far", "d", ["a.h5", "b.h5"])]


def test_generate_passes_the_options(generators, capsys):
    arguments = ["--events", "100", "--workers", "3", "--seed", "7", "--out", "f.h5"]
    code, out, _ = hepflows(capsys, "generate", "gluon_momenta", *arguments)
    assert code == 0 and out == "f.h5\n"
    expected = {"events": 100, "workers": 3, "seed": 7, "out": "f.h5", "progress": True, "scheduler": None}
    assert generators.calls == [("gluon_momenta", expected)]


def test_generate_unknown_name(generators, capsys):
    code, _, err = hepflows(capsys, "generate", "x", "--events", "1", "--out", "f")
    assert (code, err) == (2, "hepflows: unknown data set 'x'; can be generated: gluon_momenta\n")
    assert generators.calls == []


@pytest.mark.parametrize(
    "error, said",
    [
        (ModuleNotFoundError("No module named 'pythia8mc'", name="pythia8mc"), "expected pythia8mc to be installed"),
        (MissingExtraError("needs hepflows[simulate]"), "hepflows: needs hepflows[simulate]"),
    ],
)
def test_generate_without_the_extra(generators, monkeypatch, capsys, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(generators, "generate", fail)
    code, _, err = hepflows(capsys, "generate", "gluon_momenta", "--events", "1", "--out", "f")
    assert code == 2 and said in err and "hepflows[simulate]" in err and err.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback(generators, monkeypatch):
    monkeypatch.setattr(generators, "generate", lambda *_, **__: [][0])
    with pytest.raises(IndexError):
        cli.main(["generate", "gluon_momenta", "--events", "1", "--out", "f"])


# scoreboard


def test_scoreboard_prefers_your_own_results(tmp_path, monkeypatch, capsys):
    def write(folder, value):
        report = dict(notebook="05_gluon_momenta", profile="quick", seed=1, hardware={}, versions={}, commit=None)
        made = dict(name="auc", value=value, uncertainty=0.01, reference=0.5, source="lecture")
        report.update(seconds=1.0, peak_memory_bytes=1, records=[made])
        (folder / "quick").mkdir(parents=True)
        (folder / "quick/05.json").write_text(json.dumps(report))

    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path / "checkout")
    code, _, err = hepflows(capsys, "scoreboard")
    assert code == 2 and err.startswith("hepflows: results: expected reports in")
    write(tmp_path / "checkout/results", 0.53)
    assert "0.530 +- 0.010  0.5        +3.0" in hepflows(capsys, "scoreboard")[1]
    write(tmp_path / "_build/results", 0.52)
    code, out, _ = hepflows(capsys, "scoreboard", "--profile", "quick")
    assert code == 0 and "0.520 +- 0.010  0.5        +2.0" in out and "0.530" not in out
    assert "0.530" in hepflows(capsys, "scoreboard", "--results", tmp_path / "checkout/results")[1]


# lab


@pytest.fixture
def launched(monkeypatch, tmp_path):
    (tmp_path / "checkout/notebooks").mkdir(parents=True)
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path / "checkout")
    commands = []
    monkeypatch.setattr(os, "execv", lambda program, command: commands.append(command))
    monkeypatch.setattr(subprocess, "call", lambda command: commands.append(command))
    return commands


def test_lab(launched, tmp_path, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert hepflows(capsys, "lab", "--port", port, "--no-browser")[0] == 0
    (command,) = launched
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert {f"--ServerApp.root_dir={tmp_path / 'checkout'}", f"--ServerApp.port={port}", "--no-browser"} <= set(command)


def test_lab_on_a_taken_port(launched, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = hepflows(capsys, "lab", "--port", port)
    assert code == 2 and err.startswith(f"hepflows: --port: expected a free port, got {port} (") and not launched


# start


@pytest.mark.parametrize("arguments", [["--help"], ["scoreboard"], ["data", "list"], ["run", "--help"]])
def test_start_needs_no_torch(arguments):
    program = f"import sys; from hepflows.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass\n"
    program += "slow = {'torch', 'scipy', 'matplotlib', 'nbclient'} & set(sys.modules)\n"
    program += "sys.exit(f'imports {slow}' if slow else 0)"
    done = subprocess.run([sys.executable, "-c", program], cwd=provenance.REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_version(capsys):
    import hepflows as package

    assert hepflows(capsys, "--version") == (0, f"hepflows {package.__version__}\n", "")


def test_reader_that_leaves_early(tmp_path):
    report = dict(notebook="05", profile="quick", seed=1, hardware={}, versions={}, commit=None, seconds=1.0)
    made = dict(name="a", value=1.0, uncertainty=None, reference=None, source="x" * 200)
    report.update(peak_memory_bytes=1, records=[made] * 2000)
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick/05.json").write_text(json.dumps(report))
    command = f"'{sys.executable}' -m hepflows.cli scoreboard --results '{tmp_path}' | head -1"
    done = subprocess.run(command, shell=True, cwd=provenance.REPOSITORY, capture_output=True, text=True)
    assert done.stdout == f"results in {tmp_path}\n" and done.stderr == ""

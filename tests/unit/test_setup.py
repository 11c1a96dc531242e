"""tools/setup.sh, what every make target runs first, with an interpreter that only pretends to install."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Answers what the script asks of an interpreter: who it is, whether it has venv, to make one, to install, to import.
FAKE_PYTHON = """#!/bin/sh
here={here}
case "$*" in
*_base_executable*) echo "{minor} {minor}.4 {platform} $here/python" ;;
*ensurepip*) exit {venv_missing} ;;
"-m venv "*) mkdir -p "$3/bin"; cp "$here/python" "$3/bin/python"; echo venv >>"$here/calls" ;;
"-m pip install "*)
    echo "pip $*" >>"$here/calls"
    if [ -e "$here/hang" ]; then sleep 60; fi
    if [ -e "$here/pip-says" ]; then cat "$here/pip-says"; exit 1; fi
    echo "Collecting nflows"; echo "Installing collected packages: nflows, torch" ;;
*"import h5py"*) if [ -e "$here/broken" ]; then echo Traceback; echo "ImportError: no such symbol"; exit 1; fi ;;
*) echo "unexpected: $*"; exit 3 ;;
esac
"""


class Course:
    """A folder with the files that the set-up reads, and fake interpreters."""

    def __init__(self, folder):
        self.folder = folder / "a course"
        (self.folder / "tools").mkdir(parents=True)
        for name in ("tools/setup.sh", "pyproject.toml", "constraints.txt", "Makefile"):
            shutil.copy(ROOT / name, self.folder / name)
        self.interpreter = self.make_python("fake")

    def make_python(self, name, minor="3.12", platform="linux-x86_64", venv_missing=0):
        here = self.folder.parent / name
        here.mkdir()
        text = FAKE_PYTHON.format(here=here, minor=minor, platform=platform, venv_missing=venv_missing)
        (here / "python").write_text(text)
        (here / "python").chmod(0o755)
        return here / "python"

    def start(self, **variables):
        environment = {"PATH": os.environ["PATH"], "PYTHON": str(self.interpreter)} | variables
        return subprocess.Popen(
            ["sh", "tools/setup.sh"],
            cwd=self.folder,
            env={name: value for name, value in environment.items() if value is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def set_up(self, **variables):
        process = self.start(**variables)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def refuse(self, **variables):
        """The one line of a set-up that does not begin."""
        code, output = self.set_up(**variables)
        assert code == 1
        assert output.startswith("hepflows: ") and output.count("\n") == 1, output
        return output

    def calls(self, interpreter=None):
        """What was asked of the interpreter since the last time."""
        log = (interpreter or self.interpreter).parent / "calls"
        calls = [line.split()[0] for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return calls


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


def test_sets_up_once(course):
    code, output = course.set_up()
    assert code == 0, output
    assert "installing 2 packages" in output and "ready in" in output
    assert course.calls() == ["venv", "pip"]
    assert course.set_up() == (0, "")
    assert course.set_up(PYTHON=None) == (0, "")  # no wish: the environment that is there
    assert course.calls() == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_files_are_installed_into_the_same_environment(course, name):
    course.set_up()
    course.calls()
    with open(course.folder / name, "a") as file:
        file.write("# changed\n")
    assert course.set_up()[0] == 0
    assert course.calls() == ["pip"]


def test_another_interpreter_or_another_place_makes_the_environment_anew(course):
    course.set_up()
    other = course.make_python("other", minor="3.13")
    assert course.set_up(PYTHON=str(other))[0] == 0
    assert course.calls(other) == ["venv", "pip"]
    course.folder = course.folder.rename(course.folder.parent / "moved")
    assert course.set_up(PYTHON=str(other))[0] == 0
    assert course.calls(other) == ["venv", "pip"]


def test_torch_index_is_passed_and_remembered(course):
    assert course.set_up(TORCH_INDEX="https://example.org/cpu")[0] == 0
    asked = (course.interpreter.parent / "calls").read_text()
    assert "--extra-index-url https://example.org/cpu" in asked
    course.calls()
    assert course.set_up() == (0, "")
    assert course.set_up(TORCH_INDEX="https://example.org/gpu")[0] == 0
    assert course.calls() == ["venv", "pip"]
    assert "expected the address of a package index" in course.refuse(TORCH_INDEX="cpu")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_set_up_is_not_taken_as_complete(course, end):
    hang = course.interpreter.parent / "hang"
    hang.touch()
    process = course.start()
    deadline = time.monotonic() + 30
    log = course.interpreter.parent / "calls"
    while not (log.exists() and "pip" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "another set-up is at work" in course.refuse()
    os.killpg(process.pid, end)
    process.communicate(timeout=30)
    hang.unlink()
    course.calls()
    assert course.set_up(PYTHON=None)[0] == 0  # with the interpreter that was named the first time
    assert course.calls() == ["venv", "pip"]


def test_only_linux_on_x86_64_gets_the_event_generators(course):
    course.set_up()
    assert "[notebooks,test,simulate]" in (course.interpreter.parent / "calls").read_text()
    mac = course.make_python("mac", platform="macosx-11.0-arm64")
    code, output = course.set_up(PYTHON=str(mac))
    assert code == 0 and "no event generation with Python 3.12 on macosx" in output
    assert "[notebooks,test]" in (mac.parent / "calls").read_text()


def test_unsuitable_interpreters_are_refused_in_one_line(course):
    old = course.make_python("old", minor="3.9")
    assert "Python 3.9.4" in course.refuse(PYTHON=str(old))
    ancient = course.make_python("ancient", minor="2.7")
    assert "needs 3.11 or newer" in course.refuse(PYTHON=str(ancient))
    assert "PYTHON=no-such-python does not run" in course.refuse(PYTHON="no-such-python")
    bare = course.make_python("bare", venv_missing=1)
    assert "apt install python3.12-venv" in course.refuse(PYTHON=str(bare))
    assert not (course.folder / ".venv").exists()


def test_a_missing_compiler_is_told_before_anything_is_installed(course, tmp_path):
    """Only where packages must be compiled: the PATH holds what the script needs, and no compiler."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "cat", "cksum", "date", "dirname", "sed", "tr"):
        (tools / name).symlink_to(shutil.which(name))
    rare = course.make_python("rare", platform="linux-riscv64")
    assert "no C++ compiler found" in course.refuse(PYTHON=str(rare), PATH=str(tools))


def test_an_environment_of_somebody_else_is_left_alone(course):
    (course.folder / ".venv").mkdir()
    (course.folder / ".venv" / "mine").touch()
    assert "was not made by this set-up" in course.refuse()
    assert (course.folder / ".venv" / "mine").exists()


@pytest.mark.parametrize(
    "pip_says, expected",
    [
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("NewConnectionError: Failed to establish a new connection", "is the network up?"),
        (
            "error: command 'gcc' failed: No such file or directory\n  ERROR: Failed building wheel for h5py",
            "h5py must be",
        ),
        ("ERROR: No matching distribution found for torch==2.13.0", "no torch of the pinned version for Python 3.12"),
        ("ERROR: something else", "ERROR: something else"),
    ],
)
def test_a_failed_installation_ends_in_one_line_and_is_not_complete(course, pip_says, expected):
    answer = course.interpreter.parent / "pip-says"
    answer.write_text("Traceback (most recent call last):\n" + pip_says + "\n")
    code, output = course.set_up()
    last = output.splitlines()[-1]
    assert code == 1 and "Traceback" not in output
    assert last.startswith("hepflows: set-up stopped: ") and expected in last and "_build/set-up.log" in last
    answer.unlink()
    course.calls()
    assert course.set_up()[0] == 0
    assert course.calls() == ["venv", "pip"]


def test_packages_that_do_not_import_are_not_complete(course):
    (course.interpreter.parent / "broken").touch()
    for _ in range(2):
        code, output = course.set_up()
        assert code == 1 and "do not import: ImportError: no such symbol" in output and "Traceback" not in output


def test_make_hands_on_its_variables(course):
    make = ["make", "--no-print-directory", "setup", f"PYTHON={course.interpreter}", "TORCH_INDEX=file:///cpu"]
    done = subprocess.run(make, cwd=course.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--extra-index-url file:///cpu" in (course.interpreter.parent / "calls").read_text()

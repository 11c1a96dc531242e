"""The files that describe one installation in several dialects say the same: pip, conda, Binder, make, workflows."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line]
# What conda-forge calls differently, and what it does not have (or not in the pinned version).
CONDA_NAMES = {"matplotlib": "matplotlib-base", "torch": "pytorch"}
FROM_PIP = ("fastjet", "pythia8mc", "sherpa-mc")


def requirements(lines):
    """Name -> version bounds, in one spelling."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): str(requirement.specifier) for requirement in parsed}


def project_requirements(*extras):
    return requirements(PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]])


def conda_file(path):
    """Python bound, conda requirements and pip requirements of an environment.yml."""
    content = yaml.safe_load((ROOT / path).read_text())
    assert content["channels"] == ["conda-forge", "nodefaults"]
    lines = [line for line in content["dependencies"] if isinstance(line, str)]
    pip_lines = [line for entry in content["dependencies"] if isinstance(entry, dict) for line in entry["pip"]]
    assert len(set(lines)) == len(lines)
    (python,) = [line for line in lines if re.match(r"python\b", line)]
    assert "pip" in lines
    rest = [line for line in lines if line not in (python, "pip")]
    return python, requirements(rest), requirements(pip_lines)


def test_root_environment_is_the_package_with_notebooks_tests_and_generators():
    python, conda, pip = conda_file("environment.yml")
    expected = project_requirements("notebooks", "test", "simulate")
    assert pip == {name: expected.pop(name) for name in FROM_PIP}
    assert conda == {CONDA_NAMES.get(name, name): bounds for name, bounds in expected.items()}
    major, minor = map(int, PYTHONS[-1].split("."))
    assert python == f"python>={PYTHONS[0]},<{major}.{minor + 1}"


def test_binder_environment_is_the_package_with_notebooks():
    python, conda, pip = conda_file("binder/environment.yml")
    names = CONDA_NAMES | {"torch": "pytorch-cpu"}
    expected = project_requirements("notebooks")
    assert conda == {names.get(name, name): bounds for name, bounds in expected.items()}
    assert pip == {}
    # repo2docker reads the version from "python=X.Y" and from no other spelling
    assert python.removeprefix("python=") in PYTHONS


def test_binder_scripts():
    for name in ("postBuild", "start"):
        script = ROOT / "binder" / name
        assert os.access(script, os.X_OK), f"binder/{name} is not executable"
        assert script.read_text().startswith("#!")
    assert "pip install --no-deps" in (ROOT / "binder/postBuild").read_text()
    start = (ROOT / "binder/start").read_text().rstrip().splitlines()
    assert start[-1] == 'exec "$@"'
    done = subprocess.run(
        [ROOT / "binder/start", "sh", "-c", 'echo "$OMP_NUM_THREADS"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_the_tested_python_versions_are_the_same_everywhere():
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    (tested,) = re.findall(r'^tested="(.*)"$', (ROOT / "tools/setup.sh").read_text(), re.MULTILINE)
    assert tested.split() == PYTHONS
    major, minor = PYTHONS[0].split(".")
    assert f"-lt {major}{minor}" in (ROOT / "tools/setup.sh").read_text()
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    assert workflow["jobs"]["unit"]["strategy"]["matrix"]["python-version"] == PYTHONS
    assert f"Python {PYTHONS[0]}" in (ROOT / "README.md").read_text()


def test_constraints_pin_every_requirement_exactly_and_within_its_bounds():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9A-Za-z.!]+)", line)  # no "+cpu", no path, no address
        assert match, f"constraints.txt: expected NAME==VERSION, got {line!r}"
        pins[canonicalize_name(match[1])] = Version(match[2])
    assert len(pins) == len(lines)
    every = PROJECT["dependencies"] + [line for extra in EXTRAS.values() for line in extra]
    for line in every:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        assert name in pins, f"constraints.txt: {name} is not pinned"
        assert pins[name] in requirement.specifier, f"constraints.txt: {name}=={pins[name]}, but {line}"
    (build,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert pins["setuptools"] in Requirement(build).specifier


def test_every_import_of_the_package_is_a_requirement():
    """Imports inside functions count, and so do extras: who imports those says what is missing."""
    imported = set()
    for path in (ROOT / "hepflows").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported.add(node.module.partition(".")[0])
    third_party = imported - set(sys.stdlib_module_names) - {"hepflows"}
    # IPython comes with the kernel
    other_names = {"sklearn": "scikit-learn", "Sherpa": "sherpa-mc", "IPython": "ipykernel"}
    required = project_requirements("notebooks", "simulate")
    assert {other_names.get(module, module) for module in third_party} <= set(required)


def test_set_up_installs_extras_that_exist():
    script = (ROOT / "tools/setup.sh").read_text()
    used = set(",".join(re.findall(r"extras=(?:\$extras,)?([a-z,]+)", script)).split(","))
    assert used == {"notebooks", "test", "simulate"} <= set(EXTRAS)


def test_readme_and_workflows_name_commands_that_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / ".ci/run",
        *(ROOT / ".github/workflows").glob("*.yml"),
    ]
    for path in texts:
        commands = set(
            re.findall(r"(?:^|[`:] ?)make (?:--no-print-directory )?([a-z]+)", path.read_text(), re.MULTILINE)
        )
        assert commands <= targets, path.name
        assert commands or path.name == "newest.yml", path.name
    assert {"lab", "test"} <= set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text()))


def test_contributing_gives_a_reason_for_every_dependency():
    named = set(re.findall(r"[\w-]+", (ROOT / "CONTRIBUTING.md").read_text().partition("## Dependencies")[2]))
    assert set(project_requirements(*EXTRAS)) <= named


def test_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["message"] and citation["title"]
    assert str(citation["version"]) == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]


def hooks():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    return {hook["id"]: hook for repository in config["repos"] for hook in repository["hooks"]}


def test_pre_commit_hooks_are_valid_and_local():
    config = ROOT / ".pre-commit-config.yaml"
    check = [sys.executable, "-m", "pre_commit", "validate-config", config]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0 and "[WARNING]" not in done.stdout, done.stdout + done.stderr
    assert [repository["repo"] for repository in yaml.safe_load(config.read_text())["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks().values()} == {"system"}


def test_a_notebook_saved_by_jupyterlab_is_stripped_of_noise_and_keeps_its_marks(tmp_path):
    marks = {"tags": ["solution", "hide-cell"], "jupyter": {"source_hidden": True}}
    noise = {"editable": True, "slideshow": {"slide_type": ""}, "execution": {"iopub.execute_input": "now"}}
    output = {"output_type": "stream", "name": "stdout", "text": ["2\n"]}
    cell = {"cell_type": "code", "id": "the-solution", "source": ["print(1 + 1)"], "metadata": marks | noise}
    language = {"name": "python", "version": "3.11.7", "file_extension": ".py"}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = {
        "cells": [cell | {"execution_count": 3, "outputs": [output]}],
        "metadata": {"kernelspec": kernel, "language_info": language, "widgets": {"state": {}}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = tmp_path / "saved.ipynb"
    path.write_text(json.dumps(notebook, indent=1) + "\n")

    def run(hook):
        command = hooks()[hook]["entry"].split()[1:] + hooks()[hook]["args"]
        return subprocess.run([sys.executable, "-m", "nbstripout", *command, str(path)], capture_output=True).returncode

    assert run("nbstripout-verify") != 0
    assert run("nbstripout") == 0
    assert run("nbstripout-verify") == 0
    stripped = json.loads(path.read_text())
    assert stripped["cells"] == [cell | {"metadata": marks, "execution_count": None, "outputs": []}]
    assert stripped["metadata"]["kernelspec"] == kernel
    assert set(stripped["metadata"]) == {"kernelspec", "language_info"}
    assert "version" not in stripped["metadata"]["language_info"]


def test_repo2docker_reads_the_binder_folder(tmp_path):
    """Prints the Dockerfile that Binder would build: it needs no Docker and no network, and leaves no file behind."""
    before = sorted(ROOT.iterdir()), sorted((ROOT / "binder").iterdir())
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."]
    environment = os.environ | {"HOME": str(tmp_path), "DOCKER_HOST": "unix:///nonexistent"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    python, _, _ = conda_file("binder/environment.yml")
    assert f"conda environment for {python}" in text
    assert '--file "binder/environment.yml"' in text
    assert '--file "environment.yml"' not in text
    assert "RUN ./binder/postBuild" in text
    assert 'R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in text
    assert (sorted(ROOT.iterdir()), sorted((ROOT / "binder").iterdir())) == before

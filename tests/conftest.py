"""What all tests share: one thread, seeds, small notebooks, skips, and the table of notebook runs."""

# ruff: noqa: E402
import importlib.util
import os

# before numpy and torch are imported: a thread pool reads its size once, and two threads on a small busy
# machine can be many times slower than one
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ.setdefault("MPLBACKEND", "agg")
# some tests look at the progress bars, and switch them off themselves where they want silence
os.environ.pop("TQDM_DISABLE", None)

import numpy as np
import pytest
import torch

torch.set_num_threads(1)

SIMULATION = ("pythia8mc", "fastjet")
NOTEBOOK_RUNS = pytest.StashKey[list]()


@pytest.fixture
def rng():
    """numpy generator, the same in every test."""
    return np.random.default_rng(20240601)


@pytest.fixture
def generator():
    """torch generator, the same in every test."""
    return torch.Generator().manual_seed(20240601)


@pytest.fixture
def make_notebook(tmp_path):
    """Function (cells, name) -> path of a notebook in a folder of its own; a cell is code, or (type, source)."""
    nbformat = pytest.importorskip("nbformat")

    def make(cells, name="01_small"):
        notebook = nbformat.v4.new_notebook()
        for cell in cells:
            kind, source = cell if isinstance(cell, tuple) else ("code", cell)
            new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
            notebook.cells.append(new(source))
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        return path

    return make


@pytest.fixture
def random_showers():
    """Function (geometry, number) -> voxels (number, voxels) in GeV: many of them empty, and some last layers, too."""
    from hepflows.physics import showers

    def make(geometry, number=200):
        rng = np.random.default_rng(0)
        energy = rng.uniform(1, 100, number)
        shape = number, geometry.voxels
        voxels = rng.exponential(size=shape) ** 6 * (rng.uniform(size=shape) < 0.5)
        voxels *= (0.9 * energy / voxels.sum(1))[:, None]
        voxels = showers.above_threshold(voxels)
        voxels[::10, -geometry.sizes[2] :] = 0.0
        return voxels

    return make


@pytest.fixture
def notebook_runs(request):
    """List of dicts (notebook, seconds, memory, bounds, outcome) that the summary at the end prints."""
    return request.config.stash[NOTEBOOK_RUNS]


def pytest_configure(config):
    config.stash[NOTEBOOK_RUNS] = []


def pytest_collection_modifyitems(items):
    missing = [module for module in SIMULATION if importlib.util.find_spec(module) is None]
    if missing:
        skip = pytest.mark.skip(reason=f"{' and '.join(missing)} not installed: pip install 'hepflows[simulate]'")
        for item in items:
            if "simulate" in item.keywords:
                item.add_marker(skip)


def pytest_terminal_summary(terminalreporter, config):
    runs = config.stash[NOTEBOOK_RUNS]
    if not runs:
        return
    terminalreporter.section("notebooks")
    width = max(len(run["notebook"]) for run in runs)
    terminalreporter.write_line(f"{'notebook':{width}}  {'seconds':>7}  {'peak memory':>11}  bounds")
    for run in runs:
        seconds = "-" if run["seconds"] is None else f"{run['seconds']:.0f}"
        memory = "-" if run["memory"] is None else f"{run['memory'] / 1e9:.2f} GB"
        bounds = f"{run['bound_seconds']:.0f} s, {run['bound_memory'] / 1e9:.1f} GB"
        terminalreporter.write_line(
            f"{run['notebook']:{width}}  {seconds:>7}  {memory:>11}  {bounds}: {run['outcome']}"
        )

"""Sherpa 3 (JHEP 12 (2024) 156) in processes of its own: a cached integration, then events from a seed.

Sherpa keeps its state in global variables and finds its libraries through environment variables that must be set before
the process starts, so each chunk of events runs in a fresh process. The cross section is integrated once for a run
card, with a fixed seed, and kept in the user's cache folder: it does not depend on who made it, nor does what follows.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import numpy as np

from hepflows.errors import MissingExtraError
from hepflows.generators import sherpa_process
from hepflows.generators.recipe import Recipe

VERSION = "3.0.3b2"
INTEGRATION_SEED = 1
# Where Sherpa keeps an integration: results of the phase-space optimisation and the list of processes.
INTEGRATION = ("Results.zip", "Process")


class SherpaRecipe(Recipe):
    """A recipe that needs Sherpa, which is not in the extra: its wheels are for some Python versions only."""

    def check_requirements(self):
        """Raise MissingExtraError, which says where Sherpa can be had, if it is not installed."""
        if importlib.util.find_spec("Sherpa") is not None:
            return
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise MissingExtraError(
            f"generating {self.name} needs Sherpa, which has wheels for Python 3.12 and 3.13 on Linux only (this is "
            f"Python {here}): `pip install sherpa-mc=={VERSION}` there; the {self.name} that ship can be showered "
            "again on every version: `hepflows generate vbs_neutrinos`"
        )


def environment(site=None):
    """The variables that Sherpa needs to find its own files, on top of this process's.

    `site`: the folder in which it is installed; None: where this interpreter finds it.
    """
    site = Path(site or Path(importlib.util.find_spec("Sherpa").origin).parent)
    libraries, share = str(site / "lib64" / "SHERPA-MC"), site / "share" / "SHERPA-MC"
    known = os.environ.get("LD_LIBRARY_PATH")
    return os.environ | {
        "LD_LIBRARY_PATH": f"{libraries}:{known}" if known else libraries,
        "SHERPA_LIBRARY_PATH": libraries,
        "SHERPA_SHARE_PATH": str(share),
        "LHAPDF_DATA_PATH": f"{share}:{share / 'LHAPDF'}",
    }


def generate(run_card, events, seed):
    """Unweighted events of a run card: float64 array (events, 8, 5) as `hepflows.generators.sherpa_process` gives."""
    integration = integrated(run_card)
    with tempfile.TemporaryDirectory(prefix="hepflows-sherpa-") as folder:
        folder = Path(folder)
        _copy(integration, folder)
        _run(run_card, folder, seed, events)
        return np.load(folder / "events.npy")


def integrated(run_card):
    """Folder with the integration of a run card; made on the first call (minutes), by one process at a time."""
    key = hashlib.sha256(f"{metadata.version('sherpa-mc')}\n{run_card}".encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hepflows"
    folder = cache / f"sherpa-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix="sherpa-", dir=cache) as temporary:
                working, whole = Path(temporary) / "working", Path(temporary) / "whole"
                working.mkdir()
                _run(run_card, working, INTEGRATION_SEED, 0)
                _copy(working, whole)
                os.replace(whole, folder)
    return folder


def _copy(source, target):
    target.mkdir(exist_ok=True)
    for name in INTEGRATION:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copy(source / name, target / name)


@contextmanager
def _locked(path):
    """Holds a lock between processes; the system releases it if its holder dies."""
    import fcntl  # here, because other systems than those of Sherpa's wheels may not have it

    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(run_card, folder, seed, events):
    (folder / "Sherpa.yaml").write_text(run_card)
    command = [sys.executable, sherpa_process.__file__, str(seed), str(events)]
    with open(folder / "log", "w") as log:
        done = subprocess.run(command, cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
        raise RuntimeError(f"Sherpa ended with code {done.returncode}: {' | '.join(lines[-5:])}")

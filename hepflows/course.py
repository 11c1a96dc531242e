"""How a notebook starts and what it reports: device, threads, seed, profile, style, recorded numbers.

This is the one place that reads the environment:
HEPFLOWS_SEED, HEPFLOWS_PROFILE (quick | full), HEPFLOWS_DEVICE (cpu, cuda, cuda:1, mps), HEPFLOWS_THREADS,
and HEPFLOWS_RECORDS, the file into which `hepflows run` gathers the records. (HEPFLOWS_DATA, the folder of downloads,
is read where data are loaded, which happens without a notebook, too.)
"""

# torch is imported inside the functions: the command line reads the profile from here and must answer at once
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflows import provenance
from hepflows import records as _records
from hepflows.errors import InputError

if TYPE_CHECKING:
    import torch

DEFAULT_SEED = 1
# more threads than free cores can be twenty times slower than one, and small flows gain little from many
DEFAULT_THREADS = 1
LARGEST_SEED = 2**32 - 1  # numpy's global generator takes no larger one

_collected: list[dict] = []


@dataclass(frozen=True)
class Course:
    """What start() has set: seed, profile, torch device, threads, and a seeded numpy generator."""

    seed: int
    profile: str
    device: "torch.device"
    threads: int
    rng: np.random.Generator

    def choose(self, *, quick: Any, full: Any) -> Any:
        """`quick` or `full`, whichever profile runs: sizes may differ between profiles, methods may not."""
        return full if self.profile == "full" else quick


def start(seed=None, threads=None) -> Course:
    """Fix seeds, threads and device, apply the plot style, and print what was chosen, one line each.

    seed: integer >= 0 (default 1; HEPFLOWS_SEED wins); threads: integer >= 1 (default 1; HEPFLOWS_THREADS wins).
    The same seed repeats a run: to the bit on a CPU, to the order of parallel sums on a GPU.
    Raises InputError naming the variable or argument at fault, also for a device that is not there.
    """
    seed = _integer("seed", "HEPFLOWS_SEED", seed, DEFAULT_SEED, 0, LARGEST_SEED)
    threads = _integer("threads", "HEPFLOWS_THREADS", threads, DEFAULT_THREADS, 1, 4096)
    profile = profile_from_environment()
    device = choose_device()
    _limit_threads(threads)
    _seed_everything(seed)

    from hepflows import plots

    plots.use_style()
    accelerator = _accelerator_name(device)
    gathering = os.environ.get("HEPFLOWS_RECORDS")
    if gathering:
        about = dict(seed=seed, profile=profile, device=str(device), accelerator=accelerator, threads=threads)
        _records.append_line(gathering, {"course": about})
    else:
        _collected.clear()

    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items() if version)
    print(f"device    {device} ({accelerator or provenance.cpu_name()})")
    print(f"threads   {threads} of {provenance.cores()} cores")
    print(f"seed      {seed}")
    print(f"profile   {profile}")
    print(f"versions  {versions}")
    return Course(seed, profile, device, threads, np.random.default_rng(seed))


def record(name, value, uncertainty=None, *, reference=None, source=None) -> None:
    """Print 'name = value +- uncertainty   (reference ..., source)' and keep the number for the scoreboard.

    name: an identifier, once per notebook; value, uncertainty: finite numbers, uncertainty one standard deviation;
    reference: number, (number, uncertainty) or short text that stands beside it; source: lecture page or arXiv number.
    Raises InputError if a number is not finite, not a number, or (in `hepflows run`) recorded twice.
    """
    made = _records.make(name, value, uncertainty, reference=reference, source=source)
    gathering = os.environ.get("HEPFLOWS_RECORDS")
    again = [index for index, earlier in enumerate(_collected) if earlier["name"] == name]
    if again and gathering:
        raise InputError(f"name: expected a name recorded once in this notebook, got {name!r} a second time")
    if again:  # a student runs a cell again with another number: the newest one counts
        _collected[again[0]] = made
    else:
        _collected.append(made)
    if gathering:
        _records.append_line(gathering, {"record": made})
    print(_records.format_record(made))


def records() -> list[dict]:
    """What this notebook has recorded so far: list of {name, value, uncertainty, reference, source}."""
    return [dict(made) for made in _collected]


def profile_from_environment() -> str:
    """HEPFLOWS_PROFILE, or 'quick' if unset; InputError if it is neither quick nor full."""
    profile = os.environ.get("HEPFLOWS_PROFILE") or "quick"
    if profile not in _records.PROFILES:
        raise InputError(f"HEPFLOWS_PROFILE: expected quick or full, got {profile!r}")
    return profile


def choose_device() -> "torch.device":
    """HEPFLOWS_DEVICE if set, else the first of cuda, mps, cpu that this machine has."""
    import torch

    wanted = os.environ.get("HEPFLOWS_DEVICE")
    if not wanted:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = wanted.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in wanted and not (kind == "cuda" and index.isdecimal())):
        raise InputError(f"HEPFLOWS_DEVICE: expected cpu, cuda, cuda:N or mps, got {wanted!r}")
    if kind == "cuda" and int(index or 0) >= (count := torch.cuda.device_count()):
        raise InputError(f"HEPFLOWS_DEVICE: expected a device that is here, got {wanted!r}; CUDA devices: {count}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("HEPFLOWS_DEVICE: expected a device that is here, got 'mps'; Apple's Metal is not available")
    return torch.device(wanted)


def _accelerator_name(device):
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"Metal on {provenance.cpu_name()}" if device.type == "mps" else None


def _integer(argument, variable, given, default, smallest, largest):
    """The variable if set, else the argument, else the default; an integer within the limits."""
    text = os.environ.get(variable)
    where, value = (variable, text) if text else (argument, default if given is None else given)
    try:
        integer = int(value) if isinstance(value, str) else value.__index__()
    except (AttributeError, ValueError, TypeError):
        integer = None
    if integer is None or not smallest <= integer <= largest or isinstance(value, bool):
        raise InputError(f"{where}: expected an integer from {smallest} to {largest}, got {value!r}")
    return integer


def _limit_threads(threads):
    import threadpoolctl
    import torch

    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
    # a library that is imported later brings its own thread pool, and reads its size here
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(threads)


def _seed_everything(seed):
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - nflows and scikit-learn may fall back on numpy's global generator
    torch.manual_seed(seed)

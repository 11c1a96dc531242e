"""Where a number was made: hardware, versions and commit."""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("hepflows", "torch", "nflows", "numpy", "scipy", "scikit-learn", "h5py", "matplotlib")
REPOSITORY = Path(__file__).resolve().parents[1]


def version(package):
    """Installed version of a package without importing it, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        if package != "hepflows":
            return None
        import hepflows  # a checkout that is used without being installed

        return getattr(hepflows, "__version__", None)


def versions():
    """{'python': '3.11.7', 'torch': ..., ...}; packages that are not installed are None."""
    return {"python": platform.python_version()} | {package: version(package) for package in PACKAGES}


def cpu_name():
    """Model name of the processor, as the system gives it."""
    if sys.platform.startswith("linux"):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    if sys.platform == "darwin":
        name = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
        if name:
            return name
    return platform.processor() or platform.machine()


def cores():
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def memory_bytes():
    """Physical memory of the machine in bytes, or None."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def hardware(device=None, accelerator=None, threads=None):
    """Machine of a run; `device`, `accelerator` (its name) and `threads` are what the course used there."""
    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "device": device,
        "accelerator": accelerator,
        "threads": threads,
        "platform": platform.platform(),
    }


def commit(folder=REPOSITORY):
    """Git hash of the checkout, '-dirty' after it if a tracked file differs, None outside git.

    Files in results/ do not count: writing one run's numbers there must not mark the next run as dirty.
    """
    # an environment inside somebody else's repository must not report that repository's hash
    if _output(["git", "-C", str(folder), "ls-files", "hepflows/provenance.py"]) is None:
        return None
    head = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if head is None:
        return None
    changed = _output(
        ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude,top)results"]
    )
    return f"{head}-dirty" if changed else head


def _output(command):
    """Standard output of a command, stripped; None if it cannot run, fails, or prints nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None

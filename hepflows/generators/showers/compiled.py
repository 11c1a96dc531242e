"""Compilation with numba, kept on disk only as long as no source file of this package changes."""

import hashlib
import os
from pathlib import Path

import numba

_FOLDER = Path(__file__).parent


def _fingerprint():
    sources = sorted(_FOLDER.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


# numba's own cache watches only the file of a function, not the functions and constants that it takes from others: a
# changed cross section would go unnoticed. So each state of the whole package has a cache of its own.
_CACHE = _FOLDER / "__pycache__" / f"showers-{_fingerprint()}"
_KEEP = os.access(_FOLDER, os.W_OK)


def compiled(function):
    """numba.njit with IEEE arithmetic (no fastmath: the same bytes everywhere on a platform), cached where possible."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_CACHE)
    try:
        return numba.njit(cache=_KEEP, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before

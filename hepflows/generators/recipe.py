"""What a generator is: named columns and a function that simulates one chunk of events."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hepflows.datasets.table import Column
from hepflows.errors import MissingExtraError

# Pythia takes seeds from 1 to 900,000,000 (0 means "use the clock").
LARGEST_PYTHIA_SEED = 900_000_000


@dataclass(frozen=True)
class Recipe:
    """Recipe of a data set: `simulate(chunk_events, seeds)` returns {column: array} of one chunk.

    `version` is raised with every change that alters the numbers, so that a resumed run never mixes two recipes.
    `events`: the only number of rows that makes sense, for a recipe that fills a table instead of drawing events;
    `most_events()`: the largest number of events, for a recipe that starts from other events.
    """

    name: str
    version: int
    columns: tuple[Column, ...]
    chunk_events: int
    simulate: Callable
    requires: tuple[str, ...] = ()
    events: int | None = None
    most_events: Callable | None = None

    def check_requirements(self):
        """Raise MissingExtraError if a package that the simulation needs is not installed."""
        missing = [package for package in self.requires if importlib.util.find_spec(package) is None]
        if missing:
            remedy = "install the extra with `pip install -e '.[simulate]'`"
            raise MissingExtraError(f"generating {self.name} needs {', '.join(missing)}: {remedy}")


@dataclass(frozen=True)
class ChunkSeeds:
    """Random numbers of one chunk: they depend on the root seed and the chunk's number alone, never on the worker."""

    root: int
    chunk: int

    def pythia(self):
        """Integer seed for Pythia, 1 to 900,000,000."""
        return int(np.random.SeedSequence([self.root, self.chunk]).generate_state(1)[0]) % LARGEST_PYTHIA_SEED + 1

    def generator(self, stream):
        """NumPy generator of an independent stream (an integer, one for each use within a chunk)."""
        return np.random.default_rng(np.random.SeedSequence([self.root, self.chunk, stream]))

"""Generate a data set in chunks: the same seed gives the same bytes for any number of workers; a killed run continues.

Each chunk owns its seed, is simulated from a fresh generator and stored beside the output; the output is assembled from
the chunks in their order. What varies from run to run (which worker, when, in which order) leaves no trace in the file.
"""

import functools
import json
import os
import shutil
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hepflows import provenance
from hepflows.datasets.table import write_table
from hepflows.errors import DataError, InputError
from hepflows.generators.recipe import ChunkSeeds
from hepflows.generators.workers import DaskCluster, GenerationError, Processes

ATTEMPTS = 2

# Generators keep global state: a worker that has several threads simulates one chunk at a time all the same.
_one_at_a_time = threading.Lock()


def generate(recipe, *, events, workers=1, seed, out, progress=True, scheduler=None):
    """Simulate `events` events of a recipe into the HDF5 file `out`; returns its path.

    The work is done by `workers` processes of this machine, or by the dask cluster whose `scheduler` (an address) is
    given; with the same packages, the file has the same bytes. Finished chunks are kept in the folder `out`.chunks
    until the file is complete: the same command continues a killed run. Raises MissingExtraError without the packages
    that are needed, InputError for bad arguments and a scheduler that does not answer, DataError if `out` exists or the
    kept chunks are of another run, and GenerationError if a chunk fails twice or the cluster goes away.
    """
    recipe.check_requirements()
    out = _checked_output(out)
    for name, value, lowest in (("events", events, 1), ("workers", workers, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
            raise InputError(f"{name}: expected an integer of at least {lowest}, got {value!r}")
    if recipe.events not in (None, events):
        raise InputError(f"events: expected {recipe.events:,}, the rows of the table {recipe.name}, got {events:,}")
    if recipe.most_events is not None and events > recipe.most_events():
        raise InputError(f"events: expected at most {recipe.most_events():,} for {recipe.name}, got {events:,}")
    with Processes(workers) if scheduler is None else DaskCluster(scheduler) as crew:
        folder = _chunk_folder(out, recipe, seed)
        chunks = range(-(-events // recipe.chunk_events))
        _simulate_missing(recipe, seed, crew, folder, chunks, events, progress)
    _assemble(recipe, folder, chunks, events, seed, out)
    shutil.rmtree(folder)
    return out


def _simulate_missing(recipe, seed, crew, folder, chunks, events, progress):
    """Simulate the chunks that are not in the folder yet, each of them twice if need be."""
    simulate = functools.partial(_simulate_chunk, recipe, int(seed), _versions(recipe))
    missing = [chunk for chunk in chunks if not _chunk_file(folder, chunk).exists()]
    kept, started = len(chunks) - len(missing), time.monotonic()
    simulated = 0
    with tqdm(
        total=events,
        initial=min(kept * recipe.chunk_events, events),
        unit="event",
        desc=recipe.name,
        disable=None if progress else True,  # None: shown in a terminal only
        smoothing=0.1,
    ) as bar:
        for _ in range(ATTEMPTS):
            failures = {}
            with closing(crew.run(simulate, missing)) as outcomes:
                for chunk, arrays, reason in outcomes:
                    if reason is not None:
                        failures[chunk] = reason
                        continue
                    _store(folder, chunk, arrays)
                    simulated += recipe.chunk_events
                    bar.update(min(recipe.chunk_events, events - bar.n))
            missing = sorted(failures)
            if not missing:
                break
    if progress and simulated:
        seconds = time.monotonic() - started
        rate = f"{simulated / seconds:,.3g}" if simulated < 1000 * seconds else f"{simulated / seconds:,.0f}"
        print(
            f"{recipe.name}: simulated {simulated:,} events in {seconds:,.1f} s, {rate} events/s ({crew})",
            file=sys.stderr,
        )
    if missing:
        raise GenerationError(
            f"{recipe.name}: {len(missing)} of {len(chunks)} chunks failed {ATTEMPTS} times (numbers {missing}); "
            f"chunk {missing[0]}: {failures[missing[0]]}. The others are kept in {folder}; the same command tries "
            "these again."
        )


def _checked_output(out):
    out = Path(out)
    if not out.parent.is_dir():
        raise InputError(f"out: expected a file in an existing folder, there is no folder {out.parent}")
    if out.exists():
        raise DataError(f"out: expected a new file, {out} exists; remove it or choose another name")
    return out


def _chunk_folder(out, recipe, seed):
    folder = out.with_name(out.name + ".chunks")
    run = {"recipe": recipe.name, "version": recipe.version, "seed": int(seed), "chunk_events": recipe.chunk_events}
    run["packages"] = _versions(recipe)
    manifest = folder / "run.json"
    if manifest.exists():
        kept = json.loads(manifest.read_text())
        if kept != run:
            raise DataError(f"out: {folder} holds the chunks of another run ({kept}, this one is {run}); remove it")
    else:
        folder.mkdir(exist_ok=True)
        temporary = manifest.with_suffix(".part")
        temporary.write_text(json.dumps(run))
        os.replace(temporary, manifest)
    return folder


def _chunk_file(folder, chunk):
    return folder / f"{chunk:06d}.npz"


def _versions(recipe):
    """Versions of the packages on which the numbers depend: workers elsewhere must have the same ones."""
    return {package: provenance.version(package) for package in ("hepflows", "numpy", *recipe.requires)}


def _simulate_chunk(recipe, seed, versions, chunk):
    """Columns of one chunk as they are stored; runs in a worker."""
    here = _versions(recipe)
    if here != versions:
        package = next(package for package in versions if here[package] != versions[package])
        raise DataError(f"expected {package} {versions[package]} at the worker, as here, got {here[package]}")
    # Always a whole chunk, also where the run needs less of it: the first events of a file do not depend on its length.
    with _one_at_a_time:
        arrays = recipe.simulate(recipe.chunk_events, ChunkSeeds(seed, chunk))
    return {column.name: column.stored(arrays[column.name]) for column in recipe.columns}


def _store(folder, chunk, arrays):
    target = _chunk_file(folder, chunk)
    temporary = target.with_suffix(".part")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _assemble(recipe, folder, chunks, events, seed, out):
    parts = []
    for chunk in chunks:
        with np.load(_chunk_file(folder, chunk)) as file:
            parts.append({column.name: file[column.name] for column in recipe.columns})
    arrays = {column.name: np.concatenate([part[column.name] for part in parts])[:events] for column in recipe.columns}
    attributes = {"name": recipe.name, "recipe_version": recipe.version, "seed": int(seed), "events": int(events)}
    write_table(out, arrays, recipe.columns, attributes)

"""Generate a data set in chunks: the same seed gives the same bytes for any number of workers; a killed run continues.

Each chunk owns its seed, is simulated from a fresh generator and stored beside the output; the output is assembled from
the chunks in their order. What varies from run to run (which worker, when, in which order) leaves no trace in the file.
"""

import json
import multiprocessing
import os
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hepflows.datasets.table import write_table
from hepflows.errors import DataError, HepflowsError, InputError
from hepflows.generators.recipe import ChunkSeeds

ATTEMPTS = 2


class GenerationError(HepflowsError, RuntimeError):
    """Chunks failed twice; the others are kept, and the same command tries only the failed ones again."""


def generate(recipe, *, events, workers, seed, out, progress=True):
    """Simulate `events` events of a recipe with `workers` processes into the HDF5 file `out`; returns its path.

    Finished chunks are kept in the folder `out`.chunks until the file is complete: the same command continues a killed
    run. Raises MissingExtraError without the packages that the recipe needs, InputError for bad arguments, DataError if
    `out` exists or the kept chunks are of another run, and GenerationError if a chunk fails twice.
    """
    recipe.check_requirements()
    out = _checked_output(out)
    for name, value, lowest in (("events", events, 1), ("workers", workers, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
            raise InputError(f"{name}: expected an integer of at least {lowest}, got {value!r}")
    chunks = -(-events // recipe.chunk_events)
    folder = _chunk_folder(out, recipe, seed)
    missing = [chunk for chunk in range(chunks) if not _chunk_file(folder, chunk).exists()]
    with tqdm(total=events, unit="event", desc=recipe.name, disable=None if progress else True, smoothing=0.1) as bar:
        done = (chunks - len(missing)) * recipe.chunk_events
        bar.update(min(done, events))
        failures = {}
        for _ in range(ATTEMPTS):
            failures = _simulate_chunks(recipe, missing, workers, seed, folder, lambda: _advance(bar, recipe))
            missing = sorted(failures)
            if not missing:
                break
    if failures:
        chunk, reason = next(iter(sorted(failures.items())))
        raise GenerationError(
            f"{recipe.name}: {len(failures)} of {chunks} chunks failed {ATTEMPTS} times (numbers {missing}); "
            f"chunk {chunk}: {reason}. The others are kept in {folder}; the same command tries these again."
        )
    _assemble(recipe, folder, chunks, events, seed, out)
    shutil.rmtree(folder)
    return out


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


def _advance(bar, recipe):
    bar.update(min(recipe.chunk_events, bar.total - bar.n))


def _simulate_chunks(recipe, chunks, workers, seed, folder, on_done):
    """Simulate the chunks in fresh processes; returns {chunk: reason} of those that failed."""
    failures = {}
    # Spawned, not forked: a worker starts without the parent's threads and open files.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, max(len(chunks), 1)), mp_context=context, initializer=_start_worker)
    try:
        futures = {pool.submit(_simulate_chunk, recipe, chunk, seed, folder): chunk for chunk in chunks}
        for future in as_completed(futures):
            try:
                future.result()
            except BrokenProcessPool:
                failures[futures[future]] = "its worker process died"
            except Exception as error:
                failures[futures[future]] = f"{type(error).__name__}: {error}"
            else:
                on_done()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return failures


def _start_worker():
    # Generators write banners to the C-level standard output, which would tear the progress bar.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # A parent that is killed cannot stop its workers: each watches for its end, and ends too.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)


def _simulate_chunk(recipe, chunk, seed, folder):
    # Always a whole chunk, also where the run needs less of it: the first events of a file do not depend on its length.
    arrays = recipe.simulate(recipe.chunk_events, ChunkSeeds(int(seed), chunk))
    stored = {column.name: column.stored(arrays[column.name]) for column in recipe.columns}
    target = _chunk_file(folder, chunk)
    temporary = target.with_suffix(f".{os.getpid()}.part")
    with open(temporary, "wb") as file:
        np.savez(file, **stored)
    os.replace(temporary, target)


def _assemble(recipe, folder, chunks, events, seed, out):
    parts = [np.load(_chunk_file(folder, chunk)) for chunk in range(chunks)]
    arrays = {column.name: np.concatenate([part[column.name] for part in parts])[:events] for column in recipe.columns}
    attributes = {"name": recipe.name, "recipe_version": recipe.version, "seed": int(seed), "events": int(events)}
    write_table(out, arrays, recipe.columns, attributes)

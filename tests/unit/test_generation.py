"""The generation engine on a recipe that needs no generator: bytes, resuming, failures, bad input."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from hepflows import provenance
from hepflows.datasets.table import Column, read_table
from hepflows.errors import DataError, InputError, MissingExtraError
from hepflows.generators import engine, recipe
from hepflows.generators.engine import GenerationError, generate
from hepflows.generators.recipe import ChunkSeeds, Recipe

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (Column("chunk", "1", "its chunk", dtype="int32"), Column("value", "1", "a draw"))


def draws(events, seeds):
    return {"chunk": np.full(events, seeds.chunk), "value": seeds.generator(0).normal(size=events)}


def slow_draws(events, seeds):
    time.sleep(0.2)
    return draws(events, seeds)


def failing_draws(events, seeds):
    if seeds.chunk == 2:
        raise ValueError("no such luck")
    return draws(events, seeds)


def dying_draws(events, seeds):
    if seeds.chunk == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(events, seeds)


def unlucky_draws(events, seeds):
    """Chunk 1 fails when it is tried first, and not again."""
    mark = Path(os.environ["UNLUCKY_MARK"])
    if seeds.chunk == 1 and not mark.exists():
        mark.touch()
        raise ValueError("no such luck")
    return slow_draws(events, seeds)


def toy(simulate=draws, **changes):
    settings = {"name": "toy", "version": 1, "columns": COLUMNS, "chunk_events": 100, "simulate": simulate}
    return Recipe(**settings | changes)


def run(path, chosen=None, **changes):
    settings = {"events": 450, "workers": 1, "seed": 5, "out": path, "progress": False}
    return generate(chosen or toy(), **settings | changes)


def test_same_seed_same_bytes_for_any_number_of_workers(tmp_path):
    contents = [run(tmp_path / f"{workers}.h5", workers=workers).read_bytes() for workers in (1, 2)]
    assert contents[0] == contents[1]
    assert run(tmp_path / "other.h5", seed=6).read_bytes() != contents[0]
    table = read_table(tmp_path / "1.h5")
    assert len(table) == 450
    np.testing.assert_array_equal(table["chunk"], np.repeat(np.arange(5), 100)[:450])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.h5", "2.h5", "other.h5"]


def test_first_events_do_not_depend_on_the_number_of_events(tmp_path):
    few, many = read_table(run(tmp_path / "a.h5", events=120)), read_table(run(tmp_path / "b.h5", events=450))
    np.testing.assert_array_equal(few["value"], many["value"][:120])


def test_chunks_have_independent_seeds():
    seeds = {ChunkSeeds(root, chunk).pythia() for root in range(20) for chunk in range(20)}
    assert len(seeds) == 400
    assert all(1 <= seed <= 900_000_000 for seed in seeds)


def children(pid):
    return psutil.Process(pid).children(recursive=True)


def alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_killed_run_continues_to_the_same_bytes(tmp_path):
    script = (
        "from tests.unit.test_generation import run, toy, slow_draws; from pathlib import Path\n"
        f"if __name__ == '__main__': run(Path({str(tmp_path / 'killed.h5')!r}), toy(slow_draws), events=2000)\n"
    )
    (tmp_path / "script.py").write_text(script)
    process = subprocess.Popen([sys.executable, tmp_path / "script.py"], env={**os.environ, "PYTHONPATH": str(ROOT)})
    folder = tmp_path / "killed.h5.chunks"
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = children(process.pid)
    assert workers
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(worker) for worker in workers)
    kept = len(list(folder.glob("*.npz")))
    assert 3 <= kept < 20
    assert not (tmp_path / "killed.h5").exists()
    # The interrupted chunks alone are simulated again: those that are there may not be touched.
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    seen = {}
    original = engine._assemble

    def watch(*arguments):
        seen.update({path: path.stat().st_mtime_ns for path in folder.glob("*.npz")})
        original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_assemble", watch)
        resumed = run(tmp_path / "killed.h5", events=2000, workers=2)
    assert all(seen[path] == changed for path, changed in before.items())
    assert resumed.read_bytes() == run(tmp_path / "whole.h5", events=2000).read_bytes()


@pytest.mark.parametrize(
    ("simulate", "message"),
    [(failing_draws, r"numbers \[2\].*ValueError: no such luck"), (dying_draws, "its worker process died")],
)
def test_failed_chunks_are_named_and_the_others_kept(tmp_path, simulate, message, capsys, monkeypatch):
    with pytest.raises(GenerationError, match=message):
        run(tmp_path / "a.h5", toy(simulate))
    assert not (tmp_path / "a.h5").exists()
    assert len(list((tmp_path / "a.h5.chunks").glob("*.npz"))) == 4
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    continued = run(tmp_path / "a.h5", progress=True).read_bytes()
    said = capsys.readouterr().err
    assert re.search(r"toy: +89%\|.* 400/450 \[00:00<", said)  # the bar starts from what is kept
    # The rate is that of what this run has simulated, the one missing chunk.
    rate = re.search(r"^toy: simulated 100 events in ([\d.]+) s, ([\d,.]+) events/s \(1 process\)$", said, re.MULTILINE)
    assert 100 / float(rate[2].replace(",", "")) == pytest.approx(float(rate[1]), rel=0.01, abs=0.06)
    assert continued == run(tmp_path / "b.h5").read_bytes()


def test_failed_chunk_is_tried_again_and_progress_shows_rate_and_time_left(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("UNLUCKY_MARK", str(tmp_path / "mark"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert run(tmp_path / "a.h5", toy(unlucky_draws), progress=True).exists()
    assert (tmp_path / "mark").exists()
    assert re.search(r"toy: +\d+%.* \d+/450 \[\d+:\d+<\d+:\d+, +[\d.]+ ?event/s\]", capsys.readouterr().err)


def test_more_chunks_than_a_process_may_open_files(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        assert len(read_table(run(tmp_path / "a.h5", toy(chunk_events=2), events=300))) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_generators_start_without_what_they_do_not_need():
    """Some generators live in environments without torch; the packages of clusters and archives are optional."""
    slow = {"torch", "scipy", "matplotlib", "dask", "distributed", "pooch", "requests"}
    program = f"import sys, hepflows.cli, hepflows.datasets, hepflows.generators; found = {slow} & set(sys.modules)"
    program += "; sys.exit(f'imports {found}' if found else 0)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_bad_input(tmp_path):
    for changes, message in (
        ({"events": 0}, "events: expected an integer of at least 1, got 0"),
        ({"workers": 0}, "workers: expected"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"events": 1.5}, "events: expected an integer"),
    ):
        with pytest.raises(InputError, match=message):
            run(tmp_path / "a.h5", **changes)
    with pytest.raises(InputError, match="events: expected 100, the rows of the table toy, got 450"):
        run(tmp_path / "a.h5", toy(events=100))
    with pytest.raises(InputError, match="events: expected at most 200 for toy, got 450"):
        run(tmp_path / "a.h5", toy(most_events=lambda: 200))
    with pytest.raises(InputError, match="there is no folder"):
        run(tmp_path / "none" / "a.h5")
    with pytest.raises(InputError, match="name: expected one of .*gluon_momenta.*, got 'toy'"):
        recipe("toy")
    with pytest.raises(MissingExtraError, match=r"generating toy needs no_such_package.*simulate"):
        run(tmp_path / "a.h5", toy(requires=("no_such_package",)))
    assert list(tmp_path.iterdir()) == []
    run(tmp_path / "a.h5")
    with pytest.raises(DataError, match="exists; remove it"):
        run(tmp_path / "a.h5")


def test_chunks_of_another_run_are_not_mixed_in(tmp_path, monkeypatch):
    with pytest.raises(GenerationError):
        run(tmp_path / "a.h5", toy(failing_draws))
    with pytest.raises(DataError, match="chunks of another run"):
        run(tmp_path / "a.h5", seed=6)
    monkeypatch.setattr(provenance, "version", lambda package: "0.0.1")
    with pytest.raises(DataError, match="chunks of another run.*0.0.1"):
        run(tmp_path / "a.h5")

"""Generation on a dask cluster: two worker processes of this machine stand for a batch system's."""

import functools
import os
import re
import shlex
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hepflows import cli, provenance
from hepflows.datasets.table import Column, read_table
from hepflows.errors import InputError, MissingExtraError
from hepflows.generators import engine
from hepflows.generators.engine import GenerationError, generate
from hepflows.generators.recipe import Recipe
from hepflows.generators.workers import DaskCluster

distributed = pytest.importorskip("distributed", reason="dask not installed: pip install 'hepflows[simulate]'")

COLUMNS = (Column("chunk", "1", "its chunk", dtype="int32"), Column("value", "1", "a draw"))


def draws(events, seeds):
    return {"chunk": np.full(events, seeds.chunk), "value": seeds.generator(0).normal(size=events)}


def failing_draws(events, seeds):
    if seeds.chunk == 2:
        raise ValueError("no such luck")
    return draws(events, seeds)


def draws_after_a_death(events, seeds):
    """The worker that gets chunk 1 first dies in it; the next one finds its mark and goes on."""
    mark = Path(os.environ["DEATH_MARK"])
    if seeds.chunk == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(events, seeds)


def deadly_draws(events, seeds):
    if seeds.chunk == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return draws(events, seeds)


def slow_draws(events, seeds):
    time.sleep(0.3)
    return draws(events, seeds)


def run(path, cluster=None, simulate=draws, **changes):
    recipe = Recipe(name="toy", version=1, columns=COLUMNS, chunk_events=100, simulate=simulate)
    scheduler = None if cluster is None else cluster.scheduler_address
    return generate(recipe, events=450, seed=5, out=path, progress=False, scheduler=scheduler, **changes)


@pytest.fixture(scope="module")
def mark(tmp_path_factory):
    return tmp_path_factory.mktemp("death") / "mark"


def start_cluster(**settings):
    return distributed.LocalCluster(threads_per_worker=1, dashboard_address=":0", silence_logs=50, **settings)


@pytest.fixture(scope="module")
def cluster(mark):
    with start_cluster(n_workers=2, processes=True, env={"DEATH_MARK": str(mark)}) as started:
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The bytes of the file that a process of this machine makes."""
    return run(tmp_path_factory.mktemp("here") / "a.h5").read_bytes()


def test_same_bytes_as_without_a_cluster(cluster, tmp_path, expected):
    assert run(tmp_path / "a.h5", cluster).read_bytes() == expected
    np.testing.assert_array_equal(read_table(tmp_path / "a.h5")["chunk"], np.repeat(np.arange(5), 100)[:450])
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_failed_chunk_is_named_the_others_kept_and_the_run_continued(cluster, tmp_path, expected):
    with pytest.raises(GenerationError, match=r"1 of 5 chunks failed 2 times \(numbers \[2\]\).*ValueError: no such"):
        run(tmp_path / "a.h5", cluster, failing_draws)
    assert len(list((tmp_path / "a.h5.chunks").glob("*.npz"))) == 4
    assert run(tmp_path / "a.h5", cluster).read_bytes() == expected


def test_dead_worker_costs_nothing_but_time(cluster, tmp_path, mark, expected):
    path = run(tmp_path / "a.h5", cluster, draws_after_a_death)
    assert mark.exists()
    assert path.read_bytes() == expected


def test_chunk_that_kills_its_workers_is_named(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)  # dask itself would try it on three more
    with pytest.raises(GenerationError, match="its worker process died") as error:
        run(tmp_path / "a.h5", cluster, deadly_draws)
    # A chunk that waits at a worker that dies is suspected, too: those that are named are those that are missing.
    named = set(map(int, re.search(r"numbers \[([\d, ]+)\]", str(error.value))[1].split(",")))
    kept = {int(path.stem) for path in (tmp_path / "a.h5.chunks").glob("*.npz")}
    assert 3 in named and named == set(range(5)) - kept


def test_worker_with_other_packages_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "version", lambda package: "0.0.1")
    with pytest.raises(GenerationError, match=r"expected hepflows 0\.0\.1 at the worker, as here, got"):
        run(tmp_path / "a.h5", cluster)


def test_scheduler_that_goes_away_leaves_the_finished_chunks(cluster, tmp_path, monkeypatch, expected):
    store = engine._store
    with start_cluster(n_workers=1, processes=False) as short_lived:

        def store_then_lose_the_scheduler(*arguments):
            store(*arguments)
            short_lived.close()

        monkeypatch.setattr(engine, "_store", store_then_lose_the_scheduler)
        monkeypatch.setattr(engine, "DaskCluster", functools.partial(DaskCluster, seconds=2))
        with pytest.raises(GenerationError, match=r"the dask scheduler at .* is gone"):
            run(tmp_path / "a.h5", short_lived, slow_draws)
    assert len(list((tmp_path / "a.h5.chunks").glob("*.npz"))) >= 1
    monkeypatch.undo()
    assert run(tmp_path / "a.h5", cluster).read_bytes() == expected


def test_scheduler_that_does_not_answer(tmp_path):
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(
            InputError, match=f"scheduler: expected a dask scheduler that answers within 1 s.*{address}"
        ):
            DaskCluster(address, seconds=1)
        assert time.monotonic() - started < 5
    with pytest.raises(InputError, match="got none at nowhere:8786"):
        DaskCluster("nowhere:8786", seconds=1)
    assert list(tmp_path.iterdir()) == []


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"scheduler: expected distributed to be installed.*\[simulate\]"):
        DaskCluster("tcp://127.0.0.1:1")


def test_the_page_about_clusters_shows_code_and_commands_that_exist():
    page = (Path(__file__).resolve().parents[2] / "docs/clusters.md").read_text()
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        compile(code, "docs/clusters.md", "exec")
    commands = re.findall(r"^(?:hepflows|python on_slurm.py) (.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        words = shlex.split(command, comments=True)
        options = cli._parser().parse_args(
            words if words[0] == "generate" else ["generate", *words, "--scheduler", "tcp://a:1"]
        )
        assert options.scheduler

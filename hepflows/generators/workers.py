"""Where chunks are simulated: processes of this machine, or the workers of a dask cluster.

Each offers run(simulate, chunks), which yields (chunk, arrays, None) for a chunk that is done and (chunk, None, reason)
for one that failed, as they end. The arrays travel back to the caller, who alone writes files: workers on other
machines need no disk in common with it, and one that is killed leaves nothing behind.
"""

import multiprocessing
import os
import queue
import threading
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from hepflows.errors import HepflowsError, InputError, MissingExtraError

SCHEDULER_SECONDS = 10.0


class GenerationError(HepflowsError, RuntimeError):
    """Chunks failed twice, or the cluster went away; the others are kept, and the same command continues."""


class Processes:
    """`workers` processes of this machine."""

    def __init__(self, workers):
        self.workers = workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, simulate, chunks):
        # One pool for each process: when a process dies, exactly one chunk is to blame, and no other is lost.
        idle = queue.SimpleQueue()
        pools = [_OneProcess() for _ in range(min(self.workers, len(chunks)))]
        for pool in pools:
            idle.put(pool)
        threads = ThreadPoolExecutor(max(len(pools), 1))
        try:
            futures = {threads.submit(_simulate_in, idle, simulate, chunk): chunk for chunk in chunks}
            for future in as_completed(futures):
                yield futures.pop(future), *_outcome(future, died=BrokenProcessPool)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)
            for pool in pools:
                pool.close()

    def __str__(self):
        return "1 process" if self.workers == 1 else f"{self.workers} processes"


class DaskCluster:
    """The workers of the dask scheduler at `address`, such as tcp://10.0.0.1:8786, however many they are.

    Raises MissingExtraError without dask, InputError if no scheduler answers within `seconds`, and GenerationError from
    run() if the scheduler goes away.
    """

    def __init__(self, address, seconds=SCHEDULER_SECONDS):
        try:
            import distributed  # noqa: F401 - dask's, of the extra
        except ModuleNotFoundError as error:
            remedy = "install the extra with `pip install -e '.[simulate]'`"
            raise MissingExtraError(f"scheduler: expected {error.name} to be installed, it is not; {remedy}") from None
        self.address = address
        self._client = _connect(address, seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def run(self, simulate, chunks):
        import distributed

        futures = {self._client.submit(simulate, chunk, pure=False): chunk for chunk in chunks}
        for future in distributed.as_completed(list(futures), loop=self._client.loop):
            chunk = futures.pop(future)  # a result that nobody holds is forgotten by its worker
            try:
                outcome = _outcome(future, died=distributed.KilledWorker)
            except CancelledError:
                raise GenerationError(
                    f"the dask scheduler at {self.address} is gone; the chunks that are done are kept, and the same "
                    "command continues"
                ) from None
            yield chunk, *outcome

    def __str__(self):
        return f"dask at {self.address}"


def _outcome(future, died):
    """(arrays, None) or (None, reason); a future that was taken back is no failure of its chunk, and raises."""
    try:
        return future.result(), None
    except died:
        return None, "its worker process died"
    except CancelledError:
        raise
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _connect(address, seconds):
    """dask's client of a scheduler; InputError if none answers in time."""
    from distributed import Client

    answer = queue.SimpleQueue()

    def connect():
        try:
            answer.put(Client(address, timeout=seconds, set_as_default=False))
        except Exception as error:  # of many kinds: whatever listens there is no scheduler
            answer.put(error)

    # In a thread, because dask's own timeout leaves out the greeting: it would wait for ever for one that is silent.
    threading.Thread(target=connect, daemon=True).start()
    try:
        client = answer.get(timeout=seconds + 1)
    except queue.Empty:
        client = TimeoutError("it is silent")
    if isinstance(client, Exception):
        reason = " ".join(str(client).split()) or type(client).__name__
        expected = f"expected a dask scheduler that answers within {seconds:g} s"
        raise InputError(f"scheduler: {expected}, got none at {address} ({reason})") from None
    return client


class _OneProcess:
    """A process that is started when it is first needed, and again after it died."""

    def __init__(self):
        self._pool = None

    def call(self, function, argument):
        if self._pool is None:
            # Spawned, not forked: a worker starts without the parent's threads and open files.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker)
        try:
            return self._pool.submit(function, argument).result()
        except BrokenProcessPool:
            self.close()
            raise

    def close(self):
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _simulate_in(idle, simulate, chunk):
    process = idle.get()  # never waits: there are as many processes as threads
    try:
        return process.call(simulate, chunk)
    finally:
        idle.put(process)


def _start_worker():
    # Generators write banners to the C-level standard output, which would tear the progress bar.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # A parent that is killed cannot stop its workers: each watches for its end, and ends too.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)

"""One kernel of a notebook run: start it, execute the cells, watch its memory, and shut it down whatever happens."""

import asyncio
import importlib
import re
import shutil
import sys
import time
from pathlib import Path

from hepflows.errors import HepflowsError, MissingExtraError

STARTUP_SECONDS = 120
SECONDS_BETWEEN_WAKES = 0.5
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class NotebookError(HepflowsError, RuntimeError):
    """A notebook that did not run to its end: which cell, its source, and why."""

    def __init__(self, message, cell=None, source=None, peak_memory_bytes=None):
        super().__init__(message)
        self.cell, self.source, self.peak_memory_bytes = cell, source, peak_memory_bytes


def need(module):
    """Import a module of hepflows[notebooks]; MissingExtraError says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"expected {error.name} to be installed to run notebooks, and it is not; pip install 'hepflows[notebooks]'"
        ) from None


class KernelRun:
    """One kernel from start to shutdown; `peak` is its largest resident memory in bytes so far."""

    def __init__(self, path, content, environment, progress):
        self.path, self.content, self.environment, self.progress = path, content, environment, progress
        self.peak = None

    async def execute(self, timeout):
        nbclient, exceptions = need("nbclient"), need("nbclient.exceptions")
        self.kernel = _manager()
        self.client = nbclient.NotebookClient(self.content, km=self.kernel, timeout=None)
        index, ended = None, False
        waker = asyncio.create_task(self._wake_sockets())
        try:
            async with asyncio.timeout(timeout):
                await self._start()
                for index, cell in enumerate(self.content.cells):
                    self.progress.begin(index)
                    await self._cell(cell, index, exceptions)
                    self.progress.end(index)
                    self._sample_memory()
                self.client.set_widgets_metadata()
                await self._ask_memory()
                ended = True
        except exceptions.CellExecutionError as error:
            await self._ask_memory()
            raise self._failure(index, f"{error.ename}: {error.evalue}", self._traceback(index, error)) from None
        except exceptions.DeadKernelError:
            raise self._failure(index, await self._cause_of_death()) from None
        except TimeoutError:
            raise self._failure(index, f"the notebook ran longer than {timeout:g} s") from None
        finally:
            waker.cancel()
            await self._stop(now=not ended)

    async def _wake_sockets(self):
        """Ask the sockets for missed events: nbclient, sending for a widget while it waits, can overlook a reply."""
        events = need("zmq").EVENTS
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_WAKES)
            if self.client.kc is not None and self.client.kc.channels_running:
                for channel in (self.client.kc.shell_channel, self.client.kc.iopub_channel):
                    channel.socket.get(events)

    async def _start(self):
        try:
            # its own history in memory: a run neither reads nor writes the user's
            await self.kernel.start_kernel(
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
                env=self.environment,
                cwd=str(self.path.parent),
            )
            self.client.startup_timeout = STARTUP_SECONDS
            self.client.kc = self.kernel.client()
            self.client.kc.start_channels()
            await self.client.kc.wait_for_ready(timeout=STARTUP_SECONDS)
        except (RuntimeError, OSError) as error:
            raise NotebookError(f"{self.path.name}: the kernel did not start: {error}") from None
        self.client.kc.allow_stdin = False

    async def _cell(self, cell, index, exceptions):
        try:
            await self.client.async_execute_cell(cell, index, execution_count=self.client.code_cells_executed + 1)
        except exceptions.DeadKernelError:
            # nbclient calls every cancellation a dead kernel; ours are Ctrl-C and the time limit
            if asyncio.current_task().cancelling():
                raise asyncio.CancelledError from None
            raise

    def _sample_memory(self):
        """Peak resident memory from outside the kernel (Linux), so that a kernel that dies later has left a number."""
        try:
            status = Path(f"/proc/{self.kernel.provisioner.pid}/status").read_text()
        except (OSError, AttributeError):
            return
        # VmHWM begins anew at exec; getrusage's ru_maxrss would count the parent that forked the kernel
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        if found:
            self.peak = int(found[1]) * 1024

    async def _ask_memory(self):
        """The same where there is no /proc: ask the kernel, without touching the notebook's names or history."""
        self._sample_memory()
        if self.peak is not None:
            return
        expression = "__import__('resource').getrusage(__import__('resource').RUSAGE_SELF).ru_maxrss"
        question = {"silent": True, "store_history": False, "user_expressions": {"peak": expression}}
        try:
            reply = await self.client.kc.execute_interactive("", **question, timeout=10, output_hook=lambda _: None)
            peak = int(reply["content"]["user_expressions"]["peak"]["data"]["text/plain"])
        except (KeyError, ValueError, TimeoutError, RuntimeError):
            return  # Windows has no resource module
        self.peak = peak if sys.platform == "darwin" else peak * 1024

    def _traceback(self, index, error):
        """The traceback as the cell shows it, without colours; nbclient's own text repeats the source."""
        shown = [output for output in self.content.cells[index].outputs if output.output_type == "error"]
        return _ANSI.sub("", "\n".join(shown[-1].traceback) if shown else error.traceback)

    async def _cause_of_death(self):
        code = await self.kernel.provisioner.poll() if self.kernel.provisioner else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        peak = f"; peak memory before this cell {self.peak / 1e9:.2f} GB" if self.peak else ""
        return f"the kernel {how}, most often because memory ran out{peak}"

    def _failure(self, index, message, error=None):
        if index is None:
            return NotebookError(f"{self.path.name}: {message} (before the first cell)")
        source = self.content.cells[index].source
        lines = [f"{self.path.name}: cell {index + 1} of {len(self.content.cells)} failed: {message}"]
        lines += ["--- the cell ---", source]
        if error:
            lines += ["--- the error ---", error.strip()]
        return NotebookError("\n".join(lines), index, source, self.peak)

    async def _stop(self, now):
        if self.client.kc is not None:
            self.client.kc.stop_channels()
        if self.kernel.has_kernel:
            await self.kernel.shutdown_kernel(now=now)


def _manager():
    """A manager whose only kernel is the Python that runs this: no kernel needs to be installed anywhere."""
    jupyter_client, kernelspec = need("jupyter_client"), need("jupyter_client.kernelspec")
    this_python = need("ipykernel.kernelspec").get_kernel_dict()

    class ThisPython(kernelspec.KernelSpecManager):
        def get_kernel_spec(self, kernel_name):
            return kernelspec.KernelSpec(name=kernel_name, **this_python)

    manager = jupyter_client.AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())
    if manager.has_trait("transport_encryption") and need("zmq").has("curve"):
        manager.transport_encryption = "auto"  # newer kernels warn of plain sockets, which other users could read
    return manager


class Progress:
    """One line per cell, or one bar in a terminal, on standard error."""

    def __init__(self, name, content, wanted):
        self.name, self.cells, self.wanted, self.bar = name, content.cells, wanted, None
        self.open_line = False
        if wanted and sys.stderr.isatty():
            from tqdm import tqdm

            columns = shutil.get_terminal_size().columns - 1  # tqdm shows nothing in a terminal that hides its size
            self.bar = tqdm(total=len(self.cells), desc=name, unit="cell", file=sys.stderr, ncols=columns)

    def begin(self, index):
        self.since = time.perf_counter()
        if not self.wanted or self.cells[index].cell_type != "code":
            return
        first = next((line for line in self.cells[index].source.splitlines() if line.strip()), "")[:60]
        if self.bar is not None:
            self.bar.set_postfix_str(first)
        else:
            print(f"{self.name}  cell {index + 1}/{len(self.cells)}  {first}", end="", file=sys.stderr, flush=True)
            self.open_line = True

    def end(self, index):
        if self.bar is not None:
            self.bar.update()
        elif self.open_line:
            print(f"  [{time.perf_counter() - self.since:.1f} s]", file=sys.stderr, flush=True)
            self.open_line = False

    def close(self):
        if self.bar is not None:
            self.bar.close()
        elif self.open_line:
            print("  [failed]", file=sys.stderr, flush=True)

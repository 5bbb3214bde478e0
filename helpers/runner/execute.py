"""Executes one notebook cell by cell and tells whoever listens how far it is."""

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import nbformat
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from helpers.runner.labs import Lab

CELL_TIMEOUT_S = 180


@dataclass(slots=True)
class Failure:
    """Why a lab stopped: the cell's number as a reader counts code cells, its source, its error."""

    cell: int
    source: str
    error: str


@dataclass(slots=True)
class LabRun:
    """What came of one lab."""

    lab: Lab
    notebook: nbformat.NotebookNode
    cells: int
    seconds: float
    failure: Failure | None = None


class _Client(NotebookClient):
    """Says when it begins to wait for its kernel: from then on a signal is for the runner to handle."""

    def waits(self) -> None: ...

    async def async_start_new_kernel_client(self) -> object:
        self.waits()
        return await super().async_start_new_kernel_client()


def start_kernel(lab: Lab) -> NotebookClient:
    """Begin to start the kernel that `execute` will run `lab` in: what else there is to do meanwhile costs no time."""
    client = _Client(
        nbformat.read(lab.path, as_version=4),
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(lab.path.parent)}},
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its remark on unencrypted loopback is for other networks
    )
    client.create_kernel_manager()
    try:
        client.start_new_kernel()
    except BaseException:
        abandon(client)
        raise
    return client


def abandon(client: NotebookClient) -> None:
    """End a kernel that was started for `execute` and is not needed after all."""
    if client.km is not None and client.km.has_kernel:
        run_sync(client.km.shutdown_kernel)(now=True)


def execute(lab: Lab, on_cell: Callable[[int, int], None], client: NotebookClient | None = None) -> LabRun:
    """Run `lab` in a kernel of its own, in its folder.

    Parameters
    ----------
    on_cell : callable
        Called before each code cell with its number (from 1) and the number of code cells.
    client : NotebookClient, optional
        From `start_kernel(lab)`; without it a kernel is started now.

    Raises
    ------
    KeyboardInterrupt
        If the run is stopped (Ctrl-C, or the signal SIGTERM); its kernel has ended by then.
    """
    started = time.monotonic()
    client = client or start_kernel(lab)
    notebook = client.nb
    code_cells = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    number_of = {index: number for number, index in enumerate(code_cells, start=1)}
    current = 0

    def starting(cell: nbformat.NotebookNode, cell_index: int) -> None:
        nonlocal current
        if cell_index in number_of:
            current = number_of[cell_index]
            on_cell(current, len(code_cells))

    stopped = False

    def stop(task: asyncio.Task) -> None:
        nonlocal stopped
        if not stopped:  # a second Ctrl-C must not break off the end of the kernel
            stopped = True
            task.cancel()

    def watch_for_the_end() -> None:
        # nbclient's own handlers end the kernel and let the run go on, until it fails for the want of one.
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(number, stop, task)
            except (RuntimeError, NotImplementedError):  # not in the main thread; Windows
                return

    client.waits = watch_for_the_end
    client.on_cell_start = starting
    failure = None
    try:
        client.execute()
    except CellExecutionError as error:
        failure = failure_in(notebook, code_cells, current, error.traceback)
    except CellTimeoutError:
        failure = failure_in(notebook, code_cells, current, f"The cell was still running after {CELL_TIMEOUT_S} s.")
    except (DeadKernelError, asyncio.CancelledError):  # nbclient takes a cancelled cell for a dead kernel
        if stopped:
            abandon(client)
            raise KeyboardInterrupt from None
        failure = failure_in(notebook, code_cells, current, "The kernel died: often, the machine ran out of memory.")
    return LabRun(lab, notebook, len(code_cells), time.monotonic() - started, failure)


def failure_in(notebook: nbformat.NotebookNode, code_cells: list[int], current: int, error: str) -> Failure:
    source = notebook.cells[code_cells[current - 1]].source if current else ""
    return Failure(current, source, error)

"""Executes one notebook cell by cell and tells whoever listens how far it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import nbformat
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


def start_kernel(lab: Lab) -> NotebookClient:
    """Begin to start the kernel that `execute` will run `lab` in: what else there is to do meanwhile costs no time."""
    client = NotebookClient(
        nbformat.read(lab.path, as_version=4),
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(lab.path.parent)}},
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its remark on unencrypted loopback is for other networks
    )
    client.create_kernel_manager()
    client.start_new_kernel()
    return client


def execute(lab: Lab, on_cell: Callable[[int, int], None], client: NotebookClient | None = None) -> LabRun:
    """Run `lab` in a kernel of its own, in its folder.

    Parameters
    ----------
    on_cell : callable
        Called before each code cell with its number (from 1) and the number of code cells.
    client : NotebookClient, optional
        From `start_kernel(lab)`; without it a kernel is started now.
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

    client.on_cell_start = starting
    failure = None
    try:
        client.execute()
    except CellExecutionError as error:
        failure = failure_in(notebook, code_cells, current, error.traceback)
    except CellTimeoutError:
        failure = failure_in(notebook, code_cells, current, f"The cell was still running after {CELL_TIMEOUT_S} s.")
    except DeadKernelError:
        failure = failure_in(notebook, code_cells, current, "The kernel died: often, the machine ran out of memory.")
    return LabRun(lab, notebook, len(code_cells), time.monotonic() - started, failure)


def failure_in(notebook: nbformat.NotebookNode, code_cells: list[int], current: int, error: str) -> Failure:
    source = notebook.cells[code_cells[current - 1]].source if current else ""
    return Failure(current, source, error)

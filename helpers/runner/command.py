"""The command line of the runner: the four labs in sequence, with progress, reports and a summary."""

import argparse
import re
from pathlib import Path

import nbformat
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from helpers.runner.execute import LabRun, abandon, execute, start_kernel
from helpers.runner.labs import ROOT, find_labs
from helpers.runner.report import write_report
from helpers.runner.stored import keep_outputs
from helpers.runner.whole_files import remove_pieces, write_whole
from helpers.runner.workspace import RunError, build_what_comes_before, fresh_workspace


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.runner", description=__doc__)
    parser.add_argument("--lab", type=int, action="append", metavar="N", help="only lab N (may be given again)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "labs", help="where the results go")
    parser.add_argument("--in-place", action="store_true", help="also store the outputs in labs/")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    console = Console(highlight=False)
    out = options.out.resolve()
    try:
        labs = find_labs(options.lab)
        with fresh_workspace(out / "workspace") as workspace:
            remove_pieces(out)
            if labs[0].number > 1:
                console.print(f"Building what the labs before lab {labs[0].number} leave …")
                build_what_comes_before(labs[0].number)
            runs = run_all(labs, out, console, workspace, options.in_place)
    except (RunError, ValueError) as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    except OSError as error:
        place = Path(error.filename).parent if error.filename else out
        told = f"The results could not be written to {place} ({error.strerror or error}): make room there or make it "
        told += "writable, or name another folder with --out, then run again."
        console.print(told, style="bold red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        told = "Stopped, with all that this run had started. The next run begins anew; nothing has to be mended."
        console.print(told, style="yellow", soft_wrap=True)
        return 130
    print_summary(console, runs, out)
    return 1 if any(run.failure for run in runs) else 0


def run_all(labs: list, out: Path, console: Console, workspace: Path, in_place: bool) -> list[LabRun]:
    """Execute the labs one after the other, up to the first that fails."""
    runs: list[LabRun] = []
    columns = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("cell"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=console) as progress:
        client = None
        try:
            for lab, following in zip(labs, [*labs[1:], None], strict=True):
                task = progress.add_task(f"Lab {lab.number}  {lab.title}", total=None)
                if not console.is_terminal:
                    console.print(f"Lab {lab.number}  {lab.title} …")

                def at_cell(number: int, total: int, task: int = task) -> None:
                    progress.update(task, completed=number - 1, total=total)

                mine, client = client, None
                run = execute(lab, at_cell, mine)
                client = start_kernel(following) if following and not run.failure else None
                done = run.cells if not run.failure else run.failure.cell - 1
                progress.update(task, completed=done, total=run.cells)
                progress.stop_task(task)
                runs.append(run)
                write_whole(out / lab.path.name, nbformat.writes(run.notebook).rstrip("\n") + "\n")
                write_report(run.notebook, f"Lab {lab.number}: {lab.title}", out / f"{lab.path.stem}.html")
                if run.failure:
                    break
                if in_place:
                    keep_outputs(run.notebook, lab.path)
        except BaseException:
            if client:
                abandon(client)
            raise
    if runs and runs[-1].failure:
        show_failure(console, runs[-1], workspace)
    return runs


def show_failure(console: Console, run: LabRun, workspace: Path) -> None:
    failure = run.failure
    console.print(Text(f"\nLab {run.lab.number} stopped at code cell {failure.cell}:", style="bold red"))
    console.print(
        Panel(Syntax(failure.source, "python", word_wrap=True), title=f"{run.lab.path.name}, cell {failure.cell}")
    )
    console.print(Text.from_ansi(shortened(failure.error)))
    logs = sorted(path for path in workspace.glob("*.log"))
    console.print(Text("The offline AWS's log: " + (", ".join(str(log) for log in logs) or f"none in {workspace}")))


def shortened(traceback: str, lines: int = 30) -> str:
    """The end of a traceback: the part that names the error."""
    kept = re.sub(r"\n{3,}", "\n\n", traceback.rstrip()).split("\n")
    return "\n".join(kept if len(kept) <= lines else ["…", *kept[-lines:]])


def print_summary(console: Console, runs: list[LabRun], out: Path) -> None:
    table = Table(title="The labs", title_justify="left")
    table.add_column("Lab")
    table.add_column("Cells", justify="right")
    table.add_column("Seconds", justify="right")
    table.add_column("Result")
    for run in runs:
        result = Text("passed", style="green") if not run.failure else Text(f"failed at cell {run.failure.cell}", "red")
        table.add_row(f"{run.lab.number}  {run.lab.title}", str(run.cells), f"{run.seconds:.1f}", result)
    table.add_section()
    table.add_row("together", str(sum(run.cells for run in runs)), f"{sum(run.seconds for run in runs):.1f}", "")
    console.print(table)
    console.print(Text(f"Executed notebooks and reports: {out}"))

"""Making data from the terminal: generate samples, describe them, list and measure the scenarios."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from helpers.fulfillment import files, samples
from helpers.fulfillment.process import WORLD
from helpers.fulfillment.scenarios import SCENARIOS

console = Console(stderr=True)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (OSError, ValueError) as error:
        console.print(f"[bold red]Error:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing was left behind.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m helpers.fulfillment", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    generate = commands.add_parser("generate", help="make samples and write them as Parquet or CSV")
    generate.add_argument("--rows", type=int, default=samples.HISTORY_ROWS, help="number of samples (200,000)")
    generate.add_argument(
        "--seed", type=int, default=samples.HISTORY_SEED, help="of the stream; 0 is the shipped history"
    )
    generate.add_argument("--world", type=int, default=WORLD, help="of catalogue, people and places")
    generate.add_argument("--scenario", choices=sorted(SCENARIOS), help="what is different from the start on")
    generate.add_argument("--out", type=Path, default=samples.HISTORY, help="….parquet, ….csv (13 columns) or ….csv.gz")
    generate.add_argument("--context", action="store_true", help="CSV with the context columns too")
    generate.add_argument("--header", action="store_true", help="CSV with a line of names")
    generate.set_defaults(command=_generate)
    return parser


def _generate(options: argparse.Namespace) -> int:
    scenario = SCENARIOS[options.scenario] if options.scenario else None
    parts = samples.chunks(options.rows, options.seed, scenario, world=options.world)
    columns = (
        TextColumn("samples"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("samples", total=options.rows)
        written = files.write(
            options.out, parts, header=options.header, context=options.context,
            on_progress=lambda rows: progress.advance(task, rows),
        )  # fmt: skip
    table = Table(show_header=False, box=None)
    for name, value in (
        ("file", str(options.out)), ("samples", f"{options.rows:,}"), ("bytes", f"{written:,}"),
        ("sha256", files.checksum(options.out)),
    ):  # fmt: skip
        table.add_row(name, value)
    Console(file=sys.stdout).print(table)
    return 0

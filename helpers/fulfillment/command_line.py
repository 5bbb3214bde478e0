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
out = Console(width=None if sys.stdout.isatty() else 120)


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
    describe = commands.add_parser("describe", help="figures and pictures of samples, as in the data card")
    describe.add_argument("file", type=Path, nargs="?", default=samples.HISTORY, help="….parquet (the shipped history)")
    describe.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the pictures of the data card there")
    describe.set_defaults(command=_describe)
    drift = commands.add_parser("drift", help="what the scenarios change, measured")
    drift.add_argument("--rows", type=int, default=50_000, help="samples per scenario (50,000)")
    drift.set_defaults(command=_drift)
    return parser


def _describe(options: argparse.Namespace) -> int:
    import pandas as pd

    from helpers.fulfillment import describe

    if not options.file.is_file():
        raise FileNotFoundError(f"There is no file {options.file}; make it with `generate --out {options.file}`.")
    frame = pd.read_parquet(options.file)
    table = Table(*describe.HEADINGS)
    for row in describe.columns(frame):
        table.add_row(*row)
    out.print(table)
    table = Table(show_header=False, box=None)
    for name, value in describe.facts(frame):
        table.add_row(name, value)
    out.print(table)
    if options.pictures:
        from helpers.fulfillment import pictures

        options.pictures.mkdir(parents=True, exist_ok=True)
        for path in pictures.draw(frame, options.pictures):
            out.print(str(path), soft_wrap=True)
    return 0


def _drift(options: argparse.Namespace) -> int:
    from helpers.fulfillment import describe

    table = Table("scenario", "mean duration", "noise floor", "retraining helps", "reason")
    with Progress(TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task("scenarios", total=1 + len(SCENARIOS))
        for row in describe.scenarios(options.rows):
            table.add_row(*row)
            progress.advance(task)
    out.print(table)
    return 0


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
        ("samples", f"{options.rows:,}"), ("bytes", f"{written:,}"),
        ("sha256", files.checksum(options.out)),
    ):  # fmt: skip
        table.add_row(name, value)
    out.print(table)
    out.print(str(options.out), soft_wrap=True, highlight=False)
    return 0

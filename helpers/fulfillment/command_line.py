"""Making data from the terminal: generate samples, describe them, list and measure the scenarios."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from helpers.fulfillment import files, samples
from helpers.fulfillment.columns import COLUMNS, CONTEXT_COLUMNS
from helpers.fulfillment.process import WORLD
from helpers.fulfillment.scenarios import SCENARIOS

console = Console(stderr=True)
out = Console(width=None if sys.stdout.isatty() else 120)
LARGEST_SEED = 2**63 - 1

EXAMPLES = {
    "generate": """examples:
  python -m helpers.fulfillment generate --rows 2000000 --seed 1 --out more.parquet
  python -m helpers.fulfillment generate --rows 50000 --seed 2 --scenario peak-season --out peak.csv

Parquet holds the 13 columns that models see, the target first, and nine of context. CSV holds the 13, without a line
of names and with nothing where a value is missing, as SageMaker's built-in algorithms read it. The same options make
the same samples, always.""",
    "describe": """examples:
  python -m helpers.fulfillment describe
  python -m helpers.fulfillment describe mine.csv --pictures mine-pictures

The file may be Parquet or CSV, with 13 columns or with the nine of context too. What does not fit the schema of a
sample is listed; the figures are then those of the other rows, and the exit status is 1.""",
    "drift": """example:
  python -m helpers.fulfillment drift --rows 100000

What retraining restores, and when an alarm tells: python -m benchmarks.drift""",
}


class Parser(argparse.ArgumentParser):
    """Says what was wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        name, _, what = message.removeprefix("argument ").partition(": ")
        sentence = f"{name}: {what}" if message.startswith("argument ") else message
        _tell(f"{sentence}; `{self.prog} --help` shows how it is meant")
        sys.exit(2)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 for what cannot be done, 130 when stopped with Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        return options.command(options)
    except BrokenPipeError:  # the reader of the output has gone, as `… | head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        _tell(_sentence(error))
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing was left behind.")
        return 130


def _tell(sentence: str) -> None:
    console.print(f"[bold red]Error:[/] {_escaped(sentence).rstrip('.')}.", highlight=False, soft_wrap=True)


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(str(error).split())


def _whole(name: str, low: int, high: int | None = None) -> Callable[[str], int]:
    limits = f"{low:,} or more" if high is None else f"from {low:,} to {high:,}"

    def number(text: str) -> int:
        try:
            value = int(text.replace("_", "").replace(",", ""))
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{name} is a whole number, {limits}, got {text!r}")
        return value

    return number


def _parser() -> Parser:
    parser = Parser(prog="python -m helpers.fulfillment", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")

    def add(name: str, what: str, run: Callable[[argparse.Namespace], int]) -> Parser:
        command = commands.add_parser(
            name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.set_defaults(command=run)
        return command

    rows, seed = _whole("the number of samples", 1), _whole("a seed", 0, LARGEST_SEED)
    generate = add("generate", "make samples and write them as Parquet or CSV", _generate)
    generate.add_argument(
        "--rows", type=rows, metavar="N", default=samples.HISTORY_ROWS, help="number of samples (200,000)"
    )
    generate.add_argument(
        "--seed", type=seed, metavar="N", default=samples.HISTORY_SEED, help="of the stream (0: the shipped history)"
    )
    generate.add_argument(
        "--world", type=seed, metavar="N", default=WORLD, help=f"of catalogue, people and places ({WORLD})"
    )
    generate.add_argument("--scenario", metavar="NAME", type=_scenario, help=f"one of {', '.join(sorted(SCENARIOS))}")
    generate.add_argument(
        "--out", type=Path, metavar="FILE", default=samples.HISTORY, help="….parquet, ….csv or ….csv.gz"
    )
    generate.add_argument("--context", action="store_true", help="CSV with the nine context columns too")
    generate.add_argument("--header", action="store_true", help="CSV with a line of names")
    generate.add_argument("--force", action="store_true", help="replace the file if there is one")
    describe = add("describe", "show figures and pictures of samples, as in the data card", _describe)
    describe.add_argument("file", type=Path, nargs="?", default=samples.HISTORY, help="samples (the shipped history)")
    describe.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the pictures of the data card there")
    drift = add("drift", "list the scenarios with their reasons, and measure what they change", _drift)
    drift.add_argument("--rows", type=rows, metavar="N", default=50_000, help="samples per scenario (50,000)")
    return parser


def _scenario(name: str) -> str:
    if name not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"there is no scenario {name!r}; there are {', '.join(sorted(SCENARIOS))}")
    return name


def _describe(options: argparse.Namespace) -> int:
    from helpers.fulfillment import describe

    frame, wrong = describe.checked(files.read(options.file))
    if wrong:
        table = Table(*describe.WRONG_HEADINGS, title=f"{options.file.name} does not fit the schema of a sample")
        for row in wrong:
            table.add_row(*map(_escaped, row))
        out.print(table)
    if frame is None or frame.empty:
        _tell("No row is a sample that could be described")
        return 1
    table = Table(*describe.HEADINGS)
    for row in describe.columns(frame):
        table.add_row(*row)
    out.print(table)
    table = Table(show_header=False, box=None)
    for name, value in describe.facts(frame):
        table.add_row(name, _escaped(value))
    out.print(table)
    if options.pictures:
        from helpers.fulfillment import pictures

        options.pictures.mkdir(parents=True, exist_ok=True)
        for path in pictures.draw(frame, options.pictures):
            out.print(str(path), soft_wrap=True)
    return 1 if wrong else 0


def _drift(options: argparse.Namespace) -> int:
    from helpers.fulfillment import describe

    table = Table(*describe.SCENARIO_HEADINGS)
    with Progress(TextColumn("scenarios"), BarColumn(), MofNCompleteColumn(), console=console) as progress:
        task = progress.add_task("scenarios", total=1 + len(SCENARIOS))
        for row in describe.scenarios(options.rows):
            table.add_row(*row)
            progress.advance(task)
    out.print(table)
    return 0


def _generate(options: argparse.Namespace) -> int:
    files.check_writable(options.out, replace=options.force)  # before the work, and before the progress bar
    scenario = SCENARIOS[options.scenario] if options.scenario else None
    parts = samples.chunks(options.rows, options.seed, scenario, world=options.world)
    columns = (
        TextColumn("samples"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("samples", total=options.rows)
        written = files.write(
            options.out, parts, header=options.header, context=options.context, replace=options.force,
            on_progress=lambda rows: progress.advance(task, rows),
        )  # fmt: skip
    table = Table(show_header=False, box=None)
    every = options.context or options.out.suffix.lower() == ".parquet"
    for name, value in (
        ("samples", f"{options.rows:,}"), ("columns", str(len(COLUMNS) + every * len(CONTEXT_COLUMNS))),
        ("bytes", f"{written:,}"), ("sha256", files.checksum(options.out)),
    ):  # fmt: skip
        table.add_row(name, value)
    out.print(table)
    out.print(str(options.out), soft_wrap=True, highlight=False)
    return 0

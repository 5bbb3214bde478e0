"""Lines of a benchmark's result: ours, the peer's, and how they compare; as a table to read and one for the docs."""

import dataclasses
import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

RESULTS = "BENCHMARK_RESULTS"  # environment variable: a file that gets each line as JSON


@dataclass(frozen=True, slots=True)
class Ratio:
    """`ours` against `theirs` in one unit; `reach` is the ratio that the project set out to reach, None for remarks."""

    what: str
    peer: str
    ours: float
    theirs: float
    unit: str
    reach: float | None
    more_is_better: bool

    @property
    def value(self) -> float:
        return self.ours / self.theirs if self.theirs else float("nan")

    @property
    def aim(self) -> str:
        return "" if self.reach is None else f"{'≥' if self.more_is_better else '≤'} {self.reach:g}"

    @property
    def verdict(self) -> str:
        if self.reach is None:
            return ""
        reached = self.value >= self.reach if self.more_is_better else self.value <= self.reach
        return "reached" if reached else "not reached"

    @property
    def cells(self) -> list[str]:
        return [
            self.what,
            f"{in_figures(self.ours)} {self.unit}",
            f"{self.peer}: {in_figures(self.theirs)} {self.unit}",
            f"{self.value:.2f}",
            self.aim,
            self.verdict,
        ]


def in_figures(value: float) -> str:
    """Three significant figures; all of them for large numbers."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def show(title: str, ratios: Sequence[Ratio], notes: Sequence[str] = ()) -> None:
    """Print the lines as a table, then the notes; note them down for the table of all benchmarks, if there is one."""
    table = Table(title=title, title_justify="left")
    for name, justify in [
        ("what", "left"),
        ("ours", "right"),
        ("peer", "right"),
        ("ratio", "right"),
        ("aim", "right"),
        ("", "left"),
    ]:
        table.add_column(name, justify=justify)
    for ratio in ratios:
        table.add_row(*ratio.cells)
    console = Console(highlight=False, width=160)
    console.print(table)
    for note in notes:
        console.print(note)
    if RESULTS in os.environ:
        with open(os.environ[RESULTS], "a") as file:
            file.write(json.dumps({"lines": [dataclasses.asdict(ratio) for ratio in ratios], "notes": list(notes)}))
            file.write("\n")


def as_markdown(results: str) -> str:
    """The table of docs/performance.md, from what `show` noted down."""
    lines = ["| what | ours | peer | ratio | aim | |", "|---|---|---|---|---|---|"]
    notes = []
    for part in map(json.loads, results.splitlines()):
        lines += ["| " + " | ".join(Ratio(**line).cells) + " |" for line in part["lines"]]
        notes += part["notes"]
    return "\n".join([*lines, "", *notes])


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0 to 100) of `values`."""
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(q * 10) - 1))]


def in_turn(measures: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """Medians of measurements that are taken in turn, so that a busy machine is busy for all of them."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(values) for values in zip(*taken, strict=True)]


def blocks_in_turn(measures: Sequence[Callable[[], list[float]]], rounds: int) -> list[list[float]]:
    """All values of measurements that give many each, taken in turn."""
    all_values: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(all_values, measures, strict=True):
            values += measure()
    return all_values

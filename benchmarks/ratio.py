"""One line of a benchmark's result: ours, the peer's, and how they compare."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Ratio:
    """`ours` against `theirs` in one unit; `reach` is the ratio that the project set out to reach."""

    what: str
    peer: str
    ours: float
    theirs: float
    unit: str
    reach: float
    more_is_better: bool

    @property
    def value(self) -> float:
        return self.ours / self.theirs if self.theirs else float("nan")

    @property
    def reached(self) -> bool:
        return self.value >= self.reach if self.more_is_better else self.value <= self.reach


def show(title: str, ratios: list[Ratio], notes: list[str] = ()) -> None:
    """Print the lines as a table, then the notes."""
    table = Table(title=title, title_justify="left")
    for name, justify in [
        ("what", "left"),
        ("ours", "right"),
        ("peer", "right"),
        ("ratio", "right"),
        ("reach", "right"),
    ]:
        table.add_column(name, justify=justify)
    table.add_column("")
    for ratio in ratios:
        sign = "≥" if ratio.more_is_better else "≤"
        table.add_row(
            ratio.what,
            f"{ratio.ours:,.4g} {ratio.unit}",
            f"{ratio.theirs:,.4g} {ratio.unit}  ({ratio.peer})",
            f"{ratio.value:.2f}",
            f"{sign} {ratio.reach:g}",
            "reached" if ratio.reached else "not reached",
        )
    console = Console(highlight=False, width=130)
    console.print(table)
    for note in notes:
        console.print(note)


def percentile(values: list[float], q: float) -> float:
    """The q-th percentile (0 to 100) of `values`."""
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(q * 10) - 1))]


def in_turn(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Medians of two measurements taken in turn, so that a busy machine is busy for both."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)

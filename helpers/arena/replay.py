"""The log read back: a round as it was at any moment, its frames, its export, and two rounds side by side."""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.arena.scoring import LATENCIES_KEPT, Outcome, quantile, ranking
from helpers.arena.store import EntryRow, RoundRow, Store

COLUMNS = (
    "entry",
    "alias",
    "kind",
    "number",
    "time_s",
    "duration_ms",
    "outcome",
    "prediction_ms",
    "latency_ms",
    "error_ms",
    "window_rmse_ms",
)


@dataclass
class Course:
    """One entry's scored interactions of one round, in the order in which they ended (arrays of equal length)."""

    entry: EntryRow
    number: np.ndarray
    ends: np.ndarray
    duration_ms: np.ndarray
    outcome: np.ndarray
    prediction_ms: np.ndarray
    latency_ms: np.ndarray
    error_ms: np.ndarray
    window: int

    def __post_init__(self) -> None:
        self._sums = np.concatenate([[0.0], np.cumsum(self.error_ms**2)])

    def count(self, clock: float) -> int:
        """How many interactions were scored when the round's clock showed `clock` seconds."""
        return int(np.searchsorted(self.ends, clock, side="right"))

    def window_rmse(self, count: int) -> float | None:
        """Error in ms over the last `window` of the first `count` scored interactions."""
        if not count:
            return None
        start = max(0, count - self.window)
        return math.sqrt(max(0.0, self._sums[count] - self._sums[start]) / (count - start))

    def round_rmse(self, count: int) -> float | None:
        """Error in ms over the first `count` scored interactions; None without any."""
        return math.sqrt(self._sums[count] / count) if count else None

    def window_course(self) -> np.ndarray:
        """The sliding-window error in ms after each scored interaction."""
        counts = np.arange(1, len(self.ends) + 1)
        starts = np.maximum(0, counts - self.window)
        return np.sqrt(np.maximum(0.0, self._sums[counts] - self._sums[starts]) / (counts - starts))


def courses(store: Store, row: RoundRow) -> list[Course]:
    """Every player's course, by entry; what ended after the round's last moment is left out."""
    interactions = store.interactions(row.id)
    answers = store.answers(row.id)
    known = {e.id: e for e in store.entries(everyone=True)}
    last = min(row.clock, row.settings.seconds)
    place = np.full(int(interactions["number"].max()) + 1 if len(interactions) else 0, -1)
    place[interactions["number"]] = np.arange(len(interactions))
    answers = answers[answers["number"] < len(place)]
    answers = answers[place[answers["number"]] >= 0]
    events = interactions[place[answers["number"]]]
    kept = events["ends"] <= last
    answers, events = answers[kept], events[kept]
    order = np.lexsort((events["number"], events["ends"], answers["entry"]))
    answers, events = answers[order], events[order]
    usable = answers["outcome"] == Outcome.OK
    fallback = events["fc_avg_ms"] - events["duration_ms"]
    penalised = np.copysign(np.abs(fallback) + row.settings.penalty_ms, fallback)
    error = np.where(usable, answers["prediction_ms"] - events["duration_ms"], penalised)
    found = []
    for entry, _, _ in store.players(row.id):
        begin, end = np.searchsorted(answers["entry"], [entry, entry + 1])
        part, event = answers[begin:end], events[begin:end]
        found.append(
            Course(
                known[entry],
                event["number"],
                event["ends"],
                event["duration_ms"],
                part["outcome"],
                part["prediction_ms"],
                part["latency_ms"],
                error[begin:end],
                row.settings.window,
            )
        )
    return found


def standings_at(found: list[Course], clock: float, minimum: int) -> list[dict[str, Any]]:
    """The ranking as it stood when the round's clock showed `clock` seconds, withdrawn entries left out."""
    present = {c.entry.id: c for c in found if c.entry.standing == "in"}
    counts = {i: c.count(clock) for i, c in present.items()}
    scores = [(i, c.window_rmse(counts[i]), counts[i]) for i, c in present.items()]
    rows = []
    for entry, rank in ranking(scores, minimum):
        course, count = present[entry], counts[entry]
        latencies = [x for x in course.latency_ms[max(0, count - LATENCIES_KEPT) : count].tolist() if not math.isnan(x)]
        rows.append(
            {
                "id": entry,
                "alias": course.entry.alias,
                "kind": course.entry.kind,
                "rank": rank,
                "score": course.window_rmse(count),
                "whole": course.round_rmse(count),
                "availability": float(np.mean(course.outcome[:count] == Outcome.OK)) if count else None,
                "p50": quantile(latencies, 0.5),
                "p95": quantile(latencies, 0.95),
                "count": count,
            }
        )
    return rows


def frames(found: list[Course], begin: float, end: float, count: int, minimum: int) -> list[dict[str, Any]]:
    """`count` moments from `begin` to `end` (seconds of the round's clock): of each, entry -> (rank, error)."""
    made = []
    for clock in np.linspace(begin, end, count).tolist():
        rows = standings_at(found, clock, minimum)
        places = {r["id"]: [r["rank"], r["score"] and round(r["score"], 1)] for r in rows}
        made.append({"clock": round(clock, 2), "places": places})
    return made


def as_csv(found: list[Course]) -> str:
    """One line per scored answer. Cells that a spreadsheet would run as a formula are defused."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(COLUMNS)
    for course in found:
        alias = course.entry.alias if course.entry.alias[0] not in "=+-@'" else "'" + course.entry.alias
        window = course.window_course()
        for i in range(len(course.number)):
            write(
                [
                    course.entry.id,
                    alias,
                    course.entry.kind,
                    int(course.number[i]),
                    f"{course.ends[i]:.3f}",
                    f"{course.duration_ms[i]:.0f}",
                    Outcome(int(course.outcome[i])).name.lower(),
                    _cell(course.prediction_ms[i], 1),
                    _cell(course.latency_ms[i], 2),
                    f"{course.error_ms[i]:.1f}",
                    f"{window[i]:.1f}",
                ]
            )
    return text.getvalue()


def _cell(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def compare(store: Store, first: RoundRow, second: RoundRow) -> list[dict[str, Any]]:
    """Two rounds side by side, one row per entry that played in either; errors are those of the whole round, in ms."""
    sides = []
    for row in (first, second):
        rows = standings_at(courses(store, row), row.settings.seconds, row.settings.minimum)
        sides.append({r["id"]: r for r in rows})
    table = []
    for entry in sorted(set(sides[0]) | set(sides[1])):
        a, b = (side.get(entry) for side in sides)
        both = a and b and a["whole"] is not None and b["whole"] is not None
        table.append(
            {
                "id": entry,
                "alias": (a or b)["alias"],
                "kind": (a or b)["kind"],
                "first_rank": a and a["rank"],
                "second_rank": b and b["rank"],
                "first_ms": a and a["whole"],
                "second_ms": b and b["whole"],
                "change_ms": b["whole"] - a["whole"] if both else None,
            }
        )
    return table

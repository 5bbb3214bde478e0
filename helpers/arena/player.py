"""One entry at play: its open questions, its answers until they are scored, its tally, and how it is doing."""

from collections import deque
from typing import NamedTuple

from helpers.arena.scoring import REASONS, Outcome, Tally, error_ms, ranking
from helpers.arena.store import EntryRow
from helpers.arena.stream import Stream

SPARK_POINTS = 60
FAILURES_SHOWN = 3  # in a row, before the board says error
STALE_SECONDS = 10.0


class Given(NamedTuple):
    """What came back to one question; prediction and latency in ms, None without."""

    outcome: Outcome
    prediction_ms: float | None
    latency_ms: float | None


class Player:
    """Scores its answers strictly in the order in which interactions end, so that timing never changes a score."""

    def __init__(self, entry: EntryRow, first: int, window: int, ended: int = 0) -> None:
        """`first`: the first interaction it is asked about; `ended`: what ended before is not its to answer."""
        self.entry = entry
        self.first = first
        self.tally = Tally(window)
        self.spark: deque[tuple[float, float]] = deque(maxlen=SPARK_POINTS)
        self.open_questions = 0
        self.failures = 0
        self.last_outcome: Outcome | None = None
        self.last_good: float | None = None
        self._given: dict[int, Given] = {}
        self._asked: set[int] = set()
        self._next = ended  # position in the stream's order of ending

    def asked(self, number: int) -> None:
        """The interaction has begun: it is the player's to answer."""
        self._asked.add(number)

    def awaits(self, number: int) -> bool:
        """Whether it was asked and is not scored yet."""
        return number in self._asked

    def answered(self, number: int, given: Given) -> None:
        """Keep an answer until its interaction is scored."""
        self._given[number] = given

    def seen(self, outcome: Outcome, clock: float) -> None:
        """Note how the API did, whether or not this answer is scored."""
        self.last_outcome = outcome
        if outcome == Outcome.OK:
            self.failures = 0
            self.last_good = clock
        else:
            self.failures += 1

    def score(self, stream: Stream, ended: int, penalty_ms: float) -> None:
        """Score what has ended (the first `ended` of the stream's order) up to the first question still open."""
        while self._next < ended:
            number = stream.ending[self._next]
            if number in self._asked:
                given = self._given.pop(number, None)
                if given is None:
                    return
                self._asked.discard(number)
                duration, average = stream.durations[number], stream.averages[number]
                error = error_ms(given.outcome, given.prediction_ms, duration, average, penalty_ms)
                self.tally.add(error, given.outcome == Outcome.OK, given.latency_ms)
            self._next += 1

    def chip(self, minimum: int, clock: float, running: bool) -> tuple[str, str]:
        """State and reason for the board."""
        if self.failures >= FAILURES_SHOWN and self.last_outcome is not None:
            return "error", REASONS[self.last_outcome]
        if self.tally.count < minimum:
            return "waiting", f"{self.tally.count} of {minimum} scored" if self.tally.count else ""
        if running and (self.last_good is None or clock - self.last_good > STALE_SECONDS):
            return "stale", "no good answer for a while"
        return "live", ""


def standings(players: list[Player], minimum: int) -> list[dict]:
    """The board's rows, best first, as `replay.standings_at` gives them from the log."""
    by_id = {p.entry.id: p for p in players}
    errors = {i: p.tally.window_rmse for i, p in by_id.items()}
    rows = []
    for entry, rank in ranking([(i, errors[i], p.tally.count) for i, p in by_id.items()], minimum):
        player = by_id[entry]
        rows.append(
            {
                "id": entry,
                "alias": player.entry.alias,
                "kind": player.entry.kind,
                "rank": rank,
                "score": errors[entry],
                "whole": player.tally.round_rmse,
                "availability": player.tally.availability,
                "p50": player.tally.latency_ms(0.5),
                "p95": player.tally.latency_ms(0.95),
                "count": player.tally.count,
            }
        )
    return rows

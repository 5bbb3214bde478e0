"""What was asked, what came back and the round's moments, until the store has them: written a few times a second."""

import sqlite3

from helpers.arena.player import Given
from helpers.arena.store import RoundRow, Store
from helpers.arena.stream import Interaction
from helpers.arena.threads import Threads

WRITE_EVERY_SECONDS = 0.25


class Journal:
    """Keeps what is not yet in the store. The clock is written with it: what is lost in a crash is played again."""

    def __init__(self, store: Store, threads: Threads) -> None:
        self._store = store
        self._threads = threads
        self._interactions: list[tuple] = []
        self._answers: list[tuple] = []
        self._marks: list[tuple] = []

    def asked(self, row: RoundRow, event: Interaction) -> None:
        """An interaction has begun."""
        self._interactions.append((row.id, *event[:6]))

    def answered(self, row: RoundRow, number: int, entry: int, given: Given) -> None:
        """A question has its outcome."""
        self._answers.append((row.id, number, entry, int(given.outcome), given.prediction_ms, given.latency_ms))

    def marked(self, row: RoundRow, kind: str, text: str) -> None:
        """Keep a moment that the store refused."""
        self._marks.append((row.id, row.clock, kind, text))

    async def write(self, row: RoundRow) -> None:
        """One transaction with all that is new. Raises sqlite3.Error, and then forgets nothing."""
        if not self._interactions and not self._answers and not self._marks:
            return
        interactions, self._interactions = self._interactions, []
        answers, self._answers = self._answers, []
        marks, self._marks = self._marks, []
        try:
            await self._threads.run(self._store.progress, row, interactions, answers, marks)
        except sqlite3.Error:
            self._interactions = interactions + self._interactions
            self._answers = answers + self._answers
            self._marks = marks + self._marks
            raise

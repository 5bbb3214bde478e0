"""What was asked and what came back, gathered in the event loop and written in a thread, a few times a second."""

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

    def asked(self, row: RoundRow, event: Interaction) -> None:
        self._interactions.append((row.id, *event[:6]))

    def answered(self, row: RoundRow, number: int, entry: int, given: Given) -> None:
        self._answers.append((row.id, number, entry, int(given.outcome), given.prediction_ms, given.latency_ms))

    async def write(self, row: RoundRow) -> None:
        """One transaction with all that is new. Raises sqlite3.Error, and then forgets nothing."""
        if not self._interactions and not self._answers:
            return
        interactions, self._interactions = self._interactions, []
        answers, self._answers = self._answers, []
        try:
            await self._threads.run(self._store.progress, row, interactions, answers)
        except sqlite3.Error:
            self._interactions = interactions + self._interactions
            self._answers = answers + self._answers
            raise

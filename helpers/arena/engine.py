"""The arena at play: the current round, what instructors and entries do to it, and taking it up where it was killed."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from helpers.arena.caller import Caller
from helpers.arena.journal import WRITE_EVERY_SECONDS, Journal
from helpers.arena.pace import Pace
from helpers.arena.play import Play
from helpers.arena.player import Given, Player
from helpers.arena.questions import Questions
from helpers.arena.recovery import rebuild
from helpers.arena.rounds import Phase, RoundClock, RoundError, Settings, after
from helpers.arena.scoreboard import Scoreboard
from helpers.arena.store import EntryRow, RoundRow, Store
from helpers.arena.stream import Interaction, Source, Stream, from_fulfillment
from helpers.arena.threads import Threads

log = logging.getLogger("arena")
SHORTEST_SECONDS = 5  # of a round that the instructor ends


class Engine:
    """Holds the current round. Everything runs in one event loop; only the store and the stream use threads."""

    def __init__(self, store: Store, caller: Caller, settings: Settings, source: Source = from_fulfillment) -> None:
        self.store = store
        self.source = source
        self.threads = Threads()
        self.on_change: Callable[[], None] = lambda: None
        self.journal = Journal(store, self.threads)
        self.questions = Questions(caller, self.answered)
        rounds = store.rounds()
        self.row: RoundRow = rounds[-1] if rounds else store.add_round(settings)
        self.scores = Scoreboard(self.settings)
        self.pace = self._new_pace()
        self.stream: Stream | None = None
        self.frozen: list[dict] | None = None  # the ranking at the lock
        self.marks: list[tuple[float, str, str]] = []  # the store's, at hand while it is being written
        self.warm_up_ends = 0.0  # in the event loop's time
        self.trouble = ""  # why the store cannot be written, while it cannot
        self._play: asyncio.Task | None = None

    @property
    def settings(self) -> Settings:
        return self.row.settings

    @property
    def clock(self) -> RoundClock:
        return self.pace.clock

    @property
    def now(self) -> float:
        """Seconds of the round that have been played."""
        return min(self.clock.elapsed, self.settings.seconds)

    @property
    def playing(self) -> bool:
        return self._play is not None and not self._play.done()

    async def __aenter__(self) -> "Engine":
        await self._take_up()
        self._writer = asyncio.create_task(self._write_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.cancel()
        await self._stop_playing()
        await self._write()
        self.threads.close()

    # what instructors do

    async def new_round(self, settings: Settings) -> RoundRow:
        """Leave the current round as it is in the log and open another; entries stay.

        Raises sqlite3.Error when the store cannot be written; the current round is then played on.
        """
        await self.journal.write(self.row)
        await self._stop_playing()
        await self.journal.write(self.row)
        self.row = self.store.add_round(settings)
        await self._take_up()
        return self.row

    def configure(self, changes: dict) -> Settings:
        """Change the settings of a round that has not started. Raises RoundError."""
        if self.row.phase != Phase.OPEN:
            raise RoundError(f"Settings change before the start; this round is {self.row.phase}. Open a new one.")
        row = replace(self.row, settings=self.settings.with_changes(changes))
        self.store.save_round(row)
        self.row = row
        self._everybody_enters()
        return self.settings

    async def start(self) -> None:
        """Raises RoundError, e.g. when the stream cannot be made as the settings want it, and sqlite3.Error."""
        phase = after(self.row.phase, "start")
        row, settings = self.row, self.settings
        stream = await self._make_stream()
        if row is not self.row or row.phase != Phase.OPEN or row.settings is not settings:
            raise RoundError("Somebody else has started the round, changed it or opened another.")
        self.store.save_round(replace(row, phase=phase))
        self.stream, row.phase = stream, phase
        self.pace = self._new_pace()
        self._start_playing()

    def pause(self) -> None:
        """Raises RoundError."""
        if not self.playing or self.row.paused:
            raise RoundError("Only a running round can be paused.")
        self._hold()
        self.mark("paused", "Paused")

    def resume(self) -> None:
        """Raises RoundError, and sqlite3.Error when the store still cannot be written."""
        if not self.row.paused:
            raise RoundError("The round is not paused.")
        self.store.save_round(replace(self.row, paused=False))
        self.row.paused = False
        self.pace.resume(clock=self.row.phase in (Phase.LIVE, Phase.LOCKED))
        self.mark("resumed", "Goes on")

    def lock(self) -> None:
        """Freeze what is shown; the round goes on unseen. Raises RoundError."""
        phase = after(self.row.phase, "lock")
        self.frozen = self.scores.rows()
        self.row.phase, self.row.locked_clock = phase, self.now
        self.mark("locked", "Results locked")

    def finish(self) -> None:
        """End a live round now: what has ended by now counts."""
        if self.row.phase not in (Phase.LIVE, Phase.LOCKED) or self.row.finished:
            raise RoundError("Only a round that is being played can be ended.")
        elapsed = self.clock.elapsed
        if elapsed < SHORTEST_SECONDS:
            raise RoundError("The round has just begun; open a new one instead.")
        if elapsed < self.settings.seconds:
            self.row.settings = self.settings.with_changes({"seconds": elapsed, "hide_seconds": 0.0})
            self.scores.settings, self.pace.end = self.settings, elapsed
        self.mark("ended", "Ended by the instructor")
        if self.row.paused:
            self.resume()

    def reveal(self) -> None:
        """Show what was hidden, once the round is over. Raises RoundError."""
        if self.row.phase == Phase.LOCKED and not self.row.finished:
            left = self.settings.seconds - self.clock.elapsed
            raise RoundError(f"The round still runs for {left:.0f} s; end it first, or wait.")
        self.row.phase = after(self.row.phase, "reveal")
        self.mark("revealed", "Results revealed")

    def change_conditions(self, number: int | None = None) -> None:
        """From interaction `number` on, or from the next one, the warehouse is in the scenario of the settings."""
        if self.row.phase not in (Phase.LIVE, Phase.LOCKED) or self.row.finished or self.stream is None:
            raise RoundError("Conditions change while the round is live.")
        if self.row.change_from is not None:
            raise RoundError("Conditions have already changed in this round.")
        if number is None:
            number = int(self.clock.elapsed * self.settings.rate) + 1
        self.stream.change(number)
        self.row.change_from = number
        self.mark("conditions", f"Conditions changed: {self.settings.scenario.replace('_', ' ').lower()}")

    def mark(self, kind: str, text: str) -> None:
        """Write down a moment of the round, with the round as it is now; if the disk refuses, as soon as it can be."""
        self.row.clock = self.now
        self.marks.append((self.row.clock, kind, text))
        try:
            self.store.mark(self.row, kind, text)
        except sqlite3.Error as error:
            self.journal.marked(self.row, kind, text)
            self._refused(error)
        self.on_change()

    # who plays

    @property
    def players(self) -> dict[int, Player]:
        return self.scores.players

    def rows(self) -> list[dict]:
        """The ranking now."""
        return self.scores.rows()

    def admit(self, alias: str, url: str, kind: str, token_hash: str) -> EntryRow:
        """A new entry, which takes part from the next interaction on: both are kept or neither.

        Raises AliasTaken, sqlite3.Error.
        """
        first = self._next_interaction()
        playing = None if self.row.finished else (self.row.id, first)
        entry = self.store.add_entry(alias, url, kind, token_hash, playing)
        self._takes_part(entry, first)
        return entry

    def enter(self, entry: EntryRow) -> None:
        """Let an entry of the store take part from the next interaction on."""
        first = self._next_interaction()
        if not self.row.finished:
            self.store.play(self.row.id, entry.id, first)
        self._takes_part(entry, first)

    def _next_interaction(self) -> int:
        """The first that is sure not to have begun."""
        return int(self.clock.elapsed * self.settings.rate) + 2 if self.row.phase in (Phase.LIVE, Phase.LOCKED) else 0

    def _takes_part(self, entry: EntryRow, first: int) -> None:
        if not self.row.finished:
            self.scores.enter(entry, first)
        self.on_change()

    def renew(self, entry: EntryRow) -> None:
        """The entry's alias or URL has changed."""
        if entry.id in self.players:
            self.players[entry.id].entry = entry
        for row in self.frozen or ():
            if row["id"] == entry.id:
                row["alias"] = entry.alias
        self.on_change()

    def leave(self, entry: int) -> None:
        """The entry takes part no more, and goes from the board at once."""
        if self.players.pop(entry, None):
            self.store.stop_playing(self.row.id, entry, int(self.clock.elapsed * self.settings.rate))
        if self.frozen:
            self.frozen = [r for r in self.frozen if r["id"] != entry]
        self.on_change()

    def _everybody_enters(self) -> None:
        self.scores = Scoreboard(self.settings)
        for entry in self.store.entries():
            self.enter(entry)

    # taking up a round, new or interrupted

    async def _take_up(self) -> None:
        self.frozen = None
        self.stream = None
        self.marks = self.store.marks(self.row.id)
        self.pace = self._new_pace()
        owed: dict[int, list[Player]] = {}
        if self.row.phase == Phase.OPEN:
            self._everybody_enters()
        else:
            self.stream = await self._make_stream()
            if self.row.phase == Phase.WARM_UP:
                self._everybody_enters()
            else:
                found = await self.threads.run(rebuild, self.store, self.row, self.stream)
                self.scores, self.frozen, owed = found
            if not self.row.finished:
                self._start_playing(owed)
        self.on_change()

    def _new_pace(self) -> Pace:
        settings = self.settings
        return Pace(1.0 / settings.rate, settings.seconds, self.row.clock, paused=self.row.paused)

    async def _make_stream(self) -> Stream:
        return await self.threads.run(Stream, self.settings, self.source, self.row.change_from)

    # playing

    def _start_playing(self, owed: dict[int, list[Player]] | None = None) -> None:
        self._play = asyncio.create_task(Play(self).play(owed or {}))
        self._play.add_done_callback(_report)
        self.on_change()

    async def _stop_playing(self) -> None:
        if self._play is not None:
            self._play.cancel()
            await asyncio.gather(self._play, return_exceptions=True)
        await self.questions.drop()
        self.clock.stop()
        if self.row.phase in (Phase.LIVE, Phase.LOCKED) and not self.row.finished:
            self.row.clock = self.now

    # what Play tells of the round

    def go_live(self) -> None:
        """The warm-up is over."""
        self.row.phase = after(self.row.phase, "live")
        self.mark("live", "Live")

    def announce(self, number: int) -> Interaction:
        """An interaction begins: from now on everybody who plays owes an answer to it."""
        assert self.stream is not None
        event = self.stream.interaction(number)
        self.journal.asked(self.row, event)
        self.scores.announced = number + 1
        for player in self.players.values():
            if number >= player.first:
                player.asked(number)
        return event

    def answered(self, player: Player, number: int, given: Given) -> None:
        """A question has its outcome, whatever it is: note it, and what it says of the API's health."""
        player.answered(number, given)
        player.seen(given.outcome, self.clock.elapsed)
        self.journal.answered(self.row, number, player.entry.id, given)

    def advance(self) -> None:
        """Score what has ended by now, and lock the results in time."""
        assert self.stream is not None
        self.scores.advance(self.stream, self.now)
        hide = self.settings.hide_seconds
        if hide and self.row.phase == Phase.LIVE and self.clock.elapsed >= self.settings.seconds - hide:
            self.lock()

    async def end(self) -> None:
        """Every question has its outcome, and the time is up."""
        assert self.stream is not None
        self.pace.clock = RoundClock(self.pace.end)
        self.scores.advance(self.stream, self.now, everything=True)
        if self.row.phase == Phase.LIVE:
            self.lock()
        await self._write()  # a round that is over has all its answers in the log
        self.row.finished, self.row.paused = True, False
        self.mark("finished", "The round is over")

    # the log

    async def _write_regularly(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_SECONDS)
            if self.clock.running:
                self.row.clock = self.now
            await self._write()

    async def _write(self) -> None:
        try:
            await self.journal.write(self.row)
            self.trouble = ""
        except sqlite3.Error as error:
            self._refused(error)

    def _refused(self, error: sqlite3.Error) -> None:
        """The disk refuses: hold the round rather than lose it."""
        if not self.trouble:
            log.error("the store cannot be written: %s", error)
        self.trouble = str(error)
        if self.playing and not self.row.paused and not self.row.finished:
            self._hold()
            self.on_change()

    def _hold(self) -> None:
        self.row.paused = True
        self.pace.pause()


def _report(task: asyncio.Task) -> None:
    if not task.cancelled() and task.exception():
        log.error("the round stopped", exc_info=task.exception())

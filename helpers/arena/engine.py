"""The arena at play: asks everybody on an absolute schedule, scores, keeps the log, and goes on where it was killed."""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from helpers.arena.caller import Caller
from helpers.arena.player import Given, Player, standings
from helpers.arena.replay import courses, standings_at
from helpers.arena.rounds import Phase, RoundClock, RoundError, Settings, after
from helpers.arena.scoring import Outcome, Tally, error_ms
from helpers.arena.store import EntryRow, RoundRow, Store
from helpers.arena.stream import Interaction, Source, Stream, examples, from_fulfillment

log = logging.getLogger("arena")
FLUSH_SECONDS = 0.25
STALL_SECONDS = 1.5  # later than this, nothing ran here at all: the round stood still
WARM_UP_QUESTIONS = 200
CATCH_UP = 4  # late ticks are made up for so many times as fast; all at once, each question needs its own connection
OPEN_QUESTIONS = 64  # at once and per entry, whatever the rate


class Engine:
    """Holds the current round. Everything runs in one event loop; only the store and the stream use threads."""

    def __init__(self, store: Store, caller: Caller, settings: Settings, source: Source = from_fulfillment) -> None:
        self.store = store
        self.caller = caller
        self.source = source
        self.players: dict[int, Player] = {}
        self.clock = RoundClock()
        self.baseline = Tally(settings.window)
        self.frozen: list[dict] | None = None  # the ranking at the lock
        self.stream: Stream | None = None
        self.marks: list[tuple[float, str, str]] = []  # the store's, at hand while it is being written
        self.lateness: deque[float] = deque(maxlen=20_000)
        self.stood_still = 0
        self.ticks = 0
        self.missed = 0  # ticks that came later than the next one was due
        self.on_change: Callable[[], None] = lambda: None
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="arena")
        self._tasks: set[asyncio.Task] = set()
        self._play: asyncio.Task | None = None
        self._new_interactions: list[tuple] = []
        self._new_answers: list[tuple] = []
        self._unpaused = asyncio.Event()
        self._ended = 0
        self.warm_up_ends = 0.0  # in the event loop's time
        self.durations: deque[float] = deque(maxlen=settings.window)
        rounds = store.rounds()
        self.row: RoundRow = rounds[-1] if rounds else store.add_round(settings)

    @property
    def settings(self) -> Settings:
        return self.row.settings

    @property
    def playing(self) -> bool:
        return self._play is not None and not self._play.done()

    async def __aenter__(self) -> "Engine":
        await self._take_up()
        self._flusher = asyncio.create_task(self._flush_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flusher.cancel()
        await self._stop_playing()
        await self._flush()
        self._threads.shutdown()

    async def _in_thread(self, function: Callable, *args: object) -> object:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)

    # what instructors do

    async def new_round(self, settings: Settings) -> RoundRow:
        """Leave the current round as it is in the log and open another; entries stay."""
        await self._stop_playing()
        await self._flush()
        self.row = self.store.add_round(settings)
        await self._take_up()
        return self.row

    def configure(self, changes: dict) -> Settings:
        """Change the settings of a round that has not started. Raises RoundError."""
        if self.row.phase != Phase.OPEN:
            raise RoundError(f"Settings change before the start; this round is {self.row.phase}. Open a new one.")
        self.row.settings = self.settings.with_changes(changes)
        self.store.save_round(self.row)
        self._reset_players()
        return self.settings

    def start(self) -> None:
        self.row.phase = after(self.row.phase, "start")
        self.store.save_round(self.row)
        self._start_playing()

    def pause(self) -> None:
        if not self.playing or self.row.paused:
            raise RoundError("Only a running round can be paused.")
        self._hold("paused", "Paused")

    def _hold(self, kind: str, text: str) -> None:
        self.row.paused = True
        self.clock.stop()
        self._unpaused.clear()
        self.mark(kind, text)
        self.on_change()

    def resume(self) -> None:
        if not self.row.paused:
            raise RoundError("The round is not paused.")
        self.row.paused = False
        try:
            self.mark("resumed", "Goes on")
        except sqlite3.Error:
            self.row.paused = True
            raise
        if self.row.phase in (Phase.LIVE, Phase.LOCKED):
            self.clock.start()
        self._unpaused.set()

    def lock(self) -> None:
        self.frozen = self.rows()
        self.row.phase = after(self.row.phase, "lock")
        self.row.locked_clock = min(self.clock.elapsed, self.settings.seconds)
        self.mark("locked", "Results locked")

    def finish(self) -> None:
        """End a live round now: what has ended by now counts."""
        if self.row.phase not in (Phase.LIVE, Phase.LOCKED) or self.row.finished:
            raise RoundError("Only a round that is being played can be ended.")
        elapsed = self.clock.elapsed
        if elapsed < 5:
            raise RoundError("The round has just begun; open a new one instead.")
        if elapsed < self.settings.seconds:
            changes = {"seconds": elapsed, "hide_seconds": 0.0}
            self.row.settings = self.settings.with_changes(changes)
        self.mark("ended", "Ended by the instructor")
        if self.row.paused:
            self.resume()

    def reveal(self) -> None:
        if self.row.phase == Phase.LOCKED and not self.row.finished:
            left = self.settings.seconds - self.clock.elapsed
            raise RoundError(f"The round still runs for {left:.0f} s; end it first, or wait.")
        self.row.phase = after(self.row.phase, "reveal")
        self.mark("revealed", "Results revealed")

    def change_conditions(self) -> None:
        """From the next interaction on, the warehouse is in the scenario of the settings."""
        if self.row.phase not in (Phase.LIVE, Phase.LOCKED) or self.row.finished or self.stream is None:
            raise RoundError("Conditions change while the round is live.")
        if self.row.change_from is not None:
            raise RoundError("Conditions have already changed in this round.")
        number = int(self.clock.elapsed * self.settings.rate) + 1
        self.stream.change(number)
        self.row.change_from = number
        self.mark("conditions", f"Conditions changed: {self.settings.scenario.replace('_', ' ').lower()}")

    def mark(self, kind: str, text: str) -> None:
        self.row.clock = min(self.clock.elapsed, self.settings.seconds)
        self.store.mark(self.row.id, self.row.clock, kind, text)
        self.marks.append((self.row.clock, kind, text))
        self.store.save_round(self.row)
        self.on_change()

    # who plays

    def enter(self, entry: EntryRow) -> None:
        """Let an entry take part from the next interaction on."""
        first = 0
        if self.stream is not None and self.row.phase in (Phase.LIVE, Phase.LOCKED):
            first = int(self.clock.elapsed * self.settings.rate) + 2
        if not self.row.finished:
            self.store.play(self.row.id, entry.id, first)
            player = Player(entry, first, self.settings.window)
            player.skip(self._ended)
            self.players[entry.id] = player
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
        if self.players.pop(entry, None):
            self.store.stop_playing(self.row.id, entry, int(self.clock.elapsed * self.settings.rate))
        if self.frozen:
            self.frozen = [r for r in self.frozen if r["id"] != entry]
        self.on_change()

    def rows(self) -> list[dict]:
        """The ranking now, straight from the tallies."""
        return standings(list(self.players.values()), self.settings.minimum)

    def _reset_players(self) -> None:
        self.players = {}
        self._ended = 0
        self.baseline = Tally(self.settings.window)
        self.durations = deque(maxlen=self.settings.window)
        for entry in self.store.entries():
            self.enter(entry)

    # taking up a round, new or interrupted

    async def _take_up(self) -> None:
        self.frozen = None
        self.stream = None
        self.marks = self.store.marks(self.row.id)
        self.lateness.clear()
        self.clock = RoundClock(self.row.clock)
        if self.row.phase in (Phase.OPEN, Phase.WARM_UP):
            self._reset_players()
        else:
            await self._recover()
        if self.row.phase != Phase.OPEN and not self.row.finished:
            self._start_playing()
        self.on_change()

    async def _recover(self) -> None:
        """Rebuild the tallies from the log."""
        self.stream = await self._in_thread(Stream, self.settings, self.source, self.row.change_from)
        self._ended = 0
        self.players = {}
        self.baseline = Tally(self.settings.window)
        self.durations = deque(maxlen=self.settings.window)
        self._advance(everything=True)
        found = await self._in_thread(courses, self.store, self.row)
        firsts = {entry: first for entry, first, _ in self.store.players(self.row.id)}
        for course in found:
            if course.entry.standing != "in":
                continue
            player = Player(course.entry, firsts[course.entry.id], self.settings.window)
            for error, outcome, latency in zip(
                course.error_ms.tolist(), course.outcome.tolist(), course.latency_ms.tolist(), strict=True
            ):
                player.tally.add(error, outcome == Outcome.OK, None if latency != latency else latency)
            self.players[course.entry.id] = player
        if self.row.locked_clock is not None:
            self.frozen = standings_at(found, self.row.locked_clock, self.settings.minimum)

    async def _ask_again(self) -> None:
        """Ask what was asked before the arena was killed and whose answers it did not live to write down."""
        assert self.stream is not None
        now = self.clock.elapsed
        since = max(0, int((now - self.settings.deadline_seconds - 1.0) * self.settings.rate))
        upto = min(int(now * self.settings.rate) + 1, len(self.stream))
        written = await self._in_thread(self.store.answers, self.row.id, 0)
        have = set(zip(written["number"].tolist(), written["entry"].tolist(), strict=True))
        for number, entry, outcome, prediction, latency in written.tolist():
            if self.stream.end[number] > now and entry in self.players:
                given = Given(
                    Outcome(outcome),
                    None if prediction != prediction else prediction,
                    None if latency != latency else latency,
                )
                self.players[entry].asked(number)
                self.players[entry].answered(number, given)
        for number in range(since, upto):
            self._write_down(number)
        for player in self.players.values():
            player.skip(self._ended)
            for number in range(max(since, player.first), upto):
                if (number, player.entry.id) not in have and self.stream.end[number] > now:
                    player.asked(number)
                    self._ask(player, number)

    # playing

    def _start_playing(self) -> None:
        self._unpaused = asyncio.Event()
        if not self.row.paused:
            self._unpaused.set()
        self._play = asyncio.create_task(self._play_round())
        self._play.add_done_callback(_report)
        self.on_change()

    async def _stop_playing(self) -> None:
        if self._play is not None:
            self._play.cancel()
            await asyncio.gather(self._play, return_exceptions=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.clock.stop()
        if self.row.phase in (Phase.LIVE, Phase.LOCKED) and not self.row.finished:
            self.row.clock = min(self.clock.elapsed, self.settings.seconds)

    async def _play_round(self) -> None:
        if self.stream is None:
            self.stream = await self._in_thread(Stream, self.settings, self.source, self.row.change_from)
        if self.row.phase == Phase.WARM_UP:
            await self._warm_up()
            self.row.phase = after(self.row.phase, "live")
            self.mark("live", "Live")
        else:
            await self._ask_again()
        begin = int(self.clock.elapsed * self.settings.rate) + 1 if self.clock.elapsed else 0
        if not self.row.paused:
            self.clock.start()
        await self._ask_everybody(begin)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.clock.stop()
        self.clock = RoundClock(self.settings.seconds)
        self._advance(everything=True)
        if self.row.phase == Phase.LIVE:
            self.lock()
        self.row.finished = True
        self.mark("finished", "The round is over")
        await self._flush()

    async def _warm_up(self) -> None:
        """Ask everybody, gently, about interactions that do not count."""
        queries = await self._in_thread(examples, self.source, WARM_UP_QUESTIONS, self.settings.seed)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self.warm_up_ends = begin + self.settings.warm_up_seconds
        step = max(0.5, 1.0 / self.settings.rate)
        turn = 0
        while (due := begin + turn * step) < self.warm_up_ends:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._unpaused.wait()
            for player in list(self.players.values()):
                if player.entry.kind != "baseline" and player.open_questions < 4:
                    self._spawn(self._warm(player, queries[turn % len(queries)]))
            turn += 1

    async def _warm(self, player: Player, query: str) -> None:
        player.open_questions += 1
        try:
            reply = await self.caller.ask(player.entry.url, query, self.settings.deadline_seconds)
        finally:
            player.open_questions -= 1
        player.seen(reply.outcome, self.clock.elapsed)

    async def _ask_everybody(self, begin: int) -> None:
        """Every interaction at its time, the entries spread evenly over the gap to the next one."""
        assert self.stream is not None
        interval = 1.0 / self.settings.rate
        slots = max(1, min(10, int(interval / 0.01)))
        number, slot = begin, 0
        while True:
            due = number * interval + slot * interval / slots
            if due >= self.settings.seconds or number >= len(self.stream):
                due = self.settings.seconds
            if self.clock.elapsed - due > interval / slots:
                await asyncio.sleep(interval / slots / CATCH_UP)
            await self._until(due)
            if due >= self.settings.seconds:
                break
            if slot == 0:
                self._announce(number)
            self._ask_slot(number, slot, slots)
            slot += 1
            if slot == slots:
                number, slot = number + 1, 0
        for rest in range(slot, slots) if slot else ():
            self._ask_slot(number, rest, slots)

    def _ask_slot(self, number: int, slot: int, slots: int) -> None:
        for player in list(self.players.values()):
            if player.entry.id % slots == slot and player.awaits(number):
                self._ask(player, number)

    async def _until(self, due: float) -> None:
        """Wait for a moment of the round's clock, scoring on the way."""
        while True:
            await self._unpaused.wait()
            due = min(due, self.settings.seconds)
            left = due - self.clock.elapsed
            if left <= 0:
                break
            await asyncio.sleep(min(left, 0.5))
            self._advance()
            self._lock_in_time()
        if -left > STALL_SECONDS:
            self.clock.set_back(-left)
            self.stood_still += 1
            self.mark("gap", f"The arena stood still for {-left:.0f} s")
        else:
            self.lateness.append(-left)
        self.ticks += 1
        self.missed += -left > 1.0 / self.settings.rate
        self._advance()

    def _lock_in_time(self) -> None:
        hide = self.settings.hide_seconds
        if hide and self.row.phase == Phase.LIVE and self.clock.elapsed >= self.settings.seconds - hide:
            self.lock()

    def _announce(self, number: int) -> None:
        """The interaction begins: from now on everybody who plays owes an answer to it."""
        assert self.stream is not None
        event = self._write_down(number)
        for player in self.players.values():
            if number >= player.first:
                player.asked(number)
        if self.settings.change_at and self.row.change_from is None and event.due >= self.settings.change_at:
            self.change_conditions()

    def _write_down(self, number: int) -> Interaction:
        assert self.stream is not None
        event = self.stream.interaction(number)
        self._new_interactions.append((self.row.id, *event[:6]))
        return event

    def _ask(self, player: Player, number: int) -> None:
        assert self.stream is not None
        if player.entry.kind == "baseline":
            fc_avg = self.stream.interaction(number).fc_avg_ms
            self._record(player, number, Given(Outcome.OK, fc_avg, None))
        elif player.open_questions >= min(OPEN_QUESTIONS, int(self.settings.rate * self.settings.deadline_seconds) + 3):
            self._record(player, number, Given(Outcome.BUSY, None, None))
        else:
            player.open_questions += 1
            self._spawn(self._ask_one(player, number))

    async def _ask_one(self, player: Player, number: int) -> None:
        assert self.stream is not None
        query = self.stream.interaction(number).query
        loop = asyncio.get_running_loop()
        deadline = self.settings.deadline_seconds
        try:
            for _ in range(3):
                began = loop.time()
                reply = await self.caller.ask(player.entry.url, query, deadline)
                if reply.outcome != Outcome.LATE or loop.time() - began < deadline + STALL_SECONDS:
                    break  # else this process itself was stopped meanwhile: ask again
        finally:
            player.open_questions -= 1
        self._record(player, number, Given(reply.outcome, reply.prediction_ms, reply.latency_ms))

    def _record(self, player: Player, number: int, given: Given) -> None:
        player.answered(number, given)
        player.seen(given.outcome, self.clock.elapsed)
        self._new_answers.append((self.row.id, number, player.entry.id, int(given[0]), given[1], given[2]))

    def _advance(self, *, everything: bool = False) -> None:
        """Score what has ended by now, for all at once: when the last answer to it may have come, or at the very end.

        Without that wait, a slow entry's window would lag behind the others' in rounds that are played fast.
        """
        if self.stream is None:
            return
        now, ends = min(self.clock.elapsed, self.settings.seconds), self.stream.ends
        penalty = self.settings.penalty_ms
        answered_by = now - self.settings.deadline_seconds - 1.0 / self.settings.rate
        while self._ended < len(ends) and ends[self._ended] <= now:
            if self.stream.due[self.stream.ending[self._ended]] > answered_by and not everything:
                break
            event = self.stream.interaction(self.stream.ending[self._ended])
            error = error_ms(Outcome.OK, event.fc_avg_ms, event.duration_ms, event.fc_avg_ms, penalty)
            self.baseline.add(error, True, None)
            self.durations.append(event.duration_ms)
            self._ended += 1
        for player in self.players.values():
            player.score(self.stream, self._ended, penalty)

    def _spawn(self, work: object) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # the log

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        """Write what is new; when the disk refuses, hold the round rather than lose it."""
        if not self._new_interactions and not self._new_answers:
            return
        interactions, self._new_interactions = self._new_interactions, []
        answers, self._new_answers = self._new_answers, []
        if self.clock.running:
            self.row.clock = min(self.clock.elapsed, self.settings.seconds)
        try:
            await self._in_thread(self.store.progress, self.row, interactions, answers)
        except sqlite3.Error as error:
            self._new_interactions = interactions + self._new_interactions
            self._new_answers = answers + self._new_answers
            log.error("the store cannot be written: %s", error)
            if self.playing and not self.row.paused:
                self.row.paused = True
                self.clock.stop()
                self._unpaused.clear()
                self.on_change()


def _report(task: asyncio.Task) -> None:
    if not task.cancelled() and task.exception():
        log.error("the round stopped", exc_info=task.exception())

"""The questions that are on their way to participants, and what comes back."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from helpers.arena.caller import Caller, Reply
from helpers.arena.pace import STALL_SECONDS
from helpers.arena.player import Given, Player
from helpers.arena.rounds import Settings
from helpers.arena.scoring import Outcome

log = logging.getLogger("arena")
OPEN_AT_MOST = 64  # at once and per entry, whatever the rate
OPEN_WHEN_PATIENT = 8
OPEN_IN_WARM_UP = 4
_TRIES = 3
_FAILED_FOR_NOW = (429, 500, 502, 503, 504)


class Questions:
    """Each is a task of its own: no slow participant delays another."""

    def __init__(self, caller: Caller, answered: Callable[[Player, int, Given], None]) -> None:
        """`answered` is told of every question's end, whatever it was."""
        self._caller = caller
        self._answered = answered
        self._tasks: set[asyncio.Task] = set()

    def ask(self, player: Player, number: int, query: str, settings: Settings) -> None:
        """Ask one entry about interaction `number`; an entry that owes too many answers is not asked."""
        most = min(OPEN_AT_MOST, int(settings.rate * settings.deadline_seconds) + 3)
        if player.open_questions >= most:
            self._answered(player, number, Given(Outcome.BUSY, None, None))
        else:
            self._begin(player, self._ask(player, number, query, settings))

    def warm(self, player: Player, query: str, deadline_seconds: float) -> None:
        """Ask one entry something that does not count."""

        async def warm() -> None:
            player.seen((await self._caller.ask(player.entry.url, query, deadline_seconds)).outcome, 0.0)

        if player.open_questions < OPEN_IN_WARM_UP:
            self._begin(player, warm())

    async def settle(self) -> None:
        """Until every question has its outcome."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drop(self) -> None:
        """Leave all questions unanswered."""
        for task in list(self._tasks):
            task.cancel()
        await self.settle()

    def _begin(self, player: Player, work: Coroutine[object, object, None]) -> None:
        player.open_questions += 1
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def end(task: asyncio.Task) -> None:
            player.open_questions -= 1
            self._tasks.discard(task)

        task.add_done_callback(end)

    async def _ask(self, player: Player, number: int, query: str, settings: Settings) -> None:
        loop = asyncio.get_running_loop()
        for again in range(_TRIES):
            began = loop.time()
            try:
                reply = await self._caller.ask(player.entry.url, query, settings.deadline_seconds)
            except Exception:  # a question without an outcome would hold up its entry's score for ever
                log.exception("a question to %s failed", player.entry.alias)
                reply = Reply(Outcome.UNREACHABLE, None, None)
            stopped = loop.time() - began > settings.deadline_seconds + STALL_SECONDS
            if reply.outcome == Outcome.LATE and stopped:
                continue  # this process itself stood still meanwhile
            if not settings.patient or not _may_pass(reply):
                break
            await asyncio.sleep(0.2 * (again + 1))
        self._answered(player, number, Given(reply.outcome, reply.prediction_ms, reply.latency_ms))


def _may_pass(reply: Reply) -> bool:
    """Whether the same question may well be answered in a moment."""
    if reply.outcome == Outcome.STATUS:
        return reply.status in _FAILED_FOR_NOW
    return reply.outcome in (Outcome.LATE, Outcome.UNREACHABLE)

"""One round being played, from where it is to its end: the warm-up, every interaction at its time, the last answers."""

import asyncio
from typing import TYPE_CHECKING

from helpers.arena.pace import CATCH_UP
from helpers.arena.player import Given, Player
from helpers.arena.questions import OPEN_WHEN_PATIENT
from helpers.arena.rounds import Phase
from helpers.arena.scoring import Outcome
from helpers.arena.stream import examples

if TYPE_CHECKING:
    from helpers.arena.engine import Engine

WARM_UP_QUESTIONS = 200
MOST_SLOTS = 10
SHORTEST_SLOT_SECONDS = 0.01


class Play:
    """Asks everybody about everything. The entries are spread over slots, so that not all are asked at one moment."""

    def __init__(self, engine: "Engine") -> None:
        assert engine.stream is not None
        self.engine = engine
        self.pace = engine.pace
        self.stream = engine.stream
        self.interval = engine.pace.interval
        self.slots = max(1, min(MOST_SLOTS, int(self.interval / SHORTEST_SLOT_SECONDS)))

    async def play(self, owed: dict[int, list[Player]]) -> None:
        """`owed`: what was asked before the arena was killed, and whose answers it did not live to write down."""
        engine = self.engine
        if engine.row.phase == Phase.WARM_UP:
            await self._warm_up()
            engine.go_live()
        else:
            await self._ask_again(owed)
        clock = self.pace.clock.elapsed
        begin = int(clock * engine.settings.rate) + 1 if clock else 0
        if not engine.row.paused:
            self.pace.clock.start()
        await self._ask_everybody(begin)
        await engine.questions.settle()
        await engine.end()

    async def _warm_up(self) -> None:
        """Ask everybody, gently, about interactions that do not count."""
        engine, settings = self.engine, self.engine.settings
        queries = await engine.threads.run(examples, engine.source, WARM_UP_QUESTIONS, settings.seed)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        engine.warm_up_ends = begin + settings.warm_up_seconds
        step = max(0.5, self.interval)
        turn = 0
        while (due := begin + turn * step) < engine.warm_up_ends:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self.pace.going()
            for player in list(engine.players.values()):
                if player.entry.kind != "baseline":
                    engine.questions.warm(player, queries[turn % len(queries)], settings.deadline_seconds)
            turn += 1

    async def _ask_again(self, owed: dict[int, list[Player]]) -> None:
        for number, players in owed.items():
            self.engine.journal.asked(self.engine.row, self.stream.interaction(number))
            for player in players:
                self._ask(player, number)
            await asyncio.sleep(self.interval / CATCH_UP)
            await self._answers_come()

    async def _ask_everybody(self, begin: int) -> None:
        """Every interaction at its time, the slots spread evenly over the gap to the next one."""
        step = self.interval / self.slots
        for number in range(begin, len(self.stream)):
            for slot in range(self.slots):
                due = number * self.interval + slot * step
                if due < self.pace.end:
                    await self._until(due, step)
                if slot == 0:
                    if due >= self.pace.end:  # perhaps only now: instructors may end a round
                        return
                    await self._announce(number)
                self._ask_slot(number, slot)
        await self._until(self.pace.end, step)

    async def _announce(self, number: int) -> None:
        engine, settings = self.engine, self.engine.settings
        if settings.patient and self._somebody_owes():
            self.pace.clock.stop()
            await self._answers_come()
            if not engine.row.paused:
                self.pace.clock.start()
        event = engine.announce(number)
        if settings.change_at and engine.row.change_from is None and event.due >= settings.change_at:
            engine.change_conditions(number + 1)

    def _somebody_owes(self) -> bool:
        return any(player.open_questions >= OPEN_WHEN_PATIENT for player in self.engine.players.values())

    async def _answers_come(self) -> None:
        while self._somebody_owes():
            await asyncio.sleep(SHORTEST_SLOT_SECONDS)

    def _ask_slot(self, number: int, slot: int) -> None:
        for player in list(self.engine.players.values()):
            if player.entry.id % self.slots == slot and player.awaits(number):
                self._ask(player, number)

    def _ask(self, player: Player, number: int) -> None:
        if player.entry.kind == "baseline":
            self.engine.answered(player, number, Given(Outcome.OK, self.stream.averages[number], None))
        else:
            query = self.stream.interaction(number).query
            self.engine.questions.ask(player, number, query, self.engine.settings)

    async def _until(self, due: float, step: float) -> None:
        stood_still = await self.pace.moment(due, step, self.engine.advance)
        if stood_still:
            self.engine.mark("gap", f"The arena stood still for {stood_still:.0f} s")

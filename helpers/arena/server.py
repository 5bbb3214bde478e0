"""The arena's web application: its parts put together, and their life from start to stop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.applications import Starlette

from helpers.arena.board import Board
from helpers.arena.caller import Caller
from helpers.arena.controls import Controls
from helpers.arena.engine import Engine
from helpers.arena.entrance import Entrance
from helpers.arena.entry import Desk
from helpers.arena.guard import Guard
from helpers.arena.headers import Headers
from helpers.arena.limits import Limiter
from helpers.arena.opponents import House, Opponent
from helpers.arena.records import Records
from helpers.arena.rounds import Settings
from helpers.arena.store import Store
from helpers.arena.stream import Source, from_fulfillment
from helpers.arena.views import Views
from helpers.arena.wire import REFUSALS, Tokens

GUESSES = 20  # at once and per client; then one in five seconds


class Arena:
    """`app` serves it."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        instructor_token: str,
        settings: Settings,
        *,
        opponents: Iterable[Opponent] = (),
        baseline: bool = True,
        public_url: str = "",
        source: Source = from_fulfillment,
        entries_per_minute: float = 60.0,
    ) -> None:
        self._caller = Caller(guard)
        self.engine = Engine(store, self._caller, settings, source)
        self.board = Board(self.engine)
        self._opponents = tuple(opponents)
        self._baseline = baseline
        self._idle: tuple[float, Callable[[], None]] = (0.0, lambda: None)
        desk = Desk(store, self.engine, self._caller)
        self._house = House(self.engine, desk)
        tokens = Tokens(instructor_token, Limiter(burst=GUESSES, per_second=0.2))
        entering = Limiter(burst=max(5.0, entries_per_minute), per_second=entries_per_minute / 60.0)
        parts = (
            Views(self.board, public_url),
            Entrance(desk, tokens, entering),
            Controls(self.engine, self.board, desk, self._house, tokens, settings),
            Records(self.engine, tokens),
        )
        routes = [route for part in parts for route in part.routes()]
        self.app = Headers(Starlette(routes=routes, lifespan=self._lifespan, exception_handlers=REFUSALS))

    def when_idle(self, seconds: float, stop: Callable[[], None]) -> None:
        """Call `stop` when no round was played, nobody watched and nothing was asked for so long."""
        self._idle = (seconds, stop)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self._caller, self.engine:
            if self._baseline:
                await self._house.enter_baseline()
            for opponent in self._opponents:
                await self._house.enter(opponent)
            refreshing = [asyncio.create_task(work) for work in (self.board.run(), self._watch_idleness())]
            self.board.refresh()
            try:
                yield
            finally:
                self.board.close()
                for task in refreshing:
                    task.cancel()

    async def _watch_idleness(self) -> None:
        seconds, stop = self._idle
        while seconds:
            await asyncio.sleep(min(10.0, seconds / 3))
            if self.engine.playing or self.board.viewers:
                self.app.last_request = time.monotonic()
            elif time.monotonic() - self.app.last_request > seconds:
                stop()

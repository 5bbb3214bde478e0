"""The log over HTTP: the rounds, one played again, exported as CSV, and two of them compared."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from helpers.arena import replay
from helpers.arena.engine import Engine
from helpers.arena.rounds import Phase
from helpers.arena.store import RoundRow
from helpers.arena.wire import Tokens

REPLAY_FRAMES = 160
REVEAL_FRAMES = 24


class Records:
    def __init__(self, engine: Engine, tokens: Tokens) -> None:
        self._engine = engine
        self._tokens = tokens

    def routes(self) -> list[Route]:
        return [
            Route("/api/rounds", self.rounds),
            Route("/api/rounds/{round:int}/frames", self.frames),
            Route("/api/rounds/{round:int}/export.csv", self.export),
            Route("/api/rounds/{round:int}/compare/{other:int}", self.compare),
        ]

    async def rounds(self, _: Request) -> Response:
        return JSONResponse(
            [
                {"id": r.id, "phase": r.phase, "seconds": r.settings.seconds, "rate": r.settings.rate}
                for r in self._engine.store.rounds()
            ]
        )

    def _shown(self, request: Request, name: str = "round") -> RoundRow:
        """A round of the log; one whose results are not revealed is for the instructor."""
        number = request.path_params[name]
        row = self._engine.row if number == self._engine.row.id else self._engine.store.round(number)
        if (
            number == self._engine.row.id
            and row.phase != Phase.REVEALED
            and not self._tokens.are_the_instructors(request)
        ):
            raise HTTPException(403, "The log of a round opens when its results are revealed.")
        return row

    async def frames(self, request: Request) -> Response:
        """A round to play again: the whole of it, or with `?hidden=1` what was hidden between lock and reveal."""
        row = self._shown(request)
        found = await self._engine.threads.run(replay.courses, self._engine.store, row)
        end, begin, count = row.settings.seconds, 0.0, REPLAY_FRAMES
        if request.query_params.get("hidden"):
            begin, count = min(row.locked_clock or end, end), REVEAL_FRAMES
        made = await self._engine.threads.run(replay.frames, found, begin, end, count, row.settings.minimum)
        names = {c.entry.id: [c.entry.alias, c.entry.kind] for c in found if c.entry.standing == "in"}
        return JSONResponse({"round": row.id, "names": names, "frames": made, "seconds": end})

    async def export(self, request: Request) -> Response:
        row = self._shown(request)
        found = await self._engine.threads.run(replay.courses, self._engine.store, row)
        text = await self._engine.threads.run(replay.as_csv, found)
        disposition = {"Content-Disposition": f'attachment; filename="arena-round-{row.id}.csv"'}
        return PlainTextResponse(text, media_type="text/csv", headers=disposition)

    async def compare(self, request: Request) -> Response:
        first, second = self._shown(request), self._shown(request, "other")
        return JSONResponse(await self._engine.threads.run(replay.compare, self._engine.store, first, second))

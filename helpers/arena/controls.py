"""What instructors do over HTTP: the round's controls, the entries, the house."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from helpers.arena.board import Board
from helpers.arena.engine import Engine
from helpers.arena.entry import Desk
from helpers.arena.opponents import House, Opponent
from helpers.arena.rounds import Phase, Settings
from helpers.arena.wire import Tokens, json_of, text_of


class Controls:
    def __init__(
        self, engine: Engine, board: Board, desk: Desk, house: House, tokens: Tokens, settings: Settings
    ) -> None:
        """`settings`: those of the first round, and of a new one that was never played."""
        self._engine = engine
        self._board = board
        self._desk = desk
        self._house = house
        self._tokens = tokens
        self._settings = settings
        self._store = engine.store
        self._guard = desk.caller.guard

    def routes(self) -> list[Route]:
        return [
            Route("/api/instructor", self.overview),
            Route("/api/instructor/round/{action}", self.act, methods=["POST"]),
            Route("/api/instructor/entries/{entry:int}", self.rename, methods=["PATCH"]),
            Route("/api/instructor/entries/{entry:int}", self.remove, methods=["DELETE"]),
            Route("/api/instructor/house", self.add_house, methods=["POST"]),
        ]

    async def overview(self, request: Request) -> Response:
        """The board plus what only the instructor sees: addresses, settings, the health of the arena."""
        self._tokens.check(request)
        late = sorted(self._engine.pace.lateness)
        return JSONResponse(
            {
                "state": self._board.state(),
                "settings": self._engine.settings.as_dict(),
                "urls": {e.id: e.url for e in self._store.entries()},
                "allowed": self._guard.describe(),
                "viewers": self._board.viewers,
                "jitter_p50_ms": round(late[int(len(late) * 0.5)] * 1000, 1) if late else None,
                "jitter_p99_ms": round(late[int(len(late) * 0.99)] * 1000, 1) if late else None,
                "jitter_most_ms": round(late[-1] * 1000, 1) if late else None,
                "ticks": self._engine.pace.moments,
                "late": self._engine.pace.late,
                "stood_still": self._engine.pace.stood_still,
                "trouble": self._engine.trouble,
            }
        )

    async def act(self, request: Request) -> Response:
        """start, pause, resume, lock, end, reveal, conditions, settings (before the start), new (with settings)."""
        self._tokens.check(request)
        body = await json_of(request)
        engine = self._engine
        match request.path_params["action"]:
            case "settings":
                engine.configure(body)
            case "new":
                base = self._settings if engine.row.phase == Phase.OPEN else engine.settings
                await engine.new_round(base.with_changes(body))
            case "end":
                engine.finish()
            case "conditions":
                engine.change_conditions()
            case "start":
                await engine.start()
            case "pause" | "resume" | "lock" | "reveal" as action:
                getattr(engine, action)()
            case other:
                raise HTTPException(404, f"There is no action {other!r}.")
        self._board.refresh()
        return JSONResponse({"round": engine.row.id, "phase": engine.row.phase, "paused": engine.row.paused})

    async def rename(self, request: Request) -> Response:
        self._tokens.check(request)
        body = await json_of(request)
        entry = self._store.entry(request.path_params["entry"])
        changed = await self._desk.change(entry, None, text_of(body, "alias"))
        return JSONResponse({"id": changed.id, "alias": changed.alias})

    async def remove(self, request: Request) -> Response:
        self._tokens.check(request)
        self._desk.leave(self._store.entry(request.path_params["entry"]).id, "removed")
        return JSONResponse({"removed": True})

    async def add_house(self, request: Request) -> Response:
        """Let opponents enter (alias -> URL), or point one that plays to a new URL."""
        self._tokens.check(request)
        body = await json_of(request)
        for alias in body:
            await self._house.enter(Opponent(alias, text_of(body, alias)))
        return JSONResponse({"house": [e.alias for e in self._store.entries() if e.kind == "house"]})

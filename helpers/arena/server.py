"""The arena's web server: pages, the JSON interface, and the stream of the board."""

import asyncio
import contextlib
import hmac
import io
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import segno
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helpers.arena import replay
from helpers.arena.board import Board
from helpers.arena.caller import Caller
from helpers.arena.engine import Engine
from helpers.arena.entry import Desk, EntryRefused, WrongToken
from helpers.arena.guard import Guard, NotAllowed
from helpers.arena.limits import Limiter
from helpers.arena.names import NameRefused
from helpers.arena.rounds import Phase, RoundError, Settings
from helpers.arena.store import AliasTaken, RoundRow, Store
from helpers.arena.stream import Source, from_fulfillment

PAGES = Path(__file__).parent / "pages"
BODY_BYTES = 8192
MOST_VIEWERS = 600
REPLAY_FRAMES = 160
REVEAL_FRAMES = 24
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class House:
    """An opponent that always plays: its alias and URL."""

    alias: str
    url: str


class Arena:
    """The web application, with the engine behind it."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        instructor_token: str,
        settings: Settings,
        *,
        house: tuple[House, ...] = (),
        baseline: bool = True,
        public_url: str = "",
        source: Source = from_fulfillment,
        entries_per_minute: float = 60.0,
    ) -> None:
        self.store = store
        self.guard = guard
        self.settings = settings
        self.house = house
        self.with_baseline = baseline
        self.public_url = public_url
        self._source = source
        self._token = instructor_token
        self._idle: tuple[float, Callable[[], None]] = (0.0, lambda: None)
        self._entering = Limiter(burst=max(5.0, entries_per_minute), per_second=entries_per_minute / 60.0)
        self._guessing = Limiter(burst=20, per_second=0.2)
        self.app = _Headers(Starlette(routes=self._routes(), lifespan=self._lifespan, exception_handlers=_HANDLERS))

    def _routes(self) -> list[Route]:
        def route(path: str, method: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
            return Route(path, handler, methods=[method])

        return [
            route("/", "GET", _page("projector.html")),
            route("/phone", "GET", _page("phone.html")),
            route("/instructor", "GET", _page("instructor.html")),
            route("/static/{name}", "GET", _static),
            route("/qr.svg", "GET", self.qr),
            route("/events", "GET", self.events),
            route("/api/state", "GET", self.state),
            route("/api/address", "GET", self.address),
            route("/api/entries", "POST", self.enter),
            route("/api/entries/{entry:int}", "PATCH", self.change),
            route("/api/entries/{entry:int}", "DELETE", self.withdraw),
            route("/api/instructor", "GET", self.overview),
            route("/api/instructor/round/{action}", "POST", self.act),
            route("/api/instructor/entries/{entry:int}", "PATCH", self.rename),
            route("/api/instructor/entries/{entry:int}", "DELETE", self.remove),
            route("/api/instructor/house", "POST", self.add_house),
            route("/api/rounds", "GET", self.rounds),
            route("/api/rounds/{round:int}/frames", "GET", self.frames),
            route("/api/rounds/{round:int}/export.csv", "GET", self.export),
            route("/api/rounds/{round:int}/compare/{other:int}", "GET", self.compare),
        ]

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with Caller(self.guard) as caller, Engine(self.store, caller, self.settings, self._source) as engine:
            self.engine = engine
            self.desk = Desk(self.store, engine, caller)
            self.board = Board(engine)
            await self._house_enters()
            refreshing = [asyncio.create_task(work) for work in (self.board.run(), self._watch_idleness())]
            self.board.refresh()
            try:
                yield
            finally:
                self.board.close()
                for task in refreshing:
                    task.cancel()

    def when_idle(self, seconds: float, stop: Callable[[], None]) -> None:
        """Call `stop` when no round was played, nobody watched and nothing was asked for so long."""
        self._idle = (seconds, stop)

    async def _watch_idleness(self) -> None:
        seconds, stop = self._idle
        while seconds:
            await asyncio.sleep(min(10.0, seconds / 3))
            if self.engine.playing or self.board.viewers:
                self.app.last_request = time.monotonic()
            elif time.monotonic() - self.app.last_request > seconds:
                stop()

    async def _house_enters(self) -> None:
        present = {e.alias: e for e in self.store.entries()}
        if self.with_baseline and "FC average" not in present:
            await self.desk.enter("", "FC average", "baseline", check=False)
        for house in self.house:
            await self._house_entry(house)

    async def _house_entry(self, house: House) -> None:
        url = self.guard.check_url(house.url)
        known = next((e for e in self.store.entries() if e.alias == house.alias and e.kind == "house"), None)
        if known is None:
            await self.desk.enter(url, house.alias, "house", check=False)
        elif known.url != url:
            self.engine.renew(self.store.change_entry(known.id, url=url))

    # who is asking

    def _instructor(self, request: Request) -> None:
        given = request.headers.get("x-arena-token", "")
        if hmac.compare_digest(given.encode(), self._token.encode()):
            return
        if not self._guessing.allow(_client(request)):
            raise HTTPException(429, "Too many wrong tokens; wait a minute.")
        raise HTTPException(403, "This needs the instructor's token; the arena printed it when it started.")

    def _is_instructor(self, request: Request) -> bool:
        given = request.headers.get("x-arena-token", "")
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _owner_token(self, request: Request) -> str:
        return request.headers.get("x-arena-token", "")

    # pages and stream

    async def qr(self, request: Request) -> Response:
        """The QR code of the phone view: at the public URL if one was named, else where the page itself was found."""
        url = self.public_url or request.query_params.get("base", "")
        if not url.startswith(("http://", "https://")) or len(url) > 300:
            raise HTTPException(400, "base has to be the page's own address.")
        out = io.BytesIO()
        segno.make(url.rstrip("/") + "/phone", error="m", micro=False).save(
            out, kind="svg", border=2, dark="#000", light="#fff", xmldecl=False, omitsize=True
        )
        return Response(out.getvalue(), media_type="image/svg+xml")

    async def events(self, request: Request) -> Response:
        if self.board.viewers >= MOST_VIEWERS:
            raise HTTPException(503, "Too many viewers.")
        return StreamingResponse(
            self.board.follow(_view(request)), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def state(self, request: Request) -> Response:
        return Response(self.board.json(_view(request)), media_type="application/json")

    async def address(self, _: Request) -> Response:
        """Where phones find this server, if the instructor said so."""
        return JSONResponse({"public_url": self.public_url})

    # entries

    async def enter(self, request: Request) -> Response:
        if not self._entering.allow(_client(request)):
            raise HTTPException(429, "Too many entries from here; wait a minute.")
        body = await _json(request)
        entry, token = await self.desk.enter(_text(body, "url"), _text(body, "alias", required=False))
        return JSONResponse({"id": entry.id, "alias": entry.alias, "token": token}, 201)

    async def change(self, request: Request) -> Response:
        entry = self._owned(request)
        if not self._entering.allow(_client(request)):
            raise HTTPException(429, "Too many changes from here; wait a minute.")
        body = await _json(request)
        url, alias = (_text(body, k, required=False) for k in ("url", "alias"))
        changed = await self.desk.change(entry, url, alias)
        return JSONResponse({"id": changed.id, "alias": changed.alias})

    async def withdraw(self, request: Request) -> Response:
        self.desk.leave(self._owned(request).id, "withdrawn")
        return JSONResponse({"withdrawn": True})

    def _owned(self, request: Request):  # noqa: ANN202
        try:
            return self.desk.owned(request.path_params["entry"], self._owner_token(request))
        except WrongToken as error:
            if not self._guessing.allow(_client(request)):
                raise HTTPException(429, "Too many wrong tokens; wait a minute.") from None
            raise HTTPException(403, str(error)) from None

    # the instructor

    async def overview(self, request: Request) -> Response:
        """The board plus what only the instructor sees: addresses, settings, the health of the arena."""
        self._instructor(request)
        late = sorted(self.engine.pace.lateness)
        return JSONResponse(
            {
                "state": self.board.state(),
                "settings": self.engine.settings.as_dict(),
                "urls": {e.id: e.url for e in self.store.entries()},
                "allowed": self.guard.describe(),
                "viewers": self.board.viewers,
                "jitter_p50_ms": round(late[int(len(late) * 0.5)] * 1000, 1) if late else None,
                "jitter_p99_ms": round(late[int(len(late) * 0.99)] * 1000, 1) if late else None,
                "jitter_most_ms": round(late[-1] * 1000, 1) if late else None,
                "ticks": self.engine.pace.moments,
                "late": self.engine.pace.late,
                "stood_still": self.engine.pace.stood_still,
            }
        )

    async def act(self, request: Request) -> Response:
        """start, pause, resume, lock, end, reveal, conditions, settings (before the start), new (with settings)."""
        self._instructor(request)
        body = await _json(request)
        engine = self.engine
        match request.path_params["action"]:
            case "settings":
                engine.configure(body)
            case "new":
                base = self.settings if engine.row.phase == Phase.OPEN else engine.settings
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
        self.board.refresh()
        return JSONResponse({"round": engine.row.id, "phase": engine.row.phase, "paused": engine.row.paused})

    async def rename(self, request: Request) -> Response:
        self._instructor(request)
        body = await _json(request)
        entry = self.store.entry(request.path_params["entry"])
        changed = await self.desk.change(entry, None, _text(body, "alias"))
        return JSONResponse({"id": changed.id, "alias": changed.alias})

    async def remove(self, request: Request) -> Response:
        self._instructor(request)
        self.desk.leave(self.store.entry(request.path_params["entry"]).id, "removed")
        return JSONResponse({"removed": True})

    async def add_house(self, request: Request) -> Response:
        """Let opponents enter (alias -> URL), or point one that plays to a new URL."""
        self._instructor(request)
        body = await _json(request)
        for alias in body:
            await self._house_entry(House(alias, _text(body, alias)))
        return JSONResponse({"house": [e.alias for e in self.store.entries() if e.kind == "house"]})

    # the log

    async def rounds(self, _: Request) -> Response:
        return JSONResponse(
            [
                {"id": r.id, "phase": r.phase, "seconds": r.settings.seconds, "rate": r.settings.rate}
                for r in self.store.rounds()
            ]
        )

    def _shown(self, request: Request, name: str = "round") -> RoundRow:
        """A round of the log; one whose results are not revealed is for the instructor."""
        number = request.path_params[name]
        row = self.engine.row if number == self.engine.row.id else self.store.round(number)
        if number == self.engine.row.id and row.phase != Phase.REVEALED and not self._is_instructor(request):
            raise HTTPException(403, "The log of a round opens when its results are revealed.")
        return row

    async def frames(self, request: Request) -> Response:
        """A round to play again: the whole of it, or with `?hidden=1` what was hidden between lock and reveal."""
        row = self._shown(request)
        found = await self.engine.threads.run(replay.courses, self.store, row)
        end, begin, count = row.settings.seconds, 0.0, REPLAY_FRAMES
        if request.query_params.get("hidden"):
            begin, count = min(row.locked_clock or end, end), REVEAL_FRAMES
        made = await self.engine.threads.run(replay.frames, found, begin, end, count, row.settings.minimum)
        names = {c.entry.id: [c.entry.alias, c.entry.kind] for c in found if c.entry.standing == "in"}
        return JSONResponse({"round": row.id, "names": names, "frames": made, "seconds": end})

    async def export(self, request: Request) -> Response:
        row = self._shown(request)
        found = await self.engine.threads.run(replay.courses, self.store, row)
        text = await self.engine.threads.run(replay.as_csv, found)
        disposition = {"Content-Disposition": f'attachment; filename="arena-round-{row.id}.csv"'}
        return PlainTextResponse(text, media_type="text/csv", headers=disposition)

    async def compare(self, request: Request) -> Response:
        first, second = self._shown(request), self._shown(request, "other")
        return JSONResponse(await self.engine.threads.run(replay.compare, self.store, first, second))


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_: Request) -> Response:
        return Response((PAGES / name).read_bytes(), media_type="text/html", headers={"Cache-Control": "no-cache"})

    return page


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    files = {p.name: p for p in PAGES.iterdir() if p.suffix in _TYPES and p.suffix != ".html"}
    if name not in files:
        raise HTTPException(404, "There is no such file.")
    headers = {"Cache-Control": "no-cache"}
    return Response(files[name].read_bytes(), media_type=_TYPES[files[name].suffix], headers=headers)


def _view(request: Request) -> str:
    return "phone" if request.query_params.get("view") == "phone" else "board"


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _json(request: Request) -> dict:
    """The request's JSON object. A page of another origin cannot send this content type unasked."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Send JSON, with Content-Type: application/json.")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise HTTPException(413, f"At most {BODY_BYTES} bytes.")
    try:
        value = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise HTTPException(400, "That is not JSON.") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "Send a JSON object.")
    return value


def _text(body: dict, name: str, *, required: bool = True) -> str | None:
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise HTTPException(400, f"{name} has to be a text.")
    return value


def _answer(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, status)

    return handler


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"message": error.detail}, error.status_code)


async def _not_there(_: Request, error: KeyError) -> Response:
    return JSONResponse({"message": f"There is no {error}."}, 404)


async def _store_failed(_: Request, error: sqlite3.Error) -> Response:
    return JSONResponse({"message": f"The arena's store cannot be used: {error}."}, 503)


_HANDLERS = {
    HTTPException: _http_error,
    KeyError: _not_there,
    sqlite3.Error: _store_failed,
    EntryRefused: _answer(422),
    NotAllowed: _answer(422),
    NameRefused: _answer(422),
    AliasTaken: _answer(409),
    RoundError: _answer(409),
}


class _Headers:
    """Adds the headers that keep a page from being framed, sniffed or scripted."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.last_request = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.last_request = time.monotonic()

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", _POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                ]
                if not any(k == b"cache-control" for k, _ in message["headers"]):
                    message["headers"].append((b"cache-control", b"no-store"))
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)

"""A door in a learner's laptop: the arena in the same room may ask one API of the offline AWS there, and nothing else.

The offline AWS listens to this machine only, because it runs uploaded code. The door listens to the room's network and
passes on questions to the one API that was entered, path by path as it is, at a bounded rate and without headers.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from yarl import URL

from helpers.arena.caller import bounded_body
from helpers.arena.limits import Limiter

PORT = 8766
PER_SECOND = 100.0
TIMEOUT_SECONDS = 15.0
IDLE_SECONDS = 8 * 3600.0


class Door:
    """The web application: GET of the API's own path goes through, everything else does not exist."""

    def __init__(self, url: str, per_second: float = PER_SECOND) -> None:
        parts = urlsplit(url)
        self._target = parts._replace(query="", fragment="").geturl()
        self._path = parts.path
        self._limit = Limiter(burst=2 * per_second, per_second=per_second)
        self._asked = time.monotonic()
        self._stop: Callable[[], None] = lambda: None
        self.app = Starlette(routes=[Route(self._path, self._pass_on, methods=["GET"])], lifespan=self._lifespan)

    def public_url(self, host: str, port: int) -> str:
        """The API's URL as the arena is told it: through the door."""
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self._path}"

    def when_idle(self, stop: Callable[[], None]) -> None:
        """Call `stop` when nobody has asked for hours."""
        self._stop = stop

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(self._watch_idleness())
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as self._session:
                yield
        finally:
            watching.cancel()

    async def _watch_idleness(self) -> None:
        while time.monotonic() - self._asked < IDLE_SECONDS:
            await asyncio.sleep(60)
        self._stop()

    async def _pass_on(self, request: Request) -> Response:
        self._asked = time.monotonic()
        if not self._limit.allow(""):
            return PlainTextResponse("too many questions", 429)
        address = f"{self._target}?{request.url.query}"
        try:
            async with self._session.get(URL(address, encoded=True), allow_redirects=False) as answer:
                body = await bounded_body(answer)
                kind = answer.headers.get("content-type", "text/plain")
                return Response(body, answer.status, media_type=kind)
        except (aiohttp.ClientError, TimeoutError):
            return PlainTextResponse("The API behind this door does not answer.", 502)

"""What comes in over HTTP and how refusals go out: JSON bodies, texts, tokens, and an error's status and words."""

import hmac
import json
import sqlite3
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from helpers.arena.entry import EntryRefused
from helpers.arena.guard import NotAllowed
from helpers.arena.limits import Limiter
from helpers.arena.names import NameRefused
from helpers.arena.rounds import RoundError
from helpers.arena.store import AliasTaken, NotInStore

BODY_BYTES = 8192

Handler = Callable[[Request], Awaitable[Response]]


def client_of(request: Request) -> str:
    return request.client.host if request.client else ""


def token_of(request: Request) -> str:
    return request.headers.get("x-arena-token", "")


async def json_of(request: Request) -> dict:
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


def text_of(body: dict, name: str, *, required: bool = True) -> str | None:
    """A text of the body, None where it may be missing and is. Raises HTTPException 400."""
    value = body.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value:
        raise HTTPException(400, f"{name} has to be a text.")
    return value


class Tokens:
    """Knows the instructor by a token; who guesses, there or at an entry's token, is slowed down."""

    def __init__(self, instructors: str, guessing: Limiter) -> None:
        self._instructors = instructors
        self._guessing = guessing

    def are_the_instructors(self, request: Request) -> bool:
        return hmac.compare_digest(token_of(request).encode(), self._instructors.encode())

    def check(self, request: Request) -> None:
        """Raises HTTPException when it is not the instructor who asks."""
        if not self.are_the_instructors(request):
            raise self.refusal(request, "This needs the instructor's token; the arena printed it when it started.")

    def refusal(self, request: Request, why: str) -> HTTPException:
        """The refusal of a wrong token; who has guessed too often gets another."""
        if self._guessing.allow(client_of(request)):
            return HTTPException(403, why)
        return HTTPException(429, "Too many wrong tokens; wait a minute.")


def _answer(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handler(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, status)

    return handler


async def _http_error(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"message": error.detail}, error.status_code)


async def _not_there(_: Request, error: NotInStore) -> Response:
    return JSONResponse({"message": f"There is no {error.args[0]}."}, 404)


async def _store_failed(_: Request, error: sqlite3.Error) -> Response:
    return JSONResponse({"message": f"The arena's store cannot be used: {error}."}, 503)


REFUSALS = {
    HTTPException: _http_error,
    NotInStore: _not_there,
    sqlite3.Error: _store_failed,
    EntryRefused: _answer(422),
    NotAllowed: _answer(422),
    NameRefused: _answer(422),
    AliasTaken: _answer(409),
    RoundError: _answer(409),
}

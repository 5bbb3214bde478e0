"""Where learners enter, change and withdraw over HTTP."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from helpers.arena.entry import Desk, WrongToken
from helpers.arena.limits import Limiter
from helpers.arena.store import EntryRow
from helpers.arena.wire import Tokens, client_of, json_of, text_of, token_of


class Entrance:
    def __init__(self, desk: Desk, tokens: Tokens, entering: Limiter) -> None:
        self._desk = desk
        self._tokens = tokens
        self._entering = entering

    def routes(self) -> list[Route]:
        return [
            Route("/api/entries", self.enter, methods=["POST"]),
            Route("/api/entries/{entry:int}", self.change, methods=["PATCH"]),
            Route("/api/entries/{entry:int}", self.withdraw, methods=["DELETE"]),
        ]

    async def enter(self, request: Request) -> Response:
        if not self._entering.allow(client_of(request)):
            raise HTTPException(429, "Too many entries from here; wait a minute.")
        body = await json_of(request)
        entry, token = await self._desk.enter(text_of(body, "url"), text_of(body, "alias", required=False))
        return JSONResponse({"id": entry.id, "alias": entry.alias, "token": token}, 201)

    async def change(self, request: Request) -> Response:
        entry = self._owned(request)
        if not self._entering.allow(client_of(request)):
            raise HTTPException(429, "Too many changes from here; wait a minute.")
        body = await json_of(request)
        url, alias = (text_of(body, k, required=False) for k in ("url", "alias"))
        changed = await self._desk.change(entry, url, alias)
        return JSONResponse({"id": changed.id, "alias": changed.alias})

    async def withdraw(self, request: Request) -> Response:
        self._desk.leave(self._owned(request).id, "withdrawn")
        return JSONResponse({"withdrawn": True})

    def _owned(self, request: Request) -> EntryRow:
        try:
            return self._desk.owned(request.path_params["entry"], token_of(request))
        except WrongToken as error:
            raise self._tokens.refusal(request, str(error)) from None

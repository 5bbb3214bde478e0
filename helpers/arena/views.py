"""What everybody may see: the pages, the board as it changes, the QR code of the phone view."""

import io
from pathlib import Path

import segno
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from helpers.arena.board import Board
from helpers.arena.wire import Handler

PAGES = Path(__file__).parent / "pages"
MOST_VIEWERS = 600
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Views:
    def __init__(self, board: Board, public_url: str) -> None:
        self._board = board
        self._public_url = public_url

    def routes(self) -> list[Route]:
        return [
            Route("/", _page("projector.html")),
            Route("/phone", _page("phone.html")),
            Route("/instructor", _page("instructor.html")),
            Route("/static/{name}", _static),
            Route("/qr.svg", self.qr),
            Route("/events", self.events),
            Route("/api/state", self.state),
            Route("/api/aliases", self.aliases),
            Route("/api/address", self.address),
        ]

    async def qr(self, request: Request) -> Response:
        """The QR code of the phone view: at the public URL if one was named, else where the page itself was found."""
        url = self._public_url or request.query_params.get("base", "")
        if not url.startswith(("http://", "https://")) or len(url) > 300:
            raise HTTPException(400, "base has to be the page's own address.")
        out = io.BytesIO()
        segno.make(url.rstrip("/") + "/phone", error="m", micro=False).save(
            out, kind="svg", border=2, dark="#000", light="#fff", xmldecl=False, omitsize=True
        )
        return Response(out.getvalue(), media_type="image/svg+xml")

    async def events(self, request: Request) -> Response:
        if self._board.viewers >= MOST_VIEWERS:
            raise HTTPException(503, "Too many viewers.")
        return StreamingResponse(
            self._board.follow(*_view(request)), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )

    async def state(self, request: Request) -> Response:
        return Response(self._board.json(*_view(request)), media_type="application/json")

    async def aliases(self, _: Request) -> Response:
        """The learners' aliases; phones choose from them which one is theirs."""
        return JSONResponse(self._board.aliases())

    async def address(self, _: Request) -> Response:
        """Where phones find this server, if the instructor said so."""
        return JSONResponse({"public_url": self._public_url})


def _page(name: str) -> Handler:
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


def _view(request: Request) -> tuple[str, str]:
    """`board`, or `phone` and the alias whose row it is to hold."""
    if request.query_params.get("view") == "phone":
        return "phone", request.query_params.get("mine", "")
    return "board", ""

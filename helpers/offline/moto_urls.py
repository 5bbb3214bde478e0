"""The URLs that moto answers for one service: what moto's own server has Flask for, without it.

Flask and Jinja, of which nothing else is used, would be most of what a server's first call takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError
from moto import backends
from moto.core.base_backend import BackendDict
from moto.core.request import Request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter, Map, Rule
from werkzeug.wrappers import Response

METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")


class Regex(BaseConverter):
    """`<regex("…"):name>`, as moto writes its URLs."""

    part_isolating = False

    def __init__(self, url_map: Map, regex: str) -> None:
        super().__init__(url_map)
        self.regex = regex


class ServerRequest(Request):
    from_wsgi_server = True


class ServerResponse(Response):
    default_mimetype = "text/html"  # Flask's, which moto leaves to it where it says nothing


class Application:
    """A WSGI application; `package` is moto's name of the service. Raises what moto raises where it fails."""

    def __init__(self, package: Any, account_id: str) -> None:
        held: Any = backends.get_backend(package)
        regions = held[account_id] if isinstance(held, BackendDict) else held
        # Any backend will do, for all have the same URLs.
        backend = next(regions[name] for name in ("us-east-1", "aws", "global") if name in regions)
        self._urls = Map(converters={"regex": Regex})
        for path, handler in backend.flask_paths.items():
            if path:
                self._urls.add(Rule(path, endpoint=handler, methods=METHODS, strict_slashes=False))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            handler, _ = self._urls.bind_to_environ(environ).match()
            return answer(handler, ServerRequest(environ))(environ, start_response)
        except HTTPException as error:
            return error(environ, start_response)


def answer(handler: Callable[..., Any], request: Request) -> Response:
    """What moto's `handler` says to `request`: a body, or status, headers and body."""
    try:
        said = handler(request, request.raw_url, dict(request.headers))
    except ClientError as error:
        said = 400, {}, error.response["Error"]["Message"]
    status, headers, body = said if len(said) == 3 else (200, {}, said)
    response = ServerResponse(body, status, headers)
    if request.method == "HEAD" and "content-length" in headers:
        response.headers["Content-Length"] = headers["content-length"]
    return response

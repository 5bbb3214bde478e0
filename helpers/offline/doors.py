"""Who may knock at all: only this machine by its loopback names, and no web page of another origin.

The server runs uploaded code. A page in a browser could reach the loopback interface by DNS rebinding (its `Host` gives
it away) or by a cross-origin request or form (its `Origin` or `Sec-Fetch-Site` gives it away).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from helpers.offline.kernel import Answer

# API Gateway's own host names, for a client that is told to use them with this address; nobody else's DNS answers them.
_EXECUTE_API = re.compile(r"[a-z0-9]+\.execute-api\.[a-z0-9-]+\.(amazonaws\.com|localhost)")


@lru_cache(1024)
def is_local(host: str) -> bool:
    """Whether a `Host` header names this machine's loopback interface, or API Gateway's hosts."""
    name = urlsplit("//" + host).hostname or ""
    return (
        name in ("127.0.0.1", "localhost", "::1") or name.endswith(".localhost") or bool(_EXECUTE_API.fullmatch(name))
    )


def is_foreign_page(headers: Mapping[str, str]) -> bool:
    """Whether a web page of another origin asks."""
    origin = headers.get("origin")
    if origin is not None and not is_local(urlsplit(origin).netloc):
        return True
    return headers.get("sec-fetch-site") in ("cross-site", "same-site")


def refusal(reason: str) -> Answer:
    body = json.dumps({"__type": "AccessDeniedException", "message": reason}).encode()
    return Answer(403, {"content-type": "application/json"}, body)

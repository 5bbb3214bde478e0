"""Connections that ask for too much: headers without end, requests that never come to their end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 64 * 1024
HEAD_LIMIT_S = 20.0  # from a request's first byte to the end of its headers
SILENCE_LIMIT_S = 60.0  # between two pieces of a body; of a connection that has not asked anything yet
SWEEP_S = 5.0

log = logging.getLogger("offline.front")


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, which has a time limit between requests only, and no limit for headers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.heard = self.loop.time()
        self.head_since: float | None = None
        self.head_bytes = 0

    def data_received(self, data: bytes) -> None:
        self.heard = self.loop.time()
        super().data_received(data)
        if self.head_since is not None:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_LIMIT_BYTES:
                self.refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self.head_since, self.head_bytes = self.heard, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.head_since = None
        super().on_headers_complete()

    def refuse(self, status: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()

    def is_too_slow(self, now: float) -> bool:
        if self.head_since is not None:
            return now - self.head_since > HEAD_LIMIT_S
        if self.cycle is None or (self.cycle.more_body and not self.cycle.response_complete):
            return not self.flow.read_paused and now - self.heard > SILENCE_LIMIT_S
        return False


def sweep(connections: set[Any]) -> None:
    """From now on ends the slow ones of `connections`, again and again. To be called in the event loop."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        for connection in list(connections):
            if isinstance(connection, Connection) and connection.is_too_slow(loop.time()):
                log.warning("a client that did not finish its request was sent away")
                connection.refuse(b"408 Request Timeout")
        loop.call_later(SWEEP_S, look)

    loop.call_later(SWEEP_S, look)

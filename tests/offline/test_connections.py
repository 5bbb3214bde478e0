"""Clients that are slow, endless or ambiguous are sent away; the others do not notice."""

import asyncio
import contextlib
import socket
import threading
import zlib
from urllib.parse import urlsplit

import pytest
import uvicorn

from helpers.offline import connections, front, uploads
from helpers.offline.kernel import AwsError


def exchange(address, sent):
    """What comes back until the server closes, or until the end of a first answer's head."""
    with socket.create_connection(address, timeout=30) as connection:
        received = b""
        with contextlib.suppress(OSError):  # it may have been sent away already
            connection.sendall(sent)
        with contextlib.suppress(OSError):
            while piece := connection.recv(65_536):
                received += piece
                if b"\r\n\r\n" in received and b"connection: close" not in received:
                    break
        return received


@pytest.fixture
def address(offline):
    parts = urlsplit(offline.endpoint_url)
    return parts.hostname, parts.port


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Content-Length: -5\r\n\r\nhello",
        b"Content-Length : 5\r\n\r\nhello",
    ],
    ids=["both lengths", "two lengths", "two codings", "negative", "space"],
)
def test_a_request_whose_end_is_ambiguous_is_refused(address, rest):
    answer = exchange(address, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest)
    assert answer.split(b" ")[1] in (b"400", b"403")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_without_end_are_refused(address):
    endless = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"x-a: " + b"y" * (1 << 20)
    assert exchange(address, endless).startswith(b"HTTP/1.1 431")


def test_a_websocket_is_not_opened(address):
    head = (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert exchange(address, head).startswith(b"HTTP/1.1 403")


@pytest.fixture
def impatient(monkeypatch):
    """(host, port) of a server with these connections whose limits are fractions of a second."""
    for name in ("HEAD_LIMIT_S", "SILENCE_LIMIT_S", "SWEEP_S"):
        monkeypatch.setattr(connections, name, 0.2)

    async def application(scope, receive, send):
        while (await receive()).get("more_body"):
            continue
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await asyncio.sleep(1)  # longer than any limit: an answer may take its time
        await send({"type": "http.response.body", "body": b"ok"})

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            connections.sweep(self.server_state.connections)
            started.set()

    started = threading.Event()
    config = uvicorn.Config(application, http=connections.Connection, ws="none", lifespan="off", log_config=None)
    server = Server(config)
    server.install_signal_handlers = lambda: None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        assert started.wait(60)
        yield listener.getsockname()
        server.should_exit = True
        thread.join(20)


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhal", b""],
    ids=["in its headers", "in its body", "before it began"],
)
def test_a_client_that_stops_is_sent_away(impatient, begun):
    assert exchange(impatient, begun).startswith(b"HTTP/1.1 408")


def test_a_client_that_waits_for_a_slow_answer_is_not(impatient):
    assert exchange(impatient, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"ok")


def test_a_small_body_that_unpacks_to_a_large_one_is_refused():
    packing = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(uploads.OTHER_LIMIT_BYTES // (1 << 20) + 1))
    with pytest.raises(AwsError, match="RequestEntityTooLarge"):
        front.decompressed(bomb + packing.flush())
    with pytest.raises(AwsError, match="SerializationException"):
        front.decompressed(b"not gzip")

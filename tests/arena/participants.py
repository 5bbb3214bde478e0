"""Stub participants: one raw HTTP server whose path says how it behaves."""

import asyncio
import gzip
import threading
from urllib.parse import parse_qs, urlsplit

STAGE = "/restapis/abc123/live/_user_request_"  # where an offline AWS has its APIs
BOMB = gzip.compress(bytes(5_000_000), 1)  # 22 kB


class Participants:
    """Serves on loopback in a thread, at paths like an API Gateway's.

    `asked[path]` counts questions; `head` keeps the last request's head.
    """

    def __init__(self):
        self.asked: dict[str, int] = {}
        self.head = ""
        self._known: list[list[str]] = []
        self.url = ""

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve():
            server = await asyncio.start_server(self._one, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{STAGE}"
            ready.set()

        self._loop.create_task(serve())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        assert ready.wait(60)
        return self

    def __exit__(self, *_):
        async def end():
            others = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        self._thread.join(5)
        self._loop.close()

    async def _one(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.head = head
                target = urlsplit(head.split(" ")[1].removeprefix(STAGE))
                self.asked[target.path] = self.asked.get(target.path, 0) + 1
                features = parse_qs(target.query, keep_blank_values=True).get("features", [""])[0].split(",")
                await self._behave(target.path.strip("/").split("/"), features, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _first_time(self, features):
        """Whether this is asked for the first time; the first of all, the check at entry, does not count."""
        new = features not in self._known and bool(self._known)
        self._known.append(features)
        return new

    async def _behave(self, path, features, writer):
        kind, argument = path[0], path[1] if len(path) > 1 else ""
        if kind == "slow":
            await asyncio.sleep(float(argument))
            send(writer, b'{"prediction_ms": 9000}')
        elif kind == "dead":
            writer.close()
        elif kind == "redirect":
            send(writer, b"", 302, "Location: http://127.0.0.1:1/\r\n")
        elif kind == "status":
            send(writer, b'{"message": "<script>alert(1)</script>"}', int(argument))
        elif kind == "flaky" and self._first_time(features):
            send(writer, b'{"message": "busy"}', 502)
        elif kind == "body":
            send(writer, bytes.fromhex(argument))
        elif kind == "pieces":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + b'{"prediction_ms"')
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.write(b": 9000 }")
        elif kind == "long":
            send(writer, b"9" * 100_000)
        elif kind == "endless":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"1000\r\n" + b" " * 4096 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
        elif kind == "bomb":
            send(writer, BOMB[: 4000 if argument else None], extra="Content-Encoding: gzip\r\n")
        elif kind == "headers":
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while not writer.is_closing():
                writer.write(b"X-Flood: " + b"a" * int(argument) + b"\r\n" * (int(argument) < 9000))
                await writer.drain()
                await asyncio.sleep(0.001)
        elif kind == "continue":
            while not writer.is_closing():
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
        elif kind == "drip":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"1")
                await writer.drain()
                await asyncio.sleep(0.05)
        else:  # good: the FC average and something beside it
            if kind == "tired":  # 8 at once are 13 answers a second
                await asyncio.sleep(0.6)
            value = float(features[0] or 0) + float(argument or 0)
            send(writer, f'{{"prediction_ms": {value}}}'.encode())
        await writer.drain()


def send(writer, body, status=200, extra=""):
    writer.write(f"HTTP/1.1 {status} X\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body)

"""One question to one participant's API: bounded in time, in size and in trust."""

import asyncio
import os
import time
from typing import NamedTuple

import aiohttp
from yarl import URL

from helpers.arena.guard import ForbiddenAddress, Guard, NotAllowed
from helpers.arena.scoring import Outcome, read_prediction

BODY_BYTES = 4096
FIRST_CALL_SECONDS = 15.0  # a function's cold start, once, at entry
_HEADERS = {"Accept": "application/json", "User-Agent": "robot-fulfillment-arena"}


class Reply(NamedTuple):
    """What came back: `detail` is the HTTP status or the start of the body, for the participant's eyes only."""

    outcome: Outcome
    prediction_ms: float | None
    latency_ms: float | None
    status: int = 0
    detail: str = ""


class Caller:
    """Asks participants' URLs. No redirects, cookies, proxies, credentials or decompression; addresses are checked."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._session: aiohttp.ClientSession | None = None
        self._bases: dict[str, tuple[str, str]] = {}

    async def __aenter__(self) -> "Caller":
        connector = aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=30, keepalive_timeout=20, socket_factory=self.guard.open_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=_HEADERS,
            skip_auto_headers=["Accept-Encoding"],
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=BODY_BYTES,
            max_headers=64,
            max_line_size=BODY_BYTES,
            max_field_size=BODY_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def ask(self, url: str, query: str, deadline_seconds: float) -> Reply:
        """Ask `url` one question (`query`: an encoded query string). Never raises for what the other side does."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self._ask(url, query, began)
        except TimeoutError:
            return Reply(Outcome.LATE, None, None)
        except NotAllowed as error:
            return Reply(Outcome.FORBIDDEN, None, None, detail=str(error))
        except aiohttp.ClientError as error:
            outcome = Outcome.FORBIDDEN if _is_forbidden(error) else Outcome.UNREACHABLE
            return Reply(outcome, None, None, detail=_cause(error))
        except (OSError, ValueError, UnicodeError) as error:
            return Reply(Outcome.UNREACHABLE, None, None, detail=_first_line(error))

    async def _ask(self, url: str, query: str, began: float) -> Reply:
        assert self._session is not None
        full = URL(self._joined(url, query), encoded=True)
        async with self._session.get(full, allow_redirects=False) as response:
            if 300 <= response.status < 400:
                response.close()
                return Reply(Outcome.REDIRECT, None, None, response.status)
            body = await bounded_body(response)
            latency_ms = (time.perf_counter() - began) * 1000.0
            if len(body) > BODY_BYTES:
                response.close()
                return Reply(Outcome.TOO_LONG, None, latency_ms, response.status)
        text = body[:200].decode("utf-8", "replace")
        if response.status != 200:
            return Reply(Outcome.STATUS, None, latency_ms, response.status, text)
        outcome, value = read_prediction(body)
        return Reply(outcome, value, latency_ms, 200, text)

    def _joined(self, url: str, query: str) -> str:
        if url not in self._bases:
            if len(self._bases) > 2000:
                self._bases.clear()
            self.guard.check_url(url)
            clean = str(URL(url).with_fragment(None))
            self._bases[url] = (clean, "&" if "?" in clean else "?")
        base, joint = self._bases[url]
        return f"{base}{joint}{query}"


async def bounded_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, or, of one that is longer than BODY_BYTES, one byte more than that."""
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES:
            break
    return body[: BODY_BYTES + 1]


def _is_forbidden(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ForbiddenAddress) or "the arena does not call" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _cause(error: aiohttp.ClientError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "there is no host of this name"
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.errno:
        return os.strerror(error.os_error.errno).lower()
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


async def explain(caller: Caller, url: str, query: str, deadline_seconds: float) -> str | None:
    """Try a URL as the round would, and say in plain words what is wrong with it; None when nothing is.

    The first call may be slow (a cold start); the second has to keep the deadline.
    """
    first = await caller.ask(url, query, max(FIRST_CALL_SECONDS, deadline_seconds))
    if first.outcome != Outcome.OK:
        return _plain_words(first, url, FIRST_CALL_SECONDS)
    second = await caller.ask(url, query, deadline_seconds)
    return None if second.outcome == Outcome.OK else _plain_words(second, url, deadline_seconds)


def _plain_words(reply: Reply, url: str, deadline_seconds: float) -> str:
    host = URL(url).authority
    said = f" It said: {reply.detail}" if reply.detail.strip() else ""
    match reply.outcome:
        case Outcome.LATE:
            return (
                f"{host} gave no answer within {deadline_seconds:g} s. Is it still starting? Call it once, then enter."
            )
        case Outcome.UNREACHABLE:
            return f"Nothing answers at {host}. Is the URL complete, and is the API deployed? ({reply.detail})"
        case Outcome.FORBIDDEN:
            return f"{host} leads to an address that the arena does not call."
        case Outcome.REDIRECT:
            return f"{host} redirects elsewhere (HTTP {reply.status}); enter the URL that answers itself."
        case Outcome.STATUS if reply.status in (403, 404):
            return (
                f"{host} answers HTTP {reply.status}: there is nothing at this path. The URL ends in the stage and the "
                f"resource, like …/prod/liveinference.{said}"
            )
        case Outcome.STATUS if reply.status >= 500:
            return f"{host} answers HTTP {reply.status}: the function behind it failed. Its log says why.{said}"
        case Outcome.STATUS:
            return f"{host} answers HTTP {reply.status} to a right question (12 values in `features`).{said}"
        case Outcome.TOO_LONG:
            return f'The answer is longer than {BODY_BYTES} bytes. A number is enough: {{"prediction_ms": 9876.5}}.'
        case Outcome.OUT_OF_RANGE:
            return f"The answer is negative or longer than ten minutes; it has to be in milliseconds.{said}"
        case _:
            return f'The answer is not a number. It has to look like {{"prediction_ms": 9876.5}}.{said}'

"""Questions to a live-inference URL: concurrent, on kept connections, each with a time-out. Standard library alone."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from urllib.parse import quote, urlsplit

LONGEST_ANSWER_BYTES = 1_000_000
HIGHEST_MS = 1e12  # beyond it is no duration (32 years), and CloudWatch takes no number without end
LONGEST_VERSION = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """`outcome` is answered, failed (no answer in time, or none at all) or invalid (an answer without a prediction)."""

    outcome: str
    prediction_ms: float | None = None
    model: str = ""
    latency_s: float = 0.0
    reason: str = ""


class InferenceClient:
    """Asks `url?features=…` from a pool of threads and hands each answer to a callback (in a pool thread).

    Parameters: URL; time-out in seconds from `ask` to the whole answer; number of threads.
    """

    def __init__(self, url: str, *, timeout_s: float = 3.0, threads: int = 8) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"The live-inference URL must begin with http:// or https://, got {url!r}.")
        self._parts, self._timeout_s = parts, timeout_s
        self._path = (parts.path or "/") + "?" + (parts.query + "&" if parts.query else "") + "features="
        self._questions: queue.Queue[tuple | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._work, name=f"inference-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, features: str, then: Callable[[Answer], None]) -> None:
        """Ask about these features soon."""
        self._questions.put((time.monotonic(), features, then))

    @property
    def waiting(self) -> int:
        """Questions that no thread has taken up yet."""
        return self._questions.qsize()

    def close(self) -> None:
        """Wait until every question has its answer."""
        for _ in self._threads:
            self._questions.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection = None
        while True:
            question = self._questions.get()
            if question is None:
                break
            asked, features, then = question
            left = self._timeout_s - (time.monotonic() - asked)
            if left <= 0:
                then(Answer("failed", reason="time-out before it could be asked", latency_s=self._timeout_s - left))
                continue
            connection, answer = self._answer(connection, features, asked, left)
            then(answer)
        if connection is not None:
            connection.close()

    def _answer(
        self, connection: http.client.HTTPConnection | None, features: str, asked: float, left: float
    ) -> tuple[http.client.HTTPConnection | None, Answer]:
        fresh = connection is None
        connection = connection or self._connection()
        try:
            status, body = self._get(connection, features, left)
        except Exception as error:  # also what a broken answer or an impossible host name raises: none may end a thread
            connection.close()
            left = self._timeout_s - (time.monotonic() - asked)
            closed = isinstance(error, (ConnectionError, http.client.HTTPException))
            if not fresh and left > 0 and closed:
                return self._answer(None, features, asked, left)  # the server closed a kept connection: ask anew
            return None, Answer("failed", reason=f"{type(error).__name__}: {error}", latency_s=time.monotonic() - asked)
        latency = time.monotonic() - asked
        if latency > self._timeout_s:  # each part came in time, the whole did not
            return connection, Answer("failed", reason="the answer came too slowly", latency_s=latency)
        return connection, _read(status, body, latency)

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(self._parts.hostname, self._parts.port)

    def _get(self, connection: http.client.HTTPConnection, features: str, left: float) -> tuple[int, bytes]:
        connection.timeout = left
        if connection.sock is not None:
            connection.sock.settimeout(left)
        connection.request("GET", self._path + quote(features, safe=","), headers={"Accept": "application/json"})
        response = connection.getresponse()
        body = response.read(LONGEST_ANSWER_BYTES + 1)
        if len(body) > LONGEST_ANSWER_BYTES:
            raise ValueError(f"the answer is longer than {LONGEST_ANSWER_BYTES} bytes")
        return response.status, body


def _read(status: int, body: bytes, latency_s: float) -> Answer:
    """What an HTTP answer says: {"prediction_ms": 9876.5, "model": "…"}."""
    if status != 200:
        outcome = "invalid" if 400 <= status < 500 and status != 429 else "failed"  # 429: asked too often
        return Answer(outcome, reason=f"HTTP {status}: {body[:200].decode(errors='replace')}", latency_s=latency_s)
    try:
        content = json.loads(body)
        prediction = float(content["prediction_ms"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Answer(
            "invalid", reason=f"no prediction_ms in {body[:200].decode(errors='replace')}", latency_s=latency_s
        )
    if not isfinite(prediction) or abs(prediction) > HIGHEST_MS:
        return Answer("invalid", reason=f"prediction_ms is {prediction}", latency_s=latency_s)
    return Answer("answered", prediction, _version(content.get("model")), latency_s)


def _version(model: object) -> str:
    """The model's version as a dimension of a metric may be: printable ASCII."""
    text = "" if model is None else str(model)
    return "".join(c for c in text if c.isascii() and c.isprintable()).strip()[:LONGEST_VERSION]

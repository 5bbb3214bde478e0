"""The server's own interface for its command line: ping, status, stop. Each but ping asks for the secret's proof."""

from __future__ import annotations

import hmac
import json
import logging
import os
import time
from collections.abc import Callable, Mapping

import psutil

from helpers.offline.kernel import Answer, Kernel
from helpers.offline.process import proof

log = logging.getLogger("offline")

PREFIX = "/_workshop/"
VALID_S = 60


class Control:
    def __init__(self, kernel: Kernel, stop: Callable[[], None]) -> None:
        self.kernel = kernel
        self.stop = stop
        self.started = time.time()
        self._requests = 0
        self._seen, self._seen_at = 0, time.monotonic()

    def count(self) -> None:
        """One more request that keeps the server awake."""
        self._requests += 1

    def stop_if_idle(self, idle_s: float) -> None:
        """Ends the server where nothing was asked for `idle_s` seconds."""
        now = time.monotonic()
        if self._requests != self._seen:
            self._seen, self._seen_at = self._requests, now
        elif now - self._seen_at >= idle_s:
            log.info("no request for %.1f hours: the end", idle_s / 3600)
            self.stop()

    def answer(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Answer:
        if path == PREFIX + "ping":
            secret = self.kernel.workspace.credentials.secret_access_key
            return _json({"pid": os.getpid(), "proof": proof(secret, f"ping {query}")})
        if not self._is_proved(method, path, headers):
            return _json({"message": "Forbidden"}, 403)
        if path == PREFIX + "status":
            return _json(self.status())
        if path == PREFIX + "stop" and method == "POST":
            self.stop()
            return _json({"pid": os.getpid()})
        return _json({"message": "Not found"}, 404)

    def status(self) -> dict[str, object]:
        from helpers.offline import inventory

        workspace = self.kernel.workspace
        return {
            "endpoint_url": self.kernel.endpoint_url,
            "pid": os.getpid(),
            "uptime_s": round(time.time() - self.started),
            "requests": self._requests,
            "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
            "processes": inventory.processes(),
            "sizes_kb": {name: round(size / 1000, 1) for name, size in inventory.service_bytes(workspace.dir).items()},
            "resources": inventory.count(self.kernel.account_id),
        }

    def _is_proved(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        said, now = headers.get("x-workshop-proof", ""), headers.get("x-workshop-time", "0")
        if not now.isdecimal() or abs(time.time() - int(now)) > VALID_S:
            return False
        secret = self.kernel.workspace.credentials.secret_access_key
        return hmac.compare_digest(said.encode(), proof(secret, f"{method} {path} {now}").encode())


def _json(document: dict[str, object], status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(document).encode())

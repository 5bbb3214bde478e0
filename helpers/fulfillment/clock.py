"""The clock that edge compute follows: real time, or none at all."""

from __future__ import annotations

import threading
import time
from typing import Protocol

LONGEST_SLEEP_S = 0.05


class Clock(Protocol):
    """Seconds since `begin`, and waiting. `wait` may return early: whoever waits looks at the time again."""

    def begin(self) -> None:
        """Set the clock to 0."""

    def now_s(self) -> float:
        """Seconds since `begin`."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let up to so many seconds pass, fewer when `stop` is set."""


class RealTime:
    """The computer's monotonic clock."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Set the clock to 0."""
        self._zero = time.perf_counter()

    def now_s(self) -> float:
        """Seconds since `begin`."""
        return time.perf_counter() - self._zero

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Sleep a while."""
        stop.wait(min(seconds, LONGEST_SLEEP_S))


class NoWaiting:
    """Everything is due at once: as fast as possible."""

    def begin(self) -> None:
        """There is nothing to set."""

    def now_s(self) -> float:
        """It is always late enough."""
        return float("inf")

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Nobody waits."""

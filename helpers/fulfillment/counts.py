"""Counts that several threads add to, and that never lose one."""

from __future__ import annotations

import threading
from collections import Counter


class Counts:
    """Named counters; reading gives a consistent copy."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._counter = Counter(dict.fromkeys(names, 0))

    def add(self, name: str, by: int = 1) -> None:
        """Add to one counter."""
        with self._lock:
            self._counter[name] += by

    def copy(self) -> dict[str, int]:
        """All counters at one moment."""
        with self._lock:
            return dict(self._counter)

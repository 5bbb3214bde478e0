"""Changes pass together, a snapshot alone: it never sees half a change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Of one service."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """For one change; waits while the gate is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def closed(self, patience_s: float) -> Iterator[bool]:
        """Without any change inside, and none begins meanwhile. False where one takes longer than `patience_s`."""
        with self._changed:
            self._is_closed = True
            is_empty = self._changed.wait_for(lambda: not self._inside, patience_s)
        try:
            yield is_empty
        finally:
            with self._changed:
                self._is_closed = False
                self._changed.notify_all()

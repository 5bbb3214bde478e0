"""Errands: calls that one thread makes in their order, so that no request waits for them."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from helpers.offline.kernel import AwsError

STOP_S = 5.0  # so long a stop waits for the errands that are left


class Errands:
    """One thread and its queue. What an errand raises is logged: there is nobody to be told."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self._name = name
        self._errands_log = log
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From now on errands are made; those that were put before are the first."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Makes what was put by now, for STOP_S at the most."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(STOP_S)

    def put(self, errand: Callable[[], None]) -> None:
        """To be made when those before it are."""
        self._queue.put(errand)

    def _run(self) -> None:
        while (errand := self._queue.get()) is not None:
            try:
                errand()
            except AwsError as error:
                self._errands_log.debug("%s: %s", self._name, error)
            except Exception:
                self._errands_log.exception("%s failed", self._name)

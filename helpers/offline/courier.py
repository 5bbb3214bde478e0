"""A courier: what one service has to tell others is written down, then delivered, again and again if need be."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from helpers.offline.identifiers import random_uuid
from helpers.offline.kernel import AwsError, Kernel
from helpers.offline.outbox import Outbox

T = TypeVar("T")
LONGEST_PAUSE_S = 60.0
RETRY_FOR_S = 24 * 3600.0
TICK_S = 1.0

log = logging.getLogger("offline.courier")


@dataclass(slots=True)
class Parcel(Generic[T]):
    """`began` and `due` in seconds since the epoch."""

    content: T
    began: float = field(default_factory=time.time)
    attempts: int = 0
    due: float = 0.0
    id: str = field(default_factory=random_uuid)


class Courier(Generic[T]):
    """What `deliver` raises for a passing reason (OSError, AwsError from 500 on) is tried for a day, a minute apart."""

    def __init__(self, kernel: Kernel, name: str, deliver: Callable[[T], None]) -> None:
        self.kernel = kernel
        self.name = name
        self.deliver = deliver
        self.outbox = Outbox(kernel.workspace.dir / "state" / f"{name.replace(chr(32), chr(45))}.outbox")
        self._waiting: list[Parcel[T]] = []
        self._lock = threading.Lock()

    def install(self) -> None:
        self.kernel.on_start(self.recover)
        self.kernel.every(TICK_S, self.tick, name=self.name)
        self.kernel.synced(self.outbox.sync)
        self.kernel.on_stop(self.outbox.close)

    def send(self, content: T) -> None:
        """Survives this process when it returns, unless the disk is full; the delivery itself is not waited for."""
        parcel = Parcel(content)
        try:
            self.outbox.put(parcel.id, parcel)
        except OSError as error:  # what is told of has happened
            log.error("%s: something waits, and a crash would lose it: %s", self.name, error)
        self.kernel.background(self._attempt, parcel)

    def tick(self) -> None:
        """What failed for a passing reason, once more."""
        now = time.time()
        with self._lock:
            due = [one for one in self._waiting if one.due <= now]
            self._waiting = [one for one in self._waiting if one.due > now]
        for parcel in due:
            self._attempt(parcel)

    def recover(self) -> None:
        """What an earlier process left."""
        with self._lock:
            self._waiting = self.outbox.left()

    def _attempt(self, parcel: Parcel[T]) -> None:
        parcel.attempts += 1
        try:
            self.deliver(parcel.content)
        except Exception as error:  # moto's errors are of many kinds
            passes = isinstance(error, OSError) or (
                isinstance(error, AwsError) and error.status >= 500 and error.status != 501
            )
            if passes and time.time() - parcel.began < RETRY_FOR_S:
                parcel.due = time.time() + min(LONGEST_PAUSE_S, 2.0 ** min(parcel.attempts - 1, 10))
                with self._lock:
                    self._waiting.append(parcel)
                return
            log.warning("%s: dropped: %s", self.name, error)
        self.outbox.done(parcel.id)

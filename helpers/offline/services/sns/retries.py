"""What could not be delivered for a reason that passes: tried again for 23 days, at first at once, then less often.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html (endpoints that AWS manages)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from helpers.offline.identifiers import random_uuid
from helpers.offline.outbox import Outbox
from helpers.offline.services.sns.message import Message

IMMEDIATE, PRE_BACKOFF, BACKOFF, POST_BACKOFF = 3, 2, 10, 100_000
LEAST_S, MOST_S = 1.0, 20.0
RETRIES = IMMEDIATE + PRE_BACKOFF + BACKOFF + POST_BACKOFF
TICK_S = 0.2


def delay_s(retry: int) -> float:
    """How long is waited before the `retry`-th attempt after the first (1 is the first retry)."""
    if retry <= IMMEDIATE:
        return 0.0
    if retry <= IMMEDIATE + PRE_BACKOFF:
        return LEAST_S
    step = retry - IMMEDIATE - PRE_BACKOFF
    return LEAST_S * (MOST_S / LEAST_S) ** ((step - 1) / (BACKOFF - 1)) if step <= BACKOFF else MOST_S


@dataclass(slots=True)
class Pending:
    """Messages on their way to one subscription. `due` in seconds since the epoch."""

    topic_arn: str
    subscription_arn: str
    messages: list[Message]
    failures: int = 1
    due: float = field(default_factory=time.time)
    id: str = field(default_factory=random_uuid)


class Retries:
    """`again(pending)` tries once more; it returns whether that was the end of it."""

    def __init__(self, again: Callable[[Pending], bool], outbox: Outbox) -> None:
        self._again = again
        self._outbox = outbox
        self._waiting: list[Pending] = []
        self._lock = threading.Lock()

    def recover(self) -> None:
        """What an earlier process left."""
        with self._lock:
            self._waiting = self._outbox.left()

    def put(self, pending: Pending) -> None:
        """It is tried until it is done, after a crash too, when this returns. Raises OSError."""
        self._outbox.put(pending.id, pending)
        with self._lock:
            self._waiting.append(pending)

    def tick(self) -> None:
        now = time.time()
        with self._lock:
            due = [one for one in self._waiting if one.due <= now]
        for pending in due:
            while not self._again(pending):
                pending.failures += 1
                wait = delay_s(pending.failures)
                if wait:
                    pending.due = time.time() + wait
                    break
            else:
                with self._lock:
                    self._waiting.remove(pending)
                self._outbox.done(pending.id)

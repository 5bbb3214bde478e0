"""FIFO queues and topics: what came already within five minutes, and the numbers of what is new.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
"""

from __future__ import annotations

import time
from collections.abc import Hashable, MutableMapping
from typing import Any

WINDOW_S = 300


def next_sequence_number(previous: str | None) -> str:
    """20 digits, higher than the one before."""
    return f"{max(int(previous or 0) + 1, time.time_ns()):020d}"


def known(recent: MutableMapping[Hashable, tuple[float, Any]], key: Hashable) -> Any:
    """What was remembered of `key` within the window; None where there is nothing."""
    oldest_s = time.time() - WINDOW_S
    while recent and recent[first := next(iter(recent))][0] <= oldest_s:
        del recent[first]
    return recent[key][1] if key in recent else None


def remember(
    recent: MutableMapping[Hashable, tuple[float, Any]], key: Hashable, what: Any, at_s: float | None = None
) -> None:
    """`what` is known under `key` for the window from `at_s` on (seconds since the epoch; None is now)."""
    recent[key] = (time.time() if at_s is None else at_s, what)

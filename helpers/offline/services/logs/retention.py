"""How long a group's events are kept: the oldest are removed by and by, and so they are gone for every reader."""

from __future__ import annotations

import json
import threading
import time

from moto.logs.models import logs_backends

from helpers.offline import fallthrough
from helpers.offline.kernel import Answer, AwsError, Call, Kernel

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
DAY_MS = 86_400_000


def put_retention_policy(call: Call) -> Answer:
    """Raises AwsError InvalidParameterException for days that Logs does not offer."""
    days = json.loads(call.body).get("retentionInDays")
    if days not in DAYS:
        raise AwsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(map(str, DAYS))}]",
        )
    return fallthrough.ask_moto(call)


def expire(kernel: Kernel, lock: threading.Lock) -> None:
    """Removes what is older than its group's retention. `lock`: nothing is put into a stream meanwhile."""
    now_ms = time.time() * 1000
    for backend in list(logs_backends[kernel.account_id].values()):
        for group in list(backend.groups.values()):
            if not group.retention_in_days:
                continue
            oldest = now_ms - int(group.retention_in_days) * DAY_MS
            for stream in list(group.streams.values()):
                with lock:
                    kept = [event for event in stream.events if event.timestamp >= oldest]
                    is_less = len(kept) < len(stream.events)
                    if is_less:
                        stream.events[:] = kept
                if is_less:
                    kernel.mark_dirty("logs")

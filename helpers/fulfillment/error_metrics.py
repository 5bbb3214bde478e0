"""The error metric in CloudWatch: many values in one request, twice, with and without the model's version."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from helpers.fulfillment.counts import Counts

VALUES_PER_DATUM = 150  # CloudWatch's limit
DATA_PER_REQUEST = 40  # of at most 1,000; about 60 KB
KEPT_SECONDS = 900  # of errors that could not be put, then they are given up
PAUSE_S = 0.2  # between attempts at the end


@dataclass(slots=True)
class _Waiting:
    """The errors of one second and version: how many, and the requests that CloudWatch has not taken yet."""

    second: int
    errors: int
    requests: deque[list[dict]]


class ErrorMetrics:
    """Puts PredictionError and AbsolutePredictionError (ms) every `interval_s`, stamped with the second they belong to.

    Dimensions: FC and ModelVersion, and again FC alone, so that an alarm outlives a change of the model.
    Counts, in errors: `metrics` that CloudWatch took, `metrics_unsent` given up after KEPT_SECONDS or at the end; each
    ends as one of the two. `metric_errors`: requests that failed. A request that was taken is not put again.
    """

    def __init__(self, cloudwatch: object, namespace: str, fc: str, counts: Counts, *, interval_s: float = 1.0) -> None:
        self._cloudwatch, self._namespace, self._fc, self._counts = cloudwatch, namespace, fc, counts
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._errors: dict[tuple[int, str], list[float]] = defaultdict(list)
        self._waiting: deque[_Waiting] = deque()  # of the thread alone
        self._give_up_at = float("inf")
        self._done = threading.Event()
        self.last_error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)
        self._thread.start()

    def add(self, error_ms: float, model_version: str) -> None:
        """One error, of an interaction that ended now."""
        with self._lock:
            self._errors[int(time.time()), model_version].append(error_ms)

    def close(self, patience_s: float) -> None:
        """Put what is left, or give it up when the patience is over."""
        self._give_up_at = time.monotonic() + patience_s
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._done.wait(self._interval_s):
            self._flush()
        while not self._flush() and time.monotonic() < self._give_up_at:
            time.sleep(PAUSE_S)
        self._counts.add("metrics_unsent", sum(waiting.errors for waiting in self._waiting))

    def _flush(self) -> bool:
        """Put what came so far; what cannot be put is kept for the next time. Was all taken?"""
        with self._lock:
            errors, self._errors = self._errors, defaultdict(list)
        for (second, version), values in errors.items():
            requests = deque(_requests(self._data(second, version, values)))
            self._waiting.append(_Waiting(second, len(values), requests))
        while self._waiting:
            first = self._waiting[0]
            if not self._put(first.requests):
                self._give_up_what_is_old()
                return False
            self._counts.add("metrics", first.errors)
            self._waiting.popleft()
        return True

    def _put(self, requests: deque[list[dict]]) -> bool:
        while requests:
            try:
                self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=requests[0])
            except Exception as error:
                self.last_error = error
                self._counts.add("metric_errors")
                return False
            requests.popleft()
        return True

    def _give_up_what_is_old(self) -> None:
        while self._waiting and time.time() - self._waiting[0].second > KEPT_SECONDS:
            self._counts.add("metrics_unsent", self._waiting.popleft().errors)

    def _data(self, second: int, version: str, errors: list[float]) -> Iterator[dict]:
        fc = {"Name": "FC", "Value": self._fc}
        sets = [[fc, {"Name": "ModelVersion", "Value": version}], [fc]] if version else [[fc]]
        for name, values in (("PredictionError", errors), ("AbsolutePredictionError", [abs(e) for e in errors])):
            for dimensions in sets:
                for first in range(0, len(values), VALUES_PER_DATUM):
                    yield {
                        "MetricName": name,
                        "Dimensions": dimensions,
                        "Timestamp": second,
                        "Values": values[first : first + VALUES_PER_DATUM],
                        "Unit": "Milliseconds",
                        "StorageResolution": 1,
                    }


def _requests(data: Iterator[dict]) -> Iterator[list[dict]]:
    held: list[dict] = []
    for datum in data:
        held.append(datum)
        if len(held) == DATA_PER_REQUEST:
            yield held
            held = []
    if held:
        yield held

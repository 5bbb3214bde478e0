"""The error metric in CloudWatch: many values in one request, twice, with and without the model's version."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable

from helpers.fulfillment.counts import Counts

VALUES_PER_DATUM = 150  # CloudWatch's limit
DATA_PER_REQUEST = 40
KEPT_SECONDS = 900  # of metrics that could not be put


class ErrorMetrics:
    """Puts PredictionError and AbsolutePredictionError (ms) every `interval_s`, stamped with the second they belong to.

    Dimensions: FC and ModelVersion, and again FC alone, so that an alarm outlives a change of the model.
    Counts: `metrics` values that CloudWatch took (of each metric), `metric_errors` requests that failed.
    """

    def __init__(self, cloudwatch: object, namespace: str, fc: str, counts: Counts, *, interval_s: float = 1.0) -> None:
        self._cloudwatch, self._namespace, self._fc, self._counts = cloudwatch, namespace, fc, counts
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._errors: dict[tuple[int, str], list[float]] = defaultdict(list)
        self._done = threading.Event()
        self.last_error: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="metrics", daemon=True)
        self._thread.start()

    def add(self, error_ms: float, model_version: str) -> None:
        """One error, of an interaction that ended now."""
        with self._lock:
            self._errors[int(time.time()), model_version].append(error_ms)

    def close(self) -> None:
        """Put what is left."""
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._done.wait(self._interval_s):
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Put what came so far; what cannot be put is kept for the next time."""
        with self._lock:
            errors, self._errors = self._errors, defaultdict(list)
        for (second, version), values in errors.items():
            try:
                for data in _requests(self._data(second, version, values)):
                    self._cloudwatch.put_metric_data(Namespace=self._namespace, MetricData=data)
                self._counts.add("metrics", len(values))
            except Exception as error:
                self.last_error = error
                self._counts.add("metric_errors")
                if time.time() - second < KEPT_SECONDS and not self._done.is_set():
                    with self._lock:
                        self._errors[second, version][:0] = values

    def _data(self, second: int, version: str, errors: list[float]) -> Iterable[dict]:
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


def _requests(data: Iterable[dict]) -> Iterable[list[dict]]:
    held: list[dict] = []
    for datum in data:
        held.append(datum)
        if len(held) == DATA_PER_REQUEST:
            yield held
            held = []
    if held:
        yield held

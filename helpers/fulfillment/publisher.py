"""Samples to SNS: batches of ten, several threads, kept and tried again while the network is away."""

from __future__ import annotations

import queue
import threading
import time

from helpers.fulfillment.counts import Counts

BATCH = 10  # SNS takes at most ten messages in one PublishBatch
LINGER_S = 0.05  # how long a message waits for others
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0)  # between attempts


class Publisher:
    """Publishes messages in the background; `close` waits for all that were given.

    Parameters: boto3's SNS client; ARN of the topic; fulfillment centre (message attribute `fc`); counts
    (`sent`, `send_errors`, `unsent`: each message ends as sent or as unsent); number of threads.
    """

    def __init__(self, sns: object, topic_arn: str, fc: str, counts: Counts, *, threads: int = 1) -> None:
        self._sns, self._topic_arn, self._counts = sns, topic_arn, counts
        self._attributes = {"fc": {"DataType": "String", "StringValue": fc}}
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._give_up_at = float("inf")
        self._hurry = threading.Event()
        self._away = False  # the last attempt failed
        self.last_error: Exception | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"publisher-{i}", daemon=True) for i in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, message: str) -> None:
        """Publish this message soon."""
        self._waiting.put(message)

    def close(self, patience_s: float) -> None:
        """Wait until every message was accepted, or the patience is over (what is left counts as `unsent`)."""
        self._give_up_at = time.monotonic() + patience_s
        self._hurry.set()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            batch = self._batch()
            if batch is None:
                return
            self._deliver(batch)

    def _batch(self) -> list[str] | None:
        message = self._waiting.get()
        if message is None:
            return None
        batch, until = [message], time.monotonic() + LINGER_S
        while len(batch) < BATCH:
            try:
                left = 0.0 if self._hurry.is_set() else max(until - time.monotonic(), 0.0)
                message = self._waiting.get(timeout=left) if left else self._waiting.get_nowait()
            except queue.Empty:
                break
            if message is None:
                self._waiting.put(None)  # for the next round of this thread
                break
            batch.append(message)
        return batch

    def _deliver(self, batch: list[str]) -> None:
        attempt = 0
        while batch:
            if self._away and time.monotonic() >= self._give_up_at:  # not once more for each batch that is waiting
                self._counts.add("unsent", len(batch))
                return
            try:
                left = self._publish(batch)
            except Exception as error:
                self.last_error, left = error, batch
            self._away = bool(left)
            self._counts.add("sent", len(batch) - len(left))
            if not left:
                return
            self._counts.add("send_errors")
            if time.monotonic() >= self._give_up_at:
                self._counts.add("unsent", len(left))
                return
            pause = PAUSES_S[min(attempt, len(PAUSES_S) - 1)]
            time.sleep(min(pause, max(self._give_up_at - time.monotonic(), 0.0)))
            batch, attempt = left, attempt + 1

    def _publish(self, batch: list[str]) -> list[str]:
        """Publish; return what SNS did not take."""
        entries = [
            {"Id": str(i), "Message": message, "MessageAttributes": self._attributes} for i, message in enumerate(batch)
        ]
        answer = self._sns.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=entries)
        return [batch[int(entry["Id"])] for entry in answer.get("Failed", [])]

"""Edge compute of one fulfillment centre: each interaction begins, is predicted, ends, and is published as a sample."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from helpers.fulfillment import mischief as behaviour
from helpers.fulfillment.clock import Clock, NoWaiting, RealTime
from helpers.fulfillment.columns import FCS
from helpers.fulfillment.counts import Counts
from helpers.fulfillment.error_metrics import ErrorMetrics
from helpers.fulfillment.inference_client import Answer, InferenceClient
from helpers.fulfillment.interactions import Interactions, Sample
from helpers.fulfillment.lines import features_line, to_csv_line
from helpers.fulfillment.process import WORLD
from helpers.fulfillment.publisher import Publisher
from helpers.fulfillment.scenarios import Scenario

if TYPE_CHECKING:
    import pandas as pd

COUNTED = (
    "started",  # interactions that began
    "ended",  # … and ended; the others are in progress
    "sent",  # messages that SNS accepted (duplicates, malformed and stray ones included)
    "unsent",  # messages given up when the edge stopped
    "send_errors",  # attempts that failed; the messages were kept and tried again
    "asked",  # questions to the live-inference URL = answered + failed + invalid when all is done
    "answered",
    "failed",  # no answer in time, no connection, HTTP 5xx
    "invalid",  # an answer without a prediction, HTTP 4xx
    "late",  # answered, but after `deadline_s`
    "metrics",  # errors that CloudWatch took; = answered when all is done and well
    "metrics_unsent",  # errors given up: metrics + metrics_unsent = answered when all is done
    "metric_errors",  # requests that failed; their values were kept and tried again
    "duplicates",  # messages sent twice (Mischief), and so on
    "malformed",
    "delayed",
    "stray",
)
RESULTS = ["time_s", "event_id", "prediction_ms", "duration_ms", "error_ms", "model_version", "latency_ms"]
RESULTS_KEPT = 200_000  # about 60 MB
PROGRESS_S = 0.25
MOST_QUESTIONS = 64  # waiting, when the edge runs as fast as possible


@dataclass(slots=True)
class Interaction:
    """One interaction in progress or done."""

    number: int
    starts_s: float  # on the edge's clock: seconds of real time since it was made
    ends_s: float
    sample: Sample
    answer: Answer | None = None
    ended: bool = False


@dataclass(order=True, slots=True)
class _Due:
    at_s: float
    number: int
    what: str = field(compare=False)
    interaction: Interaction = field(compare=False)


class EdgeCompute:
    """Plays the stations of one fulfillment centre. Same seed, same number of interactions: byte-identical samples.

    Parameters
    ----------
    fc: name of the fulfillment centre, one of FCS
    rate: interactions that begin per real second, 1 to 2,000
    seed: of the stream
    sns, topic_arn: boto3's SNS client and the topic for samples; without them nothing is published
    live_inference_url: asked `?features=<12 values>` when an interaction begins; None = not asked
    cloudwatch, namespace: boto3's client and the namespace for the error metric; without it none is put
    model_version: dimension of the metric; None = as the answers say
    scenario: from the first interaction on
    speed: warehouse seconds per real second, so that an interaction of 9 s ends after 9 / speed seconds
    realtime: False = as fast as possible
    timeout_s, deadline_s: real seconds until a question counts as failed, and an answer as late
    patience_s: real seconds that the end waits for SNS and CloudWatch to take what is left
    mischief: what goes wrong on purpose
    world: of catalogue, people and places
    clock: another clock than real time

    Raises ValueError for a rate, speed or fulfillment centre that cannot be.
    """

    def __init__(
        self, fc: str = FCS[0], rate: float = 200.0, seed: int = 7, *, sns: object = None, topic_arn: str | None = None,
        live_inference_url: str | None = None, cloudwatch: object = None, namespace: str = "FulfillmentWorkshop",
        model_version: str | None = None, scenario: Scenario | None = None, speed: float = 60.0, realtime: bool = True,
        timeout_s: float = 3.0, deadline_s: float = 1.0, patience_s: float = 30.0,
        mischief: behaviour.Mischief = behaviour.NONE, world: int = WORLD, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        if not 0 < rate <= 2000:
            raise ValueError(f"The rate is from 1 to 2,000 interactions per second, got {rate}.")
        if speed <= 0:
            raise ValueError(f"The speed is a number of warehouse seconds per real second above 0, got {speed}.")
        if timeout_s <= 0 or deadline_s <= 0 or patience_s < 0:
            told = f"{timeout_s}, {deadline_s} and {patience_s}"
            raise ValueError(f"timeout_s and deadline_s are seconds above 0, patience_s 0 or more, got {told}.")
        if (sns is None) != (topic_arn is None):
            raise ValueError("To publish samples, give both sns= and topic_arn=.")
        self.fc, self.rate, self.speed, self.realtime = fc, float(rate), float(speed), realtime
        self.model_version, self.mischief = model_version, mischief
        self.live_inference_url, self.timeout_s, self.deadline_s = live_inference_url, timeout_s, deadline_s
        self.patience_s = patience_s
        self._clock = clock or (RealTime() if realtime else NoWaiting())
        self._sns, self._topic_arn, self._cloudwatch, self._namespace = sns, topic_arn, cloudwatch, namespace
        self._interactions = Interactions(fc, rate / speed, seed, scenario, world=world)
        self._counts = Counts(COUNTED)
        self._lock = threading.Lock()
        self._scored: deque[tuple] = deque(maxlen=RESULTS_KEPT)  # number, then RESULTS
        self._due: list[_Due] = []
        self._begun = 0
        self._clock_s = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._crash: BaseException | None = None
        self.last_error: Exception | str | None = None

    # What one does with it

    def run(self, seconds: float, on_progress: Callable[[EdgeCompute], None] | None = None) -> dict[str, int]:
        """Play for so many seconds; exactly rate x seconds interactions begin, end and are published.

        Interactions in progress when the time is over are played to their end at once, without waiting.
        Returns the counts.
        """
        if not 0 <= seconds < float("inf"):
            raise ValueError(f"The time to play is a number of seconds, 0 or more, got {seconds}.")
        self._refuse_while_running()
        self._stop.clear()
        self._play(round(self.rate * seconds), on_progress)
        return self.counts

    def start(self, on_progress: Callable[[EdgeCompute], None] | None = None) -> None:
        """Play in the background until `stop`."""
        self._refuse_while_running()
        self._stop.clear()
        self._thread = threading.Thread(target=self._background, args=(on_progress,), name="edge", daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, int]:
        """End what `start` began: play out what is in progress, deliver what is waiting. Returns the counts."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._crash is not None:
            crash, self._crash = self._crash, None
            raise crash
        return self.counts

    def __enter__(self) -> EdgeCompute:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Is it playing in the background?"""
        return self._thread is not None and self._thread.is_alive()

    def switch(self, scenario: Scenario | None) -> None:
        """From the next interaction on, the warehouse follows this scenario (None = back to normal)."""
        self._interactions.switch(scenario)

    @property
    def counts(self) -> dict[str, int]:
        """What happened so far; the names are explained at COUNTED."""
        return self._counts.copy()

    def results(self) -> pd.DataFrame:
        """The last RESULTS_KEPT predictions beside what really happened, in the order in which the interactions began.

        Columns: time_s (end of the interaction in seconds of the edge's clock), event_id, prediction_ms, duration_ms,
        error_ms (prediction minus duration), model_version, latency_ms.
        """
        import pandas as pd

        with self._lock:
            rows = sorted(self._scored)
        return pd.DataFrame([row[1:] for row in rows], columns=RESULTS)

    # How it plays

    def _refuse_while_running(self) -> None:
        if self.running:
            raise RuntimeError("This edge compute is running in the background: call stop() first.")

    def _background(self, on_progress: Callable[[EdgeCompute], None] | None) -> None:
        try:
            self._play(None, on_progress)
        except BaseException as crash:
            self._crash = crash

    def _play(self, interactions: int | None, on_progress: Callable[[EdgeCompute], None] | None) -> None:
        self._open()
        try:
            self._loop(interactions, on_progress)
        finally:
            self._play_out()
            self._close()
            if on_progress is not None:
                on_progress(self)

    def _open(self) -> None:
        self._publisher = self._questions = self._metrics = None
        if self._sns is not None:
            threads = min(4, 1 + int(self.rate // 400))
            self._publisher = Publisher(self._sns, self._topic_arn, self.fc, self._counts, threads=threads)
        if self.live_inference_url is not None:
            threads = min(64, max(4, math.ceil(self.rate * 0.25)))
            self._questions = InferenceClient(self.live_inference_url, timeout_s=self.timeout_s, threads=threads)
        if self._cloudwatch is not None:
            self._metrics = ErrorMetrics(self._cloudwatch, self._namespace, self.fc, self._counts)

    def _close(self) -> None:
        if self._questions is not None:
            self._questions.close()
        until = time.monotonic() + self.patience_s
        for part in (self._publisher, self._metrics):
            if part is not None:
                part.close(max(until - time.monotonic(), 0.0))
                self.last_error = part.last_error or self.last_error

    def _loop(self, interactions: int | None, on_progress: Callable[[EdgeCompute], None] | None) -> None:
        zero_s, first, shown = self._clock_s, self._begun, time.perf_counter()
        self._clock.begin()
        while not self._stop.is_set() and (interactions is None or self._begun - first < interactions):
            starts_s = zero_s + (self._begun - first) / self.rate
            next_s = min(starts_s, self._due[0].at_s) if self._due else starts_s
            wait_s = next_s - zero_s - self._clock.now_s()
            if wait_s > 0:
                self._clock.wait(wait_s, self._stop)
            elif next_s == starts_s:
                self._begin(starts_s)
            else:
                self._happen(heapq.heappop(self._due))
            if on_progress is not None and time.perf_counter() - shown >= PROGRESS_S:
                shown = time.perf_counter()
                on_progress(self)
        self._clock_s = zero_s + (self._begun - first) / self.rate
        while interactions is not None and not self._stop.is_set():
            left_s = self._clock_s - zero_s - self._clock.now_s()
            if left_s <= 0:
                break
            self._clock.wait(left_s, self._stop)

    def _play_out(self) -> None:
        """What is in progress ends now."""
        while self._due:
            self._happen(heapq.heappop(self._due))

    def _begin(self, starts_s: float) -> None:
        sample = next(self._interactions)
        ends_s = starts_s + sample["duration"] / 1000.0 / self.speed
        interaction = Interaction(self._begun, starts_s, ends_s, sample)
        self._begun += 1
        self._counts.add("started")
        self._schedule(ends_s, "end", interaction)
        if self._questions is not None:
            self._counts.add("asked")
            while not self.realtime and self._questions.waiting >= MOST_QUESTIONS:
                time.sleep(0.001)
            self._questions.ask(features_line(sample), lambda answer: self._answered(interaction, answer))

    def _happen(self, due: _Due) -> None:
        if due.what == "publish":
            self._publish(due.interaction)
            return
        interaction = due.interaction
        self._counts.add("ended")
        with self._lock:
            interaction.ended = True
            scored = interaction.answer is not None
        if scored:
            self._score(interaction)
        if self._publisher is None:
            return
        if self.mischief.delayed(interaction.sample["event_id"]):
            self._counts.add("delayed")
            self._schedule(interaction.ends_s + self.mischief.late_by_s / self.speed, "publish", interaction)
        else:
            self._publish(interaction)

    def _schedule(self, at_s: float, what: str, interaction: Interaction) -> None:
        heapq.heappush(self._due, _Due(at_s, interaction.number, what, interaction))

    def _publish(self, interaction: Interaction) -> None:
        event_id, sample = interaction.sample["event_id"], interaction.sample
        if self.mischief.clock_skew_s:
            sample = {**sample, "time": sample["time"] + self.mischief.clock_skew_s}
        line = to_csv_line(sample)
        message = self.mischief.damaged(event_id, line)
        if message != line:
            self._counts.add("malformed")
        self._publisher.put(message)
        if self.mischief.duplicated(event_id):
            self._counts.add("duplicates")
            self._publisher.put(message)
        if interaction.number + 1 == self.mischief.stray_after:
            self._counts.add("stray")
            self._publisher.put(behaviour.STRAY_MESSAGE)

    def _answered(self, interaction: Interaction, answer: Answer) -> None:
        """An answer came (in a thread of the client)."""
        self._counts.add(answer.outcome)
        if answer.outcome != "answered":
            self.last_error = answer.reason
            return
        if answer.latency_s > self.deadline_s:
            self._counts.add("late")
        with self._lock:
            interaction.answer = answer
            ended = interaction.ended
        if ended:
            self._score(interaction)

    def _score(self, interaction: Interaction) -> None:
        """Both are known, the prediction and the duration."""
        answer, sample = interaction.answer, interaction.sample
        error_ms = answer.prediction_ms - sample["duration"]
        version = self.model_version or answer.model
        row = (
            interaction.number, round(interaction.ends_s, 3), sample["event_id"], answer.prediction_ms,
            sample["duration"], error_ms, version, round(answer.latency_s * 1000.0, 1),
        )  # fmt: skip
        with self._lock:
            self._scored.append(row)
        if self._metrics is not None:
            self._metrics.add(error_ms, version)

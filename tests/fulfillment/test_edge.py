"""Edge compute over real sockets: what it emits, asks, measures and counts."""

import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fulfillment import (
    FCS,
    PEAK_SEASON,
    SAMPLE_SCHEMA,
    EdgeCompute,
    Mischief,
    error_metrics,
    parse_samples,
    publisher,
)
from helpers.fulfillment import edge as edge_module

from .conftest import InferenceServer, serving

PATIENT = {"timeout_s": 60}  # so that a busy machine fails no question
FAST = {"topic_arn": "arn:aws:sns:us-east-1:123456789012:samples", "realtime": False} | PATIENT


def edge_of(topic, **options):
    return EdgeCompute(sns=topic, **FAST | options)


def test_every_sample_fits_the_schema_and_is_counted(topic):
    edge = edge_of(topic, rate=200)
    counts = edge.run(20)
    assert counts["started"] == counts["ended"] == counts["sent"] == len(topic.messages) == 4000
    samples = SAMPLE_SCHEMA.validate(parse_samples("\n".join(topic.messages)), lazy=True)
    assert set(samples["fc"]) == {FCS[0]}
    assert topic.attributes[0] == {"fc": {"DataType": "String", "StringValue": FCS[0]}}


def test_the_same_seed_and_number_give_the_same_bytes(topic):
    other = type(topic)()
    edge_of(topic, seed=3).run(5)
    slow = edge_of(other, seed=3)
    slow.run(2)
    slow.run(3)
    assert sorted(topic.messages) == sorted(other.messages)
    assert len(topic.messages) == 1000


def test_other_seeds_and_centres_give_other_samples(topic):
    first, second, third = (type(topic)() for _ in range(3))
    edge_of(first, seed=1).run(1)
    edge_of(second, seed=2).run(1)
    edge_of(third, seed=1, fc=FCS[1]).run(1)
    assert not set(first.messages) & set(second.messages)
    assert not set(first.messages) & set(third.messages)


class ByHand:
    """A clock that goes on only when somebody waits, then a little longer than asked, as a computer's does."""

    def __init__(self, edge_counts, late_s):
        self.time_s, self.counts, self.late_s, self.marks = 0.0, edge_counts, late_s, []

    def begin(self):
        self.time_s = 0.0

    def now_s(self):
        return self.time_s

    def wait(self, seconds, stop):
        self.marks.append((self.time_s, self.counts()["started"]))
        self.time_s += min(seconds, 0.05) + self.late_s


@pytest.mark.parametrize("rate", [1, 7.5, 50, 2000])
@pytest.mark.parametrize("late_s", [0.0, 0.003])
def test_the_rate_is_steady_by_the_clock_it_follows(rate, late_s):
    """Whenever it waits, exactly those interactions have begun that are due: the k-th at k / rate, none adrift."""
    seconds = 120 if rate < 50 else 3
    clock = ByHand(lambda: edge.counts, late_s)
    edge = EdgeCompute(rate=rate, clock=clock)
    assert edge.run(seconds)["started"] == round(rate * seconds)
    assert len(clock.marks) > 50
    for at_s, started in clock.marks:
        due = at_s * rate  # the edges of float numbers aside
        assert math.floor(due - 1e-6) + 1 <= started <= math.floor(due + 1e-6) + 1 or started == round(rate * seconds)
    assert clock.time_s == pytest.approx(seconds, abs=0.06)


def test_interactions_end_after_their_duration_on_the_edges_clock(inference):
    edge = EdgeCompute(rate=50, speed=30, realtime=False, live_inference_url=inference.url, **PATIENT)
    edge.run(4)
    results = edge.results()
    begun_s = results["time_s"] - results["duration_ms"] / 1000 / 30
    assert begun_s.to_numpy() == pytest.approx(np.arange(200) / 50, abs=0.001)


@pytest.mark.parametrize("rate", [1, 50, 1000])
def test_real_time_begins_just_as_many_as_were_asked_for(rate):
    begun = time.perf_counter()
    counts = EdgeCompute(rate=rate).run(1)
    assert counts["started"] == counts["ended"] == rate
    assert time.perf_counter() - begun >= 1


def test_questions_are_answered_and_errors_are_prediction_minus_duration(topic, inference, metrics):
    edge = edge_of(topic, rate=100, live_inference_url=inference.url, cloudwatch=metrics)
    counts = edge.run(3)
    results = edge.results()
    assert counts["asked"] == counts["answered"] == len(results) == len(inference.asked) == 300
    assert counts["metrics"] == 300
    assert (results["error_ms"] == results["prediction_ms"] - results["duration_ms"]).all()
    assert set(results["model_version"]) == {"v1"}
    samples = parse_samples("\n".join(topic.messages)).set_index("event_id")
    assert (samples.loc[results["event_id"], "duration"].to_numpy() == results["duration_ms"].to_numpy()).all()
    for name in ("PredictionError", "AbsolutePredictionError"):
        for dimensions in ({"FC": FCS[0], "ModelVersion": "v1"}, {"FC": FCS[0]}):
            data = [
                datum for datum in metrics.data
                if datum["MetricName"] == name and {d["Name"]: d["Value"] for d in datum["Dimensions"]} == dimensions
            ]  # fmt: skip
            values = [value for datum in data for value in datum["Values"]]
            expected = results["error_ms"] if name == "PredictionError" else results["error_ms"].abs()
            assert sum(values) == pytest.approx(expected.sum())
            assert {datum["StorageResolution"] for datum in data} == {1}
            assert {datum["Unit"] for datum in data} == {"Milliseconds"}


def test_the_last_results_are_kept_and_no_more(inference, monkeypatch):
    monkeypatch.setattr(edge_module, "RESULTS_KEPT", 50)
    edge = EdgeCompute(rate=100, realtime=False, live_inference_url=inference.url, **PATIENT)
    assert edge.run(1)["answered"] == 100
    assert len(edge.results()) == 50


def test_questions_are_asked_side_by_side(inference):
    inference.delay_s = 0.05
    edge = EdgeCompute(rate=100, live_inference_url=inference.url, **PATIENT)
    counts = edge.run(2)
    assert counts["answered"] == len(inference.asked) == 200
    assert inference.most_at_once >= 3  # else it would take 10 s


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, "12.5", "invalid"),
        (200, '{"prediction_ms": "many"}', "invalid"),
        (200, '{"prediction_ms": NaN}', "invalid"),
        (200, '{"prediction_ms": 1e300}', "invalid"),
        (400, '{"message": "12 values are needed"}', "invalid"),
        (429, '{"message": "Too Many Requests"}', "failed"),
        (502, '{"message": "Internal server error"}', "failed"),
    ],
)
def test_an_answer_without_a_prediction_is_counted_as_such(inference, status, body, outcome):
    inference.status, inference.body = status, body
    edge = EdgeCompute(rate=20, live_inference_url=inference.url, realtime=False, **PATIENT)
    counts = edge.run(1)
    assert counts["asked"] == counts[outcome] == 20
    assert counts["answered"] == len(edge.results()) == 0
    assert edge.last_error


def test_slow_answers_are_late_and_too_slow_ones_fail(inference):
    inference.delay_s = 0.2
    edge = EdgeCompute(rate=10, live_inference_url=inference.url, deadline_s=0.1, **PATIENT)
    counts = edge.run(0.5)
    assert counts["late"] == counts["answered"] == 5
    edge = EdgeCompute(rate=10, live_inference_url=inference.url, timeout_s=0.1)
    counts = edge.run(0.5)
    assert counts["failed"] == counts["asked"] == 5


def test_nobody_there_is_a_failure_and_the_samples_go_on(topic):
    edge = edge_of(topic, rate=20, live_inference_url="http://127.0.0.1:9/nobody", timeout_s=0.5)
    counts = edge.run(1)
    assert counts["failed"] == 20
    assert counts["sent"] == 20


def test_a_host_name_that_cannot_be_fails_each_question():
    counts = EdgeCompute(rate=20, live_inference_url="http://a..b/x", realtime=False, **PATIENT).run(1)
    assert counts["failed"] == counts["asked"] == 20


def test_after_the_network_failed_every_sample_arrives(topic, until):
    edge = edge_of(topic, rate=200, realtime=True)
    edge.start()
    until(lambda: edge.counts["sent"] > 20)
    topic.broken = True
    until(lambda: edge.counts["send_errors"] > 1)
    topic.broken = False
    topic.reject = 3
    counts = edge.stop()
    assert counts["unsent"] == 0
    assert counts["sent"] == counts["started"] == len(topic.messages)
    assert len({message.split(",")[13] for message in topic.messages}) == counts["started"]


class Unreliable:
    """SNS and CloudWatch as a bad network shows them; what they took is what they took."""

    def __init__(self, failures):
        self.failures, self.lock = list(failures), threading.Lock()
        self.messages, self.errors = [], []

    def _next(self):
        with self.lock:
            return self.failures.pop() if self.failures else "well"

    def publish_batch(self, *, TopicArn, PublishBatchRequestEntries):
        fate, failed = self._next(), []
        if fate == "broken":
            raise ConnectionError("no network")
        for i, entry in enumerate(PublishBatchRequestEntries):
            if fate == "partly" and i % 2:
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
            else:
                self.messages.append(entry["Message"])
        return {"Successful": [], "Failed": failed}

    def put_metric_data(self, *, Namespace, MetricData):
        if self._next() != "well":
            raise ConnectionError("no network")
        for datum in MetricData:
            if datum["MetricName"] == "PredictionError" and len(datum["Dimensions"]) == 1:
                self.errors.extend(datum["Values"])


FATES = st.lists(st.sampled_from(["well", "broken", "partly"]), max_size=12)
ANSWERS = st.lists(
    st.sampled_from(
        [
            (200, '{"prediction_ms": 9000, "model": "v1"}'),
            (200, '{"prediction_ms": 9000, "model": "Ünï\\n"}'),
            (200, '{"prediction_ms": 1e300}'),
            (200, '{"prediction_ms": ' + "9" * 400 + "}"),
            (200, "[" * 20_000),
            (200, ""),
            (404, "{}"),
            (503, "later"),
            (0, ""),  # hangs up
        ]
    ),
    min_size=1,
    max_size=8,
)


@given(sns=FATES, cloudwatch=FATES, answers=ANSWERS, seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_whatever_fails_no_count_is_lost(sns, cloudwatch, answers, seed):
    """Random failures of SNS, CloudWatch and the URL: each message, question and error ends in one count."""
    topic, metrics = Unreliable(sns), Unreliable(cloudwatch)
    with serving(InferenceServer()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "PAUSES_S", (0.01,))
        patch.setattr(error_metrics, "PAUSE_S", 0.01)
        server.answers = answers
        edge = edge_of(
            topic, rate=60, seed=seed, live_inference_url=server.url, cloudwatch=metrics, patience_s=20,
            mischief=Mischief(duplicates=0.1, malformed=0.1, late=0.1, stray_after=5),
        )  # fmt: skip
        counts = edge.run(1)
    assert counts["started"] == counts["ended"] == counts["asked"] == 60
    assert counts["sent"] == len(topic.messages) == 60 + counts["duplicates"] + counts["stray"]
    assert counts["asked"] == counts["answered"] + counts["failed"] + counts["invalid"]
    assert counts["answered"] == len(edge.results()) == counts["metrics"] == len(metrics.errors)
    assert sum(metrics.errors) == pytest.approx(edge.results()["error_ms"].sum())  # each error once
    assert counts["unsent"] == counts["metrics_unsent"] == 0


def test_what_is_given_up_is_counted_too(inference):
    topic, metrics = Unreliable(["broken"] * 10_000), Unreliable(["broken"] * 10_000)
    edge = edge_of(topic, rate=100, live_inference_url=inference.url, cloudwatch=metrics, patience_s=0.3)
    counts = edge.run(2)
    assert counts["unsent"] == counts["answered"] == counts["metrics_unsent"] == 200
    assert counts["sent"] == counts["metrics"] == 0
    assert "no network" in str(edge.last_error)


def test_impatience_gives_up_nothing_while_the_network_takes_it(topic):
    counts = edge_of(topic, rate=400, patience_s=0).run(1)
    assert counts["sent"] == len(topic.messages) == 400
    assert counts["unsent"] == 0


def test_after_the_url_was_away_its_answers_come_back(inference):
    edge = EdgeCompute(rate=40, live_inference_url=inference.url, realtime=False, **PATIENT)
    inference.status = 503
    assert edge.run(1)["failed"] == 40
    inference.status = 200
    counts = edge.run(1)
    assert (counts["failed"], counts["answered"]) == (40, 40)


def test_after_cloudwatch_was_away_every_error_arrives(inference, metrics, until):
    put = metrics.put_metric_data

    def broken(**_):
        raise ConnectionError("no network")

    metrics.put_metric_data = broken
    edge = EdgeCompute(rate=100, live_inference_url=inference.url, cloudwatch=metrics, **PATIENT)
    edge.start()
    until(lambda: edge.counts["metric_errors"] >= 2)
    metrics.put_metric_data = put
    counts = edge.stop()
    assert counts["metrics"] == counts["answered"] > 0
    assert counts["metrics_unsent"] == 0


def test_the_background_stops_cleanly_and_can_start_again(topic):
    edge = edge_of(topic, rate=500, realtime=True)
    edge.start()
    assert edge.running
    with pytest.raises(RuntimeError, match="stop"):
        edge.run(1)
    counts = edge.stop()
    assert not edge.running
    assert counts["sent"] == counts["started"] == len(topic.messages)
    edge.run(0.1)
    assert edge.counts["started"] == counts["started"] + 50


def test_a_switch_changes_what_follows_and_nothing_before(topic):
    ordinary, switched = topic, type(topic)()
    edge_of(ordinary, seed=5).run(40)
    edge = edge_of(switched, seed=5)
    edge.run(20)
    edge.switch(PEAK_SEASON)
    edge.run(20)
    before_the_switch = type(topic)()
    edge_of(before_the_switch, seed=5).run(20)
    common = set(ordinary.messages) & set(switched.messages)
    assert common == set(before_the_switch.messages)
    changed = parse_samples("\n".join(set(switched.messages) - common))
    before = parse_samples("\n".join(common))
    assert changed["duration"].mean() > before["duration"].mean() + 3000


def test_bad_settings_are_refused_with_the_way_out(topic):
    with pytest.raises(ValueError, match="rate"):
        EdgeCompute(rate=0)
    with pytest.raises(ValueError, match="FC-ASPEN"):
        EdgeCompute(fc="FC-NOWHERE")
    with pytest.raises(ValueError, match="topic_arn"):
        EdgeCompute(sns=topic)
    with pytest.raises(ValueError, match="timeout_s"):
        EdgeCompute(timeout_s=0)
    with pytest.raises(ValueError, match="seconds"):
        EdgeCompute().run(-1)
    with pytest.raises(ValueError, match="http"):
        EdgeCompute(live_inference_url="localhost/x").run(1)

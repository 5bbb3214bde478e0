"""Edge compute over real sockets: what it emits, asks, measures and counts."""

import os
import subprocess
import sys
import time
import zipfile

import pytest

from helpers.fulfillment import FCS, PEAK_SEASON, SAMPLE_SCHEMA, EdgeCompute, Mischief, edge_lambda, parse_samples
from helpers.fulfillment.mischief import STRAY_MESSAGE

FAST = {"topic_arn": "arn:aws:sns:us-east-1:123456789012:samples", "realtime": False}


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


@pytest.mark.parametrize("rate", [1, 50, 1000])
def test_real_time_is_steady_within_one_percent(rate):
    begun = time.perf_counter()
    edge = EdgeCompute(rate=rate)
    marks = []
    counts = edge.run(2, on_progress=lambda e: marks.append((time.perf_counter(), e.counts["started"])))
    assert counts["started"] == 2 * rate
    assert time.perf_counter() - begun == pytest.approx(2, abs=0.25)
    if rate >= 50:
        (first_s, first), (last_s, last) = marks[0], marks[-2]
        assert (last - first) / (last_s - first_s) == pytest.approx(rate, rel=0.02)


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


def test_a_hundred_questions_a_second_keep_pace(inference):
    inference.delay_s = 0.05
    edge = EdgeCompute(rate=100, live_inference_url=inference.url)
    counts = edge.run(3)
    assert counts["answered"] == 300
    assert edge.results()["latency_ms"].median() < 500


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, "12.5", "invalid"),
        (200, '{"prediction_ms": "many"}', "invalid"),
        (200, '{"prediction_ms": NaN}', "invalid"),
        (400, '{"message": "12 values are needed"}', "invalid"),
        (429, '{"message": "Too Many Requests"}', "failed"),
        (502, '{"message": "Internal server error"}', "failed"),
    ],
)
def test_an_answer_without_a_prediction_is_counted_as_such(inference, status, body, outcome):
    inference.status, inference.body = status, body
    edge = EdgeCompute(rate=20, live_inference_url=inference.url, realtime=False)
    counts = edge.run(1)
    assert counts["asked"] == counts[outcome] == 20
    assert counts["answered"] == len(edge.results()) == 0
    assert edge.last_error


def test_slow_answers_are_late_and_too_slow_ones_fail(inference):
    inference.delay_s = 0.2
    edge = EdgeCompute(rate=10, live_inference_url=inference.url, deadline_s=0.1, timeout_s=2)
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
    assert set(switched.messages) & set(ordinary.messages) == {
        message for message in ordinary.messages if message in set(switched.messages)
    }
    common = set(ordinary.messages) & set(switched.messages)
    assert len(common) == 4000
    changed = parse_samples("\n".join(set(switched.messages) - common))
    before = parse_samples("\n".join(common))
    assert changed["duration"].mean() > before["duration"].mean() + 3000


def test_mischief_comes_in_the_shares_asked_for_and_is_counted(topic):
    mischief = Mischief(duplicates=0.05, malformed=0.03, late=0.1, clock_skew_s=3600, stray_after=100)
    counts = edge_of(topic, rate=200, mischief=mischief).run(10)
    assert counts["sent"] == len(topic.messages) == 2000 + counts["duplicates"] + 1
    assert 60 < counts["duplicates"] < 145
    assert 30 < counts["malformed"] < 95
    assert 140 < counts["delayed"] < 260
    assert topic.messages.count(STRAY_MESSAGE) == counts["stray"] == 1
    samples = parse_samples("\n".join(topic.messages))
    import pandera.errors

    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        SAMPLE_SCHEMA.validate(samples, lazy=True)
    assert {"duration", "event_id"} <= set(caught.value.failure_cases["column"])


def test_bad_settings_are_refused_with_the_way_out(topic):
    with pytest.raises(ValueError, match="rate"):
        EdgeCompute(rate=0)
    with pytest.raises(ValueError, match="FC-ASPEN"):
        EdgeCompute(fc="FC-NOWHERE")
    with pytest.raises(ValueError, match="topic_arn"):
        EdgeCompute(sns=topic)
    with pytest.raises(ValueError, match="http"):
        EdgeCompute(live_inference_url="localhost/x").run(1)


def test_the_lambda_zip_runs_with_numpy_and_the_standard_library_alone(tmp_path, inference):
    package = edge_lambda.package(tmp_path / "edge.zip")
    assert package.read_bytes() == edge_lambda.package(tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "task")
    program = """
import sys, types
for name in ("pandas", "pandera", "pyarrow", "xgboost", "requests", "scipy"):
    sys.modules[name] = None
sys.modules["boto3"] = types.ModuleType("boto3")
from helpers.fulfillment.edge_lambda import handler
print(handler({"seconds": 1, "seed": 3}, None)["answered"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path / "task", capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "task"), "LIVE_INFERENCE_API_GATEWAY_URL": inference.url},
    )  # fmt: skip
    assert done.stdout.strip() == "5", done.stderr

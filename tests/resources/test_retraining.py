"""The loop closes by itself: alarm, training job, event, comparison; only a better model changes the endpoint."""

import json
from datetime import UTC, datetime

import pytest

from helpers.fulfillment import FCS, PEAK_SEASON, EdgeCompute, generate, to_csv_line
from helpers.resources import buckets, fulfillment_center, model_training, retraining, roles, sample_collection
from helpers.workshop import WorkshopError

FC = FCS[0]
QUICK = {**model_training.XGBOOST, "num_round": "30"}


@pytest.fixture
def live(ws):
    """A participant whose live model was trained on quiet samples."""
    fulfillment_center.build(ws)
    roles.ensure(ws, "sagemaker", "retraining_lambda", "promotion_lambda")
    for purpose in ("samples", "models"):
        buckets.ensure(ws, purpose)
    parts = model_training.split_by_visit(generate(6_000, seed=3, fc=FC))
    for name in ("train", "validation"):
        model_training.upload(ws, parts[name], name)
    job = model_training.start_training(ws, ws.name("xgboost-first"), QUICK)
    model_training.deploy(ws, model_training.wait_for_training(ws, job), "v1")
    return ws


def collect(ws, frame, key):
    body = "".join(f"{to_csv_line(sample)}\n" for sample in frame.to_dict("records")).encode()
    ws.client("s3").put_object(Bucket=ws.bucket("samples"), Key=f"{sample_collection.PREFIX}{key}", Body=body)


def sound(ws):
    ws.client("cloudwatch").set_alarm_state(
        AlarmName=ws.name(retraining.ALARM), StateValue="ALARM", StateReason="a test"
    )


def decided(ws, function, since, count=1):
    retraining.wait_until(lambda: len(retraining.decisions(ws, function, since)) >= count, 30, f"{function} decides")
    return [said for _, said in retraining.decisions(ws, function, since)]


def test_an_alarm_ends_in_a_better_model_and_a_second_alarm_starts_nothing(live):
    ws, since = live, datetime.now(UTC)
    collect(ws, generate(2_000, seed=11, fc=FC, scenario=PEAK_SEASON), "peak")
    assert retraining.build(ws, FC, -2000.0) == ["two functions", "an alarm", "a rule"]
    sound(ws)
    (promoted,) = decided(ws, retraining.PROMOTION_FUNCTION, since)
    assert promoted["decision"] == "promote the new model"
    assert promoted["new_rmse_ms"] < 0.95 * promoted["live_rmse_ms"]
    retraining.wait_until(lambda: retraining.live_version(ws) == "v2", 30, "the new model is live")
    ws.client("cloudwatch").set_alarm_state(AlarmName=ws.name(retraining.ALARM), StateValue="OK", StateReason="a test")
    sound(ws)
    first, second = decided(ws, retraining.RETRAINING_FUNCTION, since, count=2)
    assert (first["decision"], second["decision"]) == ("retrain", "no retraining")
    assert len(retraining.jobs(ws, since)) == 1
    assert [new for _, _, new in retraining.changes_of_alarm(ws)].count("ALARM") == 2


def test_a_model_that_learned_nothing_new_is_not_promoted(live):
    ws, since = live, datetime.now(UTC)
    shuffled = generate(2_000, seed=12, fc=FC)
    shuffled["duration"] = shuffled["duration"].sample(frac=1, random_state=1).to_numpy()
    collect(ws, shuffled, "noise")
    collect(ws, generate(300, seed=13, fc=FC), "quiet")
    retraining.build(ws, FC, -2000.0)
    sound(ws)
    (said,) = decided(ws, retraining.PROMOTION_FUNCTION, since)
    assert said["decision"] == "keep the live model"
    assert retraining.live_version(ws) == "v1"


def test_starting_afresh_puts_the_first_model_live_again(live):
    ws, since = live, datetime.now(UTC)
    collect(ws, generate(2_000, seed=11, fc=FC, scenario=PEAK_SEASON), "peak")
    retraining.build(ws, FC, -2000.0)
    sound(ws)
    decided(ws, retraining.PROMOTION_FUNCTION, since)
    retraining.wait_until(lambda: retraining.live_version(ws) == "v2", 30, "the new model is live")
    retraining.start_afresh(ws)
    assert retraining.live_version(ws) == "v1"
    assert retraining.alarm_state(ws) is None


def test_the_two_roles_cannot_do_each_others_work(ws):
    def may(purpose):
        return {action for one in roles.policy(ws, purpose)["Statement"] for action in one["Action"]}

    assert "sagemaker:UpdateEndpoint" not in may("retraining_lambda")
    assert "sagemaker:CreateTrainingJob" not in may("promotion_lambda")
    assert not any("*" in action for action in may("retraining_lambda") | may("promotion_lambda"))


def test_waiting_in_vain_says_what_was_waited_for():
    with pytest.raises(TimeoutError, match="the alarm"):
        retraining.wait_until(lambda: False, 0.1, "the alarm")


def test_decisions_of_a_function_that_never_ran_are_none(ws):
    assert retraining.decisions(ws, retraining.PROMOTION_FUNCTION, datetime.now(UTC)) == []


def test_the_pattern_is_json(ws):
    assert ws.name("retraining-") in json.dumps(retraining.completed(ws))


def test_a_loop_that_is_not_closed_says_what_is_missing_at_once(ws):
    with pytest.raises(WorkshopError, match="there is no alarm and no rule yet"):
        retraining.wait_until_quiet(ws)


def test_a_cell_that_starts_edge_compute_twice_leaves_one_running():
    edges = [EdgeCompute(fc=FC, rate=5), EdgeCompute(fc=FC, rate=5)]
    for edge in edges:
        retraining.in_background(edge, "a test")
    try:
        assert [edge.running for edge in edges] == [False, True]
    finally:
        edges[1].stop()

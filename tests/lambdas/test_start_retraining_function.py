"""The retraining function starts one job on the newest samples, however often the alarm calls."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

ENVIRONMENT = {
    "SAMPLES_BUCKET": "samples",
    "SAMPLES_PREFIX": "samples/",
    "MODELS_BUCKET": "models",
    "JOB_PREFIX": "fulfillment-test-retraining-",
    "ROLE_ARN": "arn:aws:iam::123456789012:role/sagemaker",
    "IMAGE_URI": "image",
    "INSTANCE_TYPE": "ml.m5.large",
    "HYPERPARAMETERS": '{"num_round": "10"}',
    "TAGS": '[{"Key": "workshop", "Value": "robot-fulfillment"}]',
    "NEWEST_SAMPLES": "10",
    "FEWEST_SAMPLES": "5",
    "COOLDOWN_S": "60",
    "DEPLOYED_AT": "0",
}
NOW = datetime.now(UTC)


def line(duration):
    return (
        f"{duration},9000,210,140,,1,388,1240,290,220,400,63,35,17,2026-01-05T00:00:00.250Z,FC-ASPEN,us-east-1,1,2,3,4"
    )


class Bucket:
    """An S3 client over a dictionary; objects were written one second after the other."""

    def __init__(self, objects):
        self.objects, self.put = objects, {}

    def get_paginator(self, operation):
        return self

    def paginate(self, Bucket, Prefix):
        entries = [
            {"Key": key, "LastModified": NOW + timedelta(seconds=number)}
            for number, key in enumerate(self.objects)
            if key.startswith(Prefix)
        ]
        return [{"Contents": entries[:1]}, {"Contents": entries[1:]}]

    def get_object(self, Bucket, Key):
        return {"Body": io.BytesIO(self.objects[Key].encode())}

    def put_object(self, Bucket, Key, Body):
        self.put[f"{Bucket}/{Key}"] = Body.decode().splitlines()


class SageMaker:
    def __init__(self, jobs=(), refuses=None):
        self.jobs, self.refuses, self.created = list(jobs), refuses, []

    def list_training_jobs(self, **request):
        return {"TrainingJobSummaries": self.jobs}

    def create_training_job(self, **request):
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "no"}}, "CreateTrainingJob")
        self.created.append(request)


def alarm(value="ALARM", timestamp="2026-11-24T09:30:15.123+0000"):
    return {"alarmData": {"state": {"value": value, "timestamp": timestamp}}}


@pytest.fixture
def function(load, monkeypatch):
    """The function with three objects of samples in the bucket, one stray message among them."""
    loaded = load("start_retraining", **ENVIRONMENT)
    old, new = "\n".join(map(line, range(1, 9))), "\n".join(["hello?", *map(line, range(21, 29))])
    monkeypatch.setattr(loaded, "s3", Bucket({"samples/a": old, "samples/b": new, "other/c": line(99)}))
    monkeypatch.setattr(loaded, "sagemaker", SageMaker())
    return loaded


def test_an_alarm_starts_a_job_on_the_newest_samples_and_holds_the_newest_fifth_back(function):
    said = function.handler(alarm(), None)
    job = "fulfillment-test-retraining-20261124093015"
    assert said == {"decision": "retrain", "job": job, "train": 8, "holdout": 2}
    train = function.s3.put[f"models/retraining/{job}/train/samples.csv"]
    holdout = function.s3.put[f"models/retraining/{job}/holdout/samples.csv"]
    assert [row.split(",")[0] for row in train + holdout] == ["7", "8", *map(str, range(21, 29))]
    assert {len(row.split(",")) for row in train + holdout} == {13}
    (request,) = function.sagemaker.created
    assert request["TrainingJobName"] == job
    channels = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in request["InputDataConfig"]}
    folder = f"s3://models/retraining/{job}"
    assert channels == {"train": f"{folder}/train/", "validation": f"{folder}/holdout/"}


@pytest.mark.parametrize("value", ["OK", "INSUFFICIENT_DATA"])
def test_the_end_of_an_alarm_starts_nothing(function, value):
    assert function.handler(alarm(value), None)["decision"] == "no retraining"
    assert function.sagemaker.created == []


def test_a_job_of_before_the_deployment_does_not_hold_back_a_new_one(function, monkeypatch):
    now = datetime.now(UTC)
    just = {"TrainingJobName": "old", "TrainingJobStatus": "Completed", "CreationTime": now - timedelta(seconds=20)}
    function.sagemaker.jobs = [just]
    assert "old is running or has just run" in function.handler(alarm(), None)["why"]
    monkeypatch.setenv("DEPLOYED_AT", str((now - timedelta(seconds=10)).timestamp()))
    assert function.handler(alarm(), None)["decision"] == "retrain"


def test_a_second_alarm_while_a_job_runs_starts_nothing(function):
    created = NOW - timedelta(hours=2)
    running = {"TrainingJobName": "one", "TrainingJobStatus": "InProgress", "CreationTime": created}
    function.sagemaker.jobs = [running]
    assert "one is running" in function.handler(alarm(), None)["why"]
    assert function.sagemaker.created == []


def test_a_second_alarm_soon_after_a_job_starts_nothing_and_a_late_one_does(function):
    job = {"TrainingJobName": "one", "TrainingJobStatus": "Completed", "CreationTime": datetime.now(UTC)}
    function.sagemaker.jobs = [job]
    assert function.handler(alarm(), None)["decision"] == "no retraining"
    function.sagemaker.jobs = [{**job, "CreationTime": datetime.now(UTC) - timedelta(seconds=90)}]
    assert function.handler(alarm(), None)["decision"] == "retrain"


def test_the_same_alarm_delivered_twice_at_once_starts_one_job(function):
    function.sagemaker.refuses = "ResourceInUse"
    assert "already started" in function.handler(alarm(), None)["why"]


def test_a_refusal_is_not_swallowed(function):
    function.sagemaker.refuses = "AccessDeniedException"
    with pytest.raises(ClientError, match="AccessDenied"):
        function.handler(alarm(), None)


def test_too_few_samples_start_nothing(function):
    function.s3.objects = {"samples/a": line(1)}
    assert function.handler(alarm(), None)["why"] == "there are only 1 samples"


@pytest.mark.parametrize("stray", ["", "hello?", "1,2,3", json.dumps({"a": 1}), line(""), line(-5), line("fast")])
def test_what_is_no_sample_is_left_out(function, stray):
    assert function.training_row(stray) is None

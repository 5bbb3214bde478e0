"""Programs of other people, with boto3: train, watch, read the logs and the metrics, fetch the model and use it."""

import io
import json
import tarfile
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import xgboost
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"


def wait_for(client, job):
    client.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName=job, WaiterConfig={"Delay": 1, "MaxAttempts": 240}
    )
    return client.describe_training_job(TrainingJobName=job)


def rings(rows, seed):
    """Rows of libsvm text: age by eight measures, as in the abalone data set; absent measures are left out."""
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(rows):
        measures = random.uniform(0, 1, 8).round(3)
        age = round(4 + 12 * measures[1] + 6 * measures[7] + random.normal(0, 0.5))
        pairs = [f"{place}:{value}" for place, value in enumerate(measures, start=1) if value > 0.05]
        lines.append(f"{age} {' '.join(pairs)}")
    return "\n".join(lines) + "\n"


def test_abalone_in_libsvm_at_https_addresses(sagemaker, unique):
    """S3's old https addresses in place of s3://, a key without a folder, a loop that asks for the state."""
    client, prefix, job = sagemaker.client, unique("abalone"), unique("DEMO-xgboost-regression")
    for channel, rows in (("train", 600), ("validation", 150)):
        body = io.BytesIO(rings(rows, rows).encode())
        sagemaker.s3.upload_fileobj(body, sagemaker.bucket, f"{prefix}/{channel}")
    address = f"https://s3-us-east-1.amazonaws.com/{sagemaker.bucket}/{prefix}"
    client.create_training_job(
        TrainingJobName=job,
        AlgorithmSpecification={
            "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "TrainingInputMode": "File",
        },
        RoleArn=sagemaker.role,
        OutputDataConfig={"S3OutputPath": f"{address}/single-xgboost"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m4.4xlarge", "VolumeSizeInGB": 5},
        HyperParameters={
            "max_depth": "5", "eta": "0.2", "gamma": "4", "min_child_weight": "6", "subsample": "0.7",
            "objective": "reg:linear", "num_round": "50",
        },
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        InputDataConfig=[
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"{address}/{channel}",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
                "ContentType": "libsvm",
                "CompressionType": "None",
            }
            for channel in ("train", "validation")
        ],
    )  # fmt: skip
    status, seen = None, []
    while status not in ("Completed", "Failed", "Stopped"):
        described = client.describe_training_job(TrainingJobName=job)
        status = described["TrainingJobStatus"]
        seen.append(described["SecondaryStatus"])
        time.sleep(0.1)
    assert status == "Completed", described.get("FailureReason")
    assert [seen[0], seen[-1]] == [seen[0], "Completed"] and set(seen) <= {
        "Starting", "Downloading", "Training", "Uploading", "Completed"
    }  # fmt: skip
    artifact = described["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == f"{address}/single-xgboost/{job}/output/model.tar.gz"
    found = {metric["MetricName"]: metric["Value"] for metric in described["FinalMetricDataList"]}
    assert found["validation:rmse"] < 2.0 and set(found) == {"train:rmse", "validation:rmse"}
    endpoint = sagemaker.deploy(artifact, image=described["AlgorithmSpecification"]["TrainingImage"])
    _, answer = sagemaker.ask(endpoint, "1:0.5 2:0.5 8:0.5", ContentType="text/x-libsvm")
    assert 8 < float(answer) < 18


def test_an_older_image_answers_in_one_line_as_its_programs_expect(sagemaker, unique):
    """Images up to 1.2: the program splits the whole answer at its commas."""
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.0-1-cpu-py3"
    uri = sagemaker.put(f"{unique('old')}/train", rings(200, 1).encode())
    job = sagemaker.train({"train": uri}, {"num_round": "5"}, image=image, content_type="libsvm")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], image=image)
    _, answer = sagemaker.ask(endpoint, "\n".join(["0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5"] * 3))
    assert "\n" not in answer and len(np.fromstring(answer, sep=",")) == 3
    assert any(
        "Offline, image 1.0-1 is served by xgboost 3.2.0" in line for line in sagemaker.log(job["TrainingJobName"])
    )


def customers(rows, seed):
    """A table whose first column says who left; the more calls to the service, the likelier."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "calls": random.poisson(2, rows),
            "minutes": random.normal(180, 50, rows).round(1),
            "plan": random.integers(0, 2, rows),
        }
    )
    chance = 1 / (1 + np.exp(4 - 1.2 * table["calls"] + 1.0 * table["plan"]))
    table.insert(0, "churn", (random.uniform(0, 1, rows) < chance).astype(int))
    return table


def as_channel(sagemaker, prefix, channel, table):
    body = table.to_csv(header=False, index=False).encode()
    return sagemaker.put(f"{prefix}/{channel}/{channel}.csv", body)


@pytest.fixture(scope="module")
def churn(sagemaker):
    """A completed job on the customers' data, and the table to test it with."""
    uris = {name: as_channel(sagemaker, "churn", name, customers(size, size)) for name, size in
            (("train", 1500), ("validation", 400))}  # fmt: skip
    request = sagemaker.request(
        uris,
        {
            "objective": "binary:logistic", "eval_metric": "auc,logloss", "num_round": "40", "eta": "0.2",
            "max_depth": "4", "subsample": "0.8", "scale_pos_weight": "1.5", "verbosity": "0",
        },
        Tags=[{"Key": "project", "Value": "churn"}],
    )  # fmt: skip
    sagemaker.client.create_training_job(**request)
    return wait_for(sagemaker.client, request["TrainingJobName"]), customers(500, 7)


def archive_of(sagemaker, job):
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    body = io.BytesIO()
    sagemaker.s3.download_fileobj(bucket, key, body)
    body.seek(0)
    return tarfile.open(fileobj=body, mode="r:gz")


@pytest.mark.filterwarnings("ignore:.*Unknown file format")  # the artifact's name has no ending, on AWS too
def test_churn_is_trained_fetched_and_scored_on_ones_own_machine(sagemaker, churn, tmp_path):
    job, test = churn
    assert job["TrainingJobStatus"] == "Completed"
    with archive_of(sagemaker, job) as archive:
        archive.extractall(tmp_path, filter="data")
    booster = xgboost.Booster()
    booster.load_model(tmp_path / "xgboost-model")
    chances = booster.predict(xgboost.DMatrix(test.drop(columns="churn").to_numpy()))
    left = test["churn"].to_numpy() == 1
    assert chances[left].mean() > chances[~left].mean() + 0.2
    tags = sagemaker.client.list_tags(ResourceArn=job["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "project", "Value": "churn"}]


def test_metrics_become_a_table_as_version_2_of_the_sdk_made_one(sagemaker, churn):
    """For each metric definition, what CloudWatch has between the job's start and a minute after its end."""
    job, _ = churn
    cloudwatch, rows = sagemaker.offline.client("cloudwatch"), []
    names = [one["Name"] for one in job["AlgorithmSpecification"]["MetricDefinitions"]]
    assert {"train:auc", "validation:auc", "validation:logloss"} <= set(names)
    for name in [one for one in names if one.endswith((":auc", ":logloss"))]:
        found = cloudwatch.get_metric_statistics(
            Namespace="/aws/sagemaker/TrainingJobs",
            MetricName=name,
            Dimensions=[{"Name": "TrainingJobName", "Value": job["TrainingJobName"]}],
            StartTime=job["TrainingStartTime"].replace(second=0, microsecond=0),
            EndTime=job["TrainingEndTime"] + timedelta(minutes=1),
            Period=60,
            Statistics=["Average"],
        )["Datapoints"]
        rows += [{"name": name, "at": point["Timestamp"], "value": point["Average"]} for point in found]
    table = pd.DataFrame(rows)
    assert set(table["name"]) == {"train:auc", "validation:auc", "train:logloss", "validation:logloss"}
    assert table.loc[table["name"].str.endswith(":auc"), "value"].between(0.5, 1).all()
    assert {one["MetricName"] for one in job["FinalMetricDataList"]} == set(table["name"])


def test_logs_are_tailed_while_the_job_runs_as_version_2_of_the_sdk_did(sagemaker, channels):
    """Streams by prefix, events from each stream's own token on, states by the transitions' messages."""
    logs, group = sagemaker.offline.client("logs"), "/aws/sagemaker/TrainingJobs"
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "60", "eval_metric": "mae"})
    job = request["TrainingJobName"]
    sagemaker.client.create_training_job(**request)
    tokens, lines, said, is_over = {}, [], [], False
    while True:
        described = sagemaker.client.describe_training_job(TrainingJobName=job)
        for step in described["SecondaryStatusTransitions"]:
            if (one := (step["Status"], step["StatusMessage"])) not in said:
                said.append(one)
        try:
            streams = logs.describe_log_streams(
                logGroupName=group, logStreamNamePrefix=f"{job}/", orderBy="LogStreamName", limit=1
            )["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            streams = []  # nothing has been written yet
        for stream in streams:
            name = stream["logStreamName"]
            while True:
                more = {"nextToken": tokens[name]} if name in tokens else {}
                answer = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True, **more)
                lines += [event["message"] for event in answer["events"]]
                if answer["nextForwardToken"] == tokens.get(name) or not answer["events"]:
                    break
                tokens[name] = answer["nextForwardToken"]
        if is_over:
            break
        is_over = described["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")
        time.sleep(0.1)
    assert [line.split("#011")[0] for line in lines if line.startswith("[") and "#011" in line] == [
        f"[{number}]" for number in range(60)
    ]
    assert lines == sagemaker.log(job)
    assert [status for status, _ in said] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_a_name_that_is_taken_is_given_a_number(sagemaker, channels, unique):
    base, names = unique("nightly"), []
    for _ in range(3):
        for attempt in range(5):
            name = base if not attempt else f"{base}-{attempt}"
            request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"}, TrainingJobName=name)
            try:
                sagemaker.client.create_training_job(**request)
            except sagemaker.client.exceptions.ResourceInUse:
                continue
            names.append(name)
            break
    assert names == [base, f"{base}-1", f"{base}-2"]
    assert {wait_for(sagemaker.client, name)["TrainingJobStatus"] for name in names} == {"Completed"}
    found = sagemaker.client.list_training_jobs(NameContains=base, SortBy="Name", SortOrder="Ascending")
    assert [one["TrainingJobName"] for one in found["TrainingJobSummaries"]] == names


def test_a_watcher_stops_the_job_that_is_good_enough(sagemaker, channels):
    """Looks at the metrics so far and ends the job; the model of the rounds until then is kept."""
    given = {"num_round": "1000000", "eta": "0.3", "save_model_on_termination": "true"}
    both = {name: channels[name] for name in ("train", "validation")}
    request = sagemaker.request(both, given)
    sagemaker.client.create_training_job(**request)
    name = {"TrainingJobName": request["TrainingJobName"]}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        so_far = {m["MetricName"]: m["Value"] for m in sagemaker.client.describe_training_job(**name).get(
            "FinalMetricDataList", [])}  # fmt: skip
        if so_far.get("validation:rmse", 99) < 3:
            break
        time.sleep(0.1)
    sagemaker.client.stop_training_job(**name)
    job = wait_for(sagemaker.client, request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Stopped" and job["BillableTimeInSeconds"] >= 1
    with archive_of(sagemaker, job) as archive:
        assert archive.getnames() == ["xgboost-model"]


def test_a_spot_job_with_checkpoints(sagemaker, channels, unique):
    prefix = unique("spot")
    job = sagemaker.train(
        {"train": channels["train"]},
        {"num_round": "5"},
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200},
        CheckpointConfig={"S3Uri": f"s3://{sagemaker.bucket}/{prefix}", "LocalPath": "/opt/ml/checkpoints"},
    )
    assert job["TrainingJobStatus"] == "Completed" and job["EnableManagedSpotTraining"] is True
    saved = 100 * (1 - job["BillableTimeInSeconds"] / job["TrainingTimeInSeconds"])
    assert 0 <= saved < 100
    assert sagemaker.s3.list_objects_v2(Bucket=sagemaker.bucket, Prefix=prefix)["KeyCount"] == 1


def test_the_end_of_a_job_arrives_in_a_queue(sagemaker, channels, make_queue, letters, unique, eventually):
    """EventBridge: a rule for jobs that ended, whose queue somebody's automation reads."""
    events, name = sagemaker.offline.client("events"), unique("ended")
    url, arn = make_queue("events")
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Training Job State Change"],
        "detail": {"TrainingJobStatus": ["Completed", "Failed", "Stopped"], "TrainingJobName": [{"prefix": name}]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    tags = [{"Key": "team", "Value": "robots"}]
    good = sagemaker.train({"train": channels["train"]}, {"num_round": "1"}, TrainingJobName=f"{name}-good", Tags=tags)
    bad = sagemaker.train({"train": channels["train"]}, {"num_round": "-1"}, TrainingJobName=f"{name}-bad")
    found = []
    eventually(lambda: len(found) >= 2 or found.extend(map(json.loads, letters(url))), 30)
    by_name = {one["detail"]["TrainingJobName"]: one for one in found}
    assert by_name[f"{name}-good"]["resources"] == [good["TrainingJobArn"]]
    detail = by_name[f"{name}-bad"]["detail"]
    assert detail["TrainingJobStatus"] == "Failed" and detail["FailureReason"] == bad["FailureReason"]
    ended = by_name[f"{name}-good"]["detail"]["TrainingEndTime"]
    assert by_name[f"{name}-good"]["detail"]["Tags"] == {"team": "robots"}
    assert ended == pytest.approx(good["TrainingEndTime"].timestamp() * 1000, abs=1000)
    events.remove_targets(Rule=name, Ids=["queue"])
    events.delete_rule(Name=name)


def test_a_report_of_all_jobs_and_what_they_took(sagemaker, churn):
    """Pages through the jobs, describes each, and adds up their billable seconds by state."""
    totals = {}
    for page in sagemaker.client.get_paginator("list_training_jobs").paginate(
        CreationTimeAfter=churn[0]["CreationTime"] - timedelta(seconds=1), PaginationConfig={"PageSize": 2}
    ):
        for summary in page["TrainingJobSummaries"]:
            job = sagemaker.client.describe_training_job(TrainingJobName=summary["TrainingJobName"])
            count, seconds = totals.get(job["TrainingJobStatus"], (0, 0))
            totals[job["TrainingJobStatus"]] = count + 1, seconds + job.get("BillableTimeInSeconds", 0)
            assert job["TrainingJobArn"] == summary["TrainingJobArn"]
            assert job["TrainingJobArn"].split(":")[3:5] == ["us-east-1", ACCOUNT]
    count, seconds = totals["Completed"]
    assert seconds >= count >= 1


@pytest.mark.parametrize(
    ("mistake", "code"),
    [
        ({"HyperParameters": {"num_round": 100}}, "ParamValidation"),
        ({"TrainingJobName": "my_churn_job"}, "ValidationException"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/typo"}, "ValidationException"),
    ],
    ids=["number", "underscore", "role"],
)
def test_a_beginners_mistake_is_told_before_anything_runs(sagemaker, channels, mistake, code):
    from botocore.exceptions import ParamValidationError

    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"}) | mistake
    with pytest.raises((ClientError, ParamValidationError)) as error:
        sagemaker.client.create_training_job(**request)
    if code == "ParamValidation":
        assert "Invalid type for parameter HyperParameters.num_round, value: 100" in str(error.value)
    else:
        assert error.value.response["Error"]["Code"] == code
        with pytest.raises(ClientError, match=r"Requested resource not found|failed to satisfy constraint"):
            sagemaker.client.describe_training_job(TrainingJobName=request["TrainingJobName"])

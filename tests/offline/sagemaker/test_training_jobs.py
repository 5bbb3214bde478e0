import io
import json
import os
import subprocess
import sys
import tarfile
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
import xgboost
from botocore.exceptions import ClientError

from helpers.offline import process
from helpers.offline.services.sagemaker.job_files import packed
from helpers.offline.services.sagemaker.job_host import environment
from helpers.offline.services.sagemaker.serving.container import LoadError, unpack


def code_of(error) -> str:
    return error.value.response["Error"]["Code"]


def test_a_job_goes_through_the_states_with_awss_messages(trained):
    assert [(step["Status"], step["StatusMessage"]) for step in trained["SecondaryStatusTransitions"]] == [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading the training image"),
        ("Training", "Training image download completed. Training in progress."),
        ("Uploading", "Uploading generated training model"),
        ("Completed", "Training job completed"),
    ]
    assert trained["TrainingEndTime"] >= trained["TrainingStartTime"] >= trained["CreationTime"]


def test_metrics_are_those_of_the_log(sagemaker, trained):
    last = next(line for line in sagemaker.log(trained["TrainingJobName"]) if line.startswith("[29]"))
    found = {metric["MetricName"]: metric["Value"] for metric in trained["FinalMetricDataList"]}
    for name in ("train", "validation"):
        shown = float(last.split(f"#011{name}-rmse:")[1].split("#011")[0])
        assert found[f"{name}:rmse"] == pytest.approx(shown, abs=1e-5)
    assert 1.0 < found["validation:rmse"] < 3.0  # the noise has a standard deviation of 1


def test_the_artifact_holds_one_ubjson_model(sagemaker, trained):
    bucket, _, key = trained["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    assert key == f"out/{trained['TrainingJobName']}/output/model.tar.gz"
    files = unpack(sagemaker.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert list(files) == ["xgboost-model"] and files["xgboost-model"].startswith(b"{L")
    booster = xgboost.Booster()
    booster.load_model(bytearray(files["xgboost-model"]))
    assert booster.num_boosted_rounds() == 30


def test_the_same_data_give_the_same_model_and_other_data_another(sagemaker, channels, trained):
    both = {name: channels[name] for name in ("train", "validation")}
    given = {"num_round": "30", "eval_metric": "rmse", "seed": "1"}
    again = sagemaker.train(both, given)
    other = sagemaker.train({"train": channels["validation"], "validation": channels["test"]}, given)

    def artifact(job):
        bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
        return sagemaker.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    assert artifact(again) == artifact(trained) != artifact(other)


def test_a_header_row_is_silently_a_sample(sagemaker):
    uri = sagemaker.put("header/a.csv", b"duration,a,b\n1,2,3\n2,,x\n3,4,5\n")
    job = sagemaker.train({"train": uri}, {"num_round": "1"})
    assert job["TrainingJobStatus"] == "Completed"
    assert any("Train matrix has 4 rows and 2 columns" in line for line in sagemaker.log(job["TrainingJobName"]))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"hyperparameters": {"eta": "0.1"}}, "Missing required hyperparameter: num_round"),
        ({"hyperparameters": {"num_round": "0"}}, "Hyperparameter num_round: 0 is not in [1, +inf)"),
        ({"content_type": "text/csv;label_size=1"}, "Channel configuration for 'train' channel is not supported"),
        ({"content_type": None}, "is not 'LIBSVM' format. Please ensure the file is in 'LIBSVM' format."),
    ],
)
def test_a_mistake_fails_the_job_in_the_containers_words(sagemaker, channels, changes, text):
    changes = dict(changes)
    given = changes.pop("hyperparameters", {"num_round": "1"})
    job = sagemaker.train({"train": channels["train"]}, given, **changes)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: framework error: \nTraceback (most recent call last):")
    assert len(job["FailureReason"]) <= 1024
    assert text in "\n".join(sagemaker.log(job["TrainingJobName"]))


def test_a_foreign_channel_is_extraneous(sagemaker, channels):
    job = sagemaker.train({"train": channels["train"], "test": channels["test"]}, {"num_round": "1"})
    assert "Extraneous channel found: test" in "\n".join(sagemaker.log(job["TrainingJobName"]))


def test_early_stopping_needs_a_metric_and_a_validation_channel(sagemaker, channels):
    given = {"num_round": "200", "eta": "0.9", "max_depth": "9", "early_stopping_rounds": "2"}
    both = {name: channels[name] for name in ("train", "validation")}

    def rounds(job):
        return sum(line.startswith("[") and "#011" in line for line in sagemaker.log(job["TrainingJobName"]))

    assert rounds(sagemaker.train(both, given)) == 200
    assert rounds(sagemaker.train(both, given | {"eval_metric": "rmse"})) < 50


def test_a_running_job_can_be_stopped(sagemaker, channels, eventually):
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "4000", "max_depth": "10"})
    sagemaker.client.create_training_job(**request)
    name = request["TrainingJobName"]
    eventually(lambda: sagemaker.client.describe_training_job(TrainingJobName=name)["SecondaryStatus"] == "Training")
    sagemaker.client.stop_training_job(TrainingJobName=name)
    job = sagemaker.wait(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    with pytest.raises(ClientError, match="The request was rejected because the training job is in status Stopped"):
        sagemaker.client.stop_training_job(TrainingJobName=name)


def test_a_job_that_takes_too_long_is_stopped(sagemaker, channels):
    limit = {"MaxRuntimeInSeconds": 1}
    job = sagemaker.train({"train": channels["train"]}, {"num_round": "1000000"}, StoppingCondition=limit)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_stopped_job_keeps_the_model_so_far_where_it_is_asked_to(sagemaker, channels, eventually):
    given = {"num_round": "1000000", "save_model_on_termination": "true"}
    request = sagemaker.request({"train": channels["train"]}, given)
    sagemaker.client.create_training_job(**request)
    name = {"TrainingJobName": request["TrainingJobName"]}
    eventually(lambda: "FinalMetricDataList" in sagemaker.client.describe_training_job(**name), 90)
    sagemaker.client.stop_training_job(**name)
    job = sagemaker.wait(request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Stopped"
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    assert list(unpack(sagemaker.s3.get_object(Bucket=bucket, Key=key)["Body"].read())) == ["xgboost-model"]


def test_requests_are_checked_as_aws_does(sagemaker, channels):
    given = sagemaker.request({"train": channels["train"]}, {"num_round": "1"})
    create = sagemaker.client.create_training_job
    pattern = (
        r"Value 'my_job' at 'trainingJobName' failed to satisfy constraint: Member must satisfy regular expression"
    )
    with pytest.raises(ClientError, match=pattern):
        create(**given | {"TrainingJobName": "my_job"})
    with pytest.raises(ClientError, match=r"Value 'ml\.x' at 'resourceConfig\.instanceType' .* enum value set"):
        create(**given | {"ResourceConfig": {"InstanceType": "ml.x", "InstanceCount": 1, "VolumeSizeInGB": 1}})
    with pytest.raises(ClientError, match="2 validation errors detected"):
        create(**given | {"TrainingJobName": "a_b", "HyperParameters": {"x": "v" * 2501}})
    with pytest.raises(ClientError, match="Could not assume role arn:aws:iam::123456789012:role/nobody"):
        create(**given | {"RoleArn": "arn:aws:iam::123456789012:role/nobody"})
    missing = sagemaker.request({"train": f"s3://{sagemaker.bucket}/nothing/"}, {"num_round": "1"})
    with pytest.raises(ClientError, match='No S3 objects found under S3 URL "s3://'):
        create(**missing)


def test_a_name_is_used_once(sagemaker, trained, channels):
    request = sagemaker.request({"train": channels["train"]}, {}, TrainingJobName=trained["TrainingJobName"])
    with pytest.raises(ClientError, match="Training job names must be unique within an AWS account") as error:
        sagemaker.client.create_training_job(**request)
    assert code_of(error) == "ResourceInUse"
    with pytest.raises(ClientError, match=r"Requested resource not found\."):
        sagemaker.client.describe_training_job(TrainingJobName="nowhere")


def test_what_is_not_supported_says_so(sagemaker, channels):
    request = sagemaker.request(
        {"train": channels["train"]}, {"num_round": "1"}, image="1.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
    )
    with pytest.raises(ClientError, match="The offline AWS cannot run the image") as error:
        sagemaker.client.create_training_job(**request)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_jobs_are_listed_newest_first_and_by_page(sagemaker, trained):
    answer = sagemaker.client.list_training_jobs(MaxResults=1, NameContains="JOB-")
    assert len(answer["TrainingJobSummaries"]) == 1
    names = [
        job["TrainingJobName"]
        for page in sagemaker.client.get_paginator("list_training_jobs").paginate(SortBy="CreationTime", MaxResults=2)
        for job in page["TrainingJobSummaries"]
    ]
    assert trained["TrainingJobName"] in names and len(names) == len(set(names))


def test_tags_are_found_by_the_tagging_service(sagemaker, trained, offline):
    arn = trained["TrainingJobArn"]
    sagemaker.client.add_tags(ResourceArn=arn, Tags=[{"Key": "colour", "Value": "blue"}])
    assert sagemaker.client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "colour", "Value": "blue"}]
    found = offline.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "colour"}])
    assert [entry["ResourceARN"] for entry in found["ResourceTagMappingList"]] == [arn]


def test_the_role_needs_s3(sagemaker, channels, offline):
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}'  # noqa: E501
    arn = offline.client("iam").create_role(RoleName="poor", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"}, RoleArn=arn)
    with pytest.raises(ClientError, match="not authorized to perform: s3:ListBucket"):
        sagemaker.client.create_training_job(**request)


def test_a_training_process_gets_no_credentials(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("WORKSHOP_DIR", "/somewhere")
    assert not any(name.startswith(("AWS_", "WORKSHOP_")) for name in environment(tmp_path))


def test_an_archive_is_the_same_for_the_same_files_and_no_path_leads_out(tmp_path):
    (tmp_path / "xgboost-model").write_bytes(b"model")
    assert packed(tmp_path, tmp_path) == packed(tmp_path, tmp_path)
    assert unpack(packed(tmp_path, tmp_path)) == {"xgboost-model": b"model"}
    with pytest.raises(LoadError, match=r"not a tar\.gz"):
        unpack(b"nonsense")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("model")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert unpack(buffer.getvalue()) == {}


def streams_of(offline, job: str) -> dict[str, list[str]]:
    """Host -> lines of its log."""
    logs, group = offline.client("logs"), "/aws/sagemaker/TrainingJobs"
    found = {}
    for stream in logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]:
        host, _, epoch = stream["logStreamName"].removeprefix(f"{job}/").rpartition("-")
        assert abs(int(epoch) - stream["creationTime"] / 1000) < 60
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)
        found[host] = [event["message"] for event in events["events"]]
    return found


def on_two_hosts(sagemaker, uri: str, distribution: str, **more) -> dict:
    request = sagemaker.request({"train": uri}, {"num_round": "4"}, **more)
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataDistributionType"] = distribution
    request["ResourceConfig"]["InstanceCount"] = 2
    return request


@pytest.mark.parametrize(("distribution", "shares"), [("ShardedByS3Key", [150, 150]), ("FullyReplicated", [300, 300])])
def test_two_instances_train_together_with_a_log_each(sagemaker, offline, numbers_csv, unique, distribution, shares):
    key = unique("parts")
    for part in range(3):
        uri = sagemaker.put(f"{key}/part-{part}.csv", numbers_csv(100 if part else 50, part))
    sagemaker.put(f"{key}/part-3.csv", numbers_csv(50, 3))
    request = on_two_hosts(sagemaker, uri, distribution)
    sagemaker.client.create_training_job(**request)
    job = sagemaker.wait(request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    logs = streams_of(offline, request["TrainingJobName"])
    assert sorted(logs) == ["algo-1", "algo-2"]
    seen = [next(line for line in logs[host] if "Train matrix has" in line) for host in sorted(logs)]
    assert [int(line.split("has ")[1].split(" ")[0]) for line in seen] == shares
    assert [metric["MetricName"] for metric in job["FinalMetricDataList"]] == ["train:rmse"]
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    assert list(unpack(sagemaker.s3.get_object(Bucket=bucket, Key=key)["Body"].read())) == ["xgboost-model"]


def listening(process: psutil.Process) -> set[str]:
    """The IPv4 addresses, in hexadecimal, at which something listens in that process's network."""
    rows = [line.split() for line in Path(f"/proc/{process.pid}/net/tcp").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A"}


def interfaces(process: psutil.Process) -> list[str]:
    lines = Path(f"/proc/{process.pid}/net/dev").read_text().splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces of networks are Linux's")
def test_the_connections_between_instances_are_out_of_everybody_elses_reach(
    sagemaker, offline, channels, eventually, tmp_path
):
    """xgboost's workers listen on all interfaces: of a network that has the loopback one alone."""
    ask = (
        "import pathlib, sys; from helpers.offline import private_network as p; "
        "print(p.share(pathlib.Path(sys.argv[1]), is_first=True))"
    )
    can = subprocess.run([sys.executable, "-c", ask, str(tmp_path / "network")], capture_output=True, text=True)
    if can.stdout.strip() != "True":
        pytest.skip("this system does not let this user make a namespace")
    request = on_two_hosts(sagemaker, channels["train"], "FullyReplicated")
    request["HyperParameters"]["num_round"] = "1000000"
    sagemaker.client.create_training_job(**request)
    name = request["TrainingJobName"]
    server = psutil.Process(process.read_state(offline.directory).pid)

    def hosts():
        found = [child for child in server.children() if name in " ".join(child.cmdline())]
        there = [one for one in found if interfaces(one) == ["lo"] and "00000000" in listening(one)]
        return there if len(there) == 2 else None

    found = eventually(hosts, 60)
    networks = {os.readlink(f"/proc/{one.pid}/ns/net") for one in found}
    assert len(networks) == 1 and os.readlink("/proc/self/ns/net") not in networks
    sagemaker.client.stop_training_job(TrainingJobName=name)
    assert sagemaker.wait(name)["TrainingJobStatus"] == "Stopped"
    eventually(
        lambda: not [one for one in psutil.process_iter(["cmdline"]) if name in " ".join(one.info["cmdline"] or ())]
    )


def test_an_instance_without_an_object_is_left_out(sagemaker, offline, channels):
    request = on_two_hosts(sagemaker, channels["train"], "ShardedByS3Key")
    sagemaker.client.create_training_job(**request)
    assert sagemaker.wait(request["TrainingJobName"])["TrainingJobStatus"] == "Completed"
    logs = streams_of(offline, request["TrainingJobName"])
    assert any("Host algo-2 does not have training data." in line for line in logs["algo-2"])
    assert any(line.startswith("[3]#011train-rmse") for line in logs["algo-1"])


def test_a_failure_on_any_instance_fails_the_job(sagemaker, offline, unique):
    key = unique("parts")
    sagemaker.put(f"{key}/a.csv", b"1,2\n3,4\n")
    request = on_two_hosts(sagemaker, sagemaker.put(f"{key}/b.csv", b"7\n"), "ShardedByS3Key")
    sagemaker.client.create_training_job(**request)
    job = sagemaker.wait(request["TrainingJobName"])
    assert job["TrainingJobStatus"] == "Failed"
    log = streams_of(offline, job["TrainingJobName"])["algo-2"]
    assert any("Delimiter '7' is not found on line 7" in line for line in log)


@pytest.mark.parametrize("image", ["linear-learner", "knn"])
def test_the_other_algorithms_refuse_several_instances_by_name(sagemaker, channels, image):
    request = on_two_hosts(
        sagemaker, channels["train"], "FullyReplicated", image=f"382416733822.dkr.ecr.us-east-1.amazonaws.com/{image}:1"
    )
    with pytest.raises(ClientError, match=f"does not support InstanceCount 2 for {image}") as error:
        sagemaker.client.create_training_job(**request)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_more_instances_than_the_quota_are_refused_in_awss_words(sagemaker, channels):
    request = on_two_hosts(sagemaker, channels["train"], "FullyReplicated")
    request["ResourceConfig"]["InstanceCount"] = 9
    text = (
        "The account-level service limit 'ml.m5.large for training job usage' is 8 Instances, with current "
        "utilization of 0 Instances and a request delta of 9 Instances."
    )
    with pytest.raises(ClientError, match=text) as error:
        sagemaker.client.create_training_job(**request)
    assert code_of(error) == "ResourceLimitExceeded"


def test_checkpoints_reach_s3_and_come_back_but_training_starts_anew(sagemaker, channels, unique):
    prefix = unique("checkpoints")
    config = {"S3Uri": f"s3://{sagemaker.bucket}/{prefix}"}
    for _ in range(2):  # images 3.x look for other names than they write, so that nothing is resumed
        job = sagemaker.train({"train": channels["train"]}, {"num_round": "3"}, CheckpointConfig=config)
        assert job["TrainingJobStatus"] == "Completed" and job["CheckpointConfig"]["S3Uri"] == config["S3Uri"]
        keys = [
            found["Key"] for found in sagemaker.s3.list_objects_v2(Bucket=sagemaker.bucket, Prefix=prefix)["Contents"]
        ]
        assert keys == [f"{prefix}/xgboost-checkpoint_0.ubj"]
        assert sum("#011train-rmse" in line for line in sagemaker.log(job["TrainingJobName"])) == 3


def test_pipe_mode_fails_in_the_containers_words_and_fast_file_mode_reads_files(sagemaker, channels):
    for mode, status in (("Pipe", "Failed"), ("FastFile", "Completed")):
        request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"})
        request["AlgorithmSpecification"]["TrainingInputMode"] = mode
        sagemaker.client.create_training_job(**request)
        assert sagemaker.wait(request["TrainingJobName"])["TrainingJobStatus"] == status
    log = sagemaker.log(request["TrainingJobName"])
    assert not any("Pipe mode" in line for line in log)


def test_predictions_of_k_folds_are_the_jobs_output(sagemaker, channels):
    both = {name: channels[name] for name in ("train", "validation")}
    job = sagemaker.train(both, {"num_round": "2", "_kfold": "2", "objective": "reg:squarederror"})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    for name, files in (("model", ["xgboost-model-0", "xgboost-model-1"]), ("output", ["predictions.csv"])):
        body = sagemaker.s3.get_object(Bucket=bucket, Key=key.replace("model.tar.gz", f"{name}.tar.gz"))["Body"].read()
        assert sorted(unpack(body)) == files


def test_times_and_defaults_are_described(trained):
    seconds = (trained["TrainingEndTime"] - trained["TrainingStartTime"]).total_seconds()
    assert trained["TrainingTimeInSeconds"] == trained["BillableTimeInSeconds"] == max(1, round(seconds))
    steps = {step["Status"]: step for step in trained["SecondaryStatusTransitions"]}
    assert trained["TrainingStartTime"] == steps["Downloading"]["StartTime"]
    assert trained["TrainingEndTime"] == steps["Uploading"]["EndTime"]
    assert steps["Completed"]["StartTime"] == steps["Completed"]["EndTime"]
    assert trained["OutputDataConfig"]["KmsKeyId"] == "" and trained["OutputDataConfig"]["CompressionType"] == "GZIP"
    assert (
        trained["InputDataConfig"][0]["CompressionType"] == trained["InputDataConfig"][0]["RecordWrapperType"] == "None"
    )
    specification = trained["AlgorithmSpecification"]
    assert specification["EnableSageMakerMetricsTimeSeries"] is False
    assert len(specification["MetricDefinitions"]) == 2 * 33
    assert all(metric["Timestamp"].microsecond == 0 for metric in trained["FinalMetricDataList"])


def test_a_long_reason_is_cut_at_1024_characters(sagemaker, channels):
    job = sagemaker.train({"train": channels["train"]}, {"num_round": "1", "objective": "x" * 900})
    assert len(job["FailureReason"]) == 1024
    assert "is not in ['aft_loss_distribution'" in "\n".join(sagemaker.log(job["TrainingJobName"]))


def test_a_role_that_may_not_write_fails_at_the_upload(sagemaker, channels, offline, unique):
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}'  # noqa: E501
    may = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"],"Resource":"*"}]}'  # noqa: E501
    iam, name = offline.client("iam"), unique("reader")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=may)
    job = sagemaker.train({"train": channels["train"]}, {"num_round": "1"}, RoleArn=arn)
    assert job["FailureReason"].startswith("ClientError: Artifact upload failed:Error 7: AccessDenied")
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]][-2:] == ["Uploading", "Failed"]
    assert "ModelArtifacts" not in job or not job["ModelArtifacts"].get("S3ModelArtifacts")


def test_metrics_are_in_cloudwatch(trained, offline):
    found = offline.client("cloudwatch").get_metric_statistics(
        Namespace="/aws/sagemaker/TrainingJobs",
        MetricName="validation:rmse",
        Dimensions=[{"Name": "TrainingJobName", "Value": trained["TrainingJobName"]}],
        StartTime=trained["TrainingStartTime"] - timedelta(seconds=60),
        EndTime=trained["TrainingEndTime"] + timedelta(seconds=60),
        Period=60,
        Statistics=["Minimum"],
    )["Datapoints"]
    last = next(one["Value"] for one in trained["FinalMetricDataList"] if one["MetricName"] == "validation:rmse")
    assert min(point["Minimum"] for point in found) == pytest.approx(last, rel=0.2)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ([{"prefix": "s3://BUCKET/KEY/data/"}, "part-0.csv", "part-2.csv"], 80),
        ({"prefix": "s3://BUCKET/KEY/data/"}, None),
        ([{"prefix": "s3://BUCKET/KEY/data/"}, "nowhere.csv"], None),
    ],
    ids=["two of three", "no manifest", "an object that is not there"],
)
def test_a_manifest_names_the_objects(sagemaker, numbers_csv, unique, content, rows):
    prefix = unique("manifest")
    for part in range(3):
        sagemaker.put(f"{prefix}/data/part-{part}.csv", numbers_csv(40, part))
    text = json.dumps(content).replace("BUCKET", sagemaker.bucket).replace("KEY", prefix)
    sagemaker.put(f"{prefix}/some.manifest", text.encode())
    request = sagemaker.request({"train": f"s3://{sagemaker.bucket}/{prefix}/some.manifest"}, {"num_round": "1"})
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataType"] = "ManifestFile"
    sagemaker.client.create_training_job(**request)
    job = sagemaker.wait(request["TrainingJobName"])
    if rows is None:
        assert job["FailureReason"].startswith("ClientError: Data download failed:")
    else:
        assert any(f"Train matrix has {rows} rows" in line for line in sagemaker.log(job["TrainingJobName"]))

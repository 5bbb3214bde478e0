"""Programs of other people, with the AWS CLI in a shell: create, wait, describe, list, stop, tag, tune."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def aws(sagemaker):
    """aws("describe-training-job", …) -> what `aws sagemaker …` printed, as JSON; `fails`: its exit code and words."""

    def run(*arguments, fails=False):
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "sagemaker", *arguments],
            env=sagemaker.offline.process_environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        if fails:
            return done.returncode, done.stderr.strip()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return run


def test_a_job_from_a_file_is_waited_for_listed_tagged_and_stopped(aws, sagemaker, channels, tmp_path, unique):
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "3"}, TrainingJobName=unique("cli"))
    name, skeleton = request["TrainingJobName"], tmp_path / "job.json"
    skeleton.write_text(json.dumps(request))
    arn = aws("create-training-job", "--cli-input-json", f"file://{skeleton}", "--tags", "Key=stage,Value=test")
    arn = arn["TrainingJobArn"]
    aws("wait", "training-job-completed-or-stopped", "--training-job-name", name)
    job = aws("describe-training-job", "--training-job-name", name)
    assert job["TrainingJobStatus"] == "Completed" and job["TrainingJobArn"] == arn
    listed = aws("list-training-jobs", "--name-contains", name, "--status-equals", "Completed", "--max-items", "5",
                 "--sort-by", "CreationTime", "--sort-order", "Descending",
                 "--query", "TrainingJobSummaries[].TrainingJobName")  # fmt: skip
    assert listed == [name]
    assert aws("list-tags", "--resource-arn", arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    code, words = aws("stop-training-job", "--training-job-name", name, fails=True)
    assert code != 0 and words == (
        "An error occurred (ValidationException) when calling the StopTrainingJob operation: The request was rejected "
        "because the training job is in status Completed."
    )
    code, words = aws("describe-training-job", "--training-job-name", f"{name}-typo", fails=True)
    assert code != 0 and words.endswith("DescribeTrainingJob operation: Requested resource not found.")


def test_options_on_the_command_line_and_a_stop(aws, sagemaker, channels, unique):
    name = unique("cli")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": channels["train"]}}
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    aws(
        "create-training-job", "--training-job-name", name, "--role-arn", sagemaker.role,
        "--algorithm-specification", f"TrainingImage={image},TrainingInputMode=File",
        "--hyper-parameters", "num_round=1000000,eta=0.1",
        "--input-data-config", json.dumps([{"ChannelName": "train", "DataSource": source, "ContentType": "text/csv"}]),
        "--output-data-config", f"S3OutputPath=s3://{sagemaker.bucket}/cli",
        "--resource-config", "InstanceType=ml.m5.large,InstanceCount=1,VolumeSizeInGB=5",
        "--stopping-condition", "MaxRuntimeInSeconds=3600",
    )  # fmt: skip
    aws("stop-training-job", "--training-job-name", name)
    aws("wait", "training-job-completed-or-stopped", "--training-job-name", name)
    query = "[TrainingJobStatus, SecondaryStatusTransitions[-1].Status, HyperParameters.eta]"
    assert aws("describe-training-job", "--training-job-name", name, "--query", query) == ["Stopped", "Stopped", "0.1"]


def test_a_tuning_job_from_json(aws, sagemaker, channels, unique, eventually):
    name = unique("cli")
    given = sagemaker.request({key: channels[key] for key in ("train", "validation")}, {})
    kept = ("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
    definition = {key: given[key] for key in (*kept, "StoppingCondition")}
    config = {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ParameterRanges": {"IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "1", "MaxValue": "4"}]},
    }
    made = aws(
        "create-hyper-parameter-tuning-job", "--hyper-parameter-tuning-job-name", name,
        "--hyper-parameter-tuning-job-config", json.dumps(config),
        "--training-job-definition", json.dumps(definition | {"StaticHyperParameters": {"num_round": "2"}}),
    )  # fmt: skip
    assert made["HyperParameterTuningJobArn"].endswith(f":hyper-parameter-tuning-job/{name}")
    option = ("--hyper-parameter-tuning-job-name", name)
    query = ("--query", "HyperParameterTuningJobStatus")
    eventually(lambda: aws("describe-hyper-parameter-tuning-job", *option, *query) == "Completed", 120)
    children = aws("list-training-jobs-for-hyper-parameter-tuning-job", *option, "--sort-by", "Name")
    assert len(children["TrainingJobSummaries"]) == 2
    listed = aws("list-hyper-parameter-tuning-jobs", "--name-contains", name)["HyperParameterTuningJobSummaries"]
    assert [one["HyperParameterTuningJobName"] for one in listed] == [name]

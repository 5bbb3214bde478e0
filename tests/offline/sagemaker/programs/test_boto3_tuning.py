"""Programs of other people, with boto3: a tuning job by its dictionary, its analysis, and the best model deployed."""

import time

import numpy as np
import pandas as pd
import pytest


def marketing(rows, seed):
    random = np.random.default_rng(seed)
    features = random.normal(0, 1, (rows, 5))
    labels = (features[:, 0] + features[:, 1] * features[:, 2] + random.normal(0, 0.5, rows) > 0.5).astype(int)
    lines = (f"{label},{','.join(f'{cell:.4f}' for cell in row)}" for label, row in zip(labels, features, strict=True))
    return "\n".join(lines).encode() + b"\n"


@pytest.fixture(scope="module")
def searched(sagemaker):
    """The direct marketing notebook's tuning job, smaller, and its description at the end."""
    client = sagemaker.client
    for channel, rows in (("train", 800), ("validation", 300)):
        sagemaker.put(f"marketing/{channel}/{channel}.csv", marketing(rows, rows))

    def source(uri):
        return {"S3DataSource": {"S3DataDistributionType": "FullyReplicated", "S3DataType": "S3Prefix", "S3Uri": uri}}

    name = "xgboost-tuningjob-" + time.strftime("%d-%H-%M-%S", time.gmtime())
    client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "ParameterRanges": {
                "CategoricalParameterRanges": [],
                "ContinuousParameterRanges": [
                    {"MaxValue": "1", "MinValue": "0", "Name": "eta"},
                    {"MaxValue": "10", "MinValue": "1", "Name": "min_child_weight"},
                    {"MaxValue": "2", "MinValue": "0", "Name": "alpha"},
                ],
                "IntegerParameterRanges": [{"MaxValue": "10", "MinValue": "1", "Name": "max_depth"}],
            },
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 6, "MaxParallelTrainingJobs": 3},
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"MetricName": "validation:auc", "Type": "Maximize"},
        },
        TrainingJobDefinition={
            "AlgorithmSpecification": {
                "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                "TrainingInputMode": "File",
            },
            "InputDataConfig": [
                {
                    "ChannelName": channel,
                    "CompressionType": "None",
                    "ContentType": "csv",
                    "DataSource": source(f"s3://{sagemaker.bucket}/marketing/{channel}"),
                }
                for channel in ("train", "validation")
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{sagemaker.bucket}/marketing/output"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m4.xlarge", "VolumeSizeInGB": 10},
            "RoleArn": sagemaker.role,
            "StaticHyperParameters": {
                "eval_metric": "auc", "num_round": "20", "objective": "binary:logistic", "rate_drop": "0.3",
                "tweedie_variance_power": "1.4",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 43200},
        },
        Tags=[{"Key": "project", "Value": "marketing"}],
    )  # fmt: skip
    deadline, counted = time.monotonic() + 240, []
    while True:
        job = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        counted.append(job["TrainingJobStatusCounters"])
        if job["HyperParameterTuningJobStatus"] not in ("InProgress", "Stopping"):
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return job, counted


def test_the_counters_only_grow_and_at_most_three_train_at_once(searched):
    job, counted = searched
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    completed = [one["Completed"] for one in counted]
    assert completed == sorted(completed) and completed[-1] == 6
    assert max(one["InProgress"] for one in counted) <= 3
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 6, "Pending": 0, "Failed": 0}


def test_its_training_jobs_become_a_table_sorted_by_the_objective(sagemaker, searched):
    job, _ = searched
    name, rows, token = job["HyperParameterTuningJobName"], [], {}
    while True:
        answer = sagemaker.client.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, MaxResults=4, SortBy="FinalObjectiveMetricValue", SortOrder="Descending",
            **token,
        )  # fmt: skip
        for one in answer["TrainingJobSummaries"]:
            seconds = (one["TrainingEndTime"] - one["TrainingStartTime"]).total_seconds()
            value = one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
            tuned = {key: float(text) for key, text in one["TunedHyperParameters"].items()}
            rows.append(tuned | {"job": one["TrainingJobName"], "value": value, "seconds": seconds})
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    table = pd.DataFrame(rows)
    assert len(table) == 6 and table["job"].is_unique and table["value"].is_monotonic_decreasing
    assert table["eta"].between(0, 1).all() and table["max_depth"].isin(range(1, 11)).all()
    assert (table["seconds"] >= 0).all() and table["value"].max() > 0.7
    assert table["job"].iloc[0] == job["BestTrainingJob"]["TrainingJobName"]
    best = job["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert best == {"Type": "Maximize", "MetricName": "validation:auc", "Value": table["value"].iloc[0]}


def test_the_best_model_is_deployed_and_a_child_is_a_training_job_like_any(sagemaker, searched):
    job, _ = searched
    child = sagemaker.client.describe_training_job(TrainingJobName=job["BestTrainingJob"]["TrainingJobName"])
    assert child["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert child["HyperParameters"]["objective"] == "binary:logistic"
    assert sagemaker.client.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"] == [
        {"Key": "project", "Value": "marketing"}
    ]
    image = child["AlgorithmSpecification"]["TrainingImage"]
    endpoint = sagemaker.deploy(child["ModelArtifacts"]["S3ModelArtifacts"], image=image)
    _, low = sagemaker.ask(endpoint, "-2,0,0,0,0")
    _, high = sagemaker.ask(endpoint, "2,1,1,0,0")
    assert 0 <= float(low) < float(high) <= 1


def test_whole_numbers_for_a_real_hyperparameter_as_the_housing_notebook_has_them(sagemaker, channels, unique):
    """A well-known course searches min_child_weight among integers."""
    client, name = sagemaker.client, unique("boston")
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    both = {key: channels[key] for key in ("train", "validation")}
    given = sagemaker.request(both, {}, content_type="csv", image=image)
    kept = ("AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig")
    ranges = {
        "CategoricalParameterRanges": [],
        "ContinuousParameterRanges": [
            {"Name": "eta", "MinValue": "0.05", "MaxValue": "0.5"},
            {"Name": "subsample", "MinValue": "0.5", "MaxValue": "0.9"},
            {"Name": "gamma", "MinValue": "0", "MaxValue": "10"},
        ],
        "IntegerParameterRanges": [
            {"Name": "max_depth", "MinValue": "3", "MaxValue": "12"},
            {"Name": "min_child_weight", "MinValue": "2", "MaxValue": "8"},
        ],
    }
    static = {"objective": "reg:linear", "early_stopping_rounds": "10", "num_round": "20", "eval_metric": "rmse"}
    client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 3},
            "ParameterRanges": ranges,
        },
        TrainingJobDefinition={key: given[key] for key in (*kept, "StoppingCondition")}
        | {"StaticHyperParameters": static},
    )
    deadline = time.monotonic() + 180
    while True:
        job = client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if job["HyperParameterTuningJobStatus"] != "InProgress":
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    children = client.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    reasons = [child.get("FailureReason") for child in children["TrainingJobSummaries"]]
    assert job["TrainingJobStatusCounters"]["Completed"] == 3, (job.get("FailureReason"), reasons)
    tuned = job["BestTrainingJob"]["TunedHyperParameters"]
    assert tuned["min_child_weight"] in {str(number) for number in range(2, 9)}

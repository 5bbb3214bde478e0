"""Programs of other people, with version 3 of the SageMaker SDK: its resources, its trainer, its tuner."""

import json
import subprocess
import sys

import pytest

COMMON = """
import json, sys, time
bucket, role, train, validation, name = sys.argv[1:6]
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import TrainingJob
def show(**found):
    print("FOUND " + json.dumps(found), flush=True)
image = image_uris.retrieve("xgboost", "us-east-1", version="3.2-0")
"""

RESOURCES = """
from sagemaker.core.shapes import (AlgorithmSpecification, Channel, DataSource, OutputDataConfig, ResourceConfig,
                                   S3DataSource, StoppingCondition)
from sagemaker.core.utils.exceptions import FailedStatusError

def create(job, **hyperparameters):
    return TrainingJob.create(
        training_job_name=job, role_arn=role, hyper_parameters=hyperparameters,
        algorithm_specification=AlgorithmSpecification(training_image=image, training_input_mode="File"),
        input_data_config=[Channel(channel_name="train", content_type="csv", data_source=DataSource(
            s3_data_source=S3DataSource(s3_data_type="S3Prefix", s3_uri=train,
                                        s3_data_distribution_type="FullyReplicated")))],
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/core"),
        resource_config=ResourceConfig(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=5),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600))

done = create(f"{name}-done", num_round="3", objective="reg:squarederror")
done.wait(poll=1, logs=True)
endless = create(f"{name}-endless", num_round="1000000")
endless.stop()
endless.wait(poll=1)
wrong = create(f"{name}-wrong", num_round="3", objective="reg:squared")
try:
    wrong.wait(poll=1)
    failure = ""
except FailedStatusError as error:
    failure = str(error)
again = TrainingJob.get(f"{name}-done")
names = [job.training_job_name for job in TrainingJob.get_all(name_contains=name, sort_by="Name",
                                                             sort_order="Ascending")]
failed = [job.training_job_name for job in TrainingJob.get_all(name_contains=name, status_equals="Failed")]
show(done=done.training_job_status, endless=endless.training_job_status, failure=failure, names=names, failed=failed,
     steps=[step.status for step in again.secondary_status_transitions],
     artifact=again.model_artifacts.s3_model_artifacts,
     metric=again.final_metric_data_list[0].metric_name, seconds=again.billable_time_in_seconds)
wrong.delete()
try:
    TrainingJob.get(f"{name}-wrong")
    show(deleted=False)
except Exception as error:
    show(deleted="Requested resource not found" in str(error))
"""

TRAINER = """
from pathlib import Path
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import (CheckpointConfig, Compute, InputData, Networking, OutputDataConfig,
                                     StoppingCondition, Tag)
Path("hyperparameters.json").write_text(json.dumps(
    {"num_round": 4, "eta": 0.3, "objective": "reg:squarederror", "eval_metric": "rmse", "verbosity": 1}))
trainer = ModelTrainer(
    training_image=image, role=role, sagemaker_session=Session(default_bucket=bucket), base_job_name=name,
    compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
    networking=Networking(subnets=["subnet-11111111"], security_group_ids=["sg-11111111"],
                          enable_network_isolation=True, enable_inter_container_traffic_encryption=True),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=900),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/trainer"),
    checkpoint_config=CheckpointConfig(s3_uri=f"s3://{bucket}/{name}/checkpoints"),
    environment={"STAGE": "test"}, tags=[Tag(key="team", value="robots")],
    hyperparameters="hyperparameters.json",
)
data = [InputData(channel_name="train", data_source=train, content_type="text/csv"),
        InputData(channel_name="validation", data_source=validation, content_type="text/csv")]
trainer.train(input_data_config=data, wait=False)
job = trainer._latest_training_job
job.wait(poll=1, logs=True)
show(name=job.training_job_name, status=job.training_job_status, hyperparameters=job.hyper_parameters,
     subnets=job.vpc_config.subnets, isolated=job.enable_network_isolation, environment=job.environment,
     seconds=job.stopping_condition.max_runtime_in_seconds, checkpoints=job.checkpoint_config.s3_uri,
     metrics=sorted(one.metric_name for one in job.final_metric_data_list), arn=job.training_job_arn)
from sagemaker.core.utils.exceptions import FailedStatusError
broken = ModelTrainer(
    training_image=image, role=role, sagemaker_session=Session(default_bucket=bucket), base_job_name=name,
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/trainer"),
    hyperparameters={"n_estimators": 10, "num_round": 3},
)
try:
    broken.train(input_data_config=data[:1], wait=True, logs=False)
    show(failure="")
except FailedStatusError as error:
    show(failure=str(error))
"""

TUNER = """
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner
def trainer(image, **hyperparameters):
    return ModelTrainer(
        training_image=image, role=role, sagemaker_session=Session(default_bucket=bucket),
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=10),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/tuner"), hyperparameters=hyperparameters)
data = [InputData(channel_name="train", data_source=train, content_type="text/csv"),
        InputData(channel_name="validation", data_source=validation, content_type="text/csv")]
def ranges():
    return {"learning_rate": ContinuousParameter(0.001, 0.3, scaling_type="Logarithmic"),
            "mini_batch_size": IntegerParameter(100, 500), "use_bias": CategoricalParameter(["true", "false"])}
linear = image_uris.retrieve("linear-learner", "us-east-1")
tuner = HyperparameterTuner(
    model_trainer=trainer(linear, predictor_type="regressor", epochs=3), objective_metric_name="validation:mse",
    objective_type="Minimize", max_jobs=4, max_parallel_jobs=2, strategy="Random", random_seed=3,
    hyperparameter_ranges=ranges())
tuner.tune(inputs=data, job_name=name, wait=False)
tuner.latest_tuning_job.wait(poll=1)
table = tuner.analytics().dataframe().sort_values("FinalObjectiveValue")
show(status=tuner.describe().hyper_parameter_tuning_job_status, best=tuner.best_training_job(), rows=len(table),
     columns=sorted(table.columns), first=table["TrainingJobName"].iloc[0],
     rates=[float(value) for value in table["learning_rate"]], ranges=sorted(tuner.analytics().tuning_ranges))
from sagemaker.core.shapes import HyperParameterTuningJobWarmStartConfig, ParentHyperParameterTuningJob
parent = ParentHyperParameterTuningJob(hyper_parameter_tuning_job_name=name)
later = HyperparameterTuner(
    model_trainer=trainer(linear, predictor_type="regressor", epochs=3), objective_metric_name="validation:mse",
    objective_type="Minimize", max_jobs=1, max_parallel_jobs=1, hyperparameter_ranges=ranges(),
    warm_start_config=HyperParameterTuningJobWarmStartConfig(
        warm_start_type="TransferLearning", parent_hyper_parameter_tuning_jobs=[parent]))
later.tune(inputs=data, job_name=f"{name}-w", wait=False)
later.latest_tuning_job.wait(poll=1)
warm = later.describe().warm_start_config
show(later=later.describe().hyper_parameter_tuning_job_status, warm=warm.warm_start_type,
     parents=[one.hyper_parameter_tuning_job_name for one in warm.parent_hyper_parameter_tuning_jobs])
from sagemaker.core.analytics import TrainingJobAnalytics
curve = TrainingJobAnalytics(tuner.best_training_job(), metric_names=["validation:mse"],
                             sagemaker_session=Session(default_bucket=bucket)).dataframe()
show(curve=len(curve), columns_of_curve=sorted(curve.columns))
try:
    HyperparameterTuner(
        model_trainer=trainer(image, num_round=3), objective_metric_name="validation:rmse", objective_type="Maximize",
        max_jobs=1, max_parallel_jobs=1, hyperparameter_ranges={"eta": ContinuousParameter(0.1, 0.9)},
    ).tune(inputs=data, job_name=f"{name}-b", wait=False)
    show(refused="")
except Exception as error:
    show(refused=str(error))
"""


@pytest.fixture
def run(sagemaker, channels, unique, tmp_path):
    """run(program) -> (its name, everything that it showed)."""

    def one(program):
        name = unique("v3")
        places = [sagemaker.bucket, sagemaker.role, channels["train"], channels["validation"], name]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", COMMON + program, *places],
            env=sagemaker.offline.process_environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = {}
        for line in done.stdout.splitlines():
            if line.startswith("FOUND "):
                found |= json.loads(line.removeprefix("FOUND "))
        return name, found

    return one


def test_training_jobs_as_resources(run, sagemaker):
    name, found = run(RESOURCES)
    assert (found["done"], found["endless"], found["deleted"]) == ("Completed", "Stopped", True)
    assert "AlgorithmError" in found["failure"] and "Failed" in found["failure"]
    assert found["names"] == [f"{name}-done", f"{name}-endless", f"{name}-wrong"]
    assert found["failed"] == [f"{name}-wrong"] and found["metric"] == "train:rmse" and found["seconds"] >= 1
    assert found["steps"] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert found["artifact"] == f"s3://{sagemaker.bucket}/core/{name}-done/output/model.tar.gz"


def test_a_trainer_with_everything_around_it(run, sagemaker):
    _, found = run(TRAINER)
    assert found["status"] == "Completed" and found["metrics"] == ["train:rmse", "validation:rmse"]
    assert found["hyperparameters"] == {
        "num_round": "4", "eta": "0.3", "objective": "reg:squarederror", "eval_metric": "rmse", "verbosity": "1"
    }  # fmt: skip
    assert found["subnets"] == ["subnet-11111111"] and found["isolated"] is True and found["seconds"] == 900
    assert found["environment"]["STAGE"] == "test"
    bucket, _, prefix = found["checkpoints"].removeprefix("s3://").partition("/")
    assert sagemaker.s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"] == 1
    tags = sagemaker.client.list_tags(ResourceArn=found["arn"])["Tags"]
    assert {"Key": "team", "Value": "robots"} in tags
    assert "AlgorithmError: framework error" in found["failure"]


def test_a_tuner_of_linear_learner_and_its_table(run, sagemaker):
    name, found = run(TUNER)
    assert found["status"] == "Completed" and found["rows"] == 4 and found["best"] == found["first"]
    assert {"learning_rate", "mini_batch_size", "use_bias", "TrainingElapsedTimeSeconds"} <= set(found["columns"])
    assert all(0.001 <= rate <= 0.3 for rate in found["rates"])
    assert found["ranges"] == ["learning_rate", "mini_batch_size", "use_bias"]
    assert (found["later"], found["warm"], found["parents"]) == ("Completed", "TransferLearning", [name])
    assert found["curve"] >= 1 and found["columns_of_curve"] == ["metric_name", "timestamp", "value"]
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    assert (
        "The objective metric type, [Maximize], that you specified for objective metric, [validation:rmse], isn't "
        f"valid for the [{image}] algorithm. Choose a valid objective metric type."
    ) in found["refused"]

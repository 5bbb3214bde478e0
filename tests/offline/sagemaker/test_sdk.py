"""The SageMaker SDK, version 3, and the AWS CLI, as other people use them."""

import json
import subprocess
import sys

PROGRAM = """
import sys
bucket, role, train, name = sys.argv[1:]
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import ContainerDefinition, ProductionVariant
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, StoppingCondition

image = image_uris.retrieve("xgboost", "us-east-1", version="3.2-0")
trainer = ModelTrainer(
    training_image=image, role=role, sagemaker_session=Session(default_bucket=bucket), base_job_name="sdk",
    compute=Compute(instance_type="ml.m5.large", instance_count=2, volume_size_in_gb=10),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
    output_data_config=OutputDataConfig(s3_output_path=f"s3://{bucket}/out"), hyperparameters={"num_round": 5},
)
trainer.train(input_data_config=[InputData(channel_name="train", data_source=train, content_type="text/csv")])
job = trainer._latest_training_job
print(job.training_job_status, job.final_metric_data_list[0].metric_name)
container = ContainerDefinition(image=image, model_data_url=job.model_artifacts.s3_model_artifacts)
Model.create(model_name=name, primary_container=container, execution_role_arn=role)
variant = ProductionVariant(
    variant_name="AllTraffic", model_name=name, initial_instance_count=1, instance_type="ml.m5.large",
    initial_variant_weight=1,
)
EndpointConfig.create(endpoint_config_name=name, production_variants=[variant])
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name)
endpoint.wait_for_status("InService", poll=1)
print(float(endpoint.invoke(body="5,5,5", content_type="text/csv").body.read()))
"""


def test_train_deploy_and_ask_with_the_sdk(sagemaker, channels, unique):
    environment = sagemaker.offline.process_environment
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PROGRAM,
            sagemaker.bucket,
            sagemaker.role,
            channels["train"],
            unique("sdk"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.split("\n")
    assert "Completed train:rmse" in lines
    assert any(45 < float(line) < 65 for line in lines if line.replace(".", "").isdigit())


def test_a_job_by_the_command_line(sagemaker, channels):
    def aws(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "awscli", "sagemaker", *arguments]
        environment = sagemaker.offline.process_environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    request = sagemaker.request({"train": channels["train"]}, {"num_round": "2"})
    made = aws("create-training-job", "--cli-input-json", json.dumps(request))
    assert made.returncode == 0, made.stderr
    name = request["TrainingJobName"]
    assert json.loads(made.stdout)["TrainingJobArn"].endswith(f":training-job/{name}")
    sagemaker.wait(name)
    query = "[TrainingJobStatus, FinalMetricDataList[0].MetricName]"
    shown = aws("describe-training-job", "--training-job-name", name, "--query", query, "--output", "json")
    assert json.loads(shown.stdout) == ["Completed", "train:rmse"]
    again = aws("create-training-job", "--cli-input-json", json.dumps(request))
    assert "An error occurred (ResourceInUse) when calling the CreateTrainingJob operation" in again.stderr

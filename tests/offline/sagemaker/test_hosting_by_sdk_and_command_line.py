"""Hosting by the SageMaker SDK, version 3, and by the AWS CLI: the programs run in processes of their own."""

import json
import subprocess
import sys

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"

PROGRAM = """
import json, sys
role, data, name = sys.argv[1:]
from sagemaker.core import image_uris
from sagemaker.core.resources import Endpoint, EndpointConfig, Model
from sagemaker.core.shapes import (
    CaptureContentTypeHeader, CaptureOption, ContainerDefinition, DataCaptureConfig, DesiredWeightAndCapacity,
    ProductionVariant,
)

image = image_uris.retrieve("xgboost", "us-east-1", version="3.2-0")

def model(suffix):
    container = ContainerDefinition(image=image, model_data_url=data, environment={"SOME": "thing"})
    return Model.create(model_name=name + suffix, primary_container=container, execution_role_arn=role)

def config(suffix, *variants, **more):
    return EndpointConfig.create(endpoint_config_name=name + suffix, production_variants=[
        ProductionVariant(variant_name=variant, model_name=name + suffix, initial_instance_count=1,
                          instance_type="ml.m5.large", initial_variant_weight=1.0) for variant in variants], **more)

found = {}
models = [model("-1"), model("-2")]
capture = DataCaptureConfig(
    enable_capture=True, initial_sampling_percentage=100, destination_s3_uri=data.rpartition("/")[0] + "/capture",
    capture_options=[CaptureOption(capture_mode="Input"), CaptureOption(capture_mode="Output")],
    capture_content_type_header=CaptureContentTypeHeader(csv_content_types=["text/csv"]))
configs = [config("-1", "a", data_capture_config=capture), config("-2", "a", "b")]
endpoint = Endpoint.create(endpoint_name=name, endpoint_config_name=name + "-1")
endpoint.wait_for_status("InService", poll=1)
found["capture"] = endpoint.data_capture_config.capture_status
answer = endpoint.invoke(body="5,5,5", content_type="text/csv", accept="application/json")
found["score"] = json.loads(answer.body.read())["predictions"][0]["score"]
found["variant"] = answer.invoked_production_variant
endpoint.endpoint_config_name = name + "-2"
endpoint.update()
endpoint.wait_for_status("InService", poll=1)
endpoint.refresh()
found["variants"] = [variant.variant_name for variant in endpoint.production_variants]
found["config"] = endpoint.endpoint_config_name
answer = endpoint.invoke(body="5,5,5", content_type="text/csv", target_variant="b")
found["targeted"] = answer.invoked_production_variant
endpoint.update_weights_and_capacities(
    desired_weights_and_capacities=[
        DesiredWeightAndCapacity(variant_name="b", desired_weight=3, desired_instance_count=2)])
endpoint.wait_for_status("InService", poll=1)
endpoint.refresh()
found["weights"] = {
    one.variant_name: [one.current_weight, one.current_instance_count] for one in endpoint.production_variants}
found["models"] = sorted(one.model_name for one in Model.get_all(name_contains=name))
found["configs"] = sorted(one.endpoint_config_name for one in EndpointConfig.get_all(name_contains=name))
found["endpoints"] = [one.endpoint_name for one in Endpoint.get_all(name_contains=name)]
found["described"] = EndpointConfig.get(endpoint_config_name=name + "-2").production_variants[1].model_name
found["environment"] = Model.get(model_name=name + "-1").primary_container.environment
try:
    endpoint.invoke(body="5,5,5,5", content_type="text/csv")
except Exception as error:
    found["error"] = type(error).__name__ + ": " + str(error)[:120]
endpoint.delete()
endpoint.wait_for_delete(poll=1)
for one in (*configs, *models):
    one.delete()
try:
    Endpoint.get(endpoint_name=name)
except Exception as error:
    found["gone"] = str(error)
print("FOUND" + json.dumps(found))
"""


def test_the_resources_of_the_sdk_make_update_ask_and_delete(sagemaker, unique):
    name = unique("sdk")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, sagemaker.role, sagemaker.boosted("reg:squarederror"), name],
        env=sagemaker.offline.process_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.partition("FOUND")[2].splitlines()[0])
    assert found.pop("score") == pytest.approx(55, abs=15)
    assert "Could not find endpoint" in found.pop("gone")
    error = found.pop("error")
    assert error.startswith("ModelError: An error occurred (ModelError) when calling the InvokeEndpoint operation")
    assert found == {
        "capture": "Started",
        "variant": "a",
        "variants": ["a", "b"],
        "config": f"{name}-2",
        "targeted": "b",
        "weights": {"a": [1.0, 1], "b": [3.0, 2]},
        "models": [f"{name}-1", f"{name}-2"],
        "configs": [f"{name}-1", f"{name}-2"],
        "endpoints": [name],
        "described": f"{name}-2",
        "environment": {"SOME": "thing"},
    }


@pytest.fixture
def aws(sagemaker):
    """aws("sagemaker", "list-models", …) -> the process that has ended."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "awscli", *arguments]
        environment = sagemaker.offline.process_environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_a_model_is_served_by_the_command_line_alone(sagemaker, aws, unique, tmp_path):
    name, body, out = unique("cli"), tmp_path / "rows.csv", tmp_path / "out.csv"
    body.write_text("5,5,5\n1,2,3\n")

    def done(*arguments: str) -> str:
        finished = aws(*arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    data = sagemaker.boosted("reg:squarederror")
    container = f"Image={IMAGE},ModelDataUrl={data}"
    arn = done(
        "sagemaker", "create-model", "--model-name", name, "--primary-container", container,
        "--execution-role-arn", sagemaker.role, "--query", "ModelArn", "--output", "text",
    )  # fmt: skip
    assert arn.strip() == f"arn:aws:sagemaker:us-east-1:123456789012:model/{name}"
    variant = f"VariantName=AllTraffic,ModelName={name},InitialInstanceCount=1,InstanceType=ml.m5.large"
    done("sagemaker", "create-endpoint-config", "--endpoint-config-name", name, "--production-variants", variant)
    done("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    done("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)
    told = done(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--content-type", "text/csv",
        "--body", f"fileb://{body}", str(out),
    )  # fmt: skip
    assert json.loads(told) == {"ContentType": "text/csv; charset=utf-8", "InvokedProductionVariant": "AllTraffic"}
    assert len([float(line) for line in out.read_text().splitlines()]) == 2
    shown = done("sagemaker", "list-endpoints", "--name-contains", name, "--query", "Endpoints[].[EndpointName, "
                 "EndpointStatus]", "--output", "text")  # fmt: skip
    assert shown.split() == [name, "InService"]
    again = aws("sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    assert again.returncode
    assert "An error occurred (ValidationException) when calling the CreateEndpoint operation" in again.stderr
    assert "Cannot create already existing endpoint" in again.stderr
    wrong = aws("sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--content-type", "application/json",
                "--body", f"fileb://{body}", str(out))  # fmt: skip
    assert wrong.returncode and "Received client error (415) from primary with message" in wrong.stderr
    for kind in ("endpoint", "endpoint-config", "model"):
        assert done("sagemaker", f"delete-{kind}", f"--{kind}-name", name) == ""


BUILDER = """
import sys
role, data, name, bucket = sys.argv[1:]
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.serve.model_builder import ModelBuilder

image = image_uris.retrieve("xgboost", "us-east-1", version="3.2-0")
builder = ModelBuilder(
    image_uri=image, s3_model_data_url=data, role_arn=role, sagemaker_session=Session(default_bucket=bucket),
    instance_type="ml.m5.large")
model = builder.build(model_name=name)
endpoint = builder.deploy(endpoint_name=name, initial_instance_count=1, instance_type="ml.m5.large", wait=False)
endpoint.wait_for_status("InService", poll=1)
body = endpoint.invoke(body="5,5,5", content_type="text/csv").body.read().decode()
print("FOUND", model.model_name, endpoint.endpoint_name, body)
"""


def test_a_model_is_built_and_deployed_by_the_sdk(sagemaker, unique):
    name, data = unique("built"), sagemaker.boosted("reg:squarederror")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILDER, sagemaker.role, data, name, sagemaker.bucket],
        env=sagemaker.offline.process_environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    model, endpoint, score = done.stdout.partition("FOUND")[2].split()[:3]
    assert (model, endpoint) == (name, name) and float(score) == pytest.approx(55, abs=15)

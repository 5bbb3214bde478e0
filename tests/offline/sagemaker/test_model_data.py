"""Where a model's files come from: an archive, one object, or a prefix; and how DescribeModel tells it."""

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ROW = "5,5,5"


@pytest.fixture(scope="module")
def content() -> bytes:
    rows = np.random.default_rng(6).uniform(0, 10, (200, 3))
    return bytes(xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, rows[:, 0], nthread=1), 5).save_raw("ubj"))


@pytest.fixture
def deploy(sagemaker, unique):
    """deploy(container without its image) -> name of the model and of its endpoint."""

    def make(**data) -> str:
        name = unique("data")
        sagemaker.client.create_model(
            ModelName=name, PrimaryContainer={"Image": IMAGE, **data}, ExecutionRoleArn=sagemaker.role
        )
        sagemaker.config(name, ("v1", name, 1.0))
        sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        found = sagemaker.settled(name)
        assert found["EndpointStatus"] == "InService", found.get("FailureReason")
        return name

    return make


def source(uri: str, kind: str, compression: str) -> dict:
    return {"S3DataSource": {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}}


def test_the_same_files_serve_the_same_from_everywhere(sagemaker, deploy, content, unique):
    archive = sagemaker.packed(content)
    folder = sagemaker.put(f"{unique('folder')}/model/xgboost-model", content)
    endpoints = [
        deploy(ModelDataUrl=archive),
        deploy(ModelDataSource=source(archive, "S3Object", "Gzip")),
        deploy(ModelDataSource=source(folder, "S3Prefix", "None")),
        deploy(ModelDataSource=source(f"{folder}xgboost-model", "S3Object", "None")),
    ]
    assert len({sagemaker.ask(name, ROW)[1] for name in endpoints}) == 1


def test_an_archives_address_is_told_as_a_source_too(sagemaker, deploy, content):
    archive = sagemaker.packed(content)
    container = sagemaker.client.describe_model(ModelName=deploy(ModelDataUrl=archive))["PrimaryContainer"]
    assert container == {
        "Image": IMAGE,
        "Mode": "SingleModel",
        "ModelDataUrl": archive,
        "ModelDataSource": source(archive, "S3Object", "Gzip"),
        "Environment": {},
    }


@pytest.mark.parametrize("kind", ["S3Prefix", "S3Object"])
def test_nothing_below_a_prefix_is_no_model_data(sagemaker, kind):
    uri = f"s3://{sagemaker.bucket}/nothing/here/"
    with pytest.raises(ClientError, match=f"Could not find model data at {uri}") as caught:
        sagemaker.client.create_model(
            ModelName="never",
            PrimaryContainer={"Image": IMAGE, "ModelDataSource": source(uri, kind, "None")},
            ExecutionRoleArn=sagemaker.role,
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_prefix_without_a_model_fails_the_endpoint_with_its_reason(sagemaker, unique):
    name = unique("readme")
    folder = sagemaker.put(f"{name}/notes/README.md", b"# no model")
    sagemaker.client.create_model(
        ModelName=name,
        PrimaryContainer={"Image": IMAGE, "ModelDataSource": source(folder, "S3Prefix", "None")},
        ExecutionRoleArn=sagemaker.role,
    )
    sagemaker.config(name, ("v1", name, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    found = sagemaker.settled(name)
    assert found["EndpointStatus"] == "Failed" and "README.md is not an XGBoost model" in found["FailureReason"]

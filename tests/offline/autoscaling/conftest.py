"""Endpoints whose model was made here: no training job is needed."""

import io
import tarfile
import uuid

import pytest

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


@pytest.fixture(scope="session")
def model(offline, service_role) -> str:
    """The name of a model of two features."""
    import numpy as np
    import xgboost

    rows = np.random.default_rng(0).random((100, 2))
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, rows.sum(1), nthread=1), 2)
    content, archive = bytes(booster.save_raw("ubj")), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    name = f"scaled-{uuid.uuid4().hex[:8]}"
    s3 = offline.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="model.tar.gz", Body=archive.getvalue())
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{name}/model.tar.gz"}
    role = service_role("sagemaker")
    offline.client("sagemaker").create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    return name


@pytest.fixture
def make_config(offline, model, unique):
    """make_config(variant, instance type) -> name of an endpoint configuration."""

    def make(variant: str = "v1", instance_type: str = "ml.m5.large") -> str:
        name = unique("scaled")
        entry = {"VariantName": variant, "ModelName": model, "InitialInstanceCount": 1, "InstanceType": instance_type}
        offline.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=[entry])
        return name

    return make


@pytest.fixture
def make_endpoint(offline, make_config, eventually):
    """make_endpoint(variant, instance type) -> name of an endpoint in service."""

    def make(*variant: str) -> str:
        sagemaker, name = offline.client("sagemaker"), make_config(*variant)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        eventually(lambda: sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
        return name

    return make


@pytest.fixture
def endpoint(make_endpoint) -> str:
    return make_endpoint()


@pytest.fixture
def target():
    """target(endpoint) -> how Application Auto Scaling names its variant v1."""

    def name(endpoint: str) -> dict:
        resource = f"endpoint/{endpoint}/variant/v1"
        return {"ServiceNamespace": "sagemaker", "ResourceId": resource, "ScalableDimension": DIMENSION}

    return name

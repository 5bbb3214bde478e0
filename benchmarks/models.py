"""A small XGBoost model on synthetic rows, and the same model behind an offline endpoint."""

import io
import json
import tarfile
import time
from pathlib import Path

import numpy as np
import xgboost

FEATURES = 12
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"


def rows(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of shape (count, 12) and targets in ms, with enough structure for trees to find."""
    generator = np.random.default_rng(seed)
    x = generator.gamma(2.0, 100.0, size=(count, FEATURES)).round(1)
    y = (
        5000
        + 8 * x[:, 0]
        + 3000 * (x[:, 6] > 250)
        + 20 * np.sqrt(x[:, 1] * x[:, 2])
        + generator.exponential(3000, count)
    )
    return x, y.round()


def trained(count: int = 50_000) -> xgboost.Booster:
    x, y = rows(count)
    parameters = {"max_depth": 6, "eta": 0.2, "nthread": 2}
    return xgboost.train(parameters, xgboost.DMatrix(x, y), num_boost_round=100)


def role(iam) -> str:
    """A role that SageMaker, Lambda and Firehose may take on, allowed everything."""
    services = [f"{name}.amazonaws.com" for name in ("sagemaker", "lambda", "firehose")]
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}],
    }
    arn = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="bench", PolicyName="all", PolicyDocument=json.dumps(everything))
    return arn


def deploy(aws, booster: xgboost.Booster, role_arn: str, folder: Path, name: str = "bench") -> None:
    """Put `booster` behind the endpoint `name` and wait until it is in service."""
    booster.save_model(folder / "model.ubj")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder / "model.ubj", "xgboost-model")
    s3, sagemaker = aws.client("s3"), aws.client("sagemaker")
    s3.create_bucket(Bucket=f"models-{name}")
    s3.put_object(Bucket=f"models-{name}", Key="model.tar.gz", Body=archive.getvalue())
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://models-{name}/model.tar.gz"}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role_arn)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deadline = time.monotonic() + 60
    while (status := sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]) != "InService":
        if status == "Failed" or time.monotonic() > deadline:
            raise RuntimeError(f"The endpoint is {status}.")
        time.sleep(0.1)


def csv_line(row: np.ndarray) -> str:
    return ",".join(f"{value:g}" for value in row)

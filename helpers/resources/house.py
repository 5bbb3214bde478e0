"""The arena's house opponents: four models really trained and deployed, each behind a path of one REST API.

`python -m helpers.resources.house` makes what is missing and prints NAME=URL lines; with `--arena` it then starts the
arena with them, and passes on what follows.
"""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
from botocore.exceptions import ClientError
from pyarrow.csv import WriteOptions, write_csv

from helpers.resources import buckets, functions, live_inference, model_training, roles
from helpers.workshop import Workshop, connect

API = "HouseAPI"
ROLE = "HouseLambdaRole"
ROWS = 40_000  # of the shipped history, its newest
VERSION = "house"
PROPAGATION_S = 60  # until a new role can be assumed on AWS


@dataclass(frozen=True, slots=True)
class Opponent:
    """A house model. `prepared`: it is trained and asked with gaps filled and features scaled."""

    alias: str
    key: str
    algorithm: str
    hyperparameters: dict[str, str]
    prepared: bool = False

    def name(self, ws: Workshop) -> str:
        return ws.name(f"House-{self.key}")


_TREES = {"objective": "reg:squarederror", "eval_metric": "rmse", "seed": "1"}
OPPONENTS = (
    Opponent(
        "Linear Learner",
        "linear-learner",
        "linear-learner",
        {"predictor_type": "regressor", "feature_dim": "12", "mini_batch_size": "1000", "epochs": "10"},
        prepared=True,
    ),
    Opponent(
        "k-NN",
        "knn",
        "knn",
        {"predictor_type": "regressor", "feature_dim": "12", "k": "100", "sample_size": str(ROWS)},
        prepared=True,
    ),
    Opponent(  # the best of lab 2's settings by a random split, far from the best live
        "Overfitted XGBoost",
        "overfitted",
        "xgboost",
        {**_TREES, "num_round": "200", "max_depth": "6", "eta": "0.3"},
    ),
    Opponent(
        "Regularised XGBoost",
        "regularised",
        "xgboost",
        {**_TREES, "num_round": "150", "max_depth": "6", "eta": "0.07", "min_child_weight": "30", "subsample": "0.7"},
    ),
)


@dataclass(slots=True)
class Building:
    """The house while it is being made in the background."""

    aliases: tuple[str, ...]
    _ws: Workshop | None = None
    _thread: threading.Thread | None = None
    _urls: dict[str, str] = field(default_factory=dict)
    _failed: bool = False

    def urls(self) -> dict[str, str]:
        """Wait until the house stands; alias -> URL. What broke off in the background is tried again here.

        Raises what `build` raises.
        """
        if self._thread is not None:
            self._thread.join()
        if self._failed:  # the reason may be gone by now: a stopped server, a full disk
            self._urls = build(self._ws)
            self._failed = False
        return dict(self._urls)


def start(ws: Workshop) -> Building:
    """Begin to make what is missing of the house, and come back at once."""
    building = Building(tuple(opponent.alias for opponent in OPPONENTS), ws)

    def work() -> None:
        try:
            building._urls = build(ws)
        except Exception:
            building._failed = True

    building._thread = threading.Thread(target=work, name="house", daemon=True)
    building._thread.start()
    return building


def build(ws: Workshop) -> dict[str, str]:
    """Make what is missing of the house; alias -> URL."""
    found = urls(ws)
    if found:
        return found
    buckets.ensure(ws, "models")
    roles.ensure(ws, "sagemaker")
    table = _table()
    uploaded = _upload(ws, table)
    jobs = [(opponent, _train(ws, opponent, uploaded[opponent.prepared])) for opponent in OPPONENTS]
    role = _role(ws)
    for opponent, job in jobs:
        _deploy(ws, opponent, model_training.wait_for_training(ws, job))
        _function(ws, opponent, role, _preparation(table))
    for opponent in OPPONENTS:
        _wait(ws, opponent)
    _publish(ws)
    return urls(ws)


def urls(ws: Workshop) -> dict[str, str]:
    """The opponents' addresses when the house is deployed and its models serve, else nothing."""
    api_id = live_inference.find_api(ws, API)
    if api_id is None or not ws.client("apigateway").get_stages(restApiId=api_id)["item"]:
        return {}
    if any(_status(ws, opponent) != "InService" for opponent in OPPONENTS):
        return {}
    base = live_inference.url(ws, api_id).rpartition("/")[0]
    return {opponent.alias: f"{base}/{opponent.key}" for opponent in OPPONENTS}


def _table() -> pd.DataFrame:
    from helpers.fulfillment import COLUMNS, load_history

    return load_history().tail(ROWS)[list(COLUMNS)].astype(float)


def _preparation(table: pd.DataFrame) -> list[list[float]]:
    """For each feature: the value for a gap, the mean, the standard deviation."""
    features = table.iloc[:, 1:]
    columns = zip(features.median(), features.mean(), features.std(), strict=True)
    return [[round(float(v), 4) for v in column] for column in columns]


def _upload(ws: Workshop, table: pd.DataFrame) -> dict[bool, str]:
    """Write what the opponents train on, as it is and prepared; prepared or not -> S3 prefix."""
    gaps, means, deviations = (list(v) for v in zip(*_preparation(table), strict=True))
    features = (table.iloc[:, 1:].fillna(dict(zip(table.columns[1:], gaps, strict=True))) - means) / deviations
    forms = {False: table, True: pd.concat([table.iloc[:, :1], features.round(6)], axis=1)}
    prefixes = {}
    for prepared, form in forms.items():
        key = f"house/{'prepared' if prepared else 'raw'}/"
        body = io.BytesIO()  # pyarrow: five times as fast as to_csv, while a notebook's cells want the processor
        write_csv(pa.Table.from_pandas(form, preserve_index=False), body, WriteOptions(include_header=False))
        ws.client("s3").put_object(Bucket=ws.bucket("models"), Key=f"{key}train.csv", Body=body.getvalue())
        prefixes[prepared] = f"s3://{ws.bucket('models')}/{key}"
    return prefixes


def _train(ws: Workshop, opponent: Opponent, uri: str) -> str:
    """Start the opponent's training job on what is at `uri`; its name."""
    channel = model_training.channel("train", uri)
    if opponent.algorithm == "knn":
        channel["ContentType"] = "text/csv;label_size=1"
    version = {"version": model_training.XGBOOST_VERSION if opponent.algorithm == "xgboost" else "1"}
    job = f"{opponent.name(ws)}-{time.strftime('%Y%m%d%H%M%S')}"
    ws.client("sagemaker").create_training_job(
        TrainingJobName=job,
        AlgorithmSpecification={
            "TrainingImage": model_training.image(ws, opponent.algorithm, **version),
            "TrainingInputMode": "File",
        },
        RoleArn=ws.role_arn("sagemaker"),
        HyperParameters=opponent.hyperparameters,
        InputDataConfig=[channel],
        OutputDataConfig={"S3OutputPath": f"s3://{ws.bucket('models')}/jobs"},
        ResourceConfig={"InstanceType": model_training.INSTANCE, "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": model_training.LONGEST_WAIT_S},
        Tags=ws.tags,
    )
    return job


def _status(ws: Workshop, opponent: Opponent) -> str | None:
    return model_training.endpoint_status(ws, f"House-{opponent.key}")


def _deploy(ws: Workshop, opponent: Opponent, job: dict) -> None:
    """Let the job's model serve at the opponent's endpoint."""
    client, name = ws.client("sagemaker"), job["TrainingJobName"]
    container = {
        "Image": job["AlgorithmSpecification"]["TrainingImage"],
        "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"],
    }
    variant = {
        "VariantName": VERSION,
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": model_training.INSTANCE,
    }
    client.create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ws.role_arn("sagemaker"), Tags=ws.tags
    )
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=ws.tags)
    place = {"EndpointName": opponent.name(ws), "EndpointConfigName": name}
    if _status(ws, opponent) is None:
        client.create_endpoint(**place, Tags=ws.tags)
    else:
        client.update_endpoint(**place)


def _wait(ws: Workshop, opponent: Opponent) -> None:
    """Until the endpoint serves. Raises RuntimeError if it failed, TimeoutError if it takes too long."""
    deadline = time.monotonic() + model_training.LONGEST_WAIT_S
    while (status := _status(ws, opponent)) in ("Creating", "Updating"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Endpoint {opponent.name(ws)} is still {status}.")
        time.sleep(0.2 if ws.offline else 10)
    if status != "InService":
        raise RuntimeError(f"Endpoint {opponent.name(ws)} is {status}.")


def _role(ws: Workshop) -> str:
    """A role for the house's functions: to ask the house's endpoints, and to write their logs. Its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    names = [opponent.name(ws) for opponent in OPPONENTS]
    endpoints = sorted({ws.arn("sagemaker", f"endpoint/{n}") for name in names for n in (name, name.lower())})
    logs = [ws.arn("logs", f"log-group:/aws/lambda/{name}*") for name in names]
    allowed = [
        roles.allow(["sagemaker:InvokeEndpoint"], endpoints),
        roles.allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], logs),
    ]
    client, name = ws.client("iam"), ws.name(ROLE)
    with ws.unless_it_exists():
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        client.create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=ws.tags)
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    client.put_role_policy(RoleName=name, PolicyName="house", PolicyDocument=policy)
    return client.get_role(RoleName=name)["Role"]["Arn"]


def _function(ws: Workshop, opponent: Opponent, role: str, preparation: list[list[float]]) -> None:
    module = "house_inference" if opponent.prepared else "live_inference"
    environment = {"ENDPOINT_NAME": opponent.name(ws)}
    if opponent.prepared:
        environment["PREPARE"] = json.dumps(preparation)
    client, name = ws.client("lambda"), opponent.name(ws)
    settings = {"Role": role, "Handler": f"{module}.handler", "Environment": {"Variables": environment}}
    settings |= {"Runtime": functions.RUNTIME, "Timeout": 10, "MemorySize": 256}
    if functions.exists(ws, f"House-{opponent.key}"):
        client.update_function_configuration(FunctionName=name, **settings)
        functions.wait_until_ready(ws, f"House-{opponent.key}")
        client.update_function_code(FunctionName=name, ZipFile=functions.zip_of(module))
    else:
        _patiently(
            lambda: client.create_function(
                FunctionName=name, Code={"ZipFile": functions.zip_of(module)}, Tags=ws.tag_map, **settings
            )
        )
    functions.wait_until_ready(ws, f"House-{opponent.key}")


def _patiently(create: Callable[[], object]) -> None:
    """AWS refuses a function whose role is new until the role is known everywhere."""
    deadline = time.monotonic() + PROPAGATION_S
    while True:
        try:
            create()
            return
        except ClientError as error:
            if "cannot be assumed" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(3)


def _publish(ws: Workshop) -> None:
    """One REST API, a path per opponent, deployed."""
    client = ws.client("apigateway")
    api_id = live_inference.find_api(ws, API) or client.create_rest_api(name=ws.name(API), tags=ws.tag_map)["id"]
    for opponent in OPPONENTS:
        function = f"House-{opponent.key}"
        resource = live_inference.create_resource(ws, api_id, opponent.key)
        method = {"restApiId": api_id, "resourceId": resource, "httpMethod": "GET"}
        uri = live_inference.integration_uri(ws, function)
        with ws.unless_it_exists():
            client.put_method(**method, authorizationType="NONE")
        client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
        live_inference.allow_api(ws, api_id, opponent.key, function)
    client.create_deployment(restApiId=api_id, stageName=live_inference.STAGE)


def main(arguments: list[str]) -> int:
    house = build(connect(lab=1))
    if arguments[:1] != ["--arena"]:
        print("\n".join(f"{alias}={url}" for alias, url in house.items()))
        return 0
    options = [part for alias, url in house.items() for part in ("--house", f"{alias}={url}")]
    try:
        return subprocess.call([sys.executable, "-m", "helpers.arena", "serve", *options, *arguments[1:]])
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

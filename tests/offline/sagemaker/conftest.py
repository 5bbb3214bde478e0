"""A bucket with training data, a role for SageMaker, and jobs and endpoints made in a line."""

import io
import json
import tarfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from helpers.offline.services.sagemaker.algorithms.__main__ import run
from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"
RUNNING = ("InProgress", "Stopping")


def numbers(rows: int, seed: int) -> np.ndarray:
    """y = 3a - 2b + 50 + noise of standard deviation 1; features a, b, c in 0..10."""
    random = np.random.default_rng(seed)
    features = random.uniform(0, 10, (rows, 3))
    labels = 3 * features[:, 0] - 2 * features[:, 1] + 50 + random.normal(0, 1, rows)
    return np.column_stack([labels, features])


def as_csv(table: np.ndarray) -> bytes:
    return "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in table).encode() + b"\n"


@dataclass
class SageMaker:
    """The clients and what every request needs."""

    offline: object
    bucket: str
    role: str
    client: object = field(init=False)
    runtime: object = field(init=False)
    s3: object = field(init=False)

    def __post_init__(self):
        self.client = self.offline.client("sagemaker")
        self.runtime = self.offline.client("sagemaker-runtime")
        self.s3 = self.offline.client("s3")

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key.rpartition('/')[0]}/"

    def request(self, channels: dict[str, str], hyperparameters: dict[str, str], **changes) -> dict:
        content_type = changes.pop("content_type", "text/csv")
        request = {
            "TrainingJobName": f"job-{uuid.uuid4().hex[:8]}",
            "AlgorithmSpecification": {"TrainingImage": changes.pop("image", XGBOOST), "TrainingInputMode": "File"},
            "RoleArn": self.role,
            "HyperParameters": hyperparameters,
            "InputDataConfig": [
                {
                    "ChannelName": name,
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
                    **({"ContentType": content_type} if content_type else {}),
                }
                for name, uri in channels.items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return request | changes

    def train(self, channels: dict[str, str], hyperparameters: dict[str, str], **changes) -> dict:
        """The description of a job that has ended."""
        request = self.request(channels, hyperparameters, **changes)
        self.client.create_training_job(**request)
        return self.wait(request["TrainingJobName"])

    def wait(self, job: str, seconds: float = 180) -> dict:
        deadline = time.monotonic() + seconds
        while (found := self.client.describe_training_job(TrainingJobName=job))["TrainingJobStatus"] in RUNNING:
            assert time.monotonic() < deadline, f"{job} is still {found['SecondaryStatus']}"
            time.sleep(0.05)
        return found

    def log(self, job: str) -> list[str]:
        logs, group = self.offline.client("logs"), "/aws/sagemaker/TrainingJobs"
        streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        assert [stream["logStreamName"].rpartition("-")[0] for stream in streams] == [f"{job}/algo-1"]
        events = logs.get_log_events(logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True)[
            "events"
        ]
        return [event["message"] for event in events]

    def model(self, name: str, data_url: str, image: str = XGBOOST, **environment: str) -> None:
        container = {"Image": image, "ModelDataUrl": data_url, "Environment": environment}
        self.client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.role)

    def config(self, name: str, *variants: tuple[str, str, float], **more) -> None:
        """Each variant: name, model, weight."""
        self.client.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "ModelName": model,
                    "InitialInstanceCount": 1,
                    "InstanceType": "ml.m6i.large",
                    "InitialVariantWeight": weight,
                }
                for variant, model, weight in variants
            ],
            **more,
        )

    def settled(self, endpoint: str, seconds: float = 30) -> dict:
        deadline = time.monotonic() + seconds
        busy = ("Creating", "Updating", "RollingBack")
        while (found := self.client.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] in busy:
            assert time.monotonic() < deadline, f"{endpoint} is still {found['EndpointStatus']}"
            time.sleep(0.05)
        return found

    def deploy(self, data_url: str, image: str = XGBOOST, **more) -> str:
        """`more`: variables of the container, and DataCaptureConfig."""
        name = f"endpoint-{uuid.uuid4().hex[:8]}"
        capture = {key: more.pop(key) for key in ("DataCaptureConfig",) if key in more}
        self.model(name, data_url, image, **more)
        self.config(name, ("AllTraffic", name, 1.0), **capture)
        self.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        self.settled(name)
        return name

    def packed(self, model: bytes, file: str = "xgboost-model") -> str:
        """The S3 address of a model.tar.gz that holds this one file."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo(file)
            member.size = len(model)
            tar.addfile(member, io.BytesIO(model))
        return f"{self.put(f'models/{uuid.uuid4().hex}/model.tar.gz', archive.getvalue())}model.tar.gz"

    def boosted(self, objective: str, labels: np.ndarray | None = None, **parameters: object) -> str:
        """The S3 address of an XGBoost model of three features, trained here."""
        import xgboost

        table = numbers(300, 5)
        labels = table[:, 0] if labels is None else labels
        settings = {"objective": objective, "nthread": 1, **parameters}
        booster = xgboost.train(settings, xgboost.DMatrix(table[:, 1:], labels, nthread=1), 5)
        return self.packed(bytes(booster.save_raw("ubj")))

    def ask(self, endpoint: str, body: str, **more) -> tuple[str, str]:
        """(content type, body)"""
        answer = self.runtime.invoke_endpoint(
            **{"EndpointName": endpoint, "ContentType": "text/csv", "Body": body.encode(), **more}
        )
        return answer["ContentType"], answer["Body"].read().decode()


@pytest.fixture(scope="session")
def sagemaker(offline, service_role) -> SageMaker:
    bucket = f"learning-{uuid.uuid4().hex[:8]}"
    offline.client("s3").create_bucket(Bucket=bucket)
    return SageMaker(offline, bucket, service_role("sagemaker"))


@pytest.fixture(scope="session")
def numbers_csv():
    """`numbers_csv(rows, seed)`: rows of `numbers` as CSV, label first."""
    return lambda rows, seed: as_csv(numbers(rows, seed))


@pytest.fixture(scope="session")
def channels(sagemaker) -> dict[str, str]:
    """train: 2000 rows; validation and test: 500 each."""
    sizes = {"train": (2000, 1), "validation": (500, 2), "test": (500, 3)}
    return {name: sagemaker.put(f"{name}/data.csv", as_csv(numbers(*size))) for name, size in sizes.items()}


@pytest.fixture(scope="session")
def trained(sagemaker, channels) -> dict:
    """A completed XGBoost job."""
    both = {name: channels[name] for name in ("train", "validation")}
    job = sagemaker.train(both, {"num_round": "30", "eval_metric": "rmse", "seed": "1"})
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    return job


@pytest.fixture(scope="session")
def endpoint(sagemaker, trained) -> str:
    return sagemaker.deploy(trained["ModelArtifacts"]["S3ModelArtifacts"])


@dataclass
class Ended:
    """A job's process that has ended: its exit code, its failure file, its log, its directory."""

    code: int
    failure: str
    log: str
    directory: Path

    @property
    def model(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.directory / "model").glob("*")}


@pytest.fixture
def train_alone(tmp_path, capfd):
    """Runs an algorithm's program in this process, in a directory as its container finds it; no server.

    `channels`: name -> {file: content}. The content type holds for all; `resources` go into resourceconfig.json.
    """

    def train(algorithm, hyperparameters, channels, content_type="text/csv", **resources) -> Ended:
        directory = tmp_path / uuid.uuid4().hex / "algo-1"
        channel = {"TrainingInputMode": resources.pop("mode", "File"), "S3DistributionType": "FullyReplicated"}
        channel |= {"ContentType": content_type} if content_type else {}
        for folder in ("input/config", "model", "output/data", *(f"input/data/{name}" for name in channels)):
            (directory / folder).mkdir(parents=True)
        for name, files in channels.items():
            for file, content in files.items():
                path = directory / "input" / "data" / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        for folder in resources.pop("folders", ()):
            (directory / folder).mkdir(parents=True)
        documents = {
            "hyperparameters": hyperparameters,
            "inputdataconfig": dict.fromkeys(channels, channel),
            "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"], "threads": 1} | resources,
        }
        for name, document in documents.items():
            (directory / "input" / "config" / f"{name}.json").write_text(json.dumps(document))
        job = JobDirectory(directory)
        capfd.readouterr()
        code = run(algorithm, job)
        out, errors = capfd.readouterr()
        return Ended(code, job.failure.read_text() if job.failure.exists() else "", out + errors, directory)

    return train

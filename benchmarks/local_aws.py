"""An offline AWS of the benchmark's own, in a temporary workspace."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True)
class LocalAws:
    """A running offline AWS: its directory and the environment that clients need."""

    directory: Path
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def status(self) -> dict:
        return json.loads(command("status", self.directory, "--json"))

    def client(self, service: str) -> object:
        return client(
            service, self.url, self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"]
        )


def client(service: str, url: str, access_key_id: str = "test", secret_access_key: str = "test") -> object:
    """A boto3 client of any server, without retries, so that a failure is one."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=600, max_pool_connections=64),
    )


def command(name: str, directory: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the peers were compiled as they were installed
    return subprocess.run(
        [sys.executable, "-m", "helpers.offline", name, *arguments],
        env=environment | {"WORKSHOP_DIR": str(directory)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@contextmanager
def local_aws() -> Iterator[LocalAws]:
    """Start, hand over, stop, remove."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        directory = Path(folder)
        try:
            yield LocalAws(directory, json.loads(command("env", directory, "--json")))
        finally:
            command("stop", directory)

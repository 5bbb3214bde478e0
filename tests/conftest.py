"""Fixtures that the whole suite shares: a workspace of its own, and an offline AWS that runs in it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; what tests start would too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Offline:
    """A running offline AWS, seen from a client."""

    directory: Path
    environment: dict[str, str]

    @property
    def endpoint_url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
        )

    def client(self, name: str, region: str | None = None, **options):
        config = Config(retries={"total_max_attempts": 1}, read_timeout=120)
        options = {"config": config} | options
        return self.session.client(name, region_name=region, endpoint_url=self.endpoint_url, **options)

    @property
    def process_environment(self) -> dict[str, str]:
        """For a client in a process of its own: the workspace's settings and no other of AWS."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return kept | self.environment | {"WORKSHOP_DIR": str(self.directory)}


def run_offline(
    directory: Path, *arguments: str, check: bool = True, **environment: str
) -> subprocess.CompletedProcess:
    """`python -m helpers.offline …` for the workspace in `directory`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WORKSHOP_"))}
    completed = subprocess.run(
        [sys.executable, "-m", "helpers.offline", *arguments],
        env=kept | {"WORKSHOP_DIR": str(directory)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if check and completed.returncode:
        raise AssertionError(f"helpers.offline {arguments} failed: {completed.stdout}{completed.stderr}")
    return completed


def connect(directory: Path) -> Offline:
    """Starts (or finds) the offline AWS of `directory`."""
    return Offline(directory, json.loads(run_offline(directory, "env", "--json").stdout))


@pytest.fixture
def workspace_dir(tmp_path: Path) -> Path:
    """An empty directory for a workspace, removed after the test."""
    return tmp_path / "workshop"


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory):
    """One offline AWS for the whole run."""
    directory = tmp_path_factory.mktemp("offline") / "workshop"
    running = connect(directory)
    yield running
    run_offline(directory, "stop")


@pytest.fixture
def offline_command():
    """`offline_command(directory, "stop")` runs `python -m helpers.offline stop` for that workspace."""
    return run_offline


@pytest.fixture
def start_offline():
    """`start_offline(directory)` starts (or finds) the offline AWS of that workspace; it is stopped after the test."""
    started: list[Path] = []

    def start(directory: Path) -> Offline:
        started.append(directory)
        return connect(directory)

    yield start
    for directory in set(started):
        run_offline(directory, "stop", check=False)

"""The directory of a training job, laid out as /opt/ml is in a container."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class JobDirectory:
    """input/config/*.json, input/data/<channel>/, checkpoints/, model/, output/failure, output/data/."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / "model"
        self.failure = path / "output" / "failure"
        self.output_data = path / "output" / "data"
        self.shared = path.parent  # where the hosts of a job leave word for each other

    @property
    def checkpoints(self) -> Path | None:
        """Where checkpoints go; None where the job keeps none."""
        folder = self.path / "checkpoints"
        return folder if folder.is_dir() else None

    @property
    def hyperparameters(self) -> dict[str, str]:
        return self._config("hyperparameters")

    @property
    def channels(self) -> dict[str, dict[str, Any]]:
        """Channel name -> its configuration: ContentType, TrainingInputMode, S3DistributionType, …"""
        return self._config("inputdataconfig")

    @property
    def resources(self) -> dict[str, Any]:
        """current_host, hosts, threads."""
        return self._config("resourceconfig")

    def data(self, channel: str) -> Path:
        return self.path / "input" / "data" / channel

    def files(self, channel: str) -> list[Path]:
        """The channel's files in the order of their paths."""
        return sorted(path for path in self.data(channel).rglob("*") if path.is_file())

    def write_failure(self, text: str) -> None:
        self.failure.parent.mkdir(parents=True, exist_ok=True)
        self.failure.write_text(text)

    def _config(self, name: str) -> dict[str, Any]:
        return json.loads((self.path / "input" / "config" / f"{name}.json").read_text())


def say(text: str) -> None:
    """One line of the job's log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def framework_log(text: str, level: str = "INFO") -> None:
    """A log line as the XGBoost container writes it."""
    say(f"[{datetime.now(UTC):%Y-%m-%d:%H:%M:%S}:{level}] {text}")

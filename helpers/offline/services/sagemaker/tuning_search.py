"""Which hyperparameters a tuning job tries next: Random, Grid or Bayesian search over its ranges."""

from __future__ import annotations

import itertools
import json
import math
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from helpers.offline.services.sagemaker.job_host import environment
from helpers.offline.services.sagemaker.store import invalid

FIRST_RANDOM = 3  # points before a Gaussian process has anything to say
PROGRAM = "helpers.offline.services.sagemaker.algorithms.suggest"


class Space:
    """The ranges of a tuning job as a unit cube: one coordinate for each hyperparameter."""

    def __init__(self, ranges: dict[str, Any]) -> None:
        self.numbers = [(entry, True) for entry in ranges.get("IntegerParameterRanges", [])]
        self.numbers += [(entry, False) for entry in ranges.get("ContinuousParameterRanges", [])]
        self.categories = list(ranges.get("CategoricalParameterRanges", []))
        for entry, _ in self.numbers:
            if float(entry["MinValue"]) > float(entry["MaxValue"]):
                raise invalid(f"MinValue of {entry['Name']} is larger than its MaxValue.")
            if entry.get("ScalingType") == "Logarithmic" and float(entry["MinValue"]) <= 0:
                raise invalid(f"Logarithmic scaling of {entry['Name']} needs a MinValue above 0.")
            if entry.get("ScalingType") == "ReverseLogarithmic" and not (
                float(entry["MinValue"]) >= 0 and float(entry["MaxValue"]) < 1
            ):
                raise invalid(f"ReverseLogarithmic scaling of {entry['Name']} needs values from 0 to below 1.")

    @property
    def names(self) -> list[str]:
        return [entry["Name"] for entry, _ in self.numbers] + [entry["Name"] for entry in self.categories]

    def values(self, point: list[float]) -> dict[str, str]:
        """The hyperparameters at a point, as text."""
        found: dict[str, str] = {}
        for coordinate, (entry, whole) in zip(point, self.numbers, strict=False):
            value = _scaled(coordinate, entry)
            found[entry["Name"]] = str(round(value)) if whole else str(value)
        for coordinate, entry in zip(point[len(self.numbers) :], self.categories, strict=True):
            choices = entry["Values"]
            found[entry["Name"]] = choices[min(int(coordinate * len(choices)), len(choices) - 1)]
        return found

    def point(self, values: Mapping[str, str]) -> list[float] | None:
        """Where these hyperparameters are; None where one is missing, no number, or outside its range."""
        coordinates: list[float | None] = []
        try:
            coordinates += [_coordinate(float(values[entry["Name"]]), entry) for entry, _ in self.numbers]
        except (KeyError, ValueError):
            return None
        for entry in self.categories:
            choices, value = entry["Values"], values.get(entry["Name"])
            coordinates.append((choices.index(value) + 0.5) / len(choices) if value in choices else None)
        return None if None in coordinates else coordinates  # type: ignore[return-value]

    def grid(self) -> list[list[float]]:
        """Raises AwsError where a range is not categorical."""
        if self.numbers:
            raise invalid("Grid search only supports categorical parameters.")
        axes = [[(i + 0.5) / len(entry["Values"]) for i in range(len(entry["Values"]))] for entry in self.categories]
        return [list(point) for point in itertools.product(*axes)]


def _scaled(coordinate: float, entry: dict[str, str]) -> float:
    low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    match entry.get("ScalingType", "Auto"):
        case "Logarithmic":
            value = math.exp(math.log(low) + coordinate * (math.log(high) - math.log(low)))
        case "ReverseLogarithmic":
            value = 1 - math.exp(math.log(1 - low) + coordinate * (math.log(1 - high) - math.log(1 - low)))
        case _:
            value = low + coordinate * (high - low)
    return min(max(value, low), high)


def _coordinate(value: float, entry: dict[str, str]) -> float | None:
    """The inverse of `_scaled`; None outside the range."""
    low, high = float(entry["MinValue"]), float(entry["MaxValue"])
    if not low <= value <= high:
        return None
    if low == high:
        return 0.5
    match entry.get("ScalingType", "Auto"):
        case "Logarithmic":
            return math.log(value / low) / math.log(high / low)
        case "ReverseLogarithmic":
            return math.log((1 - value) / (1 - low)) / math.log((1 - high) / (1 - low))
        case _:
            return (value - low) / (high - low)


class Search:
    """Used as a context: a Bayesian search keeps a process of its own, which is loaded while the first jobs train."""

    def __init__(self, strategy: str, space: Space, seed: int, directory: Path) -> None:
        self.strategy = strategy
        self.space = space
        self.seed = seed
        self.directory = directory
        self.random = random.Random(seed)
        self.grid = space.grid() if strategy == "Grid" else []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Search:
        if self.strategy == "Bayesian":
            self.directory.mkdir(parents=True, exist_ok=True)
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment(self.directory) | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                cwd=self.directory,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def next(self, number: int, tried: list[tuple[list[float], float]]) -> list[float] | None:
        """The point of try `number`; None where nothing is left. `tried`: points and what came out, less is better.

        Raises RuntimeError where the process of the search has ended.
        """
        if self.strategy == "Grid":
            return self.grid[number] if number < len(self.grid) else None
        if self.strategy == "Bayesian" and len(tried) >= FIRST_RANDOM:
            return self._ask({"tried": tried, "seed": (self.seed + number) % 2**31})
        return [self.random.random() for _ in self.space.names]

    def _ask(self, question: dict[str, Any]) -> list[float]:
        assert self.process is not None and self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            raise RuntimeError("The process that searches for the next hyperparameters has ended.")
        return json.loads(answer)

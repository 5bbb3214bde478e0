"""One run: build, then again and again load, kill, start and compare; at last see that all has come through."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import ClientError

from benchmarks.chaos import resources, slots
from benchmarks.chaos.flows import ENDS_WITH_THE_CONNECTION, Flows
from benchmarks.chaos.world import World
from benchmarks.local_aws import command

LOAD_S = (0.1, 3.0)  # a kill comes so long after the load began
KILLED_STARTING = 0.3  # this share of the kills is followed by one of the start itself, and that by another


@dataclass
class Result:
    """`problems` are in words; the first word is their kind: lost, twice, torn, unreadable, serving, left, error."""

    kills: int = 0
    kills_while_starting: int = 0
    writes: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)  # the writes by slot
    jobs: int = 0
    tuning_jobs: int = 0
    starts_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self, kind: str) -> int:
        return sum(problem.startswith(kind) for problem in self.problems)


def run(
    directory: Path,
    kills: int,
    seed: int,
    tell: Callable[[str], None] = lambda line: None,
    until: float = math.inf,
) -> Result:
    """Kills the offline AWS of `directory` that many times; the moments are of the seed, the rest is the system's.

    `until` (monotonic, in seconds) ends the kills earlier.
    """
    chance = random.Random(seed)
    world, result, numbers = World(directory), Result(), itertools.count(2)
    world.connect()
    world.build()
    flows, by_worker = Flows(world), workers(world)
    for turn in range(kills):
        if time.monotonic() > until:
            break
        refused = _load(by_worker, flows, numbers, chance, result, lambda: kill(directory))
        result.kills += 1
        refused += _left_behind(directory)
        while chance.random() < KILLED_STARTING:
            _kill_while_starting(directory, chance)
            result.kills_while_starting += 1
        started = time.monotonic()
        world.connect()
        result.starts_s.append(time.monotonic() - started)
        by_worker = [_again(before, after) for before, after in zip(by_worker, workers(world), strict=True)]
        found = [problem for slot in itertools.chain(*by_worker) if (problem := slot.problem())]
        found += (
            flows.job_problems()
            + flows.tuning_problems()
            + flows.value_problems()
            + _serving(world)
            + _unreadable(directory)
        )
        result.problems += refused + found
        for problem in refused + found:
            tell(f"  kill {turn + 1}: {problem}")
        tell(f"kill {turn + 1}: {result.writes} writes, {sum(map(len, flows.sent.values()))} records")
    command("stop", directory)
    world.connect()
    for path, names in flows.missing().items():
        result.sent[path] = len(flows.sent[path])
        if names:
            result.problems.append(f"lost: {len(names)} of {path}: {sorted(names)[:5]}")
    result.problems += flows.line_problems()
    result.jobs, result.tuning_jobs = len(flows.jobs), len(flows.tuning_jobs)
    command("stop", directory)
    return result


def workers(world: World) -> list[list[slots.Slot]]:
    """The slots by the thread that writes them. Most have one of their own: a change waits for the disk."""
    shared = [slots.objects(world), slots.multipart(world), slots.several_objects(world)]
    makers = (resources.messaging, resources.control, resources.interfaces, resources.models, resources.tags_of_model)
    own = [slot for make in makers for slot in make(world)]
    return [*shared, *([slot] for slot in own)]


def kill(directory: Path) -> None:
    process = psutil.Process(json.loads((directory / "offline.json").read_text())["pid"])
    process.kill()
    process.wait(30)


def _load(
    by_worker: list[list[Any]],
    flows: Flows,
    numbers: Any,
    chance: random.Random,
    result: Result,
    end: Callable[[], None],
) -> list[str]:
    """Writes from all sides until `end` has been called at a random moment. What was refused without need, in words."""
    over = threading.Event()
    refused: list[str] = []
    order = [random.Random(chance.random()) for _ in by_worker]

    def write(worker: int) -> None:
        while not over.is_set():
            slot = order[worker].choice(by_worker[worker])
            slot.put(next(numbers))
            result.writes += 1
            result.changes[slot.name] += 1

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except ENDS_WITH_THE_CONNECTION as error:
            if not over.is_set():
                refused.append(f"error: {type(error).__name__}: {error}")
        except ClientError as error:
            refused.append(f"error: {error}")

    work = [lambda worker=worker: write(worker) for worker in range(len(by_worker))]
    work += [lambda worker=worker: worker(over.is_set) for worker in flows.workers()]
    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(*LOAD_S))
    over.set()
    end()
    for thread in threads:
        thread.join(90)
    return refused


def _again(before: list[Any], after: list[Any]) -> list[Any]:
    """The slots of a new connection, with what the ones before knew."""
    for old, new in zip(before, after, strict=True):
        new.acknowledged, new.possible = old.acknowledged, old.possible
    return after


def _kill_while_starting(directory: Path, chance: random.Random) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    starting = subprocess.Popen(
        [sys.executable, "-m", "helpers.offline", "start"],
        env=environment | {"WORKSHOP_DIR": str(directory)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(chance.uniform(0.2, 2.0))
    for child in psutil.Process(starting.pid).children():
        child.kill()
    starting.wait(90)
    state = json.loads((directory / "offline.json").read_text())
    if state["pid"] is not None and psutil.pid_exists(state["pid"]):
        kill(directory)


def _left_behind(directory: Path) -> list[str]:
    """Processes of the killed server that do not end by themselves."""
    deadline = time.monotonic() + 10
    while left := [process for process in psutil.process_iter(["cmdline", "cwd"]) if _is_of(process, directory)]:
        if time.monotonic() > deadline:
            return [f"left: process {process.pid} {process.info['cmdline'][:4]}" for process in left]
        time.sleep(0.1)
    return []


def _is_of(process: psutil.Process, directory: Path) -> bool:
    return Path(process.info["cwd"] or "/").is_relative_to(directory)


def _serving(world: World) -> list[str]:
    try:
        for endpoint in (world.endpoint, world.scaled_endpoint, world.captured_endpoint):
            status = world.settled(endpoint)["EndpointStatus"]
            if status != "InService":
                return [f"serving: {endpoint} is {status}"]
            world.invoke(endpoint)
    except ClientError as error:
        return [f"serving: {error}"]
    return []


def _unreadable(directory: Path) -> list[str]:
    aside = [str(path.relative_to(directory)) for path in directory.glob("set-aside/*/*")]
    cannot = [line for line in (directory / "offline.log").read_text().splitlines() if "cannot be used" in line]
    return [f"unreadable: {one}" for one in aside + cannot]

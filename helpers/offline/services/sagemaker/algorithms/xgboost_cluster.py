"""XGBoost on several hosts: they find each other, agree on who has data, and train one model together.

The hosts of a job are processes on this machine. The first host runs xgboost's tracker and leaves its address in the
directory that the hosts share, where on AWS the others would find it by its host name and a fixed port.

Source: aws/sagemaker-xgboost-container, distributed.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

from helpers.offline.services.sagemaker.algorithms.job_directory import JobDirectory, framework_log

PATIENCE_S = 900.0  # for the other hosts to load their data; the container waits as long for their names


def run(job: JobDirectory, matrices: Any, train: Callable[[bool], None]) -> None:
    """`train(is_master)` is called on the hosts that have data, with xgboost's collective between them.

    Raises RuntimeError where no host has any.
    """
    hosts, here = sorted(job.resources["hosts"]), job.resources["current_host"]
    framework_log(f"Distributed node training with {len(hosts)} hosts: {hosts}")
    lacking = [
        word
        for word, is_lacking in (
            ("training", matrices.train is None),
            ("validation", "validation" in job.channels and matrices.validation is None),
        )
        if is_lacking
    ]
    for word in lacking:
        framework_log(
            f"Host {here} does not have {word} data. Will broadcast to cluster and this host {here} will not be used "
            f"in distributed training. Please divide the {word} data across instances properly.",
            "WARNING",
        )
    with _connected(job, hosts, "who-has-data"):
        taking_part = _agreed(hosts, here, not lacking)
    if lacking:
        framework_log(f"Host {here} not being used for distributed training.", "WARNING")
        return
    if not taking_part:
        raise RuntimeError("No hosts received training data.")
    if len(taking_part) == 1:
        train(True)
        return
    with _connected(job, taking_part, "training"):
        train(here == taking_part[0])


def _agreed(hosts: list[str], here: str, takes_part: bool) -> list[str]:
    from xgboost import collective

    flags = numpy.array([float(takes_part and host == here) for host in hosts])
    return [host for host, flag in zip(hosts, collective.allreduce(flags, collective.Op.SUM), strict=True) if flag > 0]


@contextmanager
def _connected(job: JobDirectory, hosts: list[str], purpose: str) -> Iterator[None]:
    """xgboost's collective among the hosts: their ranks follow their names, so that the first host is rank 0."""
    from xgboost import collective, tracker

    here, file = job.resources["current_host"], job.shared / f"tracker-{purpose}.json"
    running = None
    if here == hosts[0]:
        running = tracker.RabitTracker(
            n_workers=len(hosts), host_ip="127.0.0.1", sortby="task", timeout=int(PATIENCE_S)
        )
        running.start()
        _publish(file, running.worker_args())
    arguments = _await(file)
    with collective.CommunicatorContext(**arguments, dmlc_task_id=here, dmlc_timeout=int(PATIENCE_S)):
        framework_log("Connected to RabitTracker.")
        yield
    if running is not None:
        running.wait_for(timeout=int(PATIENCE_S))
        running.free()


def _publish(file: Path, arguments: dict[str, Any]) -> None:
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(arguments))
    unfinished.replace(file)


def _await(file: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while not file.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("Failed to connect to Rabit Tracker")
        time.sleep(0.02)
    return json.loads(file.read_text())

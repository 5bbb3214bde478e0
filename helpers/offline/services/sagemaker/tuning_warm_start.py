"""Warm start: a tuning job that knows what its parents found.

What the parents' training jobs reached is given to the search as if it had been tried; so a Bayesian search begins
where they ended. AWS's words for these refusals are not known.
"""

from __future__ import annotations

from typing import Any

from helpers.offline.services.sagemaker.records import TrainingJob, TuningJob
from helpers.offline.services.sagemaker.store import Store, invalid
from helpers.offline.services.sagemaker.tuning_descriptions import ENDED, child_summary, maximizes, objective_of, result
from helpers.offline.services.sagemaker.tuning_search import Space

IDENTICAL = "IdenticalDataAndAlgorithm"


def parents_of(store: Store, job: TuningJob) -> list[TuningJob]:
    """In the order of the request; those that were deleted meanwhile are left out."""
    jobs = store.tuning_jobs(job.region)
    return [jobs[name] for name in _names(job.request) if name in jobs]


def check(store: Store, region: str, request: dict[str, Any]) -> None:
    """Raises AwsError where a parent cannot be one."""
    config = request["HyperParameterTuningJobConfig"]
    for name in _names(request):
        parent: TuningJob = store.find(region, "hyper-parameter-tuning-job", name)
        if parent.status not in ENDED:
            raise invalid(f"The parent tuning job {name} is in status {parent.status}; it must have ended.")
        if objective_of(parent) != config["HyperParameterTuningJobObjective"]:
            raise invalid(f"The objective metric must be the one of the parent tuning job {name}.")
        if _hyperparameters(parent.request) != _hyperparameters(request):
            raise invalid(f"The static and tuned hyperparameters must be, in number, those of the parent job {name}.")
        if request["WarmStartConfig"]["WarmStartType"] == IDENTICAL and _identity(parent.request) != _identity(request):
            raise invalid(f"The input data and the training image must be those of the parent tuning job {name}.")


def known(store: Store, job: TuningJob, space: Space) -> list[tuple[list[float], float]]:
    """Points of `space` and what came out there in the parents' jobs, less is better."""
    sign, found = -1 if maximizes(job) else 1, []
    for parent in parents_of(store, job):
        static = parent.request["TrainingJobDefinition"].get("StaticHyperParameters", {})
        for child in _children(store, parent):
            value, point = result(parent, child), space.point({**static, **child.tuned})
            if value is not None and point is not None:
                found.append((point, sign * value))
    return found


def overall_best(store: Store, job: TuningJob, children: list[TrainingJob]) -> dict[str, Any] | None:
    """The best of this job's and its parents' training jobs, where they have the same data and algorithm."""
    if job.request.get("WarmStartConfig", {}).get("WarmStartType") != IDENTICAL:
        return None
    families = [(job, children), *((parent, _children(store, parent)) for parent in parents_of(store, job))]
    done = [
        (value, family, child)
        for family, members in families
        for child in members
        if (value := result(family, child)) is not None
    ]
    if not done:
        return None
    _, family, child = (max if maximizes(job) else min)(done, key=lambda entry: entry[0])
    return child_summary(family, child) | {"TuningJobName": family.name}


def _names(request: dict[str, Any]) -> list[str]:
    parents = request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    return [parent["HyperParameterTuningJobName"] for parent in parents]


def _hyperparameters(request: dict[str, Any]) -> int:
    ranges = request["HyperParameterTuningJobConfig"].get("ParameterRanges", {})
    static = request["TrainingJobDefinition"].get("StaticHyperParameters", {})
    return sum(map(len, ranges.values())) + len(static)


def _identity(request: dict[str, Any]) -> tuple[Any, ...]:
    definition = request["TrainingJobDefinition"]
    channels = [(one["ChannelName"], one["DataSource"]) for one in definition.get("InputDataConfig", [])]
    return definition["AlgorithmSpecification"].get("TrainingImage"), sorted(channels, key=lambda pair: pair[0])


def _children(store: Store, job: TuningJob) -> list[TrainingJob]:
    jobs = store.training_jobs(job.region)
    return [jobs[name] for name in job.children if name in jobs]

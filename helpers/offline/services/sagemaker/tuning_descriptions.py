"""What DescribeHyperParameterTuningJob and the lists show: counters, the best job, summaries of the children."""

from __future__ import annotations

from typing import Any

from helpers.offline.services.sagemaker.records import TrainingJob, TuningJob

ENDED = ("Completed", "Failed", "Stopped")
Shown = dict[str, Any]


def objective_of(job: TuningJob) -> dict[str, str]:
    """Type and MetricName."""
    return job.request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]


def maximizes(job: TuningJob) -> bool:
    return objective_of(job)["Type"] == "Maximize"


def result(job: TuningJob, child: TrainingJob) -> float | None:
    """The final objective of a child that completed, or was stopped early; None where it has none."""
    found = child.metrics.get(objective_of(job)["MetricName"])
    return found[0] if found and child.status in ("Completed", "Stopped") else None


def best(job: TuningJob, children: list[TrainingJob]) -> TrainingJob | None:
    done = [(value, child) for child in children if (value := result(job, child)) is not None]
    choose = max if maximizes(job) else min
    return choose(done, key=lambda pair: pair[0])[1] if done else None


def description(job: TuningJob, children: list[TrainingJob]) -> Shown:
    """`children` in the order they were started."""
    winner = best(job, children)
    shown = {
        **job.request,
        "HyperParameterTuningJobArn": job.arn,
        "HyperParameterTuningJobStatus": job.status,
        "CreationTime": job.created,
        "HyperParameterTuningEndTime": job.ended,
        "LastModifiedTime": job.modified,
        **_counters(job, children),
        "BestTrainingJob": child_summary(job, winner) if winner else None,
        "FailureReason": job.failure,
        "TuningJobCompletionDetails": {"NumberOfTrainingJobsObjectiveNotImproving": not_improving(job, children)},
        "ConsumedResources": {
            "RuntimeInSeconds": sum(
                max(1, round(child.ended - child.started)) for child in children if child.started and child.ended
            )
        },
    }
    definition = shown["TrainingJobDefinition"]
    static = {
        **definition.get("StaticHyperParameters", {}),
        "_tuning_objective_metric": objective_of(job)["MetricName"],
    }
    shown["TrainingJobDefinition"] = definition | {"StaticHyperParameters": static}
    return _without_none(shown)


def summary(job: TuningJob, children: list[TrainingJob]) -> Shown:
    config = job.request["HyperParameterTuningJobConfig"]
    return _without_none(
        {
            "HyperParameterTuningJobName": job.name,
            "HyperParameterTuningJobArn": job.arn,
            "HyperParameterTuningJobStatus": job.status,
            "Strategy": config["Strategy"],
            "CreationTime": job.created,
            "HyperParameterTuningEndTime": job.ended,
            "LastModifiedTime": job.modified,
            **_counters(job, children),
            "ResourceLimits": config["ResourceLimits"],
        }
    )


def child_summary(job: TuningJob, child: TrainingJob) -> Shown:
    value = result(job, child)
    metric = None if value is None else {**objective_of(job), "Value": value}
    return _without_none(
        {
            "TrainingJobName": child.name,
            "TrainingJobArn": child.arn,
            "CreationTime": child.created,
            "TrainingStartTime": child.started,
            "TrainingEndTime": child.ended,
            "TrainingJobStatus": child.status,
            "TunedHyperParameters": child.tuned,
            "FailureReason": child.failure,
            "ObjectiveStatus": objective_status(job, child),
            "FinalHyperParameterTuningJobObjectiveMetric": metric,
            "TrainingJobDefinitionName": job.request["TrainingJobDefinition"].get("DefinitionName"),
        }
    )


def objective_status(job: TuningJob, child: TrainingJob) -> str:
    if child.status not in ENDED:
        return "Pending"
    return "Succeeded" if result(job, child) is not None else "Failed"


def not_improving(job: TuningJob, children: list[TrainingJob]) -> int:
    """How many jobs came after the best one, in the order of their ends, without beating it."""
    ended = sorted((child for child in children if child.ended), key=lambda child: child.ended)
    winner = best(job, ended)
    return len(ended) - 1 - ended.index(winner) if winner else 0


def _counters(job: TuningJob, children: list[TrainingJob]) -> dict[str, dict[str, int]]:
    statuses = [child.status for child in children]
    objectives = [objective_status(job, child) for child in children]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": sum(status not in ENDED for status in statuses),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")},
    }


def _without_none(shown: Shown) -> Shown:
    return {name: value for name, value in shown.items() if value is not None}

"""What the service looks at before it accepts a tuning job.

AWS's own words for most of these refusals are not known; these are this module's. Those for a metric that an algorithm
has not, or wants the other way round, are from memory.
"""

from __future__ import annotations

from typing import Any

from helpers.offline.kernel import AwsError
from helpers.offline.services.sagemaker import images, job_metrics, training_checks
from helpers.offline.services.sagemaker.algorithms.xgboost_hyperparameters import ALIASES, PARAMETERS, Interval
from helpers.offline.services.sagemaker.algorithms.xgboost_hyperparameters import MAXIMIZED as XGBOOST_MAXIMIZED
from helpers.offline.services.sagemaker.store import invalid
from helpers.offline.services.sagemaker.tuning_search import Space

_WHOLE = "IntegerParameterRanges"
_REAL = "ContinuousParameterRanges"
# Algorithm -> what may be tuned, and as which kind of number; None where it is a category.
TUNABLE: dict[str, dict[str, str | None]] = {
    "xgboost": dict.fromkeys(("num_round", "max_depth"), _WHOLE)
    | dict.fromkeys(("eta", "learning_rate", "gamma", "min_child_weight", "max_delta_step", "subsample"), _REAL)
    | dict.fromkeys(("colsample_bytree", "colsample_bylevel", "colsample_bynode", "lambda", "alpha"), _REAL),
    "linear-learner": dict.fromkeys(("wd", "l1", "learning_rate", "positive_example_weight_mult"), _REAL)
    | {"mini_batch_size": _WHOLE, "use_bias": None},
    "knn": {"k": _WHOLE, "sample_size": _WHOLE},
}
MAXIMIZED = {
    *XGBOOST_MAXIMIZED,
    *("binary_classification_accuracy", "binary_f_beta", "precision", "recall", "roc_auc_score", "dcg", "accuracy"),
    *("macro_recall", "macro_precision", "macro_f_beta", "multiclass_accuracy", "multiclass_top_k_accuracy"),
}
QUOTAS = {"MaxNumberOfTrainingJobs": 750, "MaxParallelTrainingJobs": 100}
MOST_HYPERPARAMETERS = 30  # "Every possible value in a categorical hyperparameter counts against this limit"
UNSUPPORTED = ("Autotune", "TrainingJobDefinitions")


def space_of(region: str, request: dict[str, Any]) -> Space:
    """The search space of a tuning job that can be made. Raises AwsError."""
    config = request["HyperParameterTuningJobConfig"]
    _refuse_unsupported(request, config)
    if "TrainingJobDefinition" not in request or "HyperParameterTuningJobObjective" not in config:
        raise invalid("A tuning job needs TrainingJobDefinition and HyperParameterTuningJobObjective.")
    if not any(config.get("ParameterRanges", {}).values()):
        raise invalid("A tuning job needs ParameterRanges.")
    for name, quota in QUOTAS.items():
        asked = config["ResourceLimits"].get(name, 1)
        if asked > quota:
            raise AwsError(
                "ResourceLimitExceeded",
                f"The account-level service limit '{name} of a hyperparameter tuning job' is {quota}, with a request "
                f"of {asked}.",
            )
    _check_strategy(config)
    definition = request["TrainingJobDefinition"]
    specification = definition["AlgorithmSpecification"]
    image = training_checks.image_of(region, specification)
    _check_objective(image, specification["TrainingImage"], config["HyperParameterTuningJobObjective"])
    _check_ranges(image.algorithm, config["ParameterRanges"], definition.get("StaticHyperParameters", {}))
    return Space(config["ParameterRanges"])


def _refuse_unsupported(request: dict[str, Any], config: dict[str, Any]) -> None:
    asked = [name for name in UNSUPPORTED if request.get(name)]
    if config.get("ParameterRanges", {}).get("AutoParameters"):
        asked.append("ParameterRanges.AutoParameters")
    if config.get("TuningJobCompletionCriteria", {}).get("ConvergenceDetected"):
        asked.append("TuningJobCompletionCriteria.ConvergenceDetected")
    if asked:
        raise AwsError("NotImplemented", f"The offline AWS does not support {', '.join(asked)}.", 501)


def _check_objective(image: images.Image, uri: str, objective: dict[str, str]) -> None:
    metric, kind = objective["MetricName"], objective["Type"]
    if metric not in {entry["Name"] for entry in job_metrics.injected(image)}:
        raise invalid(
            f"The objective metric, [{metric}], isn't valid for the [{uri}] algorithm. Choose a valid objective metric."
        )
    if (metric.rpartition(":")[2] in MAXIMIZED) != (kind == "Maximize"):
        raise invalid(
            f"The objective metric type, [{kind}], that you specified for objective metric, [{metric}], isn't valid "
            f"for the [{uri}] algorithm. Choose a valid objective metric type."
        )


def _check_strategy(config: dict[str, Any]) -> None:
    limits = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    if config["Strategy"] != "Hyperband":
        if limits:
            raise invalid("HyperbandStrategyConfig goes with the strategy Hyperband.")
        return
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise invalid("TrainingJobEarlyStoppingType must be Off with Hyperband, which stops jobs by itself.")
    if limits.get("MinResource", 1) >= limits.get("MaxResource", float("inf")):
        raise invalid("MinResource must be smaller than MaxResource.")


def _check_ranges(algorithm: str, ranges: dict[str, Any], static: dict[str, str]) -> None:
    known = TUNABLE[algorithm]
    names = [entry["Name"] for entries in ranges.values() for entry in entries]
    counted = sum(len(entry["Values"]) if "Values" in entry else 1 for entries in ranges.values() for entry in entries)
    if counted > MOST_HYPERPARAMETERS:
        raise AwsError(
            "ResourceLimitExceeded",
            f"A tuning job can search {MOST_HYPERPARAMETERS} hyperparameters, of which each value of a category counts "
            f"as one; these are {counted}.",
        )
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"The hyperparameter {name} has more than one range.")
        if name not in known:
            raise invalid(
                f"The hyperparameter {name} cannot be tuned for this algorithm. Tunable ones: {sorted(known)}"
            )
        if name in static:
            raise invalid(f"The hyperparameter {name} is both static and tuned.")
    for kind in (_WHOLE, _REAL):
        for entry in ranges.get(kind, ()):
            if known[entry["Name"]] not in (kind, _REAL):  # whole numbers are real ones too
                raise invalid(f"The hyperparameter {entry['Name']} does not belong to {kind}.")
            _check_bounds(algorithm, entry, int if kind == _WHOLE else float)


def _check_bounds(algorithm: str, entry: dict[str, str], number: type) -> None:
    name = entry["Name"]
    allowed = PARAMETERS[ALIASES.get(name, name)].allowed if algorithm == "xgboost" else Interval()
    for bound in ("MinValue", "MaxValue"):
        try:
            value = number(entry[bound])
        except ValueError:
            raise invalid(f"{bound} of the hyperparameter {name} is no {number.__name__}: {entry[bound]!r}.") from None
        if value not in allowed:
            raise invalid(f"{bound} {value} of the hyperparameter {name} is not in {allowed}.")

"""XGBoost's hyperparameters as its SageMaker container takes them: types, ranges, dependencies and error texts.

Source: aws/sagemaker-xgboost-container, algorithm_mode/hyperparameter_validation.py.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from helpers.offline.services.sagemaker.algorithms.errors import AlgorithmError, UserError

INFINITY = float("inf")


@dataclass(frozen=True, slots=True)
class Interval:
    """Open ends are written ( and ), closed ones [ and ]."""

    low: float = -INFINITY
    high: float = INFINITY
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self) -> str:
        low = "(-inf" if self.low == -INFINITY else f"{'(' if self.low_open else '['}{self.low}"
        high = "+inf)" if self.high == INFINITY else f"{self.high}{')' if self.high_open else ']'}"
        return f"{low}, {high}"


@dataclass(frozen=True, slots=True)
class Parameter:
    parse: Callable[[str], Any]
    allowed: Any = None


def _integer(low: float, high: float = INFINITY) -> Parameter:
    return Parameter(int, Interval(low, high))


def _real(low: float, high: float = INFINITY, *, low_open: bool = False, high_open: bool = False) -> Parameter:
    return Parameter(float, Interval(low, high, low_open, high_open))


def _category(*values: str) -> Parameter:
    return Parameter(str, list(values))


MAXIMIZED = (
    *("accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg"),
    *("precision", "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro"),
)
MINIMIZED = (
    *("aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy"),
    *("logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle"),
    "tweedie-nloglik",
)
METRICS = [*MAXIMIZED, *MINIMIZED]
OBJECTIVES = (
    *("aft_loss_distribution", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson"),
    *("multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror"),
    *("reg:logistic", "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie"),
    *("survival:aft", "survival:cox"),
)
_GROWERS = ("grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_quantile_histmaker")
_OTHER_UPDATERS = ("grow_gpu_hist", "sync", "refresh", "prune")
_LINEAR_UPDATERS = ("shotgun", "coord_descent")
UPDATERS = [*_GROWERS, *_OTHER_UPDATERS, *_LINEAR_UPDATERS]
_RATE = {"low": 0, "high": 1}
_SHARE = {"low": 0, "high": 1, "low_open": True}

PARAMETERS: dict[str, Parameter] = {
    "num_round": _integer(1),
    "csv_weights": _integer(0, 1),
    "early_stopping_rounds": _integer(1),
    "booster": _category("gbtree", "gblinear", "dart"),
    "verbosity": _integer(0, 3),
    "nthread": _integer(1),
    "eta": _real(**_RATE),
    "gamma": _real(0),
    "max_depth": _integer(0),
    "min_child_weight": _real(0),
    "max_delta_step": _real(0),
    "subsample": _real(**_SHARE),
    "colsample_bytree": _real(**_SHARE),
    "colsample_bylevel": _real(**_SHARE),
    "colsample_bynode": _real(**_SHARE),
    "lambda": _real(0),
    "alpha": _real(0),
    "tree_method": _category("auto", "exact", "approx", "hist", "gpu_hist"),
    "sketch_eps": _real(0, 1, low_open=True, high_open=True),
    "scale_pos_weight": _real(0, low_open=True),
    "updater": Parameter(lambda text: text.split(","), "updaters"),
    "dsplit": _category("row", "col"),
    "refresh_leaf": _integer(0, 1),
    "process_type": _category("default", "update"),
    "grow_policy": _category("depthwise", "lossguide"),
    "max_leaves": _integer(0),
    "max_bin": _integer(0),
    "predictor": _category("auto", "cpu_predictor", "gpu_predictor"),
    "monotone_constraints": Parameter(ast.literal_eval, "monotone"),
    "interaction_constraints": Parameter(ast.literal_eval, "interaction"),
    "sample_type": _category("uniform", "weighted"),
    "normalize_type": _category("tree", "forest"),
    "rate_drop": _real(**_RATE),
    "one_drop": _integer(0, 1),
    "skip_drop": _real(**_RATE),
    "lambda_bias": _real(**_RATE),
    "tweedie_variance_power": _real(1, 2, low_open=True, high_open=True),
    "objective": _category(*OBJECTIVES),
    "num_class": _integer(2),
    "base_score": _real(0),
    "eval_metric": Parameter(lambda text: text.split(","), "metrics"),
    "seed": Parameter(int, Interval(-(2**31), 2**31 - 1, True, True)),
    "num_parallel_tree": _integer(1),
    "prob_buffer_row": _real(1, low_open=True),
    "sampling_method": _category("uniform", "gradient_based"),
    "deterministic_histogram": _category("true", "false"),
    "aft_loss_distribution": _category("normal", "logistic", "extreme"),
    "aft_loss_distribution_scale": _real(0),
    "save_model_on_termination": _category("true", "false"),
    "use_dask_gpu_training": _category("true", "false"),
    "_kfold": _integer(2),
    "_num_cv_round": _integer(1),
    "_tuning_objective_metric": _category(*(f"{data}:{name}" for name in METRICS for data in ("train", "validation"))),
}
ALIASES = {
    "learning_rate": "eta",
    "min_split_loss": "gamma",
    "reg_lambda": "lambda",
    "reg_alpha": "alpha",
}
_SERVICE_PARAMETERS = re.compile(r"sagemaker_|_enable_network_isolation")


def validate(given: Mapping[str, str]) -> dict[str, Any]:
    """The hyperparameters with their types, under their main names. Raises UserError with the container's text."""
    given = {ALIASES.get(name, name): value for name, value in given.items() if not _SERVICE_PARAMETERS.match(name)}
    if "num_round" not in given:
        raise UserError("Missing required hyperparameter: num_round")
    parsed = {name: _parse(name, value) for name, value in given.items()}
    for name, value in parsed.items():
        _check(name, value)
    _check_dependencies(parsed)
    return parsed


def _parse(name: str, text: str) -> Any:
    if name not in PARAMETERS:
        raise UserError(f"Extraneous hyperparameter found: {name}")
    try:
        return PARAMETERS[name].parse(text)
    except (ValueError, SyntaxError) as error:
        kind = type(error).__name__
        raise UserError(f"Hyperparameter {name}: could not parse value (caused by {kind})") from None


def _check(name: str, value: Any) -> None:
    allowed = PARAMETERS[name].allowed
    try:
        match allowed:
            case "metrics":
                fits, shown = all(_is_metric(entry) for entry in value), METRICS
            case "updaters":
                fits, shown = all(entry in UPDATERS for entry in value), UPDATERS
            case "monotone":
                fits, shown = all(entry in (-1, 0, 1) for entry in value), [-1, 0, 1]
            case "interaction":
                fits, shown = all(entry >= 1 for group in value for entry in group), Interval(1)
            case _:
                if value not in allowed:
                    raise UserError(f"Hyperparameter {name}: {value} is not in {allowed}")
                return
    except TypeError as error:
        raise AlgorithmError(
            f"Hyperparameter {name}: unexpected failure when validating {value} (caused by {type(error).__name__})"
        ) from error
    if not fits:
        raise UserError(f"Hyperparameter {name}: value {value} not in range {shown}")


def _is_metric(entry: str) -> bool:
    if "@" not in entry:
        return entry in METRICS
    name, threshold = (part.strip() for part in entry.split("@")[:2])
    if name not in ("error", "ndcg", "map"):
        raise UserError(
            f"Metric '{entry}' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            "these options: 'error', 'ndcg', 'map'."
        )
    try:
        float(threshold)
    except ValueError:
        raise UserError(f"Threshold value 't' in '{name}@t' expects float input.") from None
    return True


def _check_dependencies(given: Mapping[str, Any]) -> None:
    objective = given.get("objective", "")
    if objective.startswith("multi:") and "num_class" not in given:
        raise UserError("Require input for parameter 'num_class' for multi-classification")
    for metric in given.get("eval_metric", ()):
        # The container looks the objective up without a default: without one this is a bare KeyError.
        if metric == "auc" and not given["objective"].startswith(("binary:", "rank:")):
            raise UserError("Metric 'auc' can only be applied for classification and ranking problems.")
        if metric == "aft-nloglik" and given["objective"] != "survival:aft":
            raise UserError("Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.")
    tree_method = given.get("tree_method")
    if "monotone_constraints" in given and tree_method not in ("exact", "hist"):
        raise UserError(
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
        )
    if "interaction_constraints" in given and tree_method not in ("exact", "hist", "approx"):
        raise UserError(
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'."
        )
    _check_updaters(given)


def _check_updaters(given: Mapping[str, Any]) -> None:
    updaters = given.get("updater")
    if updaters is None:
        return
    if given.get("booster") == "gblinear":
        if len(updaters) != 1 or updaters[0] not in _LINEAR_UPDATERS:
            raise UserError("Linear updater should be one of these options: 'shotgun', 'coord_descent'.")
    elif given.get("process_type") == "update":
        if any(name not in ("refresh", "prune") for name in updaters):
            raise UserError("process_type 'update' can only be used with updater 'refresh' and 'prune'")
    elif any(name in _LINEAR_UPDATERS for name in updaters):
        raise UserError(f"Tree updater should be selected from these options: {[*_GROWERS, *_OTHER_UPDATERS]}")
    elif sum(name in _GROWERS for name in updaters) > 1:
        raise UserError(
            "Only one tree grow plugin can be selected. Choose one from thefollowing: "  # the container's own blank
            + ", ".join(f"'{name}'" for name in _GROWERS)
        )

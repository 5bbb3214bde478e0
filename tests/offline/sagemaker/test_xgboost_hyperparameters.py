"""The contract of XGBoost's hyperparameters, row by row (container: algorithm_mode/hyperparameter_validation.py)."""

import pytest

from helpers.offline.services.sagemaker.algorithms.errors import AlgorithmError, UserError
from helpers.offline.services.sagemaker.algorithms.xgboost_hyperparameters import (
    MAXIMIZED,
    METRICS,
    MINIMIZED,
    OBJECTIVES,
    validate,
)

ONE_OR_MORE, NOT_NEGATIVE, SHARE, RATE = "[1, +inf)", "[0, +inf)", "(0, 1]", "[0, 1]"
# name, a value inside, one just outside, the range as the error shows it
INTEGERS = [
    ("num_round", "4000", "0", ONE_OR_MORE),
    ("csv_weights", "1", "2", RATE),
    ("early_stopping_rounds", "1", "0", ONE_OR_MORE),
    ("verbosity", "3", "4", "[0, 3]"),
    ("nthread", "1", "0", ONE_OR_MORE),
    ("max_depth", "0", "-1", NOT_NEGATIVE),
    ("refresh_leaf", "1", "2", RATE),
    ("max_leaves", "0", "-1", NOT_NEGATIVE),
    ("max_bin", "256", "-1", NOT_NEGATIVE),
    ("one_drop", "1", "2", RATE),
    ("num_class", "2", "1", "[2, +inf)"),
    ("num_parallel_tree", "1", "0", ONE_OR_MORE),
    ("seed", "-2147483647", "-2147483648", "(-2147483648, 2147483647)"),
    ("seed", "2147483646", "2147483647", "(-2147483648, 2147483647)"),
    ("_kfold", "2", "1", "[2, +inf)"),
    ("_num_cv_round", "1", "0", ONE_OR_MORE),
]
REALS = [
    *((name, "1", "1.5", RATE) for name in ("eta", "rate_drop", "skip_drop", "lambda_bias")),
    *((name, "0", "-0.1", NOT_NEGATIVE) for name in ("gamma", "min_child_weight", "max_delta_step", "lambda", "alpha")),
    *((name, "0", "-1.0", NOT_NEGATIVE) for name in ("base_score", "aft_loss_distribution_scale")),
    *((name, "1", "0.0", SHARE) for name in ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")),
    ("sketch_eps", "0.5", "1.0", "(0, 1)"),
    ("scale_pos_weight", "0.1", "0.0", "(0, +inf)"),
    ("tweedie_variance_power", "1.5", "2.0", "(1, 2)"),
    ("prob_buffer_row", "1.1", "1.0", "(1, +inf)"),
]
CATEGORIES = {
    "booster": ["gbtree", "gblinear", "dart"],
    "tree_method": ["auto", "exact", "approx", "hist", "gpu_hist"],
    "dsplit": ["row", "col"],
    "process_type": ["default", "update"],
    "grow_policy": ["depthwise", "lossguide"],
    "predictor": ["auto", "cpu_predictor", "gpu_predictor"],
    "sample_type": ["uniform", "weighted"],
    "normalize_type": ["tree", "forest"],
    "sampling_method": ["uniform", "gradient_based"],
    "deterministic_histogram": ["true", "false"],
    "aft_loss_distribution": ["normal", "logistic", "extreme"],
    "save_model_on_termination": ["true", "false"],
    "use_dask_gpu_training": ["true", "false"],
}


def refusal(**given: str) -> str:
    with pytest.raises(UserError) as error:
        validate({"num_round": "1"} | given)
    return str(error.value)


@pytest.mark.parametrize(("name", "inside", "outside", "shown"), INTEGERS, ids=lambda value: str(value))
def test_an_integer_keeps_to_its_range(name, inside, outside, shown):
    assert validate({"num_round": "1", name: inside})[name] == int(inside)
    assert refusal(**{name: outside}) == f"Hyperparameter {name}: {outside} is not in {shown}"


@pytest.mark.parametrize(("name", "inside", "outside", "shown"), REALS, ids=lambda value: str(value))
def test_a_continuous_one_keeps_to_its_range(name, inside, outside, shown):
    assert validate({"num_round": "1", name: inside})[name] == float(inside)
    assert refusal(**{name: outside}) == f"Hyperparameter {name}: {outside} is not in {shown}"


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_categorical_one_is_on_its_list(name):
    for value in CATEGORIES[name]:
        assert validate({"num_round": "1", name: value})[name] == value
    assert refusal(**{name: "foo"}) == f"Hyperparameter {name}: foo is not in {CATEGORIES[name]}"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_objective_is_on_its_list(objective):
    given = {"num_round": "1", "objective": objective, "num_class": "3"}
    assert validate(given)["objective"] == objective


def test_an_unknown_objective_prints_the_whole_list():
    assert len(OBJECTIVES) == 20
    assert refusal(objective="reg:foo") == f"Hyperparameter objective: reg:foo is not in {list(OBJECTIVES)}"


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_on_the_list(name):
    assert validate({"num_round": "1", "objective": "survival:aft", "eval_metric": name} if name != "auc" else {
        "num_round": "1", "objective": "binary:logistic", "eval_metric": name
    })["eval_metric"] == [name]  # fmt: skip


def test_the_lists_of_metrics_are_the_contracts():
    assert len(MAXIMIZED) == 16 and len(MINIMIZED) == 17 and not set(MAXIMIZED) & set(MINIMIZED)


@pytest.mark.parametrize("given", ["error@0.3", "ndcg@5", "map@10", "rmse,error@0.5,mae"])
def test_a_metric_may_have_a_threshold(given):
    assert validate({"num_round": "1", "eval_metric": given})["eval_metric"] == given.split(",")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param({"n_estimators": "5"}, "Extraneous hyperparameter found: n_estimators", id="unknown"),
        pytest.param({"silent": "1"}, "Extraneous hyperparameter found: silent", id="unknown silent"),
        pytest.param(
            {"silent": "1", "eta": "9"}, "Extraneous hyperparameter found: silent", id="unknown comes before ranges"
        ),
        pytest.param(
            {"b": "1", "a": "1"}, "Extraneous hyperparameter found: b", id="the first unknown one in their order"
        ),
        *(
            pytest.param(
                {name: value},
                f"Hyperparameter {name}: could not parse value (caused by ValueError)",
                id=f"parse {name} {value!r}",
            )
            for name, value in (("num_round", "5.0"), ("num_round", ""), ("max_depth", "six"), ("eta", "a"))
        ),
        pytest.param({"learning_rate": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]", id="alias"),
        pytest.param(
            {"eval_metric": "foo"}, f"Hyperparameter eval_metric: value ['foo'] not in range {METRICS}", id="list"
        ),
        pytest.param(
            {"eval_metric": "rmse, mae"},
            f"Hyperparameter eval_metric: value ['rmse', ' mae'] not in range {METRICS}",
            id="no blanks in lists",
        ),
        pytest.param(
            {"eval_metric": "rmse@5"},
            "Metric 'rmse@5' is not supported. Parameter 'eval_metric' with customized threshold should be one of "
            "these options: 'error', 'ndcg', 'map'.",
            id="threshold of a metric without one",
        ),
        pytest.param(
            {"eval_metric": "error@t"}, "Threshold value 't' in 'error@t' expects float input.", id="threshold"
        ),
        *(
            pytest.param(
                {"objective": objective},
                "Require input for parameter 'num_class' for multi-classification",
                id=f"{objective} without num_class",
            )
            for objective in ("multi:softmax", "multi:softprob")
        ),
        *(
            pytest.param(
                {"objective": objective, "num_class": "3", "eval_metric": "auc"},
                "Metric 'auc' can only be applied for classification and ranking problems.",
                id=f"auc with {objective}",
            )
            for objective in ("multi:softprob", "reg:squarederror")
        ),
        pytest.param(
            {"objective": "reg:squarederror", "eval_metric": "rmse,aft-nloglik"},
            "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective.",
            id="aft",
        ),
        *(
            pytest.param(
                {"monotone_constraints": "(1,0)", **more},
                "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or "
                "'hist'.",
                id=f"monotone constraints with {more or 'no tree method'}",
            )
            for more in ({}, {"tree_method": "auto"}, {"tree_method": "approx"})
        ),
        pytest.param(
            {"interaction_constraints": "[[1,2]]", "tree_method": "auto"},
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'.",
            id="interaction constraints",
        ),
        pytest.param(
            {"tree_method": "hist", "monotone_constraints": "(2,0)"},
            "Hyperparameter monotone_constraints: value (2, 0) not in range [-1, 0, 1]",
            id="monotone range",
        ),
        pytest.param(
            {"tree_method": "hist", "interaction_constraints": "[[0,1]]"},
            "Hyperparameter interaction_constraints: value [[0, 1]] not in range [1, +inf)",
            id="interaction range",
        ),
        pytest.param(
            {"process_type": "update", "updater": "grow_colmaker"},
            "process_type 'update' can only be used with updater 'refresh' and 'prune'",
            id="updaters of process_type update",
        ),
        pytest.param(
            {"_tuning_objective_metric": "test:rmse"},
            "Hyperparameter _tuning_objective_metric: test:rmse is not in",
            id="tuning metric",
        ),
    ],
)
def test_a_wrong_one_is_refused_in_the_containers_words(given, text):
    found = refusal(**given)
    assert found.startswith(text) if text.endswith("is not in") else found == text


def test_only_num_round_is_required_and_no_default_is_filled_in():
    with pytest.raises(UserError, match=r"^Missing required hyperparameter: num_round$"):
        validate({"eta": "0.1"})
    assert validate({"num_round": "7"}) == {"num_round": 7}


@pytest.mark.parametrize(
    ("given", "is_refused"),
    [
        ({"updater": "grow_colmaker,prune"}, False),
        ({"updater": "grow_colmaker,grow_histmaker"}, True),
        ({"updater": "coord_descent"}, True),
        ({"booster": "gblinear", "updater": "shotgun"}, False),
        ({"booster": "gblinear", "updater": "shotgun,coord_descent"}, True),
        ({"process_type": "update", "updater": "refresh,prune"}, False),
    ],
)
def test_updaters_go_with_the_booster(given, is_refused):
    if is_refused:
        assert refusal(**given)
    else:
        assert validate({"num_round": "1"} | given)["updater"] == given["updater"].split(",")


def test_auc_without_an_objective_is_a_bare_key_error():
    with pytest.raises(KeyError, match="objective"):
        validate({"num_round": "1", "eval_metric": "auc"})


def test_constraints_of_another_shape_are_a_failure_of_the_algorithm():
    with pytest.raises(AlgorithmError, match="unexpected failure when validating 1"):
        validate({"num_round": "1", "tree_method": "hist", "monotone_constraints": "1"})


def test_num_class_without_an_objective_is_no_error():
    assert validate({"num_round": "1", "num_class": "3"}) == {"num_round": 1, "num_class": 3}


@pytest.mark.parametrize(
    ("alias", "name"),
    [("learning_rate", "eta"), ("min_split_loss", "gamma"), ("reg_lambda", "lambda"), ("reg_alpha", "alpha")],
)
def test_an_alias_goes_by_its_main_name_and_both_together_are_no_conflict(alias, name):
    assert validate({"num_round": "1", alias: "0.5"}) == {"num_round": 1, name: 0.5}
    assert validate({"num_round": "1", name: "0.5", alias: "0.25"})[name] in (0.5, 0.25)


def test_text_becomes_numbers_and_the_services_own_names_are_left_out():
    given = {"num_round": " 7", "eta": " 0.5 ", "sagemaker_region": "x"}
    assert validate(given) == {"num_round": 7, "eta": 0.5}

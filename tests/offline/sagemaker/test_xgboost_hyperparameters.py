import pytest

from helpers.offline.services.sagemaker.algorithms.errors import UserError
from helpers.offline.services.sagemaker.algorithms.xgboost_hyperparameters import validate

BOOSTERS = "['gbtree', 'gblinear', 'dart']"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({"n_estimators": "5"}, "Extraneous hyperparameter found: n_estimators"),
        ({"num_round": "5.0"}, "Hyperparameter num_round: could not parse value (caused by ValueError)"),
        ({"subsample": "0.0"}, "Hyperparameter subsample: 0.0 is not in (0, 1]"),
        ({"eta": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
        ({"learning_rate": "1.5"}, "Hyperparameter eta: 1.5 is not in [0, 1]"),
        ({"booster": "foo"}, f"Hyperparameter booster: foo is not in {BOOSTERS}"),
        ({"objective": "multi:softmax"}, "Require input for parameter 'num_class' for multi-classification"),
        (
            {"objective": "multi:softprob", "num_class": "3", "eval_metric": "auc"},
            "Metric 'auc' can only be applied for classification and ranking problems.",
        ),
        (
            {"monotone_constraints": "(1,0)"},
            "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'.",
        ),
    ],
)
def test_wrong_ones_are_refused_in_the_containers_words(given, text):
    complete = given if given == {} else {"num_round": "1", **given}
    with pytest.raises(UserError) as error:
        validate(complete)
    assert str(error.value) == text


def test_auc_without_an_objective_is_a_bare_key_error():
    with pytest.raises(KeyError, match="objective"):
        validate({"num_round": "1", "eval_metric": "auc"})


def test_text_becomes_numbers_and_aliases_their_main_name():
    given = {"num_round": " 7", "reg_lambda": "2", "eval_metric": "rmse,error@0.3", "sagemaker_region": "x"}
    assert validate(given) == {"num_round": 7, "lambda": 2.0, "eval_metric": ["rmse", "error@0.3"]}

"""The contract of Linear Learner: every hyperparameter has an effect; losses, criteria, metrics, mistakes."""

import json
import re

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn import metrics as judged

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.linear_calibration import calibrate
from helpers.offline.services.sagemaker.algorithms.linear_losses import OF_PREDICTOR, Settings, loss
from helpers.offline.services.sagemaker.algorithms.linear_scores import metrics, predicted_labels, scores
from helpers.offline.services.sagemaker.algorithms.linear_settings import SCHEMA, settings_of
from helpers.offline.services.sagemaker.algorithms.linear_trainer import Trainer
from helpers.offline.services.sagemaker.images import Image
from helpers.offline.services.sagemaker.job_metrics import Extraction, injected

REGRESSION = {"predictor_type": "regressor", "mini_batch_size": "100"}
BINARY = {"predictor_type": "binary_classifier", "mini_batch_size": "100"}
CLASSES = {"predictor_type": "multiclass_classifier", "num_classes": "3", "mini_batch_size": "100"}
ONE = {"num_models": "1", "learning_rate": "0.01"}


def numbers(count: int = 2000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = random.uniform(0, 10, (count, 3)).astype("float32")
    return rows, (3 * rows[:, 0] - 2 * rows[:, 1] + 50 + random.normal(0, 0.5, count)).astype("float32")


def classes(count: int = 2000, seed: int = 0, borders=(0.0,)) -> tuple[np.ndarray, np.ndarray]:
    """Two features; the class is which stretch of a + b (with some noise) the row lies in."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 1, (count, 2)).astype("float32")
    return rows, np.digitize(rows.sum(1) + random.normal(0, 0.3, count), borders).astype("float32")


def fit(given: dict, train, validation=None, **more: str) -> dict:
    return Trainer(settings_of(given | more)).fit(train, validation)


def coefficients(model: dict) -> np.ndarray:
    return np.ravel(model["weights"])


# --- Regression -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "auto"])
def test_every_optimizer_finds_the_coefficients(optimizer):
    model = fit(REGRESSION, numbers(4000), optimizer=optimizer)
    assert coefficients(model) == pytest.approx([3, -2, 0], abs=0.1)
    assert model["bias"][0] == pytest.approx(50, abs=1)


@pytest.mark.parametrize("name", OF_PREDICTOR["regressor"])
def test_every_loss_of_a_regressor_finds_the_coefficients(name):
    model = fit(REGRESSION, numbers(4000), loss=name, epochs="30")
    assert coefficients(model) == pytest.approx([3, -2, 0], abs=0.15)


def test_a_quantile_lies_below_as_many_labels_as_it_says():
    random = np.random.default_rng(0)
    rows = random.uniform(0, 1, (6000, 1)).astype("float32")
    labels = (rows[:, 0] + random.exponential(1, 6000)).astype("float32")
    for quantile in (0.2, 0.9):
        model = fit(REGRESSION, (rows, labels), loss="quantile_loss", quantile=str(quantile), epochs="30")
        assert (labels < scores(model, rows)).mean() == pytest.approx(quantile, abs=0.04)


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({}, {"wd": "1"}),
        ({}, {"l1": "0.5"}),
        ({}, {"learning_rate": "0.0001"}),
        ({}, {"epochs": "1"}),
        ({}, {"mini_batch_size": "2000"}),
        ({}, {"init_method": "normal"}),
        ({}, {"init_scale": "5"}),
        ({"init_method": "normal"}, {"init_method": "normal", "init_sigma": "5"}),
        ({}, {"init_bias": "9"}),
        ({}, {"use_bias": "false"}),
        ({}, {"normalize_data": "false"}),
        ({}, {"normalize_label": "false"}),
        ({}, {"unbias_data": "false"}),
        ({}, {"unbias_label": "false"}),
        ({}, {"num_point_for_scaler": "5"}),
        ({}, {"bias_lr_mult": "0"}),
        ({"wd": "0.5", "unbias_label": "false"}, {"wd": "0.5", "unbias_label": "false", "bias_wd_mult": "3"}),
        ({}, {"beta_1": "0.1"}),
        ({}, {"beta_2": "0.1"}),
        ({"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": "0"}),
        ({}, {"use_lr_scheduler": "false"}),
        ({}, {"lr_scheduler_step": "2"}),
        ({}, {"lr_scheduler_factor": "0.1"}),
        (
            {"lr_scheduler_step": "1", "lr_scheduler_factor": "0.1"},
            {"lr_scheduler_step": "1", "lr_scheduler_factor": "0.1", "lr_scheduler_minimum_lr": "0.009"},
        ),
        ({"loss": "huber_loss"}, {"loss": "huber_loss", "huber_delta": "0.01"}),
        (
            {"loss": "eps_insensitive_absolute_loss"},
            {"loss": "eps_insensitive_absolute_loss", "loss_insensitivity": "1"},
        ),
        ({}, {"num_models": "8", "learning_rate": "auto"}),
    ],
    ids=lambda given: "-".join(given) or "defaults",
)
def test_every_hyperparameter_of_the_training_has_an_effect(given, other):
    base = REGRESSION | ONE | {"mini_batch_size": "50", "epochs": "3", "early_stopping_patience": "99"}
    train = numbers(3000)
    one, two = (fit(base | changes, train) for changes in (given, other))
    assert not np.allclose([*coefficients(one), *one["bias"]], [*coefficients(two), *two["bias"]], rtol=1e-6, atol=1e-9)


def test_no_scaling_and_no_bias_leave_the_line_through_the_origin():
    model = fit(REGRESSION | ONE, numbers(), use_bias="false", normalize_data="false", normalize_label="false")
    assert model["bias"] == [0.0]


def test_early_stopping_waits_for_its_patience(capsys):
    fit(REGRESSION | ONE, numbers(), epochs="50", early_stopping_patience="2", early_stopping_tolerance="0.5")
    assert len(epochs_of(capsys)) < 15
    fit(REGRESSION | ONE, numbers(), epochs="50", early_stopping_patience="51", early_stopping_tolerance="0.5")
    assert len(epochs_of(capsys)) == 50


def epochs_of(capsys) -> list[str]:
    return re.findall(r"epoch=\d+, train", capsys.readouterr().out)


def test_the_best_epoch_on_the_validation_data_is_kept():
    """Trained on the opposite of what the validation data say, every epoch makes it worse."""
    rows, labels = numbers()
    given = REGRESSION | ONE | {"init_scale": "0.001", "epochs": "5", "early_stopping_patience": "9"}
    opposite = fit(given, (rows, labels), (rows, 100 - labels))
    assert abs(coefficients(opposite)[0]) < abs(coefficients(fit(given, (rows, labels), (rows, labels)))[0])


def test_a_rate_beyond_all_bounds_fails_with_advice():
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="smaller learning_rate"):
        fit(REGRESSION | {"num_models": "1", "learning_rate": "1e200", "optimizer": "sgd"}, numbers())


# --- Classification ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OF_PREDICTOR["binary_classifier"])
def test_every_loss_of_a_binary_classifier_separates(name):
    rows, labels = classes()
    model = fit(BINARY, (rows, labels), loss=name)
    found = scores(model, rows)
    assert (predicted_labels(model, found) == labels).mean() > 0.9
    assert (found >= 0).all() and (found <= 1).all() if name == "logistic" else (found < 0).any()


def test_several_classes_are_separated_and_probabilities_add_up():
    rows, labels = classes(borders=(-0.7, 0.7))
    model = fit(CLASSES, (rows, labels), epochs="30")
    found = scores(model, rows)
    assert found.shape == (2000, 3) and found.sum(1) == pytest.approx(np.ones(2000))
    assert (predicted_labels(model, found) == labels).mean() > 0.8


def of(criterion: str, **more: str) -> tuple[float, float]:
    """(precision, recall) at the threshold that the criterion chose; the classes overlap and are unequal."""
    given = BINARY | {"binary_classifier_model_selection_criteria": criterion, "num_models": "2"} | more
    train, validation = classes(3000, 1, (1.0,)), classes(3000, 2, (1.0,))
    model = fit(given, train, validation)
    predicted = predicted_labels(model, scores(model, validation[0]))
    precision, recall, *_ = judged.precision_recall_fscore_support(validation[1], predicted, average="binary")
    return precision, recall


def test_precision_at_target_recall_keeps_the_recall():
    assert of("precision_at_target_recall", target_recall="0.97")[1] == pytest.approx(0.97, abs=0.01)
    assert of("precision_at_target_recall", target_recall="0.5")[1] == pytest.approx(0.5, abs=0.05)


def test_recall_at_target_precision_keeps_the_precision():
    assert of("recall_at_target_precision", target_precision="0.97")[0] == pytest.approx(0.97, abs=0.01)


def test_f_beta_leans_to_recall_as_beta_grows():
    assert of("f_beta", f_beta="4")[1] > of("f_beta", f_beta="1")[1] > of("f_beta", f_beta="0.25")[1]


def test_loss_function_leaves_the_threshold_at_one_half():
    model = fit(BINARY, classes(), binary_classifier_model_selection_criteria="loss_function")
    assert model["threshold"] == 0
    assert predicted_labels(model, np.array([0.49, 0.51])).tolist() == [0, 1]


def test_calibration_looks_at_as_many_rows_as_it_is_told():
    train, validation = classes(), classes(2000, 5)
    validation[1][:300] = validation[0][:300].sum(1) > -1.5  # the first rows have another border
    few = fit(BINARY | ONE, train, validation, num_calibration_samples="300")
    assert predicted_labels(few, scores(few, validation[0])).mean() > 0.75
    every = fit(BINARY | ONE, train, validation)
    assert predicted_labels(every, scores(every, validation[0])).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("criterion", ["accuracy", "f_beta", "precision_at_target_recall"])
def test_the_threshold_is_the_best_of_all(criterion):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    found = np.round(labels + random.normal(0, 1, 200), 1)  # with ties
    settings = settings_of(BINARY | {"binary_classifier_model_selection_criteria": criterion})
    threshold, value = calibrate(found, labels, settings)

    def at(cut: float) -> float:
        said = found > cut
        match criterion:
            case "accuracy":
                return judged.accuracy_score(labels, said)
            case "f_beta":
                return judged.fbeta_score(labels, said, beta=1.0)
        recall = judged.recall_score(labels, said)
        return judged.precision_score(labels, said) if recall >= 0.8 else -1

    assert at(threshold) == pytest.approx(value)
    assert value == pytest.approx(max(at(cut) for cut in np.unique(found)[:-1] + 0.01))


def test_weights_of_positive_examples_move_the_border():
    train = classes(3000, 1, (1.0,))  # a quarter is positive
    more = {"binary_classifier_model_selection_criteria": "loss_function", "num_models": "1", "learning_rate": "0.01"}
    share = {
        weight: predicted_labels(model, scores(model, train[0])).mean()
        for weight in ("0.1", "1.0", "balanced", "10", "auto")
        if (model := fit(BINARY | more, train, positive_example_weight_mult=weight))
    }
    assert share["0.1"] < share["1.0"] < share["balanced"] < share["10"]
    assert share["auto"] == share["1.0"]  # of one model, which has the weight 1
    tried = Trainer(settings_of(BINARY | more | {"num_models": "3", "positive_example_weight_mult": "auto"}))
    assert tried._positive_weights(np.array([0, 0, 0, 0, 1])).tolist() == [1, 2, 4]


def test_balanced_classes_find_the_rare_one():
    train = classes(3000, 1, (-1.8, 1.8))
    recalls = []
    for balance in ("false", "true"):
        model = fit(CLASSES | ONE, train, balance_multiclass_weights=balance)
        predicted = predicted_labels(model, scores(model, train[0]))
        recalls.append(judged.recall_score(train[1], predicted, average=None)[0])
    assert recalls[1] > recalls[0]


def test_a_tuned_job_trains_one_model():
    given = REGRESSION | {"_tuning_objective_metric": "validation:mse", "num_models": "7"}
    assert settings_of(given)["num_models"] == 1
    assert settings_of(REGRESSION)["num_models"] == 32


# --- Losses and metrics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for names in OF_PREDICTOR.values() for name in names])
def test_the_gradient_is_that_of_the_loss(name):
    random = np.random.default_rng(0)
    is_softmax = name == "softmax_loss"
    shape = (6, 3, 2) if is_softmax else (6, 2)
    labels = random.integers(0, 3 if is_softmax else 2, 6).astype(float)
    at = random.normal(0, 1, shape)
    weights = np.array([1.0, 2.0, 0.5]) if is_softmax else None
    evaluate = loss(name, Settings(0.1, 0.3, 0.7, 0.9, np.array([2.0, 3.0]), weights))
    _, gradient = evaluate(at.copy(), labels)
    for model in range(2):
        slope = approx_fprime(
            at[..., model].ravel(), lambda point, model=model: evaluate(_with(at, point, model), labels)[0][model], 1e-7
        )
        assert gradient[..., model].ravel() == pytest.approx(slope, abs=1e-5)


def _with(at: np.ndarray, point: np.ndarray, model: int) -> np.ndarray:
    changed = at.copy()
    changed[..., model] = point.reshape(at.shape[:-1])
    return changed


def test_metrics_of_a_binary_classifier_are_scikit_learns():
    rows, labels = classes()
    model = fit(BINARY, (rows, labels))
    found = metrics(model, rows, labels, settings_of(BINARY | {"f_beta": "2"}))
    predicted = predicted_labels(model, scores(model, rows))
    assert found["binary_classification_accuracy"] == pytest.approx(judged.accuracy_score(labels, predicted))
    assert found["binary_f_beta"] == pytest.approx(judged.fbeta_score(labels, predicted, beta=2))
    assert found["precision"] == pytest.approx(judged.precision_score(labels, predicted))
    assert found["recall"] == pytest.approx(judged.recall_score(labels, predicted))
    assert found["roc_auc_score"] == pytest.approx(judged.roc_auc_score(labels, scores(model, rows)))
    assert found["objective_loss"] == pytest.approx(judged.log_loss(labels, scores(model, rows)), rel=1e-6)


def test_metrics_of_several_classes_are_scikit_learns():
    rows, labels = classes(borders=(-0.7, 0.7))
    model = fit(CLASSES, (rows, labels))
    found = metrics(model, rows, labels, settings_of(CLASSES | {"accuracy_top_k": "2"}))
    probabilities = scores(model, rows)
    predicted = probabilities.argmax(1)
    assert found["multiclass_accuracy"] == pytest.approx(judged.accuracy_score(labels, predicted))
    top = judged.top_k_accuracy_score(labels, probabilities, k=2)
    assert found["multiclass_top_k_accuracy"] == pytest.approx(top)
    assert found["macro_recall"] == pytest.approx(judged.recall_score(labels, predicted, average="macro"))
    assert found["macro_precision"] == pytest.approx(judged.precision_score(labels, predicted, average="macro"))
    assert found["macro_f_beta"] == pytest.approx(judged.f1_score(labels, predicted, average="macro"))
    relevant = np.eye(3)[labels.astype(int)]
    assert found["dcg"] == pytest.approx(judged.dcg_score(relevant, probabilities))


def test_metrics_of_a_regressor_are_scikit_learns():
    rows, labels = numbers()
    model = fit(REGRESSION, (rows, labels))
    found = metrics(model, rows, labels, settings_of(REGRESSION))
    predicted = scores(model, rows)
    assert found["mse"] == pytest.approx(judged.mean_squared_error(labels, predicted))
    assert found["rmse"] == pytest.approx(judged.root_mean_squared_error(labels, predicted))
    assert found["absolute_loss"] == pytest.approx(judged.mean_absolute_error(labels, predicted))
    assert found["objective_loss"] == pytest.approx(found["mse"] / model["label_scale"] ** 2)


# --- Jobs -------------------------------------------------------------------------------------------------------------


def as_csv(table: tuple[np.ndarray, np.ndarray]) -> str:
    return "\n".join(",".join(map(str, [label, *row])) for row, label in zip(*table, strict=True)) + "\n"


OF_CHANNEL = {
    "regressor": {"absolute_loss", "mse", "objective_loss", "rmse"},
    "binary_classifier": {
        *("binary_classification_accuracy", "binary_f_beta", "precision", "recall", "roc_auc_score", "objective_loss"),
    },
    "multiclass_classifier": {
        *("dcg", "macro_recall", "macro_precision", "macro_f_beta", "multiclass_accuracy", "multiclass_top_k_accuracy"),
        "objective_loss",
    },
}


@pytest.mark.parametrize(
    ("given", "table"),
    [(REGRESSION, numbers), (BINARY, classes), (CLASSES, lambda *n: classes(*n, borders=(-0.5, 0.5)))],
    ids=["regressor", "binary_classifier", "multiclass_classifier"],
)
def test_a_job_logs_what_the_injected_definitions_extract(train_alone, given, table):
    channels = {name: {"a.csv": as_csv(table(300, seed))} for seed, name in enumerate(("train", "validation", "test"))}
    job = train_alone("linear-learner", given | {"epochs": "3"}, channels)
    assert job.code == 0 and list(job.model) == ["model_algo-1"]
    extraction = Extraction(injected(Image("linear-learner", "1")))
    for line in job.log.splitlines():
        extraction.read(line, 0.0)
    expected = {f"{data}:{name}" for name in OF_CHANNEL[given["predictor_type"]] for data in ("validation", "test")}
    assert set(extraction.seen) == expected | {"train:objective_loss"}
    assert len(extraction.seen["train:objective_loss"]) == 3
    assert len(extraction.seen["validation:objective_loss"]) == 4  # each epoch, and the final model
    for name in expected - {"validation:objective_loss", "test:objective_loss"}:
        kind = "loss" if name.endswith(("loss", "mse")) else "score"
        assert f"{name.replace(':', ' ')} <{kind}>=" in job.log
    assert re.search(r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] #quality_metric: host=algo-1, ", job.log, re.M)
    assert (
        "#validation_score (algo-1) : ('" in job.log and "Docker entrypoint called with argument(s): train" in job.log
    )
    assert "Reading default configuration from /opt/amazon/lib/python" in job.log and "Test data is not" not in job.log
    assert '#metrics {"Metrics"' in job.log


def test_without_a_test_channel_the_log_says_so(train_alone):
    job = train_alone("linear-learner", REGRESSION, {"train": {"a.csv": as_csv(numbers(200))}})
    assert job.code == 0 and "Test data is not provided." in job.log


TABLE = "1,2,3\n4,5,6\n7,8,10\n"


UNREADABLE = "Unable to read data channel 'train'."
HYPERPARAMETER_MISTAKES = {
    "required": (
        {"predictor_type": None},
        "No value(s) were specified for 'predictor_type' which are required hyperparameter(s) "
        "(caused by ValidationError)",
    ),
    "required of several classes": (
        {"predictor_type": "multiclass_classifier"},
        "No value(s) were specified for 'num_classes' which are required",
    ),
    "unknown": ({"x": "1"}, "Additional properties are not allowed ('x' was unexpected)"),
    "range": ({"epochs": "0"}, "'0' is not valid under any of the given schemas (caused by ValidationError)"),
    "category": ({"predictor_type": "regression"}, "'regression' is not valid under any of the given schemas"),
    "loss of another predictor": ({"loss": "hinge_loss"}, "'hinge_loss' is not valid under any of the given schemas"),
    "feature_dim": ({"feature_dim": "5"}, "the hyperparameter feature_dim says 5"),
    "labels": ({"predictor_type": "binary_classifier"}, "Labels of a binary_classifier must be 0 or 1"),
    "labels of classes": (
        {"predictor_type": "multiclass_classifier", "num_classes": "3"},
        "Labels must be integers from 0 to 2",
    ),
}
DATA_MISTAKES = {
    "missing": (
        {"train": {"a": "1,2,\n"}},
        f"{UNREADABLE} Found missing (NaN) values. Please remove any missing (NaN) values in the input data. "
        "(caused by MXNetError)\n\nCaused by: ",
    ),
    "infinite": ({"train": {"a": "1,2,inf\n"}}, f"{UNREADABLE} Found infinite (Inf) values"),
    "missing in validation": (
        {"validation": {"a": "1,nan,3\n"}},
        "Unable to read data channel 'validation'. Found missing (NaN) values",
    ),
    "header": (
        {"train": {"a": "y,a,b\n1,2,3\n"}},
        f"{UNREADABLE} Requested content-type is 'text/csv'. Please verify the data matches the requested "
        "content-type.",
    ),
    "width of test": ({"test": {"a": "1,2\n"}}, "The feature dimension of channel 'test' is 1"),
    "unknown channel": ({"extra": {"a": TABLE}}, "Additional properties are not allowed"),
    "no data": ({"train": {}}, UNREADABLE),
    "no train channel": ({"train": None, "test": {"a": TABLE}}, "The train channel is required"),
}


@pytest.mark.parametrize("mistake", HYPERPARAMETER_MISTAKES)
def test_a_wrong_hyperparameter_ends_with_code_2(train_alone, mistake):
    changes, text = HYPERPARAMETER_MISTAKES[mistake]
    given = {name: value for name, value in (REGRESSION | changes).items() if value is not None}
    job = train_alone("linear-learner", given, {"train": {"a.csv": TABLE}})
    assert job.code == 2 and text in job.failure and f"Customer Error: {job.failure}" in job.log
    assert not job.model


@pytest.mark.parametrize("mistake", DATA_MISTAKES)
def test_wrong_data_end_with_code_2(train_alone, mistake):
    changes, text = DATA_MISTAKES[mistake]
    channels = {name: files for name, files in ({"train": {"a": TABLE}} | changes).items() if files is not None}
    job = train_alone("linear-learner", REGRESSION, channels)
    assert job.code == 2 and job.failure.startswith(text) and f"Customer Error: {job.failure}" in job.log


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("csv", "No iterator has been registered for ContentType (u'csv', '1.0')"),
        (None, f"{UNREADABLE} Requested content-type is 'application/x-recordio-protobuf'."),
        ("text/csv;label_size=0", "No iterator has been registered"),
    ],
)
def test_another_content_type_ends_with_code_2(train_alone, content_type, text):
    job = train_alone("linear-learner", REGRESSION, {"train": {"a": TABLE}}, content_type)
    assert job.code == 2 and job.failure.startswith(text)


def test_csv_may_name_its_label(train_alone):
    job = train_alone("linear-learner", REGRESSION, {"train": {"a": as_csv(numbers(200))}}, "text/csv;label_size=1")
    assert job.code == 0


def test_every_hyperparameter_of_the_guide_is_known():
    assert len(SCHEMA) == 44 and {"num_calibration_samples", "margin", "target_precision"} <= set(SCHEMA)


def test_a_job_keeps_its_model_as_plain_json(train_alone):
    job = train_alone("linear-learner", BINARY, {"train": {"a.csv": as_csv(classes(300))}})
    model = json.loads(job.model["model_algo-1"])
    assert set(model) == {"predictor_type", "loss", "weights", "bias", "label_scale", "threshold"}


def test_settings_refuse_what_no_schema_knows():
    with pytest.raises(CustomerError, match="Additional properties"):
        settings_of(REGRESSION | {"alpha": "1"})

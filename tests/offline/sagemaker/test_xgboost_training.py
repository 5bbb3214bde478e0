"""The contract of XGBoost's training, row by row: metrics, early stopping, failures, what is saved, several hosts."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import xgboost

from helpers.offline.services.sagemaker.images import Image
from helpers.offline.services.sagemaker.job_metrics import Extraction, final, injected

pytestmark = pytest.mark.filterwarnings("ignore")  # xgboost's and scikit-learn's, which go to the job's log
TREES = {"num_round": "3", "max_depth": "2"}


def rows(count: int, seed: int = 0, kind: str = "number") -> str:
    """Label first: 3a - 2b + noise; or whether that is above its median; or its third."""
    random = np.random.default_rng(seed)
    features = random.uniform(0, 10, (count, 3))
    label = 3 * features[:, 0] - 2 * features[:, 1] + random.normal(0, 1, count)
    if kind != "number":
        label = np.digitize(label, np.quantile(label, [0.5] if kind == "binary" else [1 / 3, 2 / 3]))
    return "\n".join(",".join(f"{cell:.6g}" for cell in row) for row in np.column_stack([label, features])) + "\n"


@pytest.fixture
def boosted(train_alone):
    """`boosted({hyperparameter: …}, kind="binary")`: the job, which has a train and a validation channel."""

    def run(given, kind="number", validation=True, **more):
        channels = {"train": {"a.csv": rows(200, 1, kind)}}
        channels |= {"validation": {"v.csv": rows(80, 2, kind)}} if validation else {}
        return train_alone("xgboost", TREES | given, channels, **more)

    return run


def rounds(log: str) -> list[dict[str, float]]:
    """Of each evaluation line: name -> value."""
    lines = re.findall(r"^\[\d+\]\t(.+)$", log, re.MULTILINE)
    return [{name: float(value) for name, value in (part.split(":") for part in line.split("\t"))} for line in lines]


def booster(content: bytes) -> xgboost.Booster:
    loaded = xgboost.Booster()
    loaded.load_model(bytearray(content))
    return loaded


# --- Log and metrics --------------------------------------------------------------------------------------------------


def test_the_log_has_the_containers_lines(boosted):
    log = boosted({"objective": "reg:squarederror"}).log
    expected = [
        "Imported framework sagemaker_xgboost_container.training",
        "Failed to parse hyperparameter objective value reg:squarederror to Json.",
        "Returning the value itself",
        "No GPUs detected (normal if no gpus installed)",
        "Running XGBoost Sagemaker in algorithm mode",
        "Determined 0 GPU(s) available on the instance.",
        "File path /opt/ml/input/data/train of input files",
        "Determined delimiter of CSV input is ','",
        "Single node training.",
        "Train matrix has 200 rows and 3 columns",
        "Validation matrix has 80 rows",
    ]
    places = [log.index(line) for line in expected]
    assert places == sorted(places)
    assert re.match(r"\[\d{4}-\d\d-\d\d:\d\d:\d\d:\d\d:INFO\] Imported", log)


def test_an_evaluation_line_is_separated_by_tabs(boosted):
    assert re.search(r"^\[0\]\ttrain-rmse:\d+\.\d{5}\tvalidation-rmse:\d+\.\d{5}$", boosted({}).log, re.MULTILINE)


@pytest.mark.parametrize("version", ["3.0-5", "1.7-1"])
def test_another_image_says_which_xgboost_serves_it(boosted, version):
    assert f"image {version} is served by xgboost 3.2.0" in boosted({}, image_version=version).log


XGBOOSTS_OWN = {
    "number": ["rmse", "mape", "rmsle", "mphe", "gamma-nloglik"],
    "binary": ["error", "error@0.7", "logloss", "auc", "aucpr"],
    "class": ["merror", "mlogloss"],
}
OBJECTIVE = {
    "number": {"objective": "reg:squarederror"},
    "binary": {"objective": "binary:logistic"},
    "class": {"objective": "multi:softprob", "num_class": "3"},
}


@pytest.mark.parametrize(("kind", "metric"), [(kind, one) for kind, names in XGBOOSTS_OWN.items() for one in names])
def test_a_metric_of_xgboost_is_printed_alone(boosted, kind, metric):
    found = rounds(boosted(OBJECTIVE[kind] | {"eval_metric": metric}, kind).log)
    assert [set(line) for line in found] == [{f"train-{metric}", f"validation-{metric}"}] * 3


@pytest.mark.parametrize(
    ("kind", "metric", "own"),
    [
        *(("number", metric, "rmse") for metric in ("mse", "mae", "r2")),
        *(
            (kind, metric, own)
            for kind, own in (("binary", "logloss"), ("class", "mlogloss"))
            for metric in ("accuracy", "balanced_accuracy", "f1", "f1_macro", "precision_macro", "precision_micro")
        ),
        *(("binary", metric, "logloss") for metric in ("f1_binary", "precision", "recall")),
        *(("class", metric, "mlogloss") for metric in ("recall_macro", "recall_micro")),
    ],
)
def test_a_metric_of_the_container_comes_with_the_objectives_own(boosted, kind, metric, own):
    found = rounds(boosted(OBJECTIVE[kind] | {"eval_metric": metric}, kind).log)
    assert set(found[-1]) == {f"{data}-{name}" for data in ("train", "validation") for name in (metric, own)}


def test_container_metrics_of_numbers_are_right(boosted):
    last = rounds(boosted({"eval_metric": "rmse,mse,mae,r2", "num_round": "30"}).log)[-1]
    assert last["validation-mse"] == pytest.approx(last["validation-rmse"] ** 2, rel=1e-3)
    assert 0.9 < last["validation-r2"] < 1 and 0.5 < last["validation-mae"] < last["validation-rmse"]


def test_accuracy_of_binary_logistic_is_wrong_as_in_images_3(boosted):
    """Every probability is above 0, so that every row counts as class 1."""
    last = rounds(boosted(OBJECTIVE["binary"] | {"eval_metric": "accuracy,error", "num_round": "30"}, "binary").log)[-1]
    assert last["train-error"] < 0.05 and last["train-accuracy"] == 0.5


def test_f1_binary_of_three_classes_fails_as_a_users_mistake(boosted):
    job = boosted(OBJECTIVE["class"] | {"eval_metric": "f1_binary"}, "class")
    assert job.code == 1 and "UserError: Target is multiclass but average='binary'" in job.failure


def test_the_injected_definitions_find_every_printed_metric(boosted):
    log = boosted({"eval_metric": "rmse,mae"}).log
    definitions = injected(Image("xgboost", "3.2-0"))
    regex = {entry["Name"]: entry["Regex"] for entry in definitions}
    assert regex["train:rmse"] == r".*\[[0-9]+\].*#011train-rmse:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*"
    extraction = Extraction(definitions)
    for second, line in enumerate(log.splitlines()):
        extraction.read(line.replace("\t", "#011"), second + 0.7)
    found = final({name: values[-1] for name, values in extraction.seen.items()})
    last = rounds(log)[-1]
    assert {entry["MetricName"] for entry in found} == {name.replace("-", ":") for name in last}
    for entry in found:
        shown = last[entry["MetricName"].replace(":", "-")]
        assert entry["Value"] == float(np.float32(shown)) and entry["Timestamp"] == int(entry["Timestamp"])


# --- Early stopping ---------------------------------------------------------------------------------------------------

OVERFITS = {"num_round": "200", "eta": "0.9", "max_depth": "8", "early_stopping_rounds": "2"}


@pytest.mark.parametrize(
    ("given", "validation"),
    [({}, True), ({"eval_metric": "rmse"}, False)],
    ids=["no metric", "no validation channel"],
)
def test_early_stopping_is_silently_ignored_without(boosted, given, validation):
    assert len(rounds(boosted(OVERFITS | given, validation=validation).log)) == 200


@pytest.mark.parametrize(
    "given",
    [{"eval_metric": "mae,rmse"}, {"_tuning_objective_metric": "validation:rmse"}],
    ids=["the last metric listed", "the tuned metric"],
)
def test_early_stopping_cuts_the_model_to_its_best_round(boosted, given):
    job = boosted(OVERFITS | given)
    values = [line["validation-rmse"] for line in rounds(job.log)]
    best = int(np.argmin(values))
    assert len(values) == best + 3  # two rounds without progress
    model = booster(job.model["xgboost-model"])
    assert model.num_boosted_rounds() == best + 1
    assert model.attr("best_iteration") == str(best)
    assert float(model.attr("best_score")) == pytest.approx(min(values), abs=1e-5)


@pytest.mark.parametrize(("version", "code"), [("3.2-0", 1), ("1.7-1", 0)])
def test_a_model_of_the_old_reg_linear_is_cut_where_its_image_could(boosted, version, code):
    """xgboost 3 takes the old name, trains, and cannot cut the model; the older images' xgboost could."""
    job = boosted(OVERFITS | {"objective": "reg:linear", "eval_metric": "rmse"}, image_version=version)
    assert job.code == code, job.failure
    if code:
        assert "`save_best` is not applicable to the current booster" in job.failure
    else:
        assert booster(job.model["xgboost-model"]).num_boosted_rounds() < 200


def test_a_metric_to_maximize_stops_when_it_falls(boosted):
    job = boosted(OVERFITS | OBJECTIVE["binary"] | {"eval_metric": "auc"}, "binary")
    values = [line["validation-auc"] for line in rounds(job.log)]
    assert len(values) < 200 and booster(job.model["xgboost-model"]).num_boosted_rounds() == int(np.argmax(values)) + 1


# --- Failures ---------------------------------------------------------------------------------------------------------


FAILED = "XGB train call failed with exception:\n "
NO_TRAIN = "UserError: No data in training channel path /opt/ml/input/data/train"
NO_VALIDATION = "UserError: No data in validation channel path /opt/ml/input/data/validation"


@pytest.mark.parametrize(
    ("given", "channels", "error"),
    [
        pytest.param({"num_round": "0"}, {}, "UserError: Hyperparameter num_round: 0 is not in [1, +inf)", id="range"),
        pytest.param({}, {"train": {}}, NO_TRAIN, id="empty train"),
        pytest.param({}, {"validation": {}}, NO_VALIDATION, id="empty validation"),
        pytest.param({}, {"validation": {"v": ""}}, NO_VALIDATION, id="empty validation file"),
        pytest.param({"eval_metric": "auc"}, {}, "KeyError: 'objective'", id="auc without objective"),
        pytest.param(
            {"objective": "multi:softmax", "num_class": "3"},
            {},
            "label must be discrete values in the range of [0, num_class)",
            id="softmax labels",
        ),
        pytest.param(
            {"objective": "binary:logistic", "num_class": "2"},
            {"train": {"a.csv": rows(50, 1, "binary")}},
            f"AlgorithmError: {FAILED}",
            id="num_class of a binary objective",
        ),
        pytest.param(
            {"objective": "binary:logistic"},
            {},
            f"AlgorithmError: {FAILED}",
            id="labels beyond 0 and 1",
        ),
        pytest.param(
            {"objective": "binary:logistic"}, {}, "base_score must be in (0,1) for the logistic loss", id="base_score"
        ),
        pytest.param({}, {"train": {"a.csv": "1,inf\n2,3\n"}}, "Input data contains `inf` or a value", id="inf"),
        pytest.param({}, {"train": {"a.csv": "1,information\n2,3\n"}}, "Input data contains `inf`", id="word of inf"),
        pytest.param({}, {"train": {"a.csv": "nan,1\n2,3\n"}}, f"AlgorithmError: {FAILED}", id="NaN label"),
        pytest.param({"tree_method": "gpu_hist"}, {}, f"AlgorithmError: {FAILED}", id="gpu_hist"),
        pytest.param(
            {"use_dask_gpu_training": "true"},
            {},
            "UserError: Some configurations unsuitable for Dask GPU training were found",
            id="Dask",
        ),
    ],
)
def test_a_failure_is_a_traceback_whose_last_line_is_the_reason(train_alone, given, channels, error):
    job = train_alone("xgboost", TREES | given, {"train": {"a.csv": rows(50)}} | channels)
    assert job.code == 1
    assert job.failure.startswith("framework error: \nTraceback (most recent call last):\n")
    assert error in job.failure and error in job.log
    assert not job.model


def test_num_class_alone_switches_to_softmax(train_alone):
    job = train_alone("xgboost", TREES | {"num_class": "3"}, {"train": {"a.csv": rows(100, 1, "class")}})
    assert job.code == 0 and "train-mlogloss" in job.log


# --- What is saved ----------------------------------------------------------------------------------------------------


def test_the_model_is_one_file_in_ubjson(boosted):
    model = boosted({}).model
    assert list(model) == ["xgboost-model"] and model["xgboost-model"].startswith(b"{L")
    assert booster(model["xgboost-model"]).num_boosted_rounds() == 3


def test_updaters_reach_xgboost(boosted):
    assert boosted({"updater": "grow_colmaker,prune", "tree_method": "exact"}).code == 0
    job = boosted({"booster": "gblinear", "updater": "coord_descent"})
    assert job.code == 0 and b"gblinear" in job.model["xgboost-model"]


def test_a_checkpoint_is_written_after_the_first_round_alone(boosted):
    job = boosted({"num_round": "6"}, folders=("checkpoints",))
    assert [path.name for path in (job.directory / "checkpoints").iterdir()] == ["xgboost-checkpoint_0.ubj"]
    assert not (boosted({}).directory / "checkpoints").exists()


@pytest.mark.parametrize(("kind", "columns"), [("number", 2), ("binary", 3), ("class", 3)])
def test_k_folds_leave_a_model_each_and_their_predictions(boosted, kind, columns):
    job = boosted(OBJECTIVE[kind] | {"_kfold": "3", "_num_cv_round": "2", "num_round": "10"}, kind)
    assert sorted(job.model) == [f"xgboost-model-{number}" for number in range(6)]
    assert "Run 2-round of 3-fold cross validation with 280 rows" in job.log
    assert job.log.count("Train cross validation fold 3") == 2
    table = np.loadtxt(job.directory / "output" / "data" / "predictions.csv", delimiter=",")
    assert table.shape == (280, columns)
    if kind == "number":
        assert np.corrcoef(table[:, 0], table[:, 1])[0, 1] > 0.9
    else:
        assert (table[:, 0] == table[:, 2]).mean() > 0.7
    assert len(re.findall(r"^\[10\]\ttrain-", job.log, re.MULTILINE)) == 3  # two rounds and their mean


def test_k_folds_without_an_objective_fail_as_in_the_container(boosted):
    assert "'NoneType' object has no attribute 'startswith'" in boosted({"_kfold": "3"}).failure


# --- Processes: several hosts, termination ----------------------------------------------------------------------------

PROGRAM = [sys.executable, "-P", "-m", "helpers.offline.services.sagemaker.algorithms", "xgboost"]


def start(directory) -> subprocess.Popen:
    pipe = subprocess.PIPE
    command = [*PROGRAM, str(directory)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def hosts(tmp_path):
    """`hosts({"algo-1": {"train": csv}, …}, hyperparameters)`: of each host its log, exit code and model files."""
    started = []

    def run(shares, given):
        for name, channels in shares.items():
            directory = tmp_path / name
            for folder in ("input/config", "model", *(f"input/data/{channel}" for channel in channels)):
                (directory / folder).mkdir(parents=True)
            for channel, text in channels.items():
                (directory / "input" / "data" / channel / "a.csv").write_text(text)
            documents = {
                "hyperparameters": given,
                "inputdataconfig": {channel: {"ContentType": "text/csv"} for channel in channels},
                "resourceconfig": {"current_host": name, "hosts": sorted(shares), "threads": 1},
            }
            for file, document in documents.items():
                (directory / "input" / "config" / f"{file}.json").write_text(json.dumps(document))
            started.append((name, start(directory)))
        return {
            name: (process.stdout.read(), process.wait(60), os.listdir(tmp_path / name / "model"))
            for name, process in started
        }

    yield run
    for _, process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_two_hosts_with_half_the_rows_each_train_one_model_of_all(hosts, tmp_path, train_alone):
    text = rows(400, 1)
    lines, given = text.splitlines(keepends=True), {"num_round": "5", "tree_method": "hist", "seed": "1"}
    ended = hosts({"algo-1": {"train": "".join(lines[:200])}, "algo-2": {"train": "".join(lines[200:])}}, given)
    assert [(code, model) for _, code, model in ended.values()] == [(0, ["xgboost-model"]), (0, [])]
    assert len(rounds(ended["algo-1"][0])) == 5 and not rounds(ended["algo-2"][0])
    for log, _, _ in ended.values():
        assert "Distributed node training with 2 hosts: ['algo-1', 'algo-2']" in log
        assert "Train matrix has 200 rows" in log
    whole = train_alone("xgboost", given, {"train": {"a.csv": text}})
    assert rounds(ended["algo-1"][0])[-1]["train-rmse"] == pytest.approx(rounds(whole.log)[-1]["train-rmse"], rel=0.05)
    together = booster((tmp_path / "algo-1" / "model" / "xgboost-model").read_bytes())
    cover = json.loads(together.get_dump(with_stats=True, dump_format="json")[0])["cover"]
    assert cover == 400  # the first split saw the rows of both hosts


def test_fully_replicated_data_count_twice(hosts, tmp_path):
    text = rows(100, 1)
    hosts({"algo-1": {"train": text}, "algo-2": {"train": text}}, {"num_round": "1"})
    model = booster((tmp_path / "algo-1" / "model" / "xgboost-model").read_bytes())
    assert json.loads(model.get_dump(with_stats=True, dump_format="json")[0])["cover"] == 200


def test_a_host_without_data_is_left_out_and_the_first_with_data_saves(hosts):
    shares = {"algo-1": {"train": ""}, "algo-2": {"train": rows(90, 1)}, "algo-3": {"train": rows(90, 2)}}
    ended = hosts(shares, {"num_round": "2"})
    assert "Host algo-1 does not have training data." in ended["algo-1"][0]
    assert "Host algo-1 not being used for distributed training." in ended["algo-1"][0]
    assert [(code, model) for _, code, model in ended.values()] == [(0, []), (0, ["xgboost-model"]), (0, [])]


def test_without_data_anywhere_every_host_fails_or_is_left_out(hosts):
    ended = hosts({"algo-1": {"train": ""}, "algo-2": {"train": ""}}, {"num_round": "2"})
    assert all("does not have training data" in log for log, _, _ in ended.values())
    assert not any(model for _, _, model in ended.values())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
@pytest.mark.parametrize("saves", [True, False])
def test_termination_keeps_the_model_only_where_it_is_asked_for(tmp_path, saves):
    directory = tmp_path / "algo-1"
    for folder in ("input/config", "input/data/train", "model"):
        (directory / folder).mkdir(parents=True)
    (directory / "input" / "data" / "train" / "a.csv").write_text(rows(300))
    documents = {
        "hyperparameters": {"num_round": "1000000", "save_model_on_termination": "true" if saves else "false"},
        "inputdataconfig": {"train": {"ContentType": "text/csv"}},
        "resourceconfig": {"current_host": "algo-1", "hosts": ["algo-1"], "threads": 1},
    }
    for file, document in documents.items():
        (directory / "input" / "config" / f"{file}.json").write_text(json.dumps(document))
    with start(directory) as process:
        while not process.stdout.readline().startswith("[20]"):
            pass
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        code = process.wait(30)
    names = os.listdir(directory / "model")
    assert (code, names) == ((0, ["xgboost-model"]) if saves else (-signal.SIGTERM, []))
    if saves:
        assert booster((directory / "model" / "xgboost-model").read_bytes()).num_boosted_rounds() >= 20

"""Programs that score a test set through an endpoint, some hundred rows a request, in each of XGBoost's formats."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import xgboost


@pytest.fixture(scope="module")
def test_set() -> np.ndarray:
    return np.random.default_rng(11).uniform(0, 10, (1750, 3)).astype("float32").round(3)


@pytest.fixture(scope="module")
def booster(sagemaker):
    """A classifier of three features, trained here, so that its answers are known."""
    table = np.random.default_rng(3).uniform(0, 10, (400, 3)).astype("float32")
    labels = (table[:, 0] > table[:, 1]).astype(int)
    settings = {"objective": "binary:logistic", "nthread": 1, "seed": 1}
    return xgboost.train(settings, xgboost.DMatrix(table, labels, nthread=1), 8)


@pytest.fixture(scope="module")
def classifier(sagemaker, booster) -> str:
    return sagemaker.deploy(sagemaker.packed(bytes(booster.save_raw("ubj"))))


@pytest.fixture(scope="module")
def expected(booster, test_set) -> np.ndarray:
    return booster.predict(xgboost.DMatrix(test_set, nthread=1))


def chunks(table: np.ndarray, rows: int = 500) -> list[np.ndarray]:
    return np.array_split(table, len(table) // rows + 1)


def test_chunks_of_csv_give_the_scores_of_the_whole_set(sagemaker, classifier, test_set, expected):
    answers = ""
    for chunk in chunks(test_set):
        body = io.BytesIO()
        np.savetxt(body, chunk, delimiter=",", fmt="%g")
        answer = sagemaker.runtime.invoke_endpoint(
            EndpointName=classifier, ContentType="text/csv", Body=body.getvalue()
        )
        answers += answer["Body"].read().decode("utf-8")
    scores = np.array(answers.strip().split("\n"), dtype="float32")
    assert scores == pytest.approx(expected, abs=1e-5)


def test_a_data_frame_without_header_and_index_is_a_request(sagemaker, classifier, test_set, expected):
    body = pd.DataFrame(test_set[:200]).to_csv(header=False, index=False)
    scores = pd.read_csv(io.StringIO(sagemaker.ask(classifier, body)[1]), header=None)[0]
    assert scores.to_numpy() == pytest.approx(expected[:200], abs=1e-5)
    assert scores.round().sum() == (expected[:200] > 0.5).sum()


def test_lines_of_libsvm_are_scored_one_by_one(sagemaker, classifier, test_set, expected):
    for row, score in zip(test_set[:25], expected, strict=False):
        line = "0 " + " ".join(f"{column}:{value:g}" for column, value in enumerate(row))
        kind, answer = sagemaker.ask(classifier, line, ContentType="text/x-libsvm")
        assert kind.startswith("text/csv") and float(answer) == pytest.approx(score, abs=1e-5)


def test_an_empty_libsvm_row_between_others_is_a_row(sagemaker, classifier):
    answer = sagemaker.ask(classifier, "0 0:9 1:1\n1\n0 0:9 1:1", ContentType="text/libsvm")[1].split()
    assert len(answer) == 3 and answer[0] == answer[2]


def test_scores_come_as_json_when_asked(sagemaker, classifier, test_set, expected):
    body = "\n".join(",".join(f"{cell:g}" for cell in row) for row in test_set[:500])
    kind, answer = sagemaker.ask(classifier, body, Accept="application/json")
    scores = [entry["score"] for entry in json.loads(answer)["predictions"]]
    assert kind == "application/json" and scores == pytest.approx(expected[:500], abs=1e-5)


def test_a_confusion_matrix_of_selected_labels(sagemaker, booster, test_set, expected):
    """Selectable inference: the label and its probability in one answer, as text/csv and as JSON Lines."""
    endpoint = sagemaker.deploy(
        sagemaker.packed(bytes(booster.save_raw("ubj"))),
        SAGEMAKER_INFERENCE_OUTPUT="predicted_label,probability,raw_scores",
    )
    body = "\n".join(",".join(f"{cell:g}" for cell in row) for row in test_set[:300])
    lines = pd.read_csv(io.StringIO(sagemaker.ask(endpoint, body)[1]), header=None, names=["label", "p", "scores"])
    assert lines.p.to_numpy() == pytest.approx(expected[:300], abs=1e-5)
    truth = test_set[:300, 0] > test_set[:300, 1]
    table = pd.crosstab(truth, lines.label)
    assert np.trace(table.to_numpy()) / 300 > 0.85
    kind, answer = sagemaker.ask(endpoint, body, Accept="application/jsonlines")
    entries = [json.loads(line) for line in answer.splitlines()]
    assert kind == "application/jsonlines" and [entry["predicted_label"] for entry in entries] == lines.label.tolist()
    for entry in entries:  # the container makes them of the probability, whatever their name says
        assert entry["raw_scores"] == pytest.approx([1 - entry["probability"], entry["probability"]])

"""Endpoints that are asked and answer in RecordIO-protobuf, as clients of Amazon's own algorithms do."""

import json

import numpy as np
import pytest
from botocore.exceptions import ClientError

from tests.offline.sagemaker.record_message import framed, labels, record_class

RECORDIO = "application/x-recordio-protobuf"
LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"
ROWS = np.array([[1.0, 2.0, 3.0], [0.0, -4.5, 0.0], [7.25, 0.0, 1.0]])


def dense(rows) -> bytes:
    made = []
    for row in rows:
        record = record_class()()
        record.features["values"].float32_tensor.values.extend(row)
        made.append(record)
    return framed(made)


def sparse(rows) -> bytes:
    made = []
    for row in rows:
        record = record_class()()
        tensor = record.features["values"].float32_tensor
        tensor.keys.extend(np.flatnonzero(row).tolist())
        tensor.values.extend(row[row != 0])
        tensor.shape.append(len(row))
        made.append(record)
    return framed(made)


@pytest.fixture(scope="module")
def linear(sagemaker) -> str:
    """score = a - c + 0.5; the class is 1 from a score of 0.5 on."""
    model = {"predictor_type": "binary_classifier", "weights": [[1.0], [0.0], [-1.0]], "bias": [0.5]}
    return sagemaker.deploy(sagemaker.packed(json.dumps(model).encode(), "model_algo-1"), LINEAR)


@pytest.fixture(scope="module")
def neighbors(sagemaker) -> str:
    from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index

    rows = np.array([[0.0, 0, 0], [1, 1, 1], [5, 5, 5]])
    index = Index(rows, np.array([0.0, 1, 5]), {"k": 2, "predictor_type": "regressor", "index_metric": "L2"})
    return sagemaker.deploy(sagemaker.packed(index.save(), "model_algo-1"), NEIGHBORS)


@pytest.fixture(scope="module")
def boosted(sagemaker) -> str:
    return sagemaker.boosted("multi:softprob", np.arange(300) % 3, num_class=3)


@pytest.fixture(scope="module")
def boosted_endpoint(sagemaker, boosted) -> str:
    return sagemaker.deploy(boosted)


def ask(sagemaker, endpoint, body, **more) -> tuple[str, bytes]:
    request = {"EndpointName": endpoint, "ContentType": RECORDIO, "Body": body} | more
    answer = sagemaker.runtime.invoke_endpoint(**request)
    return answer["ContentType"], answer["Body"].read()


@pytest.mark.parametrize("encode", [dense, sparse])
def test_records_are_rows_of_linear_learner(sagemaker, linear, encode):
    kind, body = ask(sagemaker, linear, encode(ROWS), Accept="application/json")
    of_csv = sagemaker.ask(linear, "\n".join(",".join(map(str, row)) for row in ROWS))[1]
    assert kind == "application/json" and json.loads(body) == json.loads(of_csv)


def test_linear_learner_answers_one_record_for_each_row(sagemaker, linear):
    kind, body = ask(sagemaker, linear, dense(ROWS), Accept=RECORDIO)
    expected = json.loads(ask(sagemaker, linear, dense(ROWS), Accept="application/json")[1])["predictions"]
    assert kind == RECORDIO
    found = labels(body)
    assert [set(label) for label in found] == 3 * [{"score", "predicted_label"}]
    assert [label["score"][0] for label in found] == pytest.approx([one["score"] for one in expected])
    assert [label["predicted_label"] for label in found] == [[one["predicted_label"]] for one in expected]


def test_k_nn_answers_records_with_the_neighbours_when_asked(sagemaker, neighbors):
    one = np.array([[0.0, 0.0, 0.0]])
    assert labels(ask(sagemaker, neighbors, dense(one), Accept=RECORDIO)[1]) == [{"predicted_label": [0.5]}]
    kind, body = ask(sagemaker, neighbors, dense(one), Accept=f"{RECORDIO}; verbose=true")
    assert kind == RECORDIO
    (label,) = labels(body)
    assert label["labels"] == [0.0, 1.0] and label["distances"] == pytest.approx([0.0, 3.0], abs=0.1)


def test_xgboost_takes_dense_records_as_it_takes_csv(sagemaker, boosted_endpoint):
    of_csv = sagemaker.ask(boosted_endpoint, "\n".join(",".join(map(str, row)) for row in ROWS))
    kind, body = ask(sagemaker, boosted_endpoint, dense(ROWS))
    assert (kind, body.decode()) == of_csv


def test_xgboost_takes_what_a_sparse_record_does_not_name_as_missing(sagemaker, boosted_endpoint):
    _, of_libsvm = sagemaker.ask(
        boosted_endpoint,
        "\n".join(" ".join(f"{key}:{row[key]}" for key in np.flatnonzero(row)) for row in ROWS),
        ContentType="text/libsvm",
    )
    assert ask(sagemaker, boosted_endpoint, sparse(ROWS))[1].decode() == of_libsvm


def test_a_selection_of_xgboost_comes_in_records(sagemaker, boosted):
    endpoint = sagemaker.deploy(boosted, SAGEMAKER_INFERENCE_OUTPUT="probabilities, Predicted_Label")
    kind, body = ask(sagemaker, endpoint, dense(ROWS), Accept=RECORDIO)
    expected = json.loads(ask(sagemaker, endpoint, dense(ROWS), Accept="application/json")[1])["predictions"]
    assert kind == RECORDIO
    for label, one in zip(labels(body), expected, strict=True):
        assert label["probabilities"] == pytest.approx(one["probabilities"])
        assert label["predicted_label"] == [np.argmax(one["probabilities"])]


def of_shape(columns: int) -> bytes:
    record = record_class()()
    tensor = record.features["values"].float32_tensor
    tensor.keys.append(1)
    tensor.values.append(1.0)
    tensor.shape.append(columns)
    return framed([record])


BROKEN = {
    "text": b"1,2,3",
    "cut off": dense(ROWS)[:-3],
    "too wide": dense(np.ones((1, 4))),
    "a shape of two thousand millions": of_shape(2_000_000_000),
}


@pytest.mark.parametrize("row", BROKEN)
@pytest.mark.parametrize("kind", ["linear", "neighbors", "boosted_endpoint"])
def test_what_are_no_records_of_the_model_is_a_clients_error(sagemaker, request, kind, row):
    status = 400 if kind != "boosted_endpoint" or "wide" in row or "shape" in row else 415
    with pytest.raises(ClientError) as caught:
        ask(sagemaker, request.getfixturevalue(kind), BROKEN[row])
    assert caught.value.response["OriginalStatusCode"] == status
    if kind != "boosted_endpoint":
        assert caught.value.response["OriginalMessage"] == "unable to evaluate payload provided"
    elif status == 415:
        assert caught.value.response["OriginalMessage"].startswith(
            "Loading recordio-protobuf data failed with Exception, please ensure data is in recordio-protobuf format: "
        )


def test_linear_learner_trained_asked_and_answered_in_records(sagemaker, unique):
    """The whole way of a notebook that writes its matrix as records, trains on them and asks with them."""
    random = np.random.default_rng(4)
    features = random.normal(size=(600, 3)).astype("float32")
    targets = features @ [2.0, -1.0, 0.5] + 3
    made = []
    for row, target in zip(features, targets, strict=True):
        record = record_class()()
        record.features["values"].float32_tensor.values.extend(row)
        record.label["values"].float32_tensor.values.append(target)
        made.append(record)
    channel = sagemaker.put(f"{unique('records')}/part-0", framed(made))
    settings = {"predictor_type": "regressor", "mini_batch_size": "50", "epochs": "20"}
    job = sagemaker.train({"train": channel}, settings, image=LINEAR, content_type=None)
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], LINEAR)
    found = labels(ask(sagemaker, endpoint, dense(features[:100]), Accept=RECORDIO)[1])
    errors = np.array([label["score"][0] for label in found]) - targets[:100]
    assert np.abs(errors).mean() < 0.3

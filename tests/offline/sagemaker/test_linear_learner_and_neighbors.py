import json

import numpy as np
import pytest
from botocore.exceptions import ClientError

from helpers.offline.services.sagemaker.algorithms.errors import CustomerError
from helpers.offline.services.sagemaker.algorithms.first_party import validate
from helpers.offline.services.sagemaker.algorithms.linear_learner import SCHEMA as LINEAR_SCHEMA
from helpers.offline.services.sagemaker.algorithms.linear_learner import Trainer
from helpers.offline.services.sagemaker.algorithms.linear_scores import scores
from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"


def trainer(**given) -> Trainer:
    return Trainer(validate(given, LINEAR_SCHEMA, ("predictor_type",)), is_tuned=False)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_linear_regression_finds_the_coefficients(optimizer, capsys):
    random = np.random.default_rng(0)
    rows = random.uniform(0, 10, (4000, 3)).astype("float32")
    labels = (3 * rows[:, 0] - 2 * rows[:, 1] + 50 + random.normal(0, 0.5, 4000)).astype("float32")
    model = trainer(predictor_type="regressor", mini_batch_size="100", optimizer=optimizer).fit((rows, labels), None)
    assert np.ravel(model["weights"]) == pytest.approx([3, -2, 0], abs=0.1)
    assert model["bias"][0] == pytest.approx(50, abs=1)


@pytest.mark.parametrize("kind", ["binary_classifier", "multiclass_classifier"])
def test_linear_classification_separates(kind, capsys):
    random = np.random.default_rng(0)
    rows = random.normal(0, 1, (3000, 2)).astype("float32")
    wanted = (rows[:, 0] > 0).astype(int) + (kind == "multiclass_classifier") * (rows[:, 0] > 1)
    more = {"num_classes": "3"} if kind == "multiclass_classifier" else {}
    model = trainer(predictor_type=kind, mini_batch_size="100", epochs="30", **more).fit(
        (rows, wanted.astype("float32")), None
    )
    found = scores(model, rows)
    labels = found.argmax(1) if found.ndim > 1 else found > 0.5
    assert (labels == wanted).mean() > 0.95


@pytest.mark.parametrize("metric", ["L2", "INNER_PRODUCT", "COSINE"])
def test_neighbors_are_the_nearest(metric):
    random = np.random.default_rng(0)
    rows, asked = random.normal(0, 1, (500, 4)), random.normal(0, 1, (7, 4))
    index = Index(rows, np.arange(500), {"k": 5, "predictor_type": "regressor", "index_metric": metric})
    near = {
        "L2": -((asked[:, None] - rows) ** 2).sum(2),
        "INNER_PRODUCT": asked @ rows.T,
        "COSINE": (asked @ rows.T) / np.linalg.norm(rows, axis=1),
    }[metric]
    assert (index.neighbors(asked)[1] == np.argsort(-near, axis=1)[:, :5]).all()
    again = Index.load(index.save())
    assert again.predict(again.neighbors(rows[:3])[1]) == pytest.approx(index.predict(index.neighbors(rows[:3])[1]))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "No value(s) were specified for 'predictor_type' which are required hyperparameter(s)"),
        ({"predictor_type": "regressor", "x": "1"}, "Additional properties are not allowed ('x' was unexpected)"),
        ({"predictor_type": "regressor", "epochs": "0"}, "'0' is not valid under any of the given schemas"),
    ],
)
def test_wrong_hyperparameters_are_refused(given, text):
    with pytest.raises(CustomerError) as error:
        validate(given, LINEAR_SCHEMA, ("predictor_type",))
    assert text in str(error.value)


@pytest.fixture(scope="module")
def jobs(sagemaker, channels):
    """Side by side: a linear learner, k-NN, and the mistakes."""
    nan = sagemaker.put("missing/a.csv", b"1,2,\n3,4,5\n")
    text = sagemaker.put("text/a.csv", b"y,a,b\n3,4,5\n")
    linear, knn = {"predictor_type": "regressor", "mini_batch_size": "100"}, {"content_type": "text/csv;label_size=1"}
    neighbors = {"feature_dim": "3", "k": "10", "predictor_type": "regressor", "sample_size": "1000"}
    near = {name: channels[name] for name in ("train", "test")}
    requests = {
        "linear": sagemaker.request(channels, linear, image=LINEAR),
        "neighbors": sagemaker.request(near, neighbors, image=NEIGHBORS, **knn),
        "missing": sagemaker.request({"train": nan}, linear, image=LINEAR),
        "text": sagemaker.request({"train": text}, linear, image=LINEAR),
        "plain csv": sagemaker.request({"train": nan}, linear, image=LINEAR, content_type="csv"),
    }
    for request in requests.values():
        sagemaker.client.create_training_job(**request)
    return {name: sagemaker.wait(request["TrainingJobName"]) for name, request in requests.items()}


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ("missing", "ClientError: Unable to read data channel 'train'. Found missing (NaN) values."),
        ("text", "ClientError: Unable to read data channel 'train'. Requested content-type is 'text/csv'."),
        ("plain csv", "ClientError: No iterator has been registered for ContentType (u'csv', '1.0')"),
    ],
)
def test_a_mistake_is_a_client_error(jobs, job, text):
    assert jobs[job]["TrainingJobStatus"] == "Failed" and jobs[job]["FailureReason"].startswith(text)


def test_both_are_trained_measured_and_served_as_json(sagemaker, jobs):
    for name, image, metric, key in (
        ("linear", LINEAR, "validation:mse", "score"),
        ("neighbors", NEIGHBORS, "test:mse", "predicted_label"),
    ):
        job = jobs[name]
        assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
        metrics = {one["MetricName"]: one["Value"] for one in job["FinalMetricDataList"]}
        assert 0.8 < metrics[metric] < 3  # the noise has a variance of 1
        endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], image)
        content_type, body = sagemaker.ask(endpoint, "5,5,5")
        assert content_type == "application/json"
        assert json.loads(body)["predictions"][0][key] == pytest.approx(55, abs=2)
        long = json.dumps({"instances": [{"data": {"features": {"values": [5, 5, 5]}}}]})
        lines = sagemaker.ask(endpoint, long, ContentType="application/json", Accept="application/jsonlines")[1]
        assert json.loads(lines)[key] == pytest.approx(55, abs=2)
        with pytest.raises(ClientError, match="unable to evaluate payload provided"):
            sagemaker.ask(endpoint, "5,5")

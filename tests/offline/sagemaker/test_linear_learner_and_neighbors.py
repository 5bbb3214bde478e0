import json

import pytest
from botocore.exceptions import ClientError

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"


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

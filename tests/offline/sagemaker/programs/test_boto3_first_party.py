"""Programs of other people, with boto3: Linear Learner and k-NN, in RecordIO and CSV, down to predictions."""

import io
import json
import struct

import numpy as np
import pytest

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"
RECORDIO = "application/x-recordio-protobuf"


def digits(rows, seed, classes):
    """Small pictures of 6 x 6 dots: each class has its own bright row or column; (pixels, labels)."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    pictures = random.uniform(0, 0.3, (rows, 6, 6))
    for picture, label in zip(pictures, labels, strict=True):
        (picture if label < 6 else picture.T)[label % 6] += 0.7
    return pictures.reshape(rows, 36).astype("float32"), labels.astype("float32")


def field(number, content):
    """A field of a protobuf message: its tag, its length in groups of seven bits, its bytes."""
    size, length = len(content), b""
    while size >= 128:
        length, size = length + bytes([size % 128 + 128]), size // 128
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def record(pixels, label):
    """aialgs.data.Record: maps of features and labels, each with "values", a Float32Tensor."""
    maps = ((1, pixels), (2, np.array([label])))
    return b"".join(
        field(place, field(1, b"values") + field(2, field(2, field(1, vector.astype("<f4").tobytes()))))
        for place, vector in maps
    )


def put_records(sagemaker, prefix, channel, pixels, labels):
    """As the notebooks do it: records into a file object, its upload, and the key as the channel's address."""
    body = io.BytesIO()
    for row, label in zip(pixels, labels, strict=True):
        content = record(row, label)
        body.write(struct.pack("<II", 0xCED7230A, len(content)) + content + b"\0" * (-len(content) % 4))
    body.seek(0)
    key = f"{prefix}/{channel}/recordio-pb-data"
    sagemaker.s3.upload_fileobj(body, sagemaker.bucket, key)
    return f"s3://{sagemaker.bucket}/{key}"


def values(job):
    return {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}


def predictions(sagemaker, job, image, rows):
    endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], image=image)
    body = json.dumps({"instances": [{"features": row.tolist()} for row in rows]})
    _, answer = sagemaker.ask(endpoint, body, ContentType="application/json")
    return json.loads(answer)["predictions"]


def test_digits_by_linear_learner_in_recordio(sagemaker, unique):
    """The MNIST notebook's way: "is it a zero?", no content type, a validation channel, predictions in JSON."""
    prefix, uris = unique("mnist"), {}
    for channel, rows in (("train", 1200), ("validation", 300)):
        pixels, labels = digits(rows, rows, 10)
        uris[channel] = put_records(sagemaker, prefix, channel, pixels, (labels == 0).astype("float32"))
    given = {"feature_dim": "36", "mini_batch_size": "200", "predictor_type": "binary_classifier", "epochs": "10"}
    job = sagemaker.train(uris, given, image=LINEAR, content_type=None)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert values(job)["validation:binary_classification_accuracy"] > 0.95
    pixels, labels = digits(100, 5, 10)
    answers = predictions(sagemaker, job, LINEAR, pixels)
    assert set(answers[0]) == {"score", "predicted_label"}
    right = [one["predicted_label"] == float(label == 0) for one, label in zip(answers, labels, strict=True)]
    assert np.mean(right) > 0.95


def test_digits_of_many_classes(sagemaker, unique):
    prefix, uris = unique("mnist"), {}
    for channel, rows in (("train", 1500), ("test", 300)):
        uris[channel] = put_records(sagemaker, prefix, channel, *digits(rows, rows, 5))
    given = {"predictor_type": "multiclass_classifier", "num_classes": "5", "mini_batch_size": "100", "epochs": "8"}
    job = sagemaker.train(uris, given, image=LINEAR, content_type=RECORDIO)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert values(job)["test:multiclass_accuracy"] > 0.9
    pixels, labels = digits(50, 5, 5)
    answers = predictions(sagemaker, job, LINEAR, pixels)
    assert len(answers[0]["score"]) == 5
    assert np.mean([one["predicted_label"] for one in answers] == labels) > 0.9


def frauds(rows, seed):
    """CSV, label first; one in twelve is positive, and they overlap with the others."""
    random = np.random.default_rng(seed)
    labels = (random.uniform(0, 1, rows) < 1 / 12).astype(int)
    features = random.normal(0, 1, (rows, 4)) + 1.6 * labels[:, None]
    lines = (f"{label},{','.join(f'{cell:.4f}' for cell in row)}" for label, row in zip(labels, features, strict=True))
    return "\n".join(lines).encode() + b"\n"


def test_fraud_with_a_recall_to_reach(sagemaker, unique):
    """The model selection criteria of the fraud notebooks: precision at a target recall, and balanced weights."""
    prefix = unique("fraud")
    uris = {name: sagemaker.put(f"{prefix}/{name}/part-0.csv", frauds(rows, rows)) for name, rows in
            (("train", 3000), ("validation", 1500), ("test", 1500))}  # fmt: skip
    given = {
        "predictor_type": "binary_classifier", "feature_dim": "4", "mini_batch_size": "100", "epochs": "5",
        "binary_classifier_model_selection_criteria": "precision_at_target_recall", "target_recall": "0.9",
        "positive_example_weight_mult": "balanced", "num_models": "4",
    }  # fmt: skip
    job = sagemaker.train(uris, given, image=LINEAR)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    found = values(job)
    assert found["validation:recall"] >= 0.89 and found["test:recall"] > 0.8
    assert found["test:roc_auc_score"] > 0.9 and 0 < found["test:precision"] < 1
    assert any(line.startswith("#metrics {") or " #metrics {" in line or "#quality_metric: host=algo-1" in line
               for line in sagemaker.log(job["TrainingJobName"]))  # fmt: skip


def test_forests_by_their_neighbors(sagemaker, unique):
    """The covertype notebook: RecordIO, a test channel, sample_size below the rows there are, verbose answers."""
    prefix, uris = unique("covtype"), {}
    for channel, rows in (("train", 2000), ("test", 400)):
        uris[channel] = put_records(sagemaker, prefix, channel, *digits(rows, rows, 7))
    given = {"feature_dim": "36", "k": "10", "predictor_type": "classifier", "sample_size": "1000"}
    job = sagemaker.train(uris, given, image=NEIGHBORS, content_type=None)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert values(job)["test:accuracy"] > 0.9 and set(values(job)) == {"test:accuracy"}
    endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], image=NEIGHBORS)
    pixels, labels = digits(20, 9, 7)
    body = "\n".join(",".join(f"{cell:.4f}" for cell in row) for row in pixels)
    _, answer = sagemaker.ask(endpoint, body, Accept="application/json; verbose=true")
    found = json.loads(answer)["predictions"]
    assert np.mean([one["predicted_label"] for one in found] == labels) > 0.9
    assert len(found[0]["distances"]) == len(found[0]["labels"]) == 10


@pytest.mark.parametrize(
    ("image", "given", "content_type", "reason"),
    [
        (LINEAR, {}, "text/csv", "No value(s) were specified for 'predictor_type' which are required"),
        (NEIGHBORS, {"k": "3", "predictor_type": "regressor", "sample_size": "9"}, "text/csv",
         "No value(s) were specified for 'feature_dim' which are required hyperparameter(s)"),
        (LINEAR, {"predictor_type": "regressor"}, "csv", "No iterator has been registered for ContentType"),
        (LINEAR, {"predictor_type": "regressor", "eta": "1"}, "text/csv",
         "Additional properties are not allowed ('eta' was unexpected)"),
        (LINEAR, {"predictor_type": "regression"}, "text/csv", "is not valid under any of the given schemas"),
        (LINEAR, {"predictor_type": "regressor"}, None, "Unable to read data channel 'train'."),
    ],
    ids=["no predictor_type", "no feature_dim", "csv", "unknown", "misspelt", "CSV without a content type"],
)  # fmt: skip
def test_a_mistake_is_the_customers_with_exit_code_2(sagemaker, channels, image, given, content_type, reason):
    job = sagemaker.train({"train": channels["train"]}, given, image=image, content_type=content_type)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ") and job["FailureReason"].endswith(", exit code: 2")
    assert reason in job["FailureReason"]


def test_a_header_row_is_the_customers_mistake(sagemaker, numbers_csv, unique):
    uri = sagemaker.put(f"{unique('header')}/a.csv", b"y,a,b,c\n" + numbers_csv(50, 1))
    job = sagemaker.train({"train": uri}, {"predictor_type": "regressor"}, image=LINEAR)
    assert job["FailureReason"].startswith(
        "ClientError: Unable to read data channel 'train'. Requested content-type is 'text/csv'. Please verify the "
        "data matches the requested content-type."
    )

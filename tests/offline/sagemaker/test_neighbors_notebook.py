"""The way of a notebook on k-NN: train once with a large k, and try smaller ones with the neighbours it tells."""

import json

import numpy as np
import pytest

NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"
LINES = "application/jsonlines"


def test_one_endpoint_tells_the_accuracy_of_many_k(sagemaker, unique):
    random = np.random.default_rng(8)
    features = random.normal(size=(1200, 4)).round(4)
    labels = (features[:, 0] + features[:, 1] > 0).astype(int)
    train, held_out = slice(0, 1000), slice(1000, 1200)
    rows = "\n".join(
        ",".join(map(str, (label, *row))) for label, row in zip(labels[train], features[train], strict=True)
    )
    channel = sagemaker.put(f"{unique('neighbors')}/train.csv", rows.encode())
    settings = {"k": "9", "sample_size": "1000", "predictor_type": "classifier", "feature_dim": "4"}
    job = sagemaker.train({"train": channel}, settings, image=NEIGHBORS, content_type="text/csv;label_size=1")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    endpoint = sagemaker.deploy(job["ModelArtifacts"]["S3ModelArtifacts"], NEIGHBORS)

    answers = []
    for batch in np.array_split(features[held_out], 4):
        body = "\n".join(json.dumps({"features": row.tolist()}) for row in batch)
        kind, text = sagemaker.ask(endpoint, body, ContentType=LINES, Accept=f"{LINES}; verbose=true")
        assert kind == LINES
        answers += [json.loads(line) for line in text.splitlines()]
    assert len(answers) == 200

    distances = np.array([answer["distances"] for answer in answers])
    of_neighbors = np.array([answer["labels"] for answer in answers])
    assert distances.shape == of_neighbors.shape == (200, 9)
    assert (np.diff(distances, axis=1) >= 0).all()  # the nearest first
    exact = ((features[held_out][:, None] - features[train][None]) ** 2).sum(2)
    assert distances == pytest.approx(np.sort(exact, axis=1)[:, :9], abs=1e-4)
    votes = {k: (of_neighbors[:, :k].mean(1) > 0.5).astype(int) for k in (1, 3, 5, 7, 9)}
    accuracy = {k: (vote == labels[held_out]).mean() for k, vote in votes.items()}
    assert min(accuracy.values()) > 0.9
    assert votes[9].tolist() == [int(answer["predicted_label"]) for answer in answers]

    csv = "\n".join(",".join(map(str, row)) for row in features[held_out][:10])
    plain = json.loads(sagemaker.ask(endpoint, csv)[1])["predictions"]
    assert plain == [{"predicted_label": float(vote)} for vote in votes[9][:10]]
    assert json.loads(sagemaker.ask(endpoint, csv, ContentType="text/csv; label_size=0")[1])["predictions"] == plain

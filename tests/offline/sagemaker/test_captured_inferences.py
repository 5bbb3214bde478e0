"""Programs that read what an endpoint captured: into a table, beside the truth, until an update ends the capture."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

from tests.offline.sagemaker.conftest import numbers
from tests.offline.sagemaker.record_message import framed, labels, record_class

RECORDIO = "application/x-recordio-protobuf"
LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


def capture_to(sagemaker, prefix: str, percent: int = 100) -> dict:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/{prefix}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }


@pytest.fixture
def lines(sagemaker, eventually):
    """lines(prefix, count) -> the captured records below the prefix, once there are so many."""

    def read(prefix: str, count: int) -> list[dict]:
        def look() -> list[dict]:
            found = []
            pages = sagemaker.s3.get_paginator("list_objects_v2").paginate(Bucket=sagemaker.bucket, Prefix=prefix)
            for page in pages:
                for one in page.get("Contents", []):
                    assert re.fullmatch(rf"{prefix}/[^/]+/[^/]+/\d{{4}}/\d\d/\d\d/\d\d/[^/]+\.jsonl", one["Key"])
                    body = sagemaker.s3.get_object(Bucket=sagemaker.bucket, Key=one["Key"])["Body"]
                    found += [json.loads(line) for line in body.iter_lines() if line]
            return found if len(found) >= count else []

        return eventually(look, 40)

    return read


def test_captured_predictions_are_joined_with_the_truth(sagemaker, endpoint, unique, lines):
    """What a model's quality is watched by: the prediction captured, the truth that comes later, joined by the id."""
    name, prefix = unique("watched"), unique("capture")
    sagemaker.config(name, ("AllTraffic", endpoint, 1.0), DataCaptureConfig=capture_to(sagemaker, prefix))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    described = sagemaker.settled(name)
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Started"
    assert described["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://{sagemaker.bucket}/{prefix}"
    table = numbers(20, 33).round(4)
    for number, row in enumerate(table):
        sagemaker.ask(name, ",".join(map(str, row[1:])), InferenceId=f"pod-{number}")

    captured = lines(prefix, 20)
    frame = pd.DataFrame(
        {
            "id": one["eventMetadata"]["inferenceId"],
            "at": pd.Timestamp(one["eventMetadata"]["inferenceTime"]),
            "features": [float(cell) for cell in one["captureData"]["endpointInput"]["data"].split(",")],
            "predicted": float(one["captureData"]["endpointOutput"]["data"]),
        }
        for one in captured
    ).set_index("id")
    truth = pd.Series(table[:, 0], index=[f"pod-{number}" for number in range(20)], name="truth")
    joined = frame.join(truth)
    assert len(joined) == 20 and joined.truth.notna().all()
    assert (joined.truth - joined.predicted).abs().mean() < 2.5
    assert joined.loc["pod-3"].features == table[3, 1:].tolist()
    assert {one["eventVersion"] for one in captured} == {"0"}
    assert len({one["eventMetadata"]["eventId"] for one in captured}) == 20

    sagemaker.config(f"{name}-off", ("AllTraffic", endpoint, 1.0))
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-off")
    assert "DataCaptureConfig" not in sagemaker.settled(name)
    sagemaker.ask(name, "1,2,3", InferenceId="after")
    assert "after" not in {one["eventMetadata"]["inferenceId"] for one in lines(prefix, 20)}


def test_what_is_no_text_is_captured_in_base64(sagemaker, unique, lines):
    name, prefix = unique("records"), unique("capture")
    content = {"predictor_type": "regressor", "weights": [[1.0], [1.0]], "bias": [0.0]}
    sagemaker.model(name, sagemaker.packed(json.dumps(content).encode(), "model_algo-1"), LINEAR)
    sagemaker.config(name, ("v1", name, 1.0), DataCaptureConfig=capture_to(sagemaker, prefix))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    record = record_class()()
    record.features["values"].float32_tensor.values.extend([1.5, 2.0])
    body = framed([record])
    sagemaker.runtime.invoke_endpoint(EndpointName=name, ContentType=RECORDIO, Accept=RECORDIO, Body=body)
    data = lines(prefix, 1)[0]["captureData"]
    assert {side["encoding"] for side in data.values()} == {"BASE64"}
    assert {side["observedContentType"] for side in data.values()} == {RECORDIO}
    assert base64.b64decode(data["endpointInput"]["data"]) == body
    assert labels(base64.b64decode(data["endpointOutput"]["data"])) == [{"score": [3.5]}]


def test_a_share_of_the_traffic_is_captured(sagemaker, endpoint, unique, lines):
    name, prefix = unique("sampled"), unique("capture")
    sagemaker.config(name, ("v1", endpoint, 1.0), DataCaptureConfig=capture_to(sagemaker, prefix, percent=40))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    for number in range(200):
        sagemaker.ask(name, "5,5,5", InferenceId=f"n-{number}")
    assert 40 < len(lines(prefix, 41)) < 120  # 80 of 200, standard deviation 7; the last may still be on their way
    assert np.isfinite(float(sagemaker.ask(name, "5,5,5")[1]))

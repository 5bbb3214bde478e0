"""What endpoints answer to requests of all kinds: the three containers and the runtime, row by row."""

import json
import math
import re

import numpy as np
import pytest
from botocore.exceptions import ClientError

LINEAR = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
NEIGHBORS = "382416733822.dkr.ecr.us-east-1.amazonaws.com/knn:1"
ROW = "5,5,5"
CSV_OUT, JSON, LINES = "text/csv; charset=utf-8", "application/json", "application/jsonlines"
CLASSES = np.arange(300) % 3
ALL_KEYS = "predicted_label,labels,probability,probabilities,raw_score,raw_scores"


@pytest.fixture(scope="module")
def served(sagemaker):
    """served("softprob") -> name of an endpoint, made when first asked for."""
    made: dict[str, str] = {}
    linear = {"weights": [[1.0], [0.0], [-1.0]], "bias": [0.5]}
    several = {"weights": [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]], "bias": [0.0, 0.0, 0.0]}
    models = {
        "regression": lambda: (sagemaker.boosted("reg:squarederror"),),
        "softmax": lambda: (sagemaker.boosted("multi:softmax", CLASSES, num_class=3),),
        "softprob": lambda: (sagemaker.boosted("multi:softprob", CLASSES, num_class=3),),
        "binary": lambda: (sagemaker.boosted("binary:logistic", CLASSES > 0),),
        "linear": lambda: (linear_model(predictor_type="regressor", **linear), LINEAR),
        "linear binary": lambda: (linear_model(predictor_type="binary_classifier", **linear), LINEAR),
        "linear classes": lambda: (linear_model(predictor_type="multiclass_classifier", **several), LINEAR),
        "neighbors": lambda: (neighbors_model(), NEIGHBORS),
    }
    chosen = {
        "regression selected": ("regression", "predicted_score,raw_score"),
        "softprob selected": ("softprob", ALL_KEYS),
        "softmax selected": ("softmax", ALL_KEYS),
        "binary selected": ("binary", ALL_KEYS),
    }

    def linear_model(**content) -> str:
        return sagemaker.packed(json.dumps(content).encode(), "model_algo-1")

    def neighbors_model() -> str:
        from helpers.offline.services.sagemaker.algorithms.neighbors_index import Index

        rows = np.array([[0.0, 0, 0], [1, 1, 1], [5, 5, 5]])
        index = Index(rows, np.array([0.0, 1, 5]), {"k": 2, "predictor_type": "regressor", "index_metric": "L2"})
        return sagemaker.packed(index.save(), "model_algo-1")

    def name(kind: str) -> str:
        if kind not in made:
            base, keys = chosen.get(kind, (kind, ""))
            environment = {"SAGEMAKER_INFERENCE_OUTPUT": keys} if keys else {}
            made[kind] = sagemaker.deploy(*models[base](), **environment)
        return made[kind]

    return name


NUMBER = r"-?\d+\.\d+(e-?\d+)?"
ANSWERS = {  # model, request, content type of the answer, its text as a pattern
    "xgboost: a number a line with a newline at the end": (
        "regression", {"Body": f"{ROW}\n{ROW}\n"}, CSV_OUT, rf"{NUMBER}\n{NUMBER}\n"),
    "xgboost: no Accept is CSV": ("regression", {}, CSV_OUT, rf"{NUMBER}\n"),
    "xgboost: Accept */* is CSV": ("regression", {"Accept": "*/*"}, CSV_OUT, rf"{NUMBER}\n"),
    "xgboost: Accept JSON": (
        "regression", {"Accept": JSON}, JSON, rf'{{"predictions": \[{{"score": {NUMBER}}}\]}}'),
    "xgboost: label_size=1 in the content type": (
        "regression", {"ContentType": "text/csv;label_size=1"}, CSV_OUT, None),
    "xgboost: csv is text/csv": ("regression", {"ContentType": "csv"}, CSV_OUT, None),
    "xgboost: libsvm": ("regression", {"ContentType": "text/libsvm", "Body": "0:5 1:5 2:5"}, CSV_OUT, None),
    "xgboost: x-libsvm": ("regression", {"ContentType": "text/x-libsvm", "Body": "0 0:5 2:5"}, CSV_OUT, None),
    "xgboost: an empty cell is missing": ("regression", {"Body": "5,,5"}, CSV_OUT, rf"{NUMBER}\n"),
    "xgboost: nan is missing": ("regression", {"Body": "5,nan,5"}, CSV_OUT, rf"{NUMBER}\n"),
    "xgboost: too few columns": ("regression", {"Body": "5,5"}, CSV_OUT, rf"{NUMBER}\n"),
    "xgboost: softmax is a class": ("softmax", {}, CSV_OUT, r"[012]\.0\n"),
    "xgboost: softprob is a line of probabilities": ("softprob", {}, CSV_OUT, rf"{NUMBER},{NUMBER},{NUMBER}\n"),
    "xgboost: nothing for nothing": ("regression", {"Body": ""}, None, ""),
    "selectable: CSV, lists in quotes, no newline at the end": (
        "binary selected", {}, CSV_OUT,
        rf'[01],"\[0, 1\]",{NUMBER},"\[{NUMBER}, {NUMBER}\]",{NUMBER},"\[{NUMBER}, {NUMBER}\]"'),
    "selectable: rows are lines": ("binary selected", {"Body": f"{ROW}\n{ROW}"}, CSV_OUT, r"[^\n]+\n[^\n]+"),
    "selectable: JSON": (
        "softmax selected", {"Accept": JSON}, JSON,
        r'{"predictions": \[{"predicted_label": [012]\.0, "labels": \[0, 1, 2\], .*"probability": NaN.*}\]}'),
    "selectable: JSON Lines, an object a line": (
        "softprob selected", {"Accept": LINES, "Body": f"{ROW}\n{ROW}"}, LINES,
        r'{"predicted_label": [012], .*}\n{"predicted_label": [012], .*}\n'),
    "selectable: a key that the objective does not have is nan": (
        "regression selected", {}, CSV_OUT, rf"{NUMBER},nan"),
    "linear learner: a score": ("linear", {}, JSON, r'{"predictions": \[{"score": 0\.5}\]}'),
    "linear learner: binary": (
        "linear binary", {}, JSON, rf'{{"predictions": \[{{"score": {NUMBER}, "predicted_label": 1}}\]}}'),
    "linear learner: classes": (
        "linear classes", {"Body": "0,9,0"}, JSON,
        rf'{{"predictions": \[{{"score": \[{NUMBER}, {NUMBER}, {NUMBER}\], "predicted_label": 1}}\]}}'),
    "linear learner: JSON in": (
        "linear", {"ContentType": JSON, "Body": '{"instances": [{"features": [3, 0, 1]}]}'}, JSON,
        r'{"predictions": \[{"score": 2\.5}\]}'),
    "linear learner: JSON in its long form": (
        "linear", {"ContentType": JSON, "Body": '{"instances": [{"data": {"features": {"values": [3, 0, 1]}}}]}'}, JSON,
        r'{"predictions": \[{"score": 2\.5}\]}'),
    "linear learner: sparse JSON": (
        "linear",
        {"ContentType": JSON,
         "Body": '{"instances": [{"data": {"features": {"keys": [0], "shape": [3], "values": [3]}}}]}'},
        JSON, r'{"predictions": \[{"score": 3\.5}\]}'),
    "linear learner: JSON Lines out": (
        "linear", {"Accept": LINES, "Body": f"{ROW}\n{ROW}"}, LINES, r'{"score": 0\.5}\n{"score": 0\.5}\n?'),
    "k-NN: a label": ("neighbors", {"Body": "0.4,0.4,0.4"}, JSON, r'{"predictions": \[{"predicted_label": 0\.5}\]}'),
    "k-NN: verbose": (
        "neighbors", {"Body": "0,0,0", "Accept": "application/json; verbose=true"}, JSON,
        r'{"predictions": \[{"predicted_label": 0\.5, '
        r'"distances": \[0\.0, (3\.0|2\.9)\d*\], "labels": \[0\.0, 1\.0\]}\]}'),
    "k-NN: JSON Lines in and out": (
        "neighbors", {"ContentType": LINES, "Body": '{"features": [0, 0, 0]}', "Accept": LINES}, LINES,
        r'{"predicted_label": 0\.5}\n?'),
}  # fmt: skip


@pytest.mark.parametrize("row", ANSWERS)
def test_the_answer_has_its_form(sagemaker, served, row):
    model, request, content_type, pattern = ANSWERS[row]
    request = {"EndpointName": served(model), "ContentType": "text/csv", "Body": ROW} | request
    answer = sagemaker.runtime.invoke_endpoint(**request)
    body = answer["Body"].read().decode()
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    if content_type is not None:
        assert answer["ContentType"] == content_type
    if pattern is not None:
        assert re.fullmatch(pattern, body), body


REFUSALS = {  # model, request, status, words of the container
    "xgboost: JSON in": (
        "regression", {"ContentType": JSON}, 415, "application/json is not an accepted ContentType: csv, libsvm, "),
    "xgboost: no content type": ("regression", {"ContentType": None}, 415, None),
    "xgboost: CSV that says it is libsvm": ("regression", {"ContentType": "text/libsvm"}, 415, None),
    "xgboost: label_size=0": ("regression", {"ContentType": "text/csv;label_size=0"}, 415, None),
    "xgboost: Accept HTML": (
        "regression", {"Accept": "text/html"}, 406,
        "Accept type text/html is not supported. Please use supported accept types: ["),
    "xgboost: a header": (
        "regression", {"Body": "f1,f2,f3"}, 415,
        "Loading csv data failed with Exception, please ensure data is in csv format:\n <class 'ValueError'>\n could "
        "not convert string to float: np.str_('f1')"),
    "xgboost: ragged": ("regression", {"Body": "1,2,3\n1,2"}, 415, "inhomogeneous shape"),
    "xgboost: the label left in": (
        "regression", {"Body": "1,2,3,4"}, 400, "Number of columns does not match number of features in booster."),
    "linear learner: too wide": ("linear", {"Body": "1,2,3,4"}, 400, "unable to evaluate payload provided"),
    "linear learner: text": ("linear", {"Body": "a,b,c"}, 400, "unable to evaluate payload provided"),
    "linear learner: a gap": ("linear", {"Body": "1,nan,3"}, 400, "unable to evaluate payload provided"),
    "linear learner: no JSON": (
        "linear", {"ContentType": JSON, "Body": "{"}, 400, "unable to evaluate payload provided"),
    "linear learner: CSV out": ("linear", {"Accept": "text/csv"}, 406, None),
    "k-NN: too narrow": ("neighbors", {"Body": "1,2"}, 400, "unable to evaluate payload provided"),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSALS)
def test_a_refusal_is_a_model_error_with_status_words_and_log(sagemaker, served, row):
    model, request, status, words = REFUSALS[row]
    name = served(model)
    request = {"EndpointName": name, "ContentType": "text/csv", "Body": ROW} | request
    with pytest.raises(ClientError) as caught:
        sagemaker.runtime.invoke_endpoint(**{key: value for key, value in request.items() if value is not None})
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert answer["OriginalStatusCode"] == status
    assert words is None or words in answer["OriginalMessage"]
    group = f"/aws/sagemaker/Endpoints/{name}"
    assert answer["Error"]["Message"] == (
        f'Received client error ({status}) from primary with message "{answer["OriginalMessage"]}". See '
        f"https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group={group} in "
        "account 123456789012 for more information."
    )
    assert f":log-group:{group}:log-stream:AllTraffic/i-" in answer["LogStreamArn"]


def test_jsonlines_without_selectable_inference_is_a_servers_error_in_html(sagemaker, served):
    with pytest.raises(ClientError, match=r"^.*Received server error \(500\) from primary with message") as caught:
        sagemaker.ask(served("regression"), ROW, Accept=LINES)
    assert caught.value.response["OriginalStatusCode"] == 500
    assert caught.value.response["OriginalMessage"].lstrip().lower().startswith("<!doctype html")


def test_softmax_and_softprob_agree(sagemaker, served):
    probabilities = [float(value) for value in sagemaker.ask(served("softprob"), ROW)[1].split(",")]
    assert math.fsum(probabilities) == pytest.approx(1, abs=1e-5)
    assert float(sagemaker.ask(served("softmax"), ROW)[1]) == np.argmax(probabilities)


def test_the_wrong_width_is_told_in_the_log_of_linear_learner(sagemaker, served, offline, eventually):
    name = served("linear")
    with pytest.raises(ClientError):
        sagemaker.ask(name, "1,2,3,4")
    logs = offline.client("logs")

    def told():
        found = logs.filter_log_events(logGroupName=f"/aws/sagemaker/Endpoints/{name}", filterPattern="dimension")
        return [event["message"] for event in found["events"]]

    assert eventually(told)[0] == (
        "Customer Error: The feature dimension of the input: 4 does not match the feature dimension of the model: 3. "
        "Please fix the input and try again."
    )


def test_headers_of_the_runtime_come_back(sagemaker, served):
    answer = sagemaker.runtime.invoke_endpoint(
        EndpointName=served("regression"),
        ContentType="text/csv",
        Body=ROW,
        CustomAttributes="trace=7",
        InferenceId="x1",
    )
    assert (answer["InvokedProductionVariant"], answer["CustomAttributes"]) == ("AllTraffic", "trace=7")


LIMITS = {
    "the largest body": (6_291_456, None, 0),
    "a byte more": (6_291_457, "ValidationError", 413),
}


@pytest.mark.parametrize("row", LIMITS)
def test_a_body_has_at_most_six_megabytes(sagemaker, served, row):
    size, code, status = LIMITS[row]
    body = (f"{ROW}\n" * (size // 6 + 1))[:size]
    body = body[: size - size % 6] + " " * (size % 6)
    if code is None:
        answer = sagemaker.runtime.invoke_endpoint(EndpointName=served("linear"), ContentType="text/csv", Body=body)
        assert len(json.loads(answer["Body"].read())["predictions"]) == size // 6
        return
    with pytest.raises(ClientError, match="HTTP content length exceeded 6291456 bytes") as caught:
        sagemaker.ask(served("linear"), body)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_endpoint_that_is_not_there_and_a_variant_that_is_not(sagemaker, served):
    with pytest.raises(ClientError, match="Endpoint nowhere of account 123456789012 not found") as caught:
        sagemaker.ask("nowhere", ROW)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="Variant other not found"):
        sagemaker.ask(served("linear"), ROW, TargetVariant="other")

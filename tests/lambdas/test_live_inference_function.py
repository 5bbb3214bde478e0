"""The live-inference function answers in one format, and tells in a sentence what is wrong with a request."""

import json

import pytest

TWELVE = "9650,212,140,61,1,388,1240,290,220,400,63,35"


@pytest.fixture
def function(load):
    return load("live_inference", ENDPOINT_NAME="live")


def get(function, features):
    query = None if features is None else {"features": features}
    answer = function.handler({"queryStringParameters": query}, None)
    assert answer["headers"]["Content-Type"] == "application/json"
    return answer["statusCode"], json.loads(answer["body"])


@pytest.mark.parametrize(
    "body",
    ["9876.5\n", '{"predictions": [{"score": 9876.5}]}', '{"predictions": [{"predicted_label": 9876.5}]}'],
    ids=["xgboost", "linear-learner", "k-nn"],
)
def test_the_formats_of_all_three_algorithms_become_one(function, endpoint, monkeypatch, body):
    monkeypatch.setattr(function, "runtime", endpoint(body))
    assert get(function, TWELVE) == (200, {"prediction_ms": 9876.5, "model": "v1"})
    assert function.runtime.asked == [{"EndpointName": "live", "ContentType": "text/csv", "Body": TWELVE.encode()}]


def test_a_missing_value_is_an_empty_cell_and_goes_to_the_model(function, endpoint, monkeypatch):
    monkeypatch.setattr(function, "runtime", endpoint("1.0"))
    assert get(function, TWELVE.replace(",388,", ",,"))[0] == 200


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (None, "Give the 12 features"),
        ("  ", "Give the 12 features"),
        (TWELVE + ",1", "needs 12 features separated by commas, got 13"),
        ("9650,212", "got 2"),
        (TWELVE.replace("388", "heavy"), "Feature 6 is not a number: 'heavy'"),
        (TWELVE.replace("388", "inf"), "Feature 6 is not a number"),
        (TWELVE.replace("388", "nan"), "Feature 6 is not a number"),
        (TWELVE.replace("388", "x" * 500), "'xxxxxxxxxxxxxxxxxxxx'."),
    ],
)
def test_a_wrong_request_gets_400_with_a_sentence_and_never_reaches_the_model(
    function, endpoint, monkeypatch, features, sentence
):
    monkeypatch.setattr(function, "runtime", endpoint("1.0"))
    status, answer = get(function, features)
    assert status == 400
    assert sentence in answer["message"]
    assert function.runtime.asked == []


def test_a_model_that_does_not_answer_is_502_and_its_error_is_in_the_log(function, endpoint, monkeypatch, capsys):
    monkeypatch.setattr(function, "runtime", endpoint(refuses=True))
    status, answer = get(function, TWELVE)
    assert (status, "log" in answer["message"]) == (502, True)
    assert "ModelError" in capsys.readouterr().out

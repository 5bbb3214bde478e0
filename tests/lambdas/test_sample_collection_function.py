"""The sample-collection function hands each message on as one line, and fails when Firehose did not take it."""

import pytest


class Firehose:
    def __init__(self, failed=0):
        self.failed, self.taken = failed, []

    def put_record_batch(self, **request):
        self.taken.append(request)
        return {"FailedPutCount": self.failed}


def notification(*messages):
    return {"Records": [{"Sns": {"Message": message}} for message in messages]}


def test_each_message_becomes_one_line_in_the_stream(load, monkeypatch):
    function = load("sample_collection", STREAM_NAME="stream")
    monkeypatch.setattr(function, "firehose", Firehose())
    assert function.handler(notification("1,2", "3,4"), None) == {"samples": 2}
    records = [{"Data": b"1,2\n"}, {"Data": b"3,4\n"}]
    assert function.firehose.taken == [{"DeliveryStreamName": "stream", "Records": records}]


def test_a_sample_that_firehose_did_not_take_makes_the_function_fail_so_that_lambda_tries_again(load, monkeypatch):
    function = load("sample_collection", STREAM_NAME="stream")
    monkeypatch.setattr(function, "firehose", Firehose(failed=1))
    with pytest.raises(RuntimeError, match="1 of 1 samples"):
        function.handler(notification("1,2"), None)

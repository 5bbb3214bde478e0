"""What lab 1 leaves can be built without running it, and holds the very same samples."""

import json
import time
from pathlib import Path

import nbformat
import pytest

from helpers.fulfillment import FCS, EdgeCompute
from helpers.resources import buckets, fulfillment_center, sample_collection
from helpers.workshop import Workshop, WorkshopError, session

LAB_1 = Path(__file__).resolve().parents[2] / "labs" / "01_sample_collection.ipynb"


class Collector:
    """An SNS client that keeps what is published."""

    def __init__(self):
        self.messages = []

    def publish_batch(self, TopicArn, PublishBatchRequestEntries):
        self.messages += [entry["Message"] for entry in PublishBatchRequestEntries]
        return {"Successful": [], "Failed": []}


def test_the_prepared_samples_are_those_that_edge_compute_sends_in_the_lab():
    sent = Collector()
    for fc, rate, seed, seconds in ((FCS[0], 200, 7, 20), (FCS[1], 1000, 8, 1)):
        EdgeCompute(fc=fc, rate=rate, seed=seed, sns=sent, topic_arn="topic", realtime=False).run(seconds)
    first, *rest = sample_collection.lines_of_lab_1()
    assert sorted(rest) == sorted(sent.messages)
    assert sample_collection.well_formed(first)


def test_the_lab_uses_the_seeds_that_are_prepared():
    source = "\n".join(cell.source for cell in nbformat.read(LAB_1, as_version=4).cells)
    for call in (
        "generate(1, seed=6)",
        "EdgeCompute(fc=FCS[0], rate=200, seed=7",
        "EdgeCompute(fc=FCS[1], rate=1000, seed=8",
    ):
        assert call in source


def test_building_twice_makes_everything_once(ws):
    fulfillment_center.build(ws)
    assert len(sample_collection.build(ws)) == 5
    assert sample_collection.build(ws) == []
    assert len(sample_collection.read_samples(ws)) == 5001


def test_what_is_missing_is_mended_and_the_rest_left_alone(ws):
    fulfillment_center.build(ws)
    sample_collection.build(ws)
    ws.client("lambda").delete_function(FunctionName=ws.name(sample_collection.FUNCTION))
    assert sample_collection.build(ws) == ["the function that feeds it"]


def test_reading_leaves_strays_and_duplicates_out(ws):
    buckets.ensure(ws, "samples")
    line = next(iter(sample_collection.lines_of_lab_1()))
    body = f"{line}\n{line}\nhello, is this the right topic?\n\n{json.dumps({'a': 1})}\n"
    ws.client("s3").put_object(Bucket=ws.bucket("samples"), Key="samples/x", Body=body.encode())
    samples = sample_collection.read_samples(ws)
    assert len(samples) == 1
    assert samples["duration"].dtype == "int64"


def test_a_message_to_the_topic_becomes_a_line_in_the_bucket(ws):
    fulfillment_center.build(ws)
    sample_collection.build(ws)
    sample_collection.start_afresh(ws)
    ws.client("sns").publish(TopicArn=ws.topic_arn, Message="1,2,3")
    assert sample_collection.wait_for_lines(ws, 1) == ["1,2,3"]


def test_too_few_samples_are_told_by_their_number(ws, monkeypatch):
    buckets.ensure(ws, "samples")
    monkeypatch.setattr(sample_collection, "LONGEST_WAIT_S", 0.1)
    with pytest.raises(TimeoutError, match="0 of 7 samples"):
        sample_collection.wait_for_lines(ws, 7)


@pytest.mark.parametrize("wait", [lambda ws: sample_collection.wait_for_lines(ws, 1), sample_collection.Arrivals])
def test_nothing_is_waited_for_on_a_full_disk(wait, tmp_path, monkeypatch):
    class Bucket:
        def get_paginator(self, operation):
            return self

        def paginate(self, **place):
            return []

    monkeypatch.setattr(session, "FULL_BYTES", 2**62)  # more than any disk has left
    monkeypatch.setattr(sample_collection, "LONGEST_WAIT_S", 5)
    ws = Workshop("offline", "us-east-1", "123456789012", "amber-falcon", None, tmp_path)
    monkeypatch.setattr(Workshop, "client", lambda ws, service, region=None: Bucket())
    began = time.monotonic()
    with pytest.raises(WorkshopError, match="is full"):
        found = wait(ws)
        found()
    assert time.monotonic() - began < 4

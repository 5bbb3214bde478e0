"""What a rule's target gets of an event."""

import json

import pytest

from helpers.offline.services.events.input import input_of

EVENT = {"source": "aws.sagemaker", "detail": {"name": 'a "job"', "count": 3}}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({}, json.dumps(EVENT)),
        ({"Input": '{"a": 1}'}, '{"a": 1}'),
        ({"InputPath": "$.detail.count"}, "3"),
        (
            {"InputTransformer": {"InputPathsMap": {"n": "$.detail.name"}, "InputTemplate": '{"job": "<n>"}'}},
            '{"job": "a \\"job\\""}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"c": "$.detail.count"}, "InputTemplate": '{"count": <c>}'}},
            '{"count": 3}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"s": "$.source"}, "InputTemplate": '"from <s> now"'}},
            '"from aws.sagemaker now"',
        ),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {},
                    "InputTemplate": '{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>"}',
                }
            },
            '{"rule": "r", "arn": "arn:aws:events:us-east-1:123456789012:rule/r"}',
        ),
        (
            {"InputTransformer": {"InputPathsMap": {}, "InputTemplate": "<aws.events.event>"}},
            '{"source": "aws.sagemaker"}',
        ),
        ({"InputTransformer": {"InputPathsMap": {}, "InputTemplate": "<aws.events.event.json>"}}, json.dumps(EVENT)),
    ],
)
def test_the_input(target, expected):
    assert input_of(target, EVENT, "arn:aws:events:us-east-1:123456789012:rule/r") == expected

"""Patterns, lengths, bounds and enums are checked by the server, and the refusal reads as on AWS."""

import re

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.offline import constraints
from helpers.offline.kernel import AwsError

TRUST = "{}"
ROWS = [
    ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}, "ValidationError",
     r"Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("iam", "create_role", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": TRUST}, "ValidationError",
     "at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "a b"},
     "ValidationError", "Value 'a b' at 'roleSessionName' failed to satisfy constraint"),
    ("sts", "assume_role",
     {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "ab", "DurationSeconds": 43_201},
     "ValidationError",
     "Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to "
     "43200"),
    ("logs", "create_log_group", {"logGroupName": "a b"}, "InvalidParameterException",
     r"Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: "
     r"[\.\-_/#A-Za-z0-9]+"),
    ("logs", "put_retention_policy", {"logGroupName": "g", "retentionInDays": 2}, "InvalidParameterException",
     "Value '2' at 'retentionInDays' failed to satisfy constraint"),
    ("events", "put_rule", {"Name": "a b", "EventPattern": "{}"}, "ValidationException",
     r"Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
     r"[\.\-_A-Za-z0-9]+"),
    ("events", "put_rule", {"Name": "r", "EventPattern": "{}", "State": "SLEEPING"}, "ValidationException",
     "Value 'SLEEPING' at 'state' failed to satisfy constraint: Member must satisfy enum value set: "),
    ("lambda", "get_function", {"FunctionName": "a b"}, "ValidationException",
     "Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: "),
    ("lambda", "get_function", {"FunctionName": "f" * 400}, "ValidationException",
     "at 'functionName' failed to satisfy constraint: Member must have length less than or equal to "),
    ("firehose", "describe_delivery_stream", {"DeliveryStreamName": "a b"}, "ValidationException",
     r"Value 'a b' at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression "
     r"pattern: [a-zA-Z0-9_.-]+"),
    ("firehose", "list_delivery_streams", {"DeliveryStreamType": "Drip"}, "ValidationException",
     "Value 'Drip' at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: ["),
    ("cloudwatch", "describe_alarms", {"StateValue": "FINE"}, "ValidationError",
     "Value 'FINE' at 'stateValue' failed to satisfy constraint: Member must satisfy enum value set: "),
    ("cloudwatch", "describe_alarms", {"MaxRecords": 101}, "ValidationError",
     "Value '101' at 'maxRecords' failed to satisfy constraint: Member must have value less than or equal to 100"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "words"), ROWS, ids=[f"{row[0]} {row[4][:40]}" for row in ROWS]
)
def test_a_member_out_of_bounds_is_refused_in_awss_words(offline, service, operation, arguments, code, words):
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        getattr(offline.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_everything_that_is_wrong_is_said_at_once():
    request = {"Name": "a b", "State": "SLEEPING", "Description": "d" * 513}
    with pytest.raises(AwsError, match=r"^ValidationException: 3 validation errors detected: ") as caught:
        constraints.check("PutRule", request, "events")
    assert caught.value.message.count("failed to satisfy constraint") == 3


def test_places_within_structures_lists_and_maps_are_named():
    with pytest.raises(AwsError, match=re.escape("at 'targets.2.member.id' failed")):
        constraints.check(
            "PutTargets", {"Rule": "r", "Targets": [{"Id": "1", "Arn": "arn"}, {"Id": "", "Arn": "a"}]}, "events"
        )
    with pytest.raises(
        AwsError,
        match=re.escape(
            "Value '[, b]' at 'alarmNames' failed to satisfy constraint: Member must satisfy constraint: ["
        ),
    ):
        constraints.check("DescribeAlarms", {"AlarmNames": ["", "b"]}, "cloudwatch")
    with pytest.raises(AwsError, match=re.escape("Value null at 'targets.1.member.arn' failed")):
        constraints.check("PutTargets", {"Rule": "r", "Targets": [{"Id": "1"}]}, "events")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=70))
def test_a_role_name_is_refused_exactly_when_the_model_says_so(name):
    allowed = re.fullmatch(r"[\w+=,.@-]{1,64}", name) is not None
    request = {"RoleName": name, "AssumeRolePolicyDocument": TRUST}
    try:
        constraints.check("CreateRole", request, "iam")
        refused = False
    except AwsError:
        refused = True
    assert refused == (not allowed)

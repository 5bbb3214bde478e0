"""How events are treated: for each version and alias by itself, until they are too old."""

import json

import pytest
from botocore.exceptions import ClientError

FAILING = "def handler(event, context):\n    raise ValueError('no')\n"
SLOW = "import time\n\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n"


@pytest.fixture
def failures(make_queue):
    return make_queue()


@pytest.fixture
def record(offline, failures, eventually):
    """record() -> the invocation record that came to the queue."""
    sqs = offline.client("sqs")

    def read():
        (message,) = eventually(lambda: sqs.receive_message(QueueUrl=failures[0]).get("Messages"))
        return json.loads(message["Body"])

    return read


def code_of(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_each_version_and_alias_has_its_own(client, make_function):
    name = make_function(FAILING)
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    latest = client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    assert latest["FunctionArn"].endswith(f":function:{name}:$LATEST")
    assert latest["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    where = {"FunctionName": name, "Qualifier": "live"}
    code, message = code_of(client.get_function_event_invoke_config, **where)
    assert code == "ResourceNotFoundException"
    assert message.endswith(f":function:{name}:live doesn't have an EventInvokeConfig")
    assert code_of(client.update_function_event_invoke_config, **where, MaximumRetryAttempts=1)[0] == code
    client.put_function_event_invoke_config(**where, MaximumEventAgeInSeconds=60)
    found = client.update_function_event_invoke_config(**where, MaximumRetryAttempts=1)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    listed = client.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["$LATEST", "live"]
    client.delete_function_event_invoke_config(FunctionName=name)
    assert code_of(client.delete_function_event_invoke_config, FunctionName=name)[0] == code
    assert client.get_function_event_invoke_config(**where)["MaximumRetryAttempts"] == 1


def test_an_event_that_is_too_old_is_not_tried_again(client, make_function, failures, record):
    name = make_function(FAILING)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,  # a second here, and the first retry comes after a minute, which is one too
        DestinationConfig={"OnFailure": {"Destination": failures[1]}},
    )
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    found = record()
    assert found["requestContext"]["condition"] == "EventAgeExceeded"
    assert found["requestContext"]["approximateInvokeCount"] == 1
    assert found["responsePayload"]["errorMessage"] == "no"


def test_an_event_waits_for_its_turn_until_it_is_too_old(client, make_function, failures, record):
    name = make_function(SLOW, Timeout=10)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    client.put_function_event_invoke_config(
        FunctionName=name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": failures[1]}},
    )
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"sleep": 4}')
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"second": true}')
    found = record()
    assert found["requestContext"]["condition"] == "EventAgeExceeded"
    assert found["requestContext"]["approximateInvokeCount"] == 0
    assert found["requestPayload"] == {"second": True}
    assert "responseContext" not in found


def test_without_any_concurrency_events_go_on_at_once(client, make_function, failures, record):
    name = make_function(FAILING)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    client.put_function_event_invoke_config(
        FunctionName=name, DestinationConfig={"OnFailure": {"Destination": failures[1]}}
    )
    client.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
    assert record()["requestContext"]["approximateInvokeCount"] == 0


def test_settings_that_there_cannot_be(client, make_function):
    name = make_function(FAILING)
    code, message = code_of(client.put_function_event_invoke_config, FunctionName=name)
    assert code == "InvalidParameterValueException"
    gone = "arn:aws:sqs:us-east-1:123456789012:gone"
    code, message = code_of(
        client.put_function_event_invoke_config,
        FunctionName=name,
        DestinationConfig={"OnFailure": {"Destination": gone}},
    )
    assert (code, message) == ("InvalidParameterValueException", f"The destination ARN {gone} is invalid.")


def test_policies_revisions_and_moments_of_change(client, make_function):
    name = make_function(FAILING)
    version = client.publish_version(FunctionName=name)["Version"]
    permission = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    client.add_permission(FunctionName=name, StatementId="of-version", Qualifier=version, **permission)
    assert code_of(client.get_policy, FunctionName=name)[0] == "ResourceNotFoundException"
    client.add_permission(FunctionName=name, StatementId="of-all", **permission)
    for qualifier, sid in (({}, "of-all"), ({"Qualifier": version}, "of-version")):
        statements = json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])["Statement"]
        assert [one["Sid"] for one in statements] == [sid]
    before = client.get_function_configuration(FunctionName=name)["LastModified"]
    assert before.endswith("+0000")
    after = client.update_function_configuration(FunctionName=name, Description="new")["LastModified"]
    assert after > before
    assert client.get_function_configuration(FunctionName=name)["LastModified"] == after
    assert code_of(client.update_function_configuration, FunctionName=name, Description="x", RevisionId="no")[0] == (
        "PreconditionFailedException"
    )
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    assert code_of(client.create_alias, FunctionName=name, Name="live", FunctionVersion=version)[0] == (
        "ResourceConflictException"
    )

"""Aliases, versions, permissions and reserved concurrency: what AWS refuses is refused here, in its words."""

import re

import pytest
from botocore.exceptions import ClientError

ONE = "def handler(e, c):\n    return 1\n"


def refused(code, words, function, **arguments):
    with pytest.raises(ClientError, match=re.escape(words)) as caught:
        function(**arguments)
    assert caught.value.response["Error"]["Code"] == code


@pytest.fixture
def versions(client, make_function, make_zip):
    """A function with the versions 1 and 2."""
    name = make_function(ONE)
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=make_zip({"app.py": ONE + "# 2\n"}), Publish=True)
    return name


@pytest.mark.parametrize(
    ("version", "weights", "words"),
    [
        ("$LATEST", {"1": 0.5}, "$LATEST is not supported for an alias pointing to more than 1 version"),
        ("1", {"2": 1.5}, "Invalid weight 1.5"),
        ("1", {"1": 0.5}, "already included in routing"),
    ],
)
def test_an_alias_whose_weights_cannot_be_is_refused(client, versions, version, weights, words):
    routing = {"AdditionalVersionWeights": weights}
    arguments = {"FunctionName": versions, "Name": "live"}
    refused(
        "InvalidParameterValueException", words, client.create_alias,
        **arguments, FunctionVersion=version, RoutingConfig=routing,
    )  # fmt: skip
    refused("ResourceNotFoundException", "Cannot find alias arn", client.get_alias, **arguments)
    refused("ResourceNotFoundException", "Cannot find alias arn", client.update_alias, **arguments)
    client.create_alias(**arguments, FunctionVersion="1")
    refused(
        "InvalidParameterValueException", words, client.update_alias,
        **arguments, FunctionVersion=version, RoutingConfig=routing,
    )  # fmt: skip


def test_a_version_that_an_alias_names_stays_and_so_does_latest(client, versions):
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(FunctionName=versions, Name="live", FunctionVersion="1", RoutingConfig=routing)
    for version in ("1", "2"):
        refused(
            "ResourceConflictException", "the following aliases reference it: [live]", client.delete_function,
            FunctionName=versions, Qualifier=version,
        )  # fmt: skip
    refused(
        "InvalidParameterValueException", "$LATEST version cannot be deleted", client.delete_function,
        FunctionName=versions, Qualifier="$LATEST",
    )  # fmt: skip
    client.delete_alias(FunctionName=versions, Name="live")
    client.delete_function(FunctionName=versions, Qualifier="1")
    listed = client.list_versions_by_function(FunctionName=versions)["Versions"]
    assert [one["Version"] for one in listed] == ["$LATEST", "2"]


def test_a_hundred_executions_are_left_for_other_functions(client, make_function):
    name = make_function(ONE)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=800)
    refused(
        "InvalidParameterValueException", "UnreservedConcurrentExecution below its minimum value of [100]",
        client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=901,
    )  # fmt: skip
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 800
    client.delete_function_concurrency(FunctionName=name)


def test_what_a_function_does_not_have(client, make_function):
    name = make_function(ONE)
    code = "ResourceNotFoundException"
    refused(code, "The resource you requested does not exist", client.get_policy, FunctionName=name)
    refused(code, "Statement no is not found", client.remove_permission, FunctionName=name, StatementId="no")
    refused(code, "doesn't have an EventInvokeConfig", client.get_function_event_invoke_config, FunctionName=name)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=name)


def test_a_destination_needs_the_execution_roles_permission(client, make_function, make_queue, offline, unique):
    _, queue = make_queue()
    iam = offline.client("iam")
    trust = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, '
        '"Action": "sts:AssumeRole"}]}'
    )
    role = iam.create_role(RoleName=unique("narrow"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    name = make_function(ONE, Role=role)
    destination = {"OnFailure": {"Destination": queue}}
    refused(
        "InvalidParameterValueException", "does not have permissions to call SendMessage on SQS",
        client.put_function_event_invoke_config, FunctionName=name, DestinationConfig=destination,
    )  # fmt: skip
    refused(
        "InvalidParameterValueException", "does not have permissions to call SendMessage on SQS",
        client.update_function_configuration, FunctionName=name, DeadLetterConfig={"TargetArn": queue},
    )  # fmt: skip

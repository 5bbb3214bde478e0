"""Invocations: what the handler is given, what comes back, and how failures are told."""

import base64
import json
import time

import pytest
from botocore.exceptions import ClientError


def invoke(client, name, event=None, **options):
    """(payload, whole answer, log tail)"""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail", **options)
    return json.loads(answer["Payload"].read()), answer, base64.b64decode(answer["LogResult"]).decode()


def test_the_event_goes_in_and_the_result_comes_out(client, make_function):
    name = make_function("def handler(event, context):\n    return {'got': event, 'ä': None}\n")
    payload, answer, _ = invoke(client, name, {"features": [1, 2.5, "ü"]})
    assert payload == {"got": {"features": [1, 2.5, "ü"]}, "ä": None}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer


CONTEXT = """
def handler(event, context):
    return {
        "name": context.function_name, "version": context.function_version, "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb, "id": context.aws_request_id, "group": context.log_group_name,
        "stream": context.log_stream_name, "left": context.get_remaining_time_in_millis(),
        "identity": context.identity.cognito_identity_id,
        "client": context.client_context and context.client_context.custom,
    }
"""


def test_the_context_says_what_it_says_on_aws(client, make_function):
    name = make_function(CONTEXT, MemorySize=256, Timeout=7)
    custom = base64.b64encode(json.dumps({"custom": {"fc": "AMB1"}}).encode()).decode()
    context, answer, _ = invoke(client, name, ClientContext=custom)
    assert context["name"] == name
    assert context["version"] == "$LATEST"
    assert context["arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    assert context["memory"] == "256"
    assert context["id"] == answer["ResponseMetadata"]["RequestId"]
    assert context["group"] == f"/aws/lambda/{name}"
    assert "[$LATEST]" in context["stream"]
    assert 6000 < context["left"] <= 7000
    assert context["identity"] is None
    assert context["client"] == {"fc": "AMB1"}


def test_prints_and_the_report_are_in_the_tail(client, make_function):
    name = make_function(
        "import sys\ndef handler(event, context):\n    print('one')\n    print('two', file=sys.stderr)\n"
    )
    payload, answer, tail = invoke(client, name)
    identity = answer["ResponseMetadata"]["RequestId"]
    lines = tail.splitlines()
    assert payload is None
    assert lines[0] == f"START RequestId: {identity} Version: $LATEST"
    assert lines[1:3] == ["one", "two"]
    assert lines[3] == f"END RequestId: {identity}"
    report = lines[4].split("\t")
    assert report[0] == f"REPORT RequestId: {identity}"
    assert [part.split(":")[0] for part in report[1:6]] == [
        "Duration",
        "Billed Duration",
        "Memory Size",
        "Max Memory Used",
        "Init Duration",
    ]
    assert report[3] == "Memory Size: 128 MB"
    assert int(report[4].split()[-2]) > 5
    assert "Init Duration" not in invoke(client, name)[2]


def test_the_log_handler_of_the_runtime(client, make_function):
    source = (
        "import logging\nlog = logging.getLogger()\nlog.setLevel('INFO')\n"
        "def handler(e, c):\n    log.info('seen %s', 1)\n"
    )
    _, answer, tail = invoke(client, make_function(source))
    level, at, identity, message = tail.splitlines()[1].split("\t")
    assert (level, identity, message) == ("[INFO]", answer["ResponseMetadata"]["RequestId"], "seen 1")
    assert at.endswith("Z")


def test_what_writes_to_descriptor_1_does_not_reach_the_answer(client, make_function):
    source = (
        "import os, subprocess\ndef handler(e, c):\n"
        "    os.write(1, b'{raw}\\n')\n    subprocess.run(['echo', 'child'])\n    return 1\n"
    )
    payload, _, tail = invoke(client, make_function(source))
    assert payload == 1
    assert tail.splitlines()[1:3] == ["{raw}", "child"]


def test_large_payloads_and_much_output(client, make_function):
    source = "def handler(event, context):\n    print('x' * 300_000)\n    return event[::-1]\n"
    name = make_function(source)
    text = "ab" * 1_000_000
    answer = client.invoke(FunctionName=name, Payload=json.dumps(text))
    assert json.loads(answer["Payload"].read()) == text[::-1]
    with pytest.raises(ClientError, match="Request must be smaller than 6291456 bytes") as refused:
        client.invoke(FunctionName=name, Payload=json.dumps("a" * 6_291_456))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_result_over_6_mb_is_an_error(client, make_function):
    payload, answer, _ = invoke(client, make_function("def handler(e, c):\n    return 'a' * 6_300_000\n"))
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_exception_is_reported_with_its_trace(client, make_function):
    source = "def inner():\n    raise ValueError('no pods')\n\ndef handler(event, context):\n    inner()\n"
    payload, answer, tail = invoke(client, make_function(source))
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] == "no pods"
    assert payload["errorType"] == "ValueError"
    assert payload["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert payload["stackTrace"][0].startswith('  File "/var/task/app.py", line 5, in handler\n    inner()')
    assert payload["stackTrace"][1].startswith('  File "/var/task/app.py", line 2, in inner\n')
    assert len(payload["stackTrace"]) == 2
    assert "[ERROR] ValueError: no pods\nTraceback (most recent call last):" in tail


UNIMPORTABLE = "Unable to import module '{}': No module named '{}'"


@pytest.mark.parametrize(
    "source,handler,kind,message",
    [
        ("import pandas\n", "app.handler", "Runtime.ImportModuleError", UNIMPORTABLE.format("app", "pandas")),
        ("", "app.absent", "Runtime.HandlerNotFound", "Handler 'absent' missing on module 'app'"),
        ("", "nothing.handler", "Runtime.ImportModuleError", UNIMPORTABLE.format("nothing", "nothing")),
        ("def (:\n", "app.handler", "Runtime.UserCodeSyntaxError",
         "Syntax error in module 'app': invalid syntax (app.py, line 1)"),
        ("", "handler", "Runtime.MalformedHandlerName",
         "Bad handler 'handler': not enough values to unpack (expected 2, got 1)"),
        ("1 / 0\n", "app.handler", "ZeroDivisionError", "division by zero"),
    ],
)  # fmt: skip
def test_a_handler_that_cannot_be_had(client, make_function, source, handler, kind, message):
    name = make_function(source, Handler=handler)
    for _ in range(2):  # the second environment fails as the first did
        payload, answer, tail = invoke(client, name)
        assert (payload["errorType"], payload["errorMessage"]) == (kind, message)
        assert answer["FunctionError"] == "Unhandled"
        assert f"[ERROR] {kind}: {message}" in tail


def test_a_result_that_is_not_json(client, make_function):
    payload, answer, _ = invoke(client, make_function("def handler(e, c):\n    return {1, 2}\n"))
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.MarshalError"
    assert payload["errorMessage"] == "Unable to marshal response: Object of type set is not JSON serializable"


def test_a_function_that_runs_too_long_is_ended(client, make_function):
    name = make_function(
        "import time\ndef handler(e, c):\n    print('begun')\n    time.sleep(e)\n    return 'done'\n", Timeout=1
    )
    begun = time.monotonic()
    payload, answer, tail = invoke(client, name, 30)
    assert 1 <= time.monotonic() - begun < 5
    identity = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {identity} Error: Task timed out after 1.00 seconds",
    }
    assert "begun" in tail
    assert f"{identity} Task timed out after 1.00 seconds" in tail
    assert "Status: timeout" in tail
    assert invoke(client, name, 0)[0] == "done"


@pytest.mark.parametrize(
    "source,reason",
    [
        ("import os\ndef handler(e, c):\n    os._exit(3)\n", "Runtime exited with error: exit status 3"),
        ("import sys\ndef handler(e, c):\n    sys.exit(1)\n", "Runtime exited with error: exit status 1"),
        ("import os\ndef handler(e, c):\n    os._exit(0)\n", "Runtime exited without providing a reason"),
        ("import os\ndef handler(e, c):\n    os.kill(os.getpid(), 9)\n", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_is_reported(client, make_function, source, reason):
    payload, answer, _ = invoke(client, make_function(source))
    identity = answer["ResponseMetadata"]["RequestId"]
    assert payload == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {identity} Error: {reason}"}


def test_requests_that_are_refused(client, make_function):
    name = make_function("def handler(e, c):\n    return 1\n")
    missing = "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody"
    with pytest.raises(client.exceptions.ResourceNotFoundException, match=missing):
        client.invoke(FunctionName="nobody")
    with pytest.raises(
        client.exceptions.InvalidRequestContentException, match="Could not parse request body into json"
    ):
        client.invoke(FunctionName=name, Payload=b"{no")
    assert client.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204
    assert json.loads(client.invoke(FunctionName=name)["Payload"].read()) == 1


def test_response_streams_are_not_supported_and_say_so(client, make_function):
    with pytest.raises(ClientError, match="InvokeWithResponseStream") as refused:
        client.invoke_with_response_stream(FunctionName=make_function("def handler(e, c):\n    return 1\n"))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501

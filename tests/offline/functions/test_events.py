"""Asynchronous invocations: retries, destinations, dead letters, and an outbox that survives the server's death."""

import json
import os
import signal
import subprocess
import sys

import boto3
import psutil
import pytest
import requests
from botocore.config import Config

COUNTING = """
import boto3, json
s3 = boto3.client("s3")

def handler(event, context):
    seen = s3.list_objects_v2(Bucket=event["bucket"]).get("KeyCount", 0)
    s3.put_object(Bucket=event["bucket"], Key=f"{seen}", Body=json.dumps([context.aws_request_id, event]))
    if seen < event.get("failures", 0):
        raise RuntimeError("not yet")
    return {"attempt": seen + 1}
"""


@pytest.fixture
def bucket(offline, request):
    s3 = offline.client("s3")
    name = f"events-{abs(hash(request.node.name))}"
    s3.create_bucket(Bucket=name)

    def attempts() -> list:
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        return [json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read()) for key in sorted(keys)]

    attempts.name = name
    return attempts


def send(client, name, **event) -> str:
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
    assert answer["StatusCode"] == 202
    assert answer["Payload"].read() == b""
    return answer["ResponseMetadata"]["RequestId"]


def test_an_event_is_acknowledged_and_then_run(client, make_function, bucket, eventually):
    name = make_function(COUNTING, Timeout=20)
    identity = send(client, name, bucket=bucket.name, n=7)
    ((seen, event),) = eventually(bucket)
    assert seen == identity
    assert event["n"] == 7


def test_a_failed_event_is_tried_three_times_in_all(client, make_function, bucket, eventually):
    name = make_function(COUNTING, Timeout=20)
    identity = send(client, name, bucket=bucket.name, failures=9)
    attempts = eventually(lambda: len(bucket()) == 3 and bucket())
    assert {seen for seen, _ in attempts} == {identity}


def test_no_retries_where_none_are_wanted_and_the_failure_goes_on(client, make_function, bucket, offline, eventually):
    sqs = offline.client("sqs")
    queue = sqs.create_queue(QueueName="failures")["QueueUrl"]
    letters = sqs.create_queue(QueueName="letters")["QueueUrl"]
    base = "arn:aws:sqs:us-east-1:123456789012:"
    name = make_function(COUNTING, Timeout=20, DeadLetterConfig={"TargetArn": base + "letters"})
    assert client.get_function_configuration(FunctionName=name)["DeadLetterConfig"] == {"TargetArn": base + "letters"}
    destination = {"OnFailure": {"Destination": base + "failures"}}
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, DestinationConfig=destination)
    identity = send(client, name, bucket=bucket.name, failures=9)
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["requestId"] == identity
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["requestPayload"]["failures"] == 9
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "not yet"
    (letter,) = eventually(lambda: sqs.receive_message(QueueUrl=letters, MessageAttributeNames=["All"]).get("Messages"))
    assert json.loads(letter["Body"])["failures"] == 9
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "not yet"
    assert len(bucket()) == 1


def test_success_goes_on_to_another_function(client, make_function, bucket, eventually):
    last = make_function(COUNTING.replace('event["bucket"]', f'"{bucket.name}"'), Timeout=20)
    first = make_function("def handler(e, c):\n    return {'made': e['n'] * 2}\n")
    arn = client.get_function(FunctionName=last)["Configuration"]["FunctionArn"]
    client.put_function_event_invoke_config(FunctionName=first, DestinationConfig={"OnSuccess": {"Destination": arn}})
    send(client, first, n=21)
    ((_, record),) = eventually(bucket)
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == {"made": 42}


def test_many_events_all_arrive(client, make_function, offline, eventually):
    s3 = offline.client("s3")
    s3.create_bucket(Bucket="many-events")
    source = (
        "import boto3\ns3 = boto3.client('s3')\n"
        "def handler(e, c):\n    s3.put_object(Bucket='many-events', Key=str(e), Body=b'')\n"
    )
    name = make_function(source)
    for number in range(60):
        client.invoke(FunctionName=name, InvocationType="Event", Payload=str(number))
    eventually(lambda: s3.list_objects_v2(Bucket="many-events").get("KeyCount") == 60, seconds=20)


def test_an_event_may_have_1_mb(client, make_function):
    name = make_function("def handler(e, c):\n    return 1\n")
    send(client, name, text="a" * 1_000_000)
    with pytest.raises(client.exceptions.RequestTooLargeException, match="1048576"):
        send(client, name, text="a" * 1_048_576)


def start(directory) -> dict:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "WORKSHOP_"))}
    command = [sys.executable, "-m", "helpers.offline"]
    environment["WORKSHOP_DIR"] = str(directory)
    shown = subprocess.run([*command, "env", "--json"], env=environment, capture_output=True, text=True, timeout=60)
    return json.loads(shown.stdout)


def clients(environment, *names):
    session = boto3.Session(
        environment["AWS_ACCESS_KEY_ID"],
        environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    options = {"endpoint_url": environment["AWS_ENDPOINT_URL"], "config": Config(retries={"total_max_attempts": 1})}
    return [session.client(name, **options) for name in names]


def server(environment) -> psutil.Process:
    port = int(environment["AWS_ENDPOINT_URL"].rsplit(":", 1)[1])
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            return psutil.Process(connection.pid)
    raise AssertionError(f"nobody listens at {port}")


def mock_api(gateway) -> str:
    """An API whose deployment is older than its last resource. Returns its path."""
    api = gateway.create_rest_api(name="kept")["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]

    def mock(resource: str) -> None:
        where = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
        gateway.put_method(**where, authorizationType="NONE")
        gateway.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
        gateway.put_method_response(**where, statusCode="200")
        gateway.put_integration_response(**where, statusCode="200", responseTemplates={"application/json": "kept"})

    mock(root["id"])
    gateway.create_deployment(restApiId=api, stageName="live")
    mock(gateway.create_resource(restApiId=api, parentId=root["id"], pathPart="later")["id"])
    return f"/restapis/{api}/live/_user_request_"


def test_acknowledged_events_and_functions_survive_a_killed_server_and_its_processes_do_not(
    workspace_dir, make_zip, eventually
):
    environment = start(workspace_dir)
    functions, iam, s3, gateway = clients(environment, "lambda", "iam", "s3", "apigateway")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(everything))
    s3.create_bucket(Bucket="survivors")
    source = (
        "import boto3, time\ns3 = boto3.client('s3')\ndef handler(e, c):\n    time.sleep(e['sleep'])\n"
        "    s3.put_object(Bucket='survivors', Key=str(e['n']), Body=b'')\n"
    )
    functions.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Handler="app.handler",
        Role=role,
        Timeout=60,
        Code={"ZipFile": make_zip({"app.py": source})},
    )
    functions.invoke(FunctionName="f", Payload=json.dumps({"n": "first", "sleep": 0}))
    deployed = mock_api(gateway)
    victim = server(environment)
    for number in range(8):
        event = json.dumps({"n": number, "sleep": 0.5})
        functions.invoke(FunctionName="f", InvocationType="Event", Payload=event)
    children = victim.children(recursive=True)
    assert children
    os.kill(victim.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    environment = start(workspace_dir)
    try:
        (s3,) = clients(environment, "s3")
        assert requests.get(environment["AWS_ENDPOINT_URL"] + deployed, timeout=30).text == "kept"
        assert requests.get(environment["AWS_ENDPOINT_URL"] + deployed + "/later", timeout=30).status_code == 403
        wanted = {"first", *(str(number) for number in range(8))}
        found = lambda: {each["Key"] for each in s3.list_objects_v2(Bucket="survivors").get("Contents", [])}  # noqa: E731
        eventually(lambda: found() == wanted, seconds=25)
    finally:
        server(environment).terminate()

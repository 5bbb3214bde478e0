"""Execution environments: warm ones, several at once, new ones after a change, and what they can see."""

import ctypes
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

PID = "import os\ncount = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return [os.getpid(), count]\n"


def call(client, name, event=None, **options):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return json.loads(answer["Payload"].read())


def test_an_environment_is_used_again(client, make_function):
    name = make_function(PID)
    first, second = call(client, name), call(client, name)
    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


SLOW = "import os, time\ndef handler(e, c):\n    time.sleep(0.4)\n    return os.getpid()\n"


def test_simultaneous_calls_run_at_the_same_time_in_environments_of_their_own(client, make_function):
    name = make_function(SLOW)
    call(client, name)
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        pids = list(pool.map(lambda _: call(client, name), range(4)))
    assert len(set(pids)) == 4
    assert time.monotonic() - begun < 1.5  # four in sequence: 1.6 s and more


def test_more_than_ten_wait_and_none_is_refused(client, make_function):
    name = make_function(SLOW.replace("0.4", "0.1"))
    with ThreadPoolExecutor(24) as pool:
        pids = list(pool.map(lambda _: call(client, name), range(24)))
    assert len(pids) == 24
    assert len(set(pids)) <= 10


def test_reserved_concurrency_refuses_what_is_more(client, make_function):
    name = make_function(SLOW)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    call(client, name)

    def attempt(_):
        try:
            return call(client, name)
        except client.exceptions.TooManyRequestsException as refused:
            assert refused.response["ResponseMetadata"]["HTTPStatusCode"] == 429
            return refused.response["Reason"]

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(attempt, range(3)))
    assert answers.count("ReservedFunctionConcurrentInvocationLimitExceeded") == 2
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        call(client, name)


def test_new_code_and_new_configuration_get_new_environments(client, make_function, make_zip):
    source = "import os\ndef handler(e, c):\n    return ['old', os.environ.get('COLOR')]\n"
    name = make_function(source)
    assert call(client, name) == ["old", None]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"COLOR": "blue"}})
    assert call(client, name) == ["old", "blue"]
    client.update_function_code(FunctionName=name, ZipFile=make_zip({"app.py": source.replace("old", "new")}))
    assert call(client, name) == ["new", "blue"]


def test_the_handler_sees_its_own_variables_and_its_roles_credentials(client, make_function, role, offline):
    source = (
        "import os, boto3\ndef handler(e, c):\n"
        "    caller = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    return [dict(os.environ), caller, os.getcwd(), os.listdir('.')]\n"
    )
    name = make_function(source, Environment={"Variables": {"ENDPOINT": "live"}}, Timeout=10)
    variables, caller, directory, files = call(client, name)
    assert variables["ENDPOINT"] == "live"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "us-east-1"
    assert variables["_HANDLER"] == "app.handler"
    assert variables["LAMBDA_TASK_ROOT"] == directory
    assert files == ["app.py"]
    assert caller == f"arn:aws:sts::123456789012:assumed-role/{role.rsplit('/', 1)[1]}/{name}"
    assert offline.environment["AWS_SECRET_ACCESS_KEY"] not in variables.values()
    assert not any(name.startswith(("WORKSHOP", "PYTHON", "VIRTUAL_ENV")) for name in variables)


def test_a_role_without_the_right_is_denied(client, make_function, offline):
    iam = offline.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    arn = iam.create_role(RoleName="may-nothing", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    source = "import boto3\ndef handler(e, c):\n    boto3.client('s3').list_buckets()\n"
    name = make_function(source, Role=arn)
    failed = call(client, name)
    assert failed["errorType"] == "AccessDenied"
    assert "s3:ListAllMyBuckets" in failed["errorMessage"]


def test_only_what_is_on_aws_can_be_imported(client, make_function):
    source = (
        "import importlib\ndef handler(names, c):\n    found = []\n    for name in names:\n"
        "        try:\n            importlib.import_module(name)\n            found.append(name)\n"
        "        except ImportError:\n            pass\n    return found\n"
    )
    names = ["json", "boto3", "botocore", "numpy", "pandas", "xgboost", "helpers", "moto", "pip"]
    assert call(client, make_function(source), names) == ["json", "boto3", "botocore"]


def test_a_package_brings_its_own_sdk(client, make_function):
    name = make_function(
        "import boto3\ndef handler(e, c):\n    return boto3.mine\n", files={"boto3/__init__.py": "mine = 'yes'\n"}
    )
    assert call(client, name) == "yes"


def test_the_code_is_read_only_and_tmp_is_its_own(client, make_function):
    source = (
        "import os, tempfile\ndef handler(e, c):\n"
        "    path = os.path.join(tempfile.gettempdir(), 'x')\n    found = os.path.exists(path)\n"
        "    open(path, 'a').close()\n"
        "    return [found, tempfile.gettempdir(), oct(os.stat('app.py').st_mode & 0o777)]\n"
    )
    name, other = make_function(source), make_function(source)
    found, directory, mode = call(client, name)
    assert (found, mode) == (False, "0o444")
    assert call(client, name)[0] is True
    assert call(client, other)[0] is False
    assert call(client, other)[1] != directory


@pytest.mark.skipif(os.name != "posix", reason="limits of a POSIX process")
def test_files_and_memory_are_limited(client, make_function):
    source = (
        "import os, tempfile\ndef handler(e, c):\n    if e == 'memory':\n        return len(bytearray(8 << 30))\n"
        "    with open(os.path.join(tempfile.gettempdir(), 'big'), 'wb') as big:\n        big.truncate(600 << 20)\n"
    )
    name = make_function(source)
    assert call(client, name, "memory")["errorType"] == "MemoryError"
    assert call(client, name, "file")["errorType"] == "OSError"


def test_deleting_a_function_ends_its_processes(client, make_function, eventually, gone):
    name = make_function(PID)
    pid = call(client, name)[0]
    assert psutil.pid_exists(pid)
    client.delete_function(FunctionName=name)
    eventually(lambda: gone(pid))
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName=name)


def confinement_works() -> bool:
    """Whether the kernel has Landlock of the version that scopes signals."""
    return sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 6


TRESPASS = """
import os, signal

def handler(event, context):
    found = {}
    for name, path in event["paths"].items():
        try:
            found[name] = os.listdir(path) if os.path.isdir(path) else open(path).read()[:20]
        except OSError as error:
            found[name] = type(error).__name__
    try:
        open(event["write"], "w")
        found["write"] = "written"
    except OSError as error:
        found["write"] = type(error).__name__
    try:
        os.kill(event["pid"], 0)
        found["signal"] = "sent"
    except OSError as error:
        found["signal"] = type(error).__name__
    return found
"""


@pytest.mark.skipif(not confinement_works(), reason="no Landlock in this kernel")
@pytest.mark.parametrize("files", [{}, {"boto3/__init__.py": ""}], ids=["forked", "fresh"])
def test_a_function_does_not_reach_the_rest_of_the_machine(client, make_function, offline, tmp_path, files):
    secret = tmp_path / "secret"
    secret.write_text("mine")
    paths = {
        "secret": str(secret),
        "workspace": str(offline.directory),
        "repository": str(Path(__file__).parent),
        "server": f"/proc/{os.getpid()}/environ",
        "system": "/etc/hostname",
    }
    event = {"paths": paths, "write": str(tmp_path / "new"), "pid": os.getpid()}
    found = call(client, make_function(TRESPASS, files=files), event)
    assert found.pop("system") not in ("PermissionError", "FileNotFoundError")
    assert set(found.values()) == {"PermissionError"}, found
    assert not (tmp_path / "new").exists()

"""A role that Lambda may assume, and functions made of a few lines of source."""

import contextlib
import io
import json
import uuid
import zipfile

import psutil
import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def gone():
    """gone(pid) -> whether the process runs no more."""

    def look(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return look


@pytest.fixture(scope="session")
def make_zip():
    """make_zip({name: text}) -> bytes."""
    return zipped


@pytest.fixture(scope="session")
def role(offline) -> str:
    iam = offline.client("iam")
    name = f"functions-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy))
    return arn


@pytest.fixture(scope="session")
def client(offline):
    return offline.client("lambda")


@pytest.fixture
def make_function(client, role):
    """make_function(source, **configuration) -> name; deleted afterwards."""
    made = []

    def make(source: str, **configuration) -> str:
        name = configuration.pop("FunctionName", f"f-{uuid.uuid4().hex[:10]}")
        files = configuration.pop("files", {}) | {"app.py": source}
        options = {"Runtime": "python3.13", "Handler": "app.handler", "Role": role, "Timeout": 5} | configuration
        client.create_function(FunctionName=name, Code={"ZipFile": zipped(files)}, **options)
        made.append(name)
        return name

    yield make
    for name in made:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)

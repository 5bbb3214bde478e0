"""The functions as AWS loads them: a region in the environment, and a client that answers as told."""

import importlib
import io

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def load(monkeypatch):
    """Imports a function's file with this environment."""

    def load(name, **environment):
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        return importlib.reload(importlib.import_module(f"helpers.lambdas.{name}"))

    return load


class Endpoint:
    """A SageMaker runtime that answers with one body, or refuses."""

    def __init__(self, body="", refuses=False):
        self.body, self.refuses, self.asked = body, refuses, []

    def invoke_endpoint(self, **request):
        self.asked.append(request)
        if self.refuses:
            raise ClientError({"Error": {"Code": "ModelError", "Message": "broken"}}, "InvokeEndpoint")
        return {"Body": io.BytesIO(self.body.encode()), "InvokedProductionVariant": "v1"}


@pytest.fixture
def endpoint():
    return Endpoint

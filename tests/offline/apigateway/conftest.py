"""A REST API in front of a function, and the address at which it answers."""

import io
import json
import uuid
import zipfile
from dataclasses import dataclass

import pytest
import requests

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

ECHO = """
import json

def handler(event, context):
    wanted = (event["queryStringParameters"] or {}).get("answer")
    if wanted:
        return json.loads(wanted)
    return {"statusCode": 200, "headers": {"X-Echo": "yes"}, "body": json.dumps(event)}
"""


@dataclass
class Api:
    client: object
    id: str
    endpoint_url: str

    @property
    def root(self) -> str:
        return next(each["id"] for each in self.client.get_resources(restApiId=self.id)["items"] if each["path"] == "/")

    def resource(self, *parts: str) -> str:
        parent = self.root
        for part in parts:
            parent = self.client.create_resource(restApiId=self.id, parentId=parent, pathPart=part)["id"]
        return parent

    def proxy(self, resource: str, method: str, function_arn: str, timeout_ms: int | None = None, **settings) -> None:
        where = {"restApiId": self.id, "resourceId": resource, "httpMethod": method}
        self.client.put_method(**where, authorizationType="NONE", **settings)
        region = function_arn.split(":")[3]
        uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
        options = {"timeoutInMillis": timeout_ms} if timeout_ms else {}
        self.client.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, **options)

    def deploy(self, stage: str = "live", **settings) -> str:
        self.client.create_deployment(restApiId=self.id, stageName=stage, **settings)
        return self.url(stage)

    def url(self, stage: str = "live") -> str:
        return f"{self.endpoint_url}/restapis/{self.id}/{stage}/_user_request_"

    def ask(self, path: str = "", method: str = "GET", stage: str = "live", **options) -> requests.Response:
        return requests.request(method, self.url(stage) + path, timeout=30, **options)


@pytest.fixture(scope="session")
def client(offline):
    return offline.client("apigateway")


@pytest.fixture(scope="session")
def role(offline) -> str:
    name = f"gateway-{uuid.uuid4().hex[:8]}"
    created = offline.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    return created["Role"]["Arn"]


@pytest.fixture(scope="session")
def make_function(offline, role):
    """make_function(source, permit=True, **configuration) -> ARN."""
    functions = offline.client("lambda")

    def make(source: str, *, permit: bool = True, **configuration) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", source)
        name = f"g-{uuid.uuid4().hex[:10]}"
        options = {"Runtime": "python3.12", "Handler": "app.handler", "Role": role, "Timeout": 5} | configuration
        arn = functions.create_function(FunctionName=name, Code={"ZipFile": buffer.getvalue()}, **options)[
            "FunctionArn"
        ]
        if permit:
            functions.add_permission(
                FunctionName=name,
                StatementId="gateway",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
            )
        return arn

    return make


@pytest.fixture(scope="session")
def echo(make_function) -> str:
    """A function that answers with its event, or with what ?answer= says."""
    return make_function(ECHO)


@pytest.fixture
def api(offline, client):
    made = client.create_rest_api(name=f"api-{uuid.uuid4().hex[:8]}")["id"]
    yield Api(client, made, offline.endpoint_url)
    client.delete_rest_api(restApiId=made)

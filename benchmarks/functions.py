"""Lambda functions for the benchmarks, on any server: zip, create, wait."""

import io
import time
import zipfile


def zipped(source: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", source)
    return archive.getvalue()


def create(functions, name: str, source: str, role_arn: str) -> str:
    """Create the function and wait until it is active; returns its ARN."""
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role_arn,
        Handler="app.handler",
        Code={"ZipFile": zipped(source)},
        Timeout=30,
    )["FunctionArn"]
    deadline = time.monotonic() + 30
    while functions.get_function_configuration(FunctionName=name).get("State", "Active") != "Active":
        if time.monotonic() > deadline:
            raise RuntimeError(f"{name} did not become active.")
        time.sleep(0.05)
    return arn


def rest_api(gateway, functions, function_arn: str, account_id: str) -> str:
    """A REST API whose GET /ask goes to the function; returns the API's id. The stage is `live`."""
    api = gateway.create_rest_api(name="bench")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="ask")["id"]
    gateway.put_method(restApiId=api, resourceId=resource, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(
        restApiId=api,
        resourceId=resource,
        httpMethod="GET",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
    )
    functions.add_permission(
        FunctionName=function_arn,
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{account_id}:{api}/*",
    )
    gateway.create_deployment(restApiId=api, stageName="live")
    return api

"""Validators, models, keys, plans, stages, deployments, MOCK, logs and metrics."""

import io
import json
import time
import uuid
import zipfile

import pytest
from botocore.exceptions import ClientError

SCHEMA = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "properties": {"features": {"type": "array", "items": {"type": "number"}, "minItems": 12, "maxItems": 12}},
    "required": ["features"],
}


def validator(api, **what) -> str:
    settings = {"validateRequestBody": False, "validateRequestParameters": False} | what
    return api.client.create_request_validator(restApiId=api.id, name="v", **settings)["id"]


def test_a_required_query_parameter(api, echo):
    api.proxy(
        api.root,
        "GET",
        echo,
        requestParameters={"method.request.querystring.features": True, "method.request.header.X-FC": False},
        requestValidatorId=validator(api, validateRequestParameters=True),
    )
    api.deploy()
    assert api.ask(params={"features": "1,2"}).status_code == 200
    for query in ({}, {"features": ""}):
        answer = api.ask(params=query)
        assert answer.status_code == 400
        assert answer.json() == {"message": "Missing required request parameters: [features]"}
        assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"


def test_without_a_validator_nothing_is_required(api, echo):
    api.proxy(api.root, "GET", echo, requestParameters={"method.request.querystring.features": True})
    api.deploy()
    assert api.ask().status_code == 200


def test_a_body_is_held_against_its_model(api, echo, client):
    client.create_model(restApiId=api.id, name="Interaction", contentType="application/json", schema=json.dumps(SCHEMA))
    reference = {"$ref": f"https://apigateway.amazonaws.com/restapis/{api.id}/models/Interaction"}
    client.create_model(
        restApiId=api.id,
        name="Interactions",
        contentType="application/json",
        schema=json.dumps({"type": "array", "items": reference}),
    )
    for name, model in (("one", "Interaction"), ("many", "Interactions")):
        api.proxy(
            api.resource(name),
            "POST",
            echo,
            requestModels={"application/json": model},
            requestValidatorId=validator(api, validateRequestBody=True),
        )
    api.deploy()
    good = {"features": [1] * 12}
    assert api.ask("/one", "POST", json=good).status_code == 200
    assert api.ask("/many", "POST", json=[good, good]).status_code == 200
    for path, body in (("/one", {"features": [1]}), ("/one", None), ("/many", [good, {}]), ("/many", good)):
        answer = api.ask(path, "POST", json=body)
        assert (answer.status_code, answer.json()) == (400, {"message": "Invalid request body"})


def test_what_exists_is_not_made_twice(api, client):
    resource = api.resource("liveinference")
    with pytest.raises(client.exceptions.ConflictException, match="same parent already has this name: liveinference"):
        api.resource("liveinference")
    where = {"restApiId": api.id, "resourceId": resource, "httpMethod": "GET", "authorizationType": "NONE"}
    client.put_method(**where)
    with pytest.raises(client.exceptions.ConflictException, match="Method already exists for this resource"):
        client.put_method(**where)


def test_an_api_of_another_region(offline, role, api):
    options = {"region": "eu-west-1"}
    gateway, functions = offline.client("apigateway", **options), offline.client("lambda", **options)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "app.py",
            "import os\ndef handler(e, c):\n    return {'statusCode': 200, 'body': os.environ['AWS_REGION']}\n",
        )
    arn = functions.create_function(
        FunctionName="abroad",
        Runtime="python3.12",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": buffer.getvalue()},
    )["FunctionArn"]
    functions.add_permission(
        FunctionName="abroad",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    abroad = type(api)(gateway, gateway.create_rest_api(name="abroad")["id"], offline.endpoint_url)
    abroad.proxy(abroad.root, "GET", arn)
    abroad.deploy()
    assert arn.split(":")[3] == "eu-west-1"
    assert abroad.ask().text == "eu-west-1"
    assert "abroad" not in [each["name"] for each in offline.client("apigateway").get_rest_apis()["items"]]


def test_a_model_must_be_a_schema(api, client):
    for schema in ("no json", '{"type": "nothing"}'):
        with pytest.raises(ClientError, match="Invalid model schema specified"):
            client.create_model(restApiId=api.id, name="Wrong", contentType="application/json", schema=schema)


@pytest.fixture
def keyed(api, echo, client):
    """An API whose GET needs a key. Gives make(plan settings) -> key value."""
    api.proxy(api.root, "GET", echo, apiKeyRequired=True)
    api.deploy()

    def make(**plan) -> str:
        key = client.create_api_key(name="learner", enabled=True)
        plan_id = client.create_usage_plan(
            name=uuid.uuid4().hex, apiStages=[{"apiId": api.id, "stage": "live"}], **plan
        )["id"]
        client.create_usage_plan_key(usagePlanId=plan_id, keyId=key["id"], keyType="API_KEY")
        return key["value"]

    return make


def test_an_api_key_is_asked_for(api, keyed, client):
    value = keyed()
    assert api.ask(headers={"x-api-key": value}).status_code == 200
    identity = api.ask(headers={"x-api-key": value}).json()["requestContext"]["identity"]
    assert identity["apiKey"] == value
    stray = client.create_api_key(name="in no plan", enabled=True)["value"]
    for headers in ({}, {"x-api-key": "x" * 40}, {"x-api-key": stray}):
        answer = api.ask(headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})
        assert answer.headers["x-amzn-ErrorType"] == "ForbiddenException"


def test_over_the_rate_of_the_plan_is_429_and_recovers(api, keyed, eventually):
    value = keyed(throttle={"rateLimit": 5, "burstLimit": 3})
    answers = [api.ask(headers={"x-api-key": value}) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) >= 3
    assert refused
    assert refused[0].json() == {"message": "Too Many Requests"}
    assert eventually(lambda: api.ask(headers={"x-api-key": value}).status_code == 200, seconds=3)


def test_over_the_quota_of_the_plan_is_429(api, keyed):
    value = keyed(quota={"limit": 2, "period": "DAY"})
    answers = [api.ask(headers={"x-api-key": value}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"message": "Limit Exceeded"}


def test_a_stage_throttles_by_its_method_settings(api, echo, client):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    client.update_stage(
        restApiId=api.id,
        stageName="live",
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "1"},
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
        ],
    )
    assert [api.ask().status_code for _ in range(4)][:2] == [200, 200]
    assert 429 in [api.ask().status_code for _ in range(4)]


def test_a_deployment_is_a_snapshot(api, echo, client):
    api.proxy(api.resource("old"), "GET", echo)
    api.deploy()
    api.proxy(api.resource("new"), "GET", echo)
    assert api.ask("/new").status_code == 403
    first = client.get_stage(restApiId=api.id, stageName="live")["deploymentId"]
    api.deploy()
    assert api.ask("/new").status_code == 200
    client.update_stage(
        restApiId=api.id,
        stageName="live",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": first}],
    )
    assert api.ask("/new").status_code == 403
    assert api.ask("/old").status_code == 200


def test_a_new_deployment_leaves_the_stage_its_settings(api, echo, client):
    api.proxy(api.root, "GET", echo)
    api.deploy(variables={"color": "blue"})
    patch = [{"op": "replace", "path": "/variables/shape", "value": "round"}]
    client.update_stage(restApiId=api.id, stageName="live", patchOperations=patch)
    api.deploy()
    assert api.ask().json()["stageVariables"] == {"color": "blue", "shape": "round"}


def test_two_stages_of_one_deployment(api, echo, client):
    api.proxy(api.root, "GET", echo)
    deployment = client.create_deployment(restApiId=api.id)["id"]
    for stage in ("blue", "green"):
        client.create_stage(restApiId=api.id, stageName=stage, deploymentId=deployment, variables={"is": stage})
    assert [api.ask(stage=stage).json()["stageVariables"]["is"] for stage in ("blue", "green")] == ["blue", "green"]
    with pytest.raises(ClientError, match="Invalid Deployment identifier specified"):
        client.create_stage(restApiId=api.id, stageName="red", deploymentId="nothing")


def cors_by_mock(api, resource: str) -> None:
    where = {"restApiId": api.id, "resourceId": resource, "httpMethod": "OPTIONS"}
    api.client.put_method(**where, authorizationType="NONE")
    headers = {
        "method.response.header.Access-Control-Allow-Origin": "'*'",
        "method.response.header.Access-Control-Allow-Methods": "'GET,OPTIONS'",
    }
    declared = dict.fromkeys(headers, False)
    api.client.put_method_response(**where, statusCode="200", responseParameters=declared)
    api.client.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.client.put_integration_response(
        **where,
        statusCode="200",
        responseParameters=headers,
        responseTemplates={"application/json": ""},
    )


def test_cors_by_a_mock_options_method(api, echo):
    api.proxy(api.root, "GET", echo)
    cors_by_mock(api, api.root)
    api.deploy()
    answer = api.ask(method="OPTIONS", headers={"Origin": "https://example.org"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET,OPTIONS"


def test_a_mock_answers_with_its_template(api):
    where = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    api.client.put_method(**where, authorizationType="NONE")
    api.client.put_integration(**where, type="MOCK", requestTemplates={"application/json": "{ statusCode: 503 }"})
    for status, pattern, text in (("200", None, "up"), ("503", "5\\d\\d", "down, $context.stage, $input.params('q')")):
        options = {"selectionPattern": pattern} if pattern else {}
        api.client.put_method_response(**where, statusCode=status)
        api.client.put_integration_response(
            **where, statusCode=status, responseTemplates={"application/json": text}, **options
        )
    api.deploy()
    answer = api.ask("?q=7")
    assert (answer.status_code, answer.text) == (503, "down, live, 7")


def test_what_is_not_offline_says_so_by_name(api, client):
    where = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    with pytest.raises(ClientError, match="authorization AWS_IAM") as refused:
        client.put_method(**where, authorizationType="AWS_IAM")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    client.put_method(**where, authorizationType="NONE")
    with pytest.raises(ClientError, match="integrations of type HTTP_PROXY") as refused:
        client.put_integration(**where, type="HTTP_PROXY", integrationHttpMethod="GET", uri="http://example.org")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_a_gateway_response_adds_headers_to_errors(api, echo, client):
    api.proxy(api.resource("here"), "GET", echo)
    client.put_gateway_response(
        restApiId=api.id,
        responseType="DEFAULT_4XX",
        responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        responseTemplates={"application/json": '{"error": $context.error.messageString}'},
    )
    api.deploy()
    answer = api.ask("/nowhere")
    assert answer.status_code == 403
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json() == {"error": "Missing Authentication Token"}


def test_the_access_log_needs_a_role_and_writes_a_line_per_request(api, echo, client, offline, role, eventually):
    logs = offline.client("logs")
    group = f"/api/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    api.proxy(api.root, "GET", echo)
    api.deploy()
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    line = "$context.httpMethod $context.resourcePath $context.status $context.identity.sourceIp $context.requestId"
    patch = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": arn},
        {"op": "replace", "path": "/accessLogSettings/format", "value": line},
    ]
    client.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])
    client.update_stage(restApiId=api.id, stageName="live", patchOperations=patch)
    answer = api.ask()
    api.ask("/nowhere")
    events = eventually(lambda: len(found := logs.filter_log_events(logGroupName=group)["events"]) == 2 and found)
    assert events[0]["message"] == f"GET / 200 127.0.0.1 {answer.headers['x-amzn-RequestId']}"
    assert events[1]["message"].startswith("GET - 403 127.0.0.1 ")


def test_requests_and_errors_are_counted(api, echo, client, offline, eventually):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    name = client.get_rest_api(restApiId=api.id)["name"]
    for path in ("", "", "/nowhere"):
        api.ask(path)
    metrics = offline.client("cloudwatch")

    def total(metric: str) -> float:
        now = time.time()
        points = metrics.get_metric_statistics(
            Namespace="AWS/ApiGateway",
            MetricName=metric,
            Dimensions=[{"Name": "ApiName", "Value": name}, {"Name": "Stage", "Value": "live"}],
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    assert eventually(lambda: total("Count") == 3)
    assert total("4XXError") == 1
    assert total("5XXError") == 0
    assert total("Latency") > 0


def refused(call, **arguments) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_paths_and_methods_that_there_cannot_be(api, client):
    api.resource("items", "{id}")
    items = next(each["id"] for each in client.get_resources(restApiId=api.id)["items"] if each["path"] == "/items")
    greedy = api.resource("{proxy+}")
    make = {"restApiId": api.id, "pathPart": "x"}
    assert refused(client.create_resource, **make | {"parentId": items, "pathPart": "{other}"}) == (
        "BadRequestException",
        "A sibling ({id}) of this resource already has a variable path part -- only one is allowed",
    )
    assert refused(client.create_resource, **make, parentId=greedy) == (
        "BadRequestException",
        "Cannot create a child of a resource with a greedy path variable: {proxy+}",
    )
    code, message = refused(
        client.put_method, restApiId=api.id, resourceId=items, httpMethod="FETCH", authorizationType="NONE"
    )
    assert (code, message) == (
        "BadRequestException",
        "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY",
    )
    code, message = refused(client.delete_resource, restApiId=api.id, resourceId=api.root)
    assert (code, message) == ("BadRequestException", "Cannot delete root resource.")


def test_an_integration_response_needs_its_method_response(api, client):
    where = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    client.put_method(**where, authorizationType="NONE")
    client.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    assert refused(client.put_integration_response, **where, statusCode="200") == (
        "NotFoundException",
        "Invalid Response status code specified",
    )
    client.put_method_response(**where, statusCode="200")
    header = {"method.response.header.X-Nope": "'*'"}
    code, message = refused(client.put_integration_response, **where, statusCode="200", responseParameters=header)
    assert code == "BadRequestException"
    assert message.endswith("[Invalid mapping expression parameter specified: method.response.header.X-Nope]")
    client.put_integration_response(**where, statusCode="200")


def test_a_method_is_patched(api, echo, client):
    api.proxy(api.root, "GET", echo)
    where = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    validator = client.create_request_validator(restApiId=api.id, name="v", validateRequestParameters=True)["id"]
    changes = [
        {"op": "replace", "path": "/requestValidatorId", "value": validator},
        {"op": "add", "path": "/requestParameters/method.request.querystring.q", "value": "true"},
    ]
    assert client.update_method(**where, patchOperations=changes)["requestParameters"] == {
        "method.request.querystring.q": True
    }
    api.deploy()
    assert api.ask().json() == {"message": "Missing required request parameters: [q]"}
    assert api.ask(params={"q": "1"}).status_code == 200
    client.update_method(**where, patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}])
    api.deploy()
    assert api.ask(params={"q": "1"}).json() == {"message": "Forbidden"}
    code, message = refused(client.update_method, **where, patchOperations=[{"op": "replace", "path": "/nope"}])
    assert (code, message.split(".")[0]) == (
        "BadRequestException",
        "Invalid patch path '/nope' specified for op 'replace'",
    )


def test_names_of_stages_plans_of_stages_and_kinds_of_gateway_responses(api, echo, client):
    api.proxy(api.root, "GET", echo)
    deployment = client.create_deployment(restApiId=api.id)["id"]
    assert refused(client.create_stage, restApiId=api.id, stageName="a b", deploymentId=deployment) == (
        "BadRequestException",
        "Stage name only allows a-zA-Z0-9_-",
    )
    stages = [{"apiId": api.id, "stage": "nope"}]
    assert refused(client.create_usage_plan, name="p", apiStages=stages) == (
        "NotFoundException",
        f"API Stage not found: {api.id}:nope",
    )
    assert refused(client.put_gateway_response, restApiId=api.id, responseType="NOPE")[0] == "BadRequestException"

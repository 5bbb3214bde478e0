"""The Lambda proxy integration: what the function is given, and what becomes of its answer."""

import http.client
import json
import re

import pytest
import requests


def ask_event(api, echo, path="", **options) -> dict:
    answer = api.ask(path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-echo"] == "yes"
    return answer.json()


def test_the_event_of_a_get_with_a_query(api, echo):
    api.proxy(api.resource("liveinference"), "GET", echo)
    api.deploy(variables={"color": "blue"})
    event = ask_event(api, echo, "/liveinference?features=1,2,3&x=a&x=b%20c", headers={"User-Agent": "tests"})
    assert event["resource"] == "/liveinference"
    assert event["path"] == "/liveinference"
    assert event["httpMethod"] == "GET"
    assert event["queryStringParameters"] == {"features": "1,2,3", "x": "b c"}
    assert event["multiValueQueryStringParameters"] == {"features": ["1,2,3"], "x": ["a", "b c"]}
    assert event["pathParameters"] is None
    assert event["stageVariables"] == {"color": "blue"}
    assert event["headers"]["User-Agent"] == "tests"
    assert event["multiValueHeaders"]["User-Agent"] == ["tests"]
    assert event["body"] is None
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["path"] == "/live/liveinference"
    assert context["stage"] == "live"
    assert context["apiId"] == api.id
    assert context["resourcePath"] == "/liveinference"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["identity"]["userAgent"] == "tests"
    assert context["requestId"]


def test_without_a_query_the_parameters_are_null(api, echo):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    event = ask_event(api, echo)
    assert event["path"] == "/"
    assert event["queryStringParameters"] is None
    assert event["multiValueQueryStringParameters"] is None


def test_a_body_comes_as_text_and_a_binary_one_in_base64(api, echo, client):
    client.update_rest_api(
        restApiId=api.id, patchOperations=[{"op": "add", "path": "/binaryMediaTypes", "value": "image/png"}]
    )
    api.proxy(api.root, "POST", echo)
    api.deploy()
    event = ask_event(api, echo, method="POST", data="ä=1".encode(), headers={"Content-Type": "text/plain"})
    assert (event["body"], event["isBase64Encoded"]) == ("ä=1", False)
    event = ask_event(api, echo, method="POST", data=b"\x00\xff", headers={"Content-Type": "image/png"})
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)


def test_path_parameters_greedy_paths_and_any(api, echo):
    pets = api.resource("pets")
    pet = api.client.create_resource(restApiId=api.id, parentId=pets, pathPart="{pet}")["id"]
    rest = api.client.create_resource(restApiId=api.id, parentId=api.root, pathPart="{proxy+}")["id"]
    api.proxy(pet, "GET", echo)
    api.proxy(rest, "ANY", echo)
    api.deploy()
    event = ask_event(api, echo, "/pets/a%20cat")
    assert (event["resource"], event["pathParameters"]) == ("/pets/{pet}", {"pet": "a cat"})
    event = ask_event(api, echo, "/deep/er/still", method="PATCH")
    assert (event["resource"], event["pathParameters"]) == ("/{proxy+}", {"proxy": "deep/er/still"})
    assert api.ask("/pets/cat", method="DELETE").status_code == 403


@pytest.mark.parametrize("path,method", [("/nowhere", "GET"), ("/here", "POST"), ("", "GET")])
def test_what_is_not_there_is_missing_a_token(api, echo, path, method):
    api.proxy(api.resource("here"), "GET", echo)
    api.deploy()
    answer = api.ask(path, method=method)
    assert answer.status_code == 403
    assert answer.json() == {"message": "Missing Authentication Token"}
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_an_unknown_stage_or_api_is_forbidden(api, echo, offline):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    assert api.ask(stage="other").json() == {"message": "Forbidden"}
    answer = requests.get(f"{offline.endpoint_url}/restapis/aaaaaaaaaa/live/_user_request_/", timeout=30)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


def test_the_host_form_of_the_address(api, echo, offline):
    api.proxy(api.resource("liveinference"), "GET", echo)
    api.deploy()
    answer = requests.get(
        f"{offline.endpoint_url}/live/liveinference?features=1",
        headers={"Host": f"{api.id}.execute-api.us-east-1.amazonaws.com"},
        timeout=30,
    )
    assert answer.json()["queryStringParameters"] == {"features": "1"}


def test_every_answer_names_its_request(api, echo):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    answer = api.ask()
    assert answer.headers["x-amzn-RequestId"] == answer.json()["requestContext"]["requestId"]
    assert answer.headers["x-amz-apigw-id"]
    assert "access-control-allow-origin" not in answer.headers


def answered(api, document) -> requests.Response:
    return api.ask(params={"answer": json.dumps(document)})


def test_status_headers_and_body_of_the_function_are_kept(api, echo):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    answer = answered(
        api,
        {
            "statusCode": "418",
            "headers": {"X-One": "1", "Content-Type": "text/plain", "Date": "never"},
            "multiValueHeaders": {"X-Two": ["a", "b"], "Set-Cookie": ["a=1", "b=2; Secure"]},
            "body": "short and stout",
        },
    )
    assert (answer.status_code, answer.text) == (418, "short and stout")
    assert answer.headers["x-one"] == "1"
    assert answer.headers["x-two"] == "a, b"
    assert answer.raw.headers.getlist("set-cookie") == ["a=1", "b=2; Secure"]
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-amzn-remapped-date"] == "never"
    assert answered(api, {"statusCode": 204}).content == b""
    assert (answered(api, {"body": "x"}).status_code, answered(api, {}).content) == (200, b"")


@pytest.mark.parametrize(
    "document",
    [
        {"statusCode": "none"},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "headers": ["no"]},
        {"statusCode": 200, "headers": {"Access-Control-Max-Age": 600}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 99},
        {"statusCode": 200, "prediction": 1},
        ["no"],
        "text",
    ],
)
def test_a_malformed_answer_is_502(api, echo, document):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    answer = answered(api, document)
    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})
    assert answer.headers["x-amzn-ErrorType"] == "InternalServerErrorException"


def test_a_function_that_fails_is_502(api, make_function):
    api.proxy(api.root, "GET", make_function("def handler(event, context):\n    raise ValueError('no')\n"))
    api.deploy()
    answer = api.ask()
    assert (answer.status_code, answer.json()) == (502, {"message": "Internal server error"})


def test_without_permission_the_function_is_not_invoked(api, make_function, offline):
    arn = make_function("def handler(event, context):\n    return {'statusCode': 200}\n", permit=False)
    api.proxy(api.resource("a"), "GET", arn)
    api.proxy(api.resource("b"), "GET", arn)
    api.deploy()
    assert api.ask("/a").status_code == 500
    assert api.ask("/a").json() == {"message": "Internal server error"}
    offline.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="one-path",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api.id}/*/GET/a",
    )
    assert api.ask("/a").status_code == 200
    assert api.ask("/b").status_code == 500


def test_a_function_that_is_gone_is_500(api):
    api.proxy(api.root, "GET", "arn:aws:lambda:us-east-1:123456789012:function:nobody")
    api.deploy()
    assert api.ask().status_code == 500


def test_an_answer_after_the_timeout_is_504(api, make_function):
    arn = make_function(
        "import time\ndef handler(event, context):\n    time.sleep(2)\n    return {'statusCode': 200}\n"
    )
    api.proxy(api.root, "GET", arn, timeout_ms=200)
    api.deploy()
    answer = api.ask()
    assert (answer.status_code, answer.json()) == (504, {"message": "Endpoint request timed out"})


def test_a_stage_variable_chooses_the_alias(api, make_function, offline):
    functions = offline.client("lambda")
    arn = make_function(
        "def handler(event, context):\n    return {'statusCode': 200, 'body': context.invoked_function_arn}\n"
    )
    version = functions.publish_version(FunctionName=arn)["Version"]
    functions.create_alias(FunctionName=arn, Name="steady", FunctionVersion=version)
    functions.add_permission(
        FunctionName=arn,
        Qualifier="steady",
        StatementId="alias",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    api.proxy(api.root, "GET", arn + ":${stageVariables.alias}")
    api.deploy(variables={"alias": "steady"})
    assert api.ask().text == f"{arn}:steady"


def test_headers_that_come_twice_and_a_trace(api, echo, offline):
    api.proxy(api.root, "GET", echo)
    api.deploy()
    path = f"/restapis/{api.id}/live/_user_request_"
    connection = http.client.HTTPConnection(offline.endpoint_url.removeprefix("http://"))
    connection.putrequest("GET", path)
    for value in ("a", "b"):
        connection.putheader("X-Twice", value)
    connection.endheaders()
    answer = connection.getresponse()
    event = json.loads(answer.read())
    assert event["headers"]["X-Twice"] == "b"
    assert event["multiValueHeaders"]["X-Twice"] == ["a", "b"]
    assert event["headers"]["X-Amzn-Trace-Id"] == answer.headers["x-amzn-trace-id"]
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", answer.headers["x-amzn-trace-id"])
    assert not {"Connection", "Content-Length"} & event["headers"].keys()


def test_binary_media_types_of_a_new_api_count(api, client, offline, echo):
    made = client.create_rest_api(name="binary", binaryMediaTypes=["image/png"])
    assert made["binaryMediaTypes"] == ["image/png"]
    api = type(api)(client, made["id"], offline.endpoint_url)
    api.proxy(api.root, "ANY", echo)
    api.deploy()
    event = api.ask("", "POST", data=b"\x89PNG", headers={"Content-Type": "image/png"}).json()
    assert (event["isBase64Encoded"], event["body"]) == (True, "iVBORw==")
    wrong = {"statusCode": 200, "headers": {"Content-Type": "image/png"}, "isBase64Encoded": True, "body": "%%%"}
    assert answered(api, wrong).status_code == 500
    client.delete_rest_api(restApiId=api.id)


def test_lambda_is_called_by_post_and_by_nothing_else(api, echo, client):
    """The mistake that everybody makes once: the integration's method is not the method's."""
    api.proxy(api.root, "GET", echo)
    where = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    patch = [{"op": "replace", "path": "/httpMethod", "value": "GET"}]
    assert client.update_integration(**where, patchOperations=patch)["httpMethod"] == "GET"
    api.deploy()
    answer = api.ask()
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal server error"})

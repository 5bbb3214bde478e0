"""What lab 3 leaves: a REST API, and behind it a Lambda function that asks the live endpoint."""

import os

from helpers.resources import functions
from helpers.workshop import Workshop

FUNCTION = "LiveInferenceLambdaFunction"
API = "LiveInferenceAPI"
RESOURCE = "liveinference"
STAGE = "live"
ENDPOINT = "LiveInferenceEndpoint"


def build(ws: Workshop) -> list[str]:
    """Make what is missing of what lab 3 leaves. Returns what was made, in words."""
    built = []
    if not functions.exists(ws, FUNCTION):
        functions.deploy(ws, FUNCTION, "live_inference", "live_inference_lambda", {"ENDPOINT_NAME": ws.name(ENDPOINT)})
        built.append("the live-inference function")
    if deployed_api(ws) is None:
        publish(ws, create_api(ws))
        built.append("the REST API")
    return built


def find_api(ws: Workshop, name: str = API) -> str | None:
    """The id of your REST API, or None: the names of REST APIs need not be unique, so look before you create."""
    for page in ws.client("apigateway").get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api["name"] == ws.name(name):
                return api["id"]
    return None


def deployed_api(ws: Workshop) -> str | None:
    """The id of your REST API if its stage is deployed, else None."""
    api_id = find_api(ws)
    stages = ws.client("apigateway").get_stages(restApiId=api_id)["item"] if api_id else []
    return api_id if any(stage["stageName"] == STAGE for stage in stages) else None


def create_api(ws: Workshop) -> str:
    """Make the API if it is missing; its id."""
    if api_id := find_api(ws):
        return api_id
    settings = {"name": ws.name(API), "endpointConfiguration": {"types": ["REGIONAL"]}, "tags": ws.tag_map}
    return ws.client("apigateway").create_rest_api(**settings)["id"]


def create_resource(ws: Workshop, api_id: str, path: str = RESOURCE) -> str:
    """Make the path (without its leading slash) if it is missing; its id."""
    client = ws.client("apigateway")
    resources = {entry["path"]: entry["id"] for entry in client.get_resources(restApiId=api_id, limit=500)["items"]}
    if existing := resources.get(f"/{path}"):
        return existing
    return client.create_resource(restApiId=api_id, parentId=resources["/"], pathPart=path)["id"]


def integration_uri(ws: Workshop, function: str = FUNCTION) -> str:
    """How API Gateway names "call this function": the path of Lambda's own Invoke operation."""
    arn = ws.arn("lambda", f"function:{ws.name(function)}")
    return f"arn:{ws.partition}:apigateway:{ws.region}:lambda:path/2015-03-31/functions/{arn}/invocations"


def publish(ws: Workshop, api_id: str) -> None:
    """Give the API its method and the function behind it, and deploy it to the stage."""
    client = ws.client("apigateway")
    method = {"restApiId": api_id, "resourceId": create_resource(ws, api_id), "httpMethod": "GET"}
    parameters = {"method.request.querystring.features": False}
    with ws.unless_it_exists():
        client.put_method(**method, authorizationType="NONE", requestParameters=parameters)
    client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=integration_uri(ws))
    allow_api(ws, api_id)
    client.create_deployment(restApiId=api_id, stageName=STAGE)


def allow_api(ws: Workshop, api_id: str, path: str = RESOURCE, function: str = FUNCTION) -> None:
    """Let this path of this API, and nothing else, call the function."""
    source = ws.arn("execute-api", f"{api_id}/*/GET/{path}")
    with ws.unless_it_exists():
        ws.client("lambda").add_permission(
            FunctionName=ws.name(function),
            StatementId=f"from-api-{api_id}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=source,
        )


def url(ws: Workshop, api_id: str | None = None) -> str:
    """The address that clients ask, without the query."""
    api_id = api_id or find_api(ws)
    if api_id is None:
        raise LookupError(f"There is no REST API {ws.name(API)} yet.")
    if ws.offline:
        return f"{os.environ['AWS_ENDPOINT_URL']}/restapis/{api_id}/{STAGE}/_user_request_/{RESOURCE}"
    domain = "amazonaws.com.cn" if ws.partition == "aws-cn" else "amazonaws.com"
    return f"https://{api_id}.execute-api.{ws.region}.{domain}/{STAGE}/{RESOURCE}"

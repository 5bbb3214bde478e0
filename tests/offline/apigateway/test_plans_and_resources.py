"""Usage plans that still serve a stage, and resources that move."""

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def client(offline):
    return offline.client("apigateway")


@pytest.fixture
def api(client, unique):
    identity = client.create_rest_api(name=unique("api"))["id"]
    yield identity
    client.delete_rest_api(restApiId=identity)


def root(client, api):
    return client.get_resources(restApiId=api)["items"][0]["id"]


def test_a_plan_is_deleted_when_it_serves_no_stage_any_more(client, api):
    client.put_method(restApiId=api, resourceId=root(client, api), httpMethod="GET", authorizationType="NONE")
    client.put_integration(restApiId=api, resourceId=root(client, api), httpMethod="GET", type="MOCK")
    client.create_deployment(restApiId=api, stageName="dev")
    plan = client.create_usage_plan(name="plan", apiStages=[{"apiId": api, "stage": "dev"}])["id"]
    with pytest.raises(ClientError, match=f"Cannot delete Usage Plan {plan} because there are API Stages"):
        client.delete_usage_plan(usagePlanId=plan)
    operations = [{"op": "remove", "path": "/apiStages", "value": f"{api}:dev"}]
    client.update_usage_plan(usagePlanId=plan, patchOperations=operations)
    client.delete_usage_plan(usagePlanId=plan)
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_usage_plan(usagePlanId=plan)


def test_a_resource_gets_another_name_and_another_place(client, api):
    above = client.create_resource(restApiId=api, parentId=root(client, api), pathPart="pods")["id"]
    below = client.create_resource(restApiId=api, parentId=above, pathPart="{id}")["id"]
    client.create_resource(restApiId=api, parentId=root(client, api), pathPart="bins")

    def change(resource, path, value):
        operations = [{"op": "replace", "path": path, "value": value}]
        return client.update_resource(restApiId=api, resourceId=resource, patchOperations=operations)

    assert change(above, "/pathPart", "shelves")["path"] == "/shelves"
    assert client.get_resource(restApiId=api, resourceId=below)["path"] == "/shelves/{id}"
    assert change(below, "/parentId", root(client, api))["path"] == "/{id}"
    with pytest.raises(client.exceptions.ConflictException):
        change(above, "/pathPart", "bins")
    for resource, path, value in (
        (above, "/pathPart", "a b"),
        (above, "/path", "x"),
        (root(client, api), "/pathPart", "x"),
    ):
        with pytest.raises(client.exceptions.BadRequestException):
            change(resource, path, value)


def test_a_resource_is_never_below_itself_and_never_without_a_name(client, api):
    above = client.create_resource(restApiId=api, parentId=root(client, api), pathPart="pods")["id"]
    below = client.create_resource(restApiId=api, parentId=above, pathPart="{id}")["id"]
    for operation in (
        {"path": "/parentId", "value": above},
        {"path": "/parentId", "value": below},
        {"path": "/pathPart"},
        {"path": "/pathPart", "value": ""},
    ):
        with pytest.raises(client.exceptions.BadRequestException):
            client.update_resource(restApiId=api, resourceId=above, patchOperations=[{"op": "replace"} | operation])
    paths = {item["path"] for item in client.get_resources(restApiId=api)["items"]}
    assert paths == {"/", "/pods", "/pods/{id}"}

"""Scripts that wait with boto3's waiters, list with its paginators, and clean up what they find."""

import pytest
from botocore.exceptions import ClientError, WaiterError

QUICKLY = {"Delay": 1, "MaxAttempts": 30}


@pytest.fixture(scope="module")
def model(sagemaker) -> str:
    sagemaker.model("waited-for", sagemaker.boosted("reg:squarederror"))
    return "waited-for"


def test_an_endpoint_is_waited_for_when_made_and_when_deleted(sagemaker, model, unique):
    client, name = sagemaker.client, unique("waited")
    sagemaker.config(name, ("v1", model, 1.0))
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=QUICKLY)
    assert client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"
    client.delete_endpoint(EndpointName=name)
    client.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=QUICKLY)
    with pytest.raises(ClientError, match="Could not find endpoint") as caught:
        client.describe_endpoint(EndpointName=name)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_waiter_tells_that_an_endpoint_failed(sagemaker, unique):
    client, name = sagemaker.client, unique("broken")
    sagemaker.model(name, sagemaker.packed(b"no model at all"))
    sagemaker.config(name, ("v1", name, 1.0))
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    with pytest.raises(WaiterError, match="terminal failure state") as caught:
        client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=QUICKLY)
    assert caught.value.last_response["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in caught.value.last_response["FailureReason"]
    with pytest.raises(ClientError, match=f"Endpoint {name} of account 123456789012 not found"):
        sagemaker.ask(name, "1,2,3")
    client.delete_endpoint(EndpointName=name)


LISTS = {  # operation -> members: list, name
    "list_models": ("Models", "ModelName"),
    "list_endpoint_configs": ("EndpointConfigs", "EndpointConfigName"),
    "list_endpoints": ("Endpoints", "EndpointName"),
}


@pytest.fixture(scope="module")
def family(sagemaker, model) -> list[str]:
    """Names of seven models, configurations and endpoints."""
    names = [f"family-{number}" for number in range(7)]
    data = sagemaker.boosted("reg:squarederror")
    for name in names:
        sagemaker.model(name, data)
        sagemaker.config(name, ("v1", name, 1.0))
        sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    for name in names:
        sagemaker.settled(name)
    return names


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("order", ["Ascending", "Descending"])
@pytest.mark.parametrize("by", ["Name", "CreationTime"])
def test_pages_hold_each_item_once_in_order(sagemaker, family, operation, order, by):
    member, name = LISTS[operation]
    pages = list(
        sagemaker.client.get_paginator(operation).paginate(
            NameContains="family-", SortBy=by, SortOrder=order, PaginationConfig={"PageSize": 3}
        )
    )
    found = [item[name] for page in pages for item in page[member]]
    assert found == (family if order == "Ascending" else family[::-1])
    assert [len(page[member]) for page in pages] == [3, 3, 1]
    assert all(item["CreationTime"].tzinfo for page in pages for item in page[member])


@pytest.mark.parametrize("operation", LISTS)
@pytest.mark.parametrize("token", ["2", "garbage", "bm9uZQ==", "WyJBc2NlbmRpbmciLCBbIm9uZSIsICJ0d28iXV0="])
def test_a_token_that_is_none_is_refused(sagemaker, operation, token):
    with pytest.raises(ClientError) as caught:
        getattr(sagemaker.client, operation)(NextToken=token)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_a_script_that_deletes_while_it_lists_misses_nothing(sagemaker, model, unique):
    """Many notebooks end so: a page's items are deleted before the next page is asked for."""
    prefix = unique("gone")
    for number in range(8):
        sagemaker.config(f"{prefix}-{number}", ("v1", model, 1.0))
    pages = sagemaker.client.get_paginator("list_endpoint_configs").paginate(
        NameContains=prefix, PaginationConfig={"PageSize": 3}
    )
    deleted = []
    for page in pages:
        for config in page["EndpointConfigs"]:
            sagemaker.client.delete_endpoint_config(EndpointConfigName=config["EndpointConfigName"])
            deleted.append(config["EndpointConfigName"])
    assert sorted(deleted) == [f"{prefix}-{number}" for number in range(8)]
    assert sagemaker.client.list_endpoint_configs(NameContains=prefix)["EndpointConfigs"] == []


def test_what_an_endpoint_was_made_of_is_found_and_deleted_in_any_order(sagemaker, unique):
    """From the endpoint's name alone to its configuration and model; AWS lets them go while the endpoint serves."""
    client, name = sagemaker.client, unique("chain")
    sagemaker.model(name, sagemaker.boosted("reg:squarederror"))
    sagemaker.config(name, ("v1", name, 1.0))
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    before = sagemaker.settled(name)
    config = client.describe_endpoint_config(EndpointConfigName=before["EndpointConfigName"])
    for variant in config["ProductionVariants"]:
        client.delete_model(ModelName=variant["ModelName"])
    client.delete_endpoint_config(EndpointConfigName=config["EndpointConfigName"])
    after = client.describe_endpoint(EndpointName=name)
    assert after["ProductionVariants"] == before["ProductionVariants"]  # its images among them
    assert after["EndpointStatus"] == "InService" and float(sagemaker.ask(name, "5,5,5")[1])
    client.delete_endpoint(EndpointName=name)

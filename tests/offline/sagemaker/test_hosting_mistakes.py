"""Mistakes of learners who host a model, each with AWS's code and, where a source tells them, its words."""

import threading

import pytest
from botocore.exceptions import ClientError

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
ROW = "5,5,5"


@pytest.fixture(scope="module")
def data(sagemaker) -> str:
    return sagemaker.boosted("reg:squarederror")


@pytest.fixture(scope="module")
def model(sagemaker, data) -> str:
    sagemaker.model("mistaken", data)
    return "mistaken"


def refused(operation, **request) -> tuple[str, str]:
    """(code, message)"""
    with pytest.raises(ClientError) as caught:
        operation(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


CONTAINERS = {  # what is wrong -> changes of the request, words
    "neither image nor package": (
        {"PrimaryContainer": {"Environment": {"a": "b"}}},
        "Specify one of either Image and Model Data URL or ModelPackageName in container definition.",
    ),
    "image and package": (
        {"PrimaryContainer": {"Image": IMAGE, "ModelPackageName": "p"}},
        "Specify one of either Image and Model Data URL or ModelPackageName in container definition.",
    ),
    "no container": ({}, "Specify one of either PrimaryContainer or Containers."),
    "both kinds of containers": (
        {"PrimaryContainer": {"Image": IMAGE}, "Containers": [{"Image": IMAGE}]},
        "Specify one of either PrimaryContainer or Containers.",
    ),
    "a role that is not there": (
        {"PrimaryContainer": {"Image": IMAGE}, "ExecutionRoleArn": "arn:aws:iam::123456789012:role/nobody"},
        'The execution role ARN "arn:aws:iam::123456789012:role/nobody" is invalid. Please ensure that the role exists '
        'and that its trust relationship policy allows the action "sts:AssumeRole" for the service principal '
        '"sagemaker.amazonaws.com".',
    ),
}


@pytest.mark.parametrize("row", CONTAINERS)
def test_a_model_needs_one_container_and_a_role(sagemaker, row):
    changes, words = CONTAINERS[row]
    request = {"ModelName": "never", "ExecutionRoleArn": sagemaker.role} | changes
    assert refused(sagemaker.client.create_model, **request) == ("ValidationException", words)


def test_the_role_must_trust_sagemaker(sagemaker, data, service_role):
    code, message = refused(
        sagemaker.client.create_model,
        ModelName="never",
        PrimaryContainer={"Image": IMAGE, "ModelDataUrl": data},
        ExecutionRoleArn=service_role("lambda"),
    )
    assert code == "ValidationException" and message.startswith("The execution role ARN ")


VARIANTS = {  # what is wrong -> changes of a variant, how often it is there
    "two of one name": ({}, 2),
    "no model": ({"ModelName": None}, 1),
    "no instance type": ({"InstanceType": None}, 1),
    "no instance count": ({"InitialInstanceCount": None}, 1),
    "a type that is for training only": ({"InstanceType": "ml.t3.medium"}, 1),
    "a local instance": ({"InstanceType": "local"}, 1),
    "a placeholder that was left in": ({"ModelName": "ENTER MODEL NAME"}, 1),
    "eleven": ({}, 11),
    "none at all": ({}, 0),
}


@pytest.mark.parametrize("row", VARIANTS)
def test_variants_have_names_of_their_own_a_model_and_instances(sagemaker, offline, model, row):
    from botocore.config import Config

    changes, times = VARIANTS[row]
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    variant = {name: value for name, value in (variant | changes).items() if value is not None}
    client = offline.client("sagemaker", config=Config(parameter_validation=False))
    code, _ = refused(client.create_endpoint_config, EndpointConfigName="never", ProductionVariants=times * [variant])
    assert code == "ValidationException"
    code, message = refused(client.describe_endpoint_config, EndpointConfigName="never")
    assert message == f'Could not find endpoint configuration "{ARN}endpoint-config/never".'


def test_nothing_of_one_region_is_found_in_another(sagemaker, offline, model, unique):
    name = unique("here")
    sagemaker.config(name, ("v1", model, 1.0))
    away = offline.client("sagemaker", "eu-west-1")
    code, message = refused(away.create_endpoint, EndpointName=name, EndpointConfigName=name)
    there = ARN.replace("us-east-1", "eu-west-1")
    assert (code, message) == (
        "ValidationException", f'Could not find endpoint configuration "{there}endpoint-config/{name}".'
    )  # fmt: skip
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    code, message = refused(away.create_endpoint_config, EndpointConfigName=name, ProductionVariants=[variant])
    assert (code, message) == ("ValidationException", f'Could not find model "{there}model/{model}".')


@pytest.fixture
def busy(sagemaker, model, unique):
    """An endpoint that is Updating for as long as the test needs, and a configuration to update it to."""
    name = unique("busy")
    sagemaker.config(name, ("v1", model, 1.0))
    sagemaker.config(f"{name}-2", ("v1", model, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 5}
    sagemaker.client.update_endpoint(
        EndpointName=name,
        EndpointConfigName=f"{name}-2",
        DeploymentConfig={"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}},
    )
    return name


def test_an_endpoint_that_is_updated_is_left_alone_and_serves(sagemaker, busy):
    client, words = sagemaker.client, f'Cannot update in-progress endpoint "{ARN}endpoint/{busy}".'
    weights = [{"VariantName": "v1", "DesiredWeight": 2}]
    calls = (
        lambda: client.update_endpoint(EndpointName=busy, EndpointConfigName=busy),
        lambda: client.update_endpoint_weights_and_capacities(EndpointName=busy, DesiredWeightsAndCapacities=weights),
        lambda: client.delete_endpoint(EndpointName=busy),
    )
    for call in calls:
        assert refused(call) == ("ValidationException", words)
    assert float(sagemaker.ask(busy, ROW)[1])
    assert client.describe_endpoint(EndpointName=busy)["EndpointStatus"] == "Updating"
    assert sagemaker.settled(busy)["EndpointConfigName"] == f"{busy}-2"


def test_an_update_needs_the_configuration_that_the_endpoint_has(sagemaker, model, unique):
    """Who deletes the old configuration first cannot update: AWS looks at both."""
    name = unique("orphan")
    sagemaker.config(name, ("v1", model, 1.0))
    sagemaker.config(f"{name}-2", ("v1", model, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    sagemaker.client.delete_endpoint_config(EndpointConfigName=name)
    assert refused(sagemaker.client.update_endpoint, EndpointName=name, EndpointConfigName=f"{name}-2") == (
        "ValidationException", f'Could not find endpoint configuration "{ARN}endpoint-config/{name}".'
    )  # fmt: skip
    assert float(sagemaker.ask(name, ROW)[1])


def test_capacity_does_not_go_to_nothing(sagemaker, model, unique):
    name = unique("none")
    sagemaker.config(name, ("v1", model, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    code, _ = refused(
        sagemaker.client.update_endpoint_weights_and_capacities,
        EndpointName=name,
        DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredInstanceCount": 0}],
    )
    assert code == "ValidationException"
    assert sagemaker.client.describe_endpoint(EndpointName=name)["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_a_target_model_is_for_multi_model_endpoints(sagemaker, model, unique):
    name = unique("single")
    sagemaker.config(name, ("v1", model, 1.0))
    sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.settled(name)
    code, message = refused(
        sagemaker.runtime.invoke_endpoint,
        EndpointName=name, Body=ROW, ContentType="text/csv", TargetModel="other.tar.gz",
    )  # fmt: skip
    assert code == "ValidationError" and "does not support target model" in message


BODIES = {  # what is sent -> status and words of the container
    "a header row": ("a,b,c\n5,5,5", "text/csv", 415, "could not convert string to float: np.str_('a')"),
    "a text cell": ("5,red,5", "text/csv", 415, "could not convert string to float: np.str_('red')"),
    "quoted numbers": ('"5","5","5"', "text/csv", 415, "could not convert string to float"),
    "the target left in": ("55,5,5,5", "text/csv", 400, "Number of columns does not match number of features"),
    "a data frame's index left in": ("0,5,5,5\n1,5,5,5", "text/csv", 400, "Number of columns does not match"),
    "a column beyond all others": ("0 2000000000:1", "text/libsvm", 400, "Number of columns does not match"),
    "JSON": ('{"instances": [[5, 5, 5]]}', "application/json", 415,
             "application/json is not an accepted ContentType: csv, libsvm, parquet, recordio-protobuf, text/csv, "
             "text/libsvm, text/x-libsvm, application/x-parquet, application/x-recordio-protobuf."),
    "Parquet": ("PAR1", "application/x-parquet", 415, "Content-type application/x-parquet is not supported."),
    "a label size": (ROW, "text/csv;label_size=0", 415,
                     "text/csv;label_size=0 is not an accepted csv ContentType. Optional parameter label_size must be "
                     "equal to 1"),
    "a list as Python prints it": ("[5, 5, 5]", "text/csv", 415, "could not convert string to float: np.str_('[5')"),
}  # fmt: skip


@pytest.mark.parametrize("row", BODIES)
def test_a_body_that_xgboost_cannot_read_is_told_with_its_reason(sagemaker, endpoint, row):
    body, kind, status, words = BODIES[row]
    with pytest.raises(sagemaker.runtime.exceptions.ModelError) as caught:
        sagemaker.ask(endpoint, body, ContentType=kind)
    answer = caught.value.response
    assert answer["OriginalStatusCode"] == status and words in answer["OriginalMessage"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert f'Received client error ({status}) from primary with message "' in answer["Error"]["Message"]


def test_the_body_is_read_before_the_accept_type(sagemaker, endpoint):
    with pytest.raises(ClientError) as caught:
        sagemaker.ask(endpoint, "red", Accept="text/html")
    assert caught.value.response["OriginalStatusCode"] == 415
    with pytest.raises(ClientError) as caught:
        sagemaker.ask(endpoint, ROW, Accept="text/html")
    assert caught.value.response["OriginalMessage"] == (
        "Accept type text/html is not supported. Please use supported accept types: ['application/json', "
        "'application/jsonlines', 'application/x-recordio-protobuf', 'text/csv']."
    )


def test_an_endpoint_that_is_deleted_under_load_ends_with_not_found(sagemaker, data):
    """Calls that run while it goes are answered or refused in the runtime's words, never with a failure."""
    name, seen = sagemaker.deploy(data), []
    answered, gone = threading.Event(), threading.Event()

    def ask() -> None:
        while not gone.is_set():
            try:
                sagemaker.ask(name, ROW)
                answered.set()
            except ClientError as error:
                seen.append(error.response["Error"])
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        assert answered.wait(20)
        sagemaker.client.delete_endpoint(EndpointName=name)
        thread.join(20)
    finally:
        gone.set()
    assert [(one["Code"], one["Message"]) for one in seen] == [
        ("ValidationError", f"Endpoint {name} of account 123456789012 not found.")
    ]

"""Endpoints from Creating to Deleting: updates, traffic shifting, what they refuse, tell and count."""

import json
import time
from collections import Counter

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROW = "5,5,5"
ARN = "arn:aws:sagemaker:us-east-1:123456789012:"


@pytest.fixture(scope="module")
def model(sagemaker) -> str:
    """The name of a model."""
    name = f"model-{time.time_ns():x}"
    sagemaker.model(name, sagemaker.boosted("reg:squarederror"))
    return name


@pytest.fixture
def deployed(sagemaker, model, unique):
    """deployed("v1", …) -> name of an endpoint with these variants, in service."""

    def make(*variants: str, **more) -> str:
        name = unique("endpoint")
        sagemaker.config(name, *((variant, model, 1.0) for variant in variants), **more)
        sagemaker.client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        assert sagemaker.settled(name)["EndpointStatus"] == "InService"
        return name

    return make


@pytest.fixture
def config(sagemaker, model, unique):
    """config("v2") -> name of another endpoint configuration."""

    def make(*variants: str) -> str:
        name = unique("config")
        sagemaker.config(name, *((variant, model, 1.0) for variant in variants))
        return name

    return make


def asked(sagemaker, name: str, times: int = 1, **more) -> Counter:
    """Which variants answered."""
    return Counter(
        sagemaker.runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=ROW, **more)[
            "InvokedProductionVariant"
        ]
        for _ in range(times)
    )


def shifting(kind: str, wait_s: int, size: int | None = None, **more) -> dict:
    member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(kind)
    routing = {"Type": kind, "WaitIntervalInSeconds": wait_s}
    if member and size is not None:
        routing[member] = {"Type": "CAPACITY_PERCENT", "Value": size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}, **more}


def test_an_endpoint_is_described_as_aws_describes_it(sagemaker, deployed, model):
    found = sagemaker.client.describe_endpoint(EndpointName=deployed("v1"))
    variant = found["ProductionVariants"][0]
    assert (variant["CurrentWeight"], variant["DesiredWeight"]) == (1.0, 1.0)
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    image = variant["DeployedImages"][0]
    assert image["ResolvedImage"].partition("@sha256:")[0] == image["SpecifiedImage"].rpartition(":")[0]
    assert found["CreationTime"] <= found["LastModifiedTime"]
    assert "PendingDeploymentSummary" not in found and "FailureReason" not in found


UNKNOWN = {
    "DescribeEndpoint": ("describe_endpoint", {"EndpointName": "Nope"}, f'endpoint "{ARN}endpoint/nope"'),
    "DeleteEndpoint": ("delete_endpoint", {"EndpointName": "Nope"}, f'endpoint "{ARN}endpoint/nope"'),
    "UpdateEndpoint": (
        "update_endpoint", {"EndpointName": "Nope", "EndpointConfigName": "x"}, f'endpoint "{ARN}endpoint/nope"'),
    "UpdateEndpointWeightsAndCapacities": (
        "update_endpoint_weights_and_capacities",
        {"EndpointName": "Nope", "DesiredWeightsAndCapacities": [{"VariantName": "v"}]},
        f'endpoint "{ARN}endpoint/nope"'),
    "CreateEndpoint": (
        "create_endpoint", {"EndpointName": "new", "EndpointConfigName": "Nope"},
        f'endpoint configuration "{ARN}endpoint-config/nope"'),
    "DescribeEndpointConfig": (
        "describe_endpoint_config", {"EndpointConfigName": "Nope"},
        f'endpoint configuration "{ARN}endpoint-config/nope"'),
    "DeleteEndpointConfig": (
        "delete_endpoint_config", {"EndpointConfigName": "Nope"},
        f'endpoint configuration "{ARN}endpoint-config/nope"'),
    "CreateEndpointConfig": (
        "create_endpoint_config",
        {"EndpointConfigName": "new", "ProductionVariants": [
            {"VariantName": "v", "ModelName": "Nope", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]},
        f'model "{ARN}model/nope"'),
    "DescribeModel": ("describe_model", {"ModelName": "Nope"}, f'model "{ARN}model/nope"'),
    "DeleteModel": ("delete_model", {"ModelName": "Nope"}, f'model "{ARN}model/nope"'),
}  # fmt: skip


@pytest.mark.parametrize("row", UNKNOWN)
def test_what_is_not_there_could_not_be_found(sagemaker, row):
    operation, request, words = UNKNOWN[row]
    with pytest.raises(ClientError) as caught:
        getattr(sagemaker.client, operation)(**request)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("ValidationException", f"Could not find {words}.")


def test_names_are_taken_once_in_any_case(sagemaker, deployed, model):
    name = deployed("v1")
    with pytest.raises(ClientError, match=f'Cannot create already existing endpoint "{ARN}endpoint/{name}"'):
        sagemaker.client.create_endpoint(EndpointName=name.upper(), EndpointConfigName=name)
    with pytest.raises(ClientError, match=f'already existing endpoint configuration "{ARN}endpoint-config/{name}"'):
        sagemaker.config(name, ("v1", model, 1.0))


def test_all_at_once_is_the_default_and_the_old_variant_serves_until_then(sagemaker, deployed, config):
    name, new = deployed("v1"), config("v2")
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=new)
    seen = []
    while not seen or seen[-1] != "v2":
        seen += asked(sagemaker, name)  # never refused
        assert len(seen) < 2000
    found = sagemaker.settled(name)
    assert found["EndpointConfigName"] == new and set(seen) <= {"v1", "v2"}


def test_a_linear_shift_goes_in_steps_and_tells_where_it_is(sagemaker, deployed, config):
    name, new = deployed("v1"), config("v2")
    sagemaker.client.update_endpoint(
        EndpointName=name, EndpointConfigName=new, DeploymentConfig=shifting("LINEAR", 1, 50)
    )
    shares, told, refused = [], set(), False
    while (found := sagemaker.client.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Updating":
        pending = found["PendingDeploymentSummary"]
        assert pending["EndpointConfigName"] == new
        told |= {status["Status"] for one in pending["ProductionVariants"] for status in one["VariantStatus"]}
        answers = asked(sagemaker, name, 40)
        shares.append(answers["v2"] / 40)
        if not refused:
            with pytest.raises(ClientError, match=f'Cannot update in-progress endpoint "{ARN}endpoint/{name}"'):
                sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=new)
            with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
                sagemaker.client.delete_endpoint(EndpointName=name)
            with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
                sagemaker.client.update_endpoint_weights_and_capacities(
                    EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredWeight": 2}]
                )
            refused = True
    assert any(0 < share < 1 for share in shares) and "Baking" in told
    assert found["EndpointConfigName"] == new and asked(sagemaker, name, 10) == {"v2": 10}
    assert found["LastDeploymentConfig"] == shifting("LINEAR", 1, 50)


STEPS = {
    "a canary of 51 percent": ("CANARY", 51),
    "a canary without a size": ("CANARY", None),
    "a linear step of 9 percent": ("LINEAR", 9),
    "a linear step of 51 percent": ("LINEAR", 51),
}


@pytest.mark.parametrize("row", STEPS)
def test_steps_out_of_bounds_are_refused(sagemaker, deployed, row):
    name = deployed("v1")
    with pytest.raises(ClientError, match=r"CanarySize|LinearStepSize") as caught:
        sagemaker.client.update_endpoint(
            EndpointName=name, EndpointConfigName=name, DeploymentConfig=shifting(STEPS[row][0], 1, STEPS[row][1])
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert sagemaker.client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService"


def test_rolling_updates_are_refused_by_name(sagemaker, deployed):
    name = deployed("v1")
    size = {"Type": "CAPACITY_PERCENT", "Value": 10}
    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 1}}
    with pytest.raises(ClientError, match="not rolling") as caught:
        sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=name, DeploymentConfig=rolling)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_the_last_deployment_configuration_is_used_again_when_asked(sagemaker, deployed, config):
    name, first, second = deployed("v1"), config("v2"), config("v3")
    policy = shifting("CANARY", 1, 50)
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=first, DeploymentConfig=policy)
    sagemaker.settled(name)
    sagemaker.client.update_endpoint(EndpointName=name, EndpointConfigName=second, RetainDeploymentConfig=True)
    seen = Counter()
    while (found := sagemaker.client.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Updating":
        seen += asked(sagemaker, name)
    assert set(seen) == {"v2", "v3"} and found["LastDeploymentConfig"] == policy


RETAINED = {  # ExcludeRetainedVariantProperties -> weight, instance count
    "nothing excluded": ([], 3.0, 2),
    "instance counts excluded": (["DesiredInstanceCount"], 3.0, 1),
    "weights excluded": (["DesiredWeight"], 1.0, 2),
}


@pytest.mark.parametrize("row", RETAINED)
def test_variant_properties_are_retained_when_asked(sagemaker, deployed, config, row):
    excluded, weight, count = RETAINED[row]
    name = deployed("v1")
    sagemaker.client.update_endpoint_weights_and_capacities(
        EndpointName=name,
        DesiredWeightsAndCapacities=[{"VariantName": "v1", "DesiredWeight": 3, "DesiredInstanceCount": 2}],
    )
    sagemaker.settled(name)
    sagemaker.client.update_endpoint(
        EndpointName=name,
        EndpointConfigName=config("v1"),
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": one} for one in excluded],
    )
    variant = sagemaker.settled(name)["ProductionVariants"][0]
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (weight, count)


def test_a_variant_that_is_not_there_gets_no_weight(sagemaker, deployed):
    with pytest.raises(ClientError, match="other"):
        sagemaker.client.update_endpoint_weights_and_capacities(
            EndpointName=deployed("v1"), DesiredWeightsAndCapacities=[{"VariantName": "other", "DesiredWeight": 1}]
        )


def test_ten_variants_share_by_their_weights(sagemaker, deployed):
    name = deployed(*(f"v{number}" for number in range(10)))
    assert all(asked(sagemaker, name, TargetVariant=f"v{number}") == {f"v{number}": 1} for number in range(10))
    assert len(asked(sagemaker, name, 60)) > 5


CAPTURES = {  # header, encoding and data of the input, of the output
    "no header is base64": (None, "BASE64", "NSw1LDU=", "BASE64"),
    "CSV": ({"CsvContentTypes": ["text/csv"]}, "CSV", ROW, "CSV"),
    "JSON is not CSV": ({"JsonContentTypes": ["application/json"]}, "BASE64", "NSw1LDU=", "BASE64"),
}


@pytest.mark.parametrize("row", CAPTURES)
def test_captured_lines_say_what_went_in_and_out(sagemaker, deployed, unique, eventually, row):
    header, encoding, data, encoding_out = CAPTURES[row]
    prefix = unique("capture")
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{sagemaker.bucket}/{prefix}",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    } | ({"CaptureContentTypeHeader": header} if header else {})
    name = deployed("v1", DataCaptureConfig=capture)
    _, answer = sagemaker.ask(name, ROW, InferenceId="mine")
    listing = {"Bucket": sagemaker.bucket, "Prefix": f"{prefix}/{name}/v1/"}
    found = eventually(lambda: sagemaker.s3.list_objects_v2(**listing).get("Contents"))
    assert found[0]["Key"].removeprefix(listing["Prefix"]).startswith(time.strftime("%Y/%m/%d/", time.gmtime()))
    assert found[0]["Key"].endswith(".jsonl")
    line = json.loads(sagemaker.s3.get_object(Bucket=sagemaker.bucket, Key=found[0]["Key"])["Body"].read())
    captured = line["captureData"]
    assert captured["endpointInput"] == {
        "observedContentType": "text/csv", "mode": "INPUT", "data": data, "encoding": encoding
    }  # fmt: skip
    assert captured["endpointOutput"]["mode"] == "OUTPUT" and captured["endpointOutput"]["encoding"] == encoding_out
    if encoding_out == "CSV":
        assert captured["endpointOutput"]["data"] == answer
    assert line["eventVersion"] == "0" and line["eventMetadata"]["inferenceId"] == "mine"
    assert set(line["eventMetadata"]) == {"eventId", "inferenceTime", "inferenceId"}


def test_events_tell_each_state_and_metrics_have_awss_dimensions_and_units(
    sagemaker, deployed, config, unique, offline, eventually
):
    sqs, events, rule = offline.client("sqs"), offline.client("events"), unique("rule")
    queue = sqs.create_queue(QueueName=rule)["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    kinds = ["SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": queue_arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.sagemaker"], "detail-type": kinds}))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue_arn}])
    name, new = deployed("v1"), config("v2")
    asked(sagemaker, name, 3)
    with pytest.raises(ClientError):
        sagemaker.ask(name, "1,2,3,4")
    sagemaker.client.update_endpoint(
        EndpointName=name, EndpointConfigName=new, DeploymentConfig=shifting("CANARY", 2, 50)
    )
    while sagemaker.client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Updating":
        asked(sagemaker, name)
    sagemaker.client.delete_endpoint(EndpointName=name)
    told: list[dict] = []

    def deleted():
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            told.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return "DELETING" in {one["detail"]["EndpointStatus"] for one in told if one["detail"]["EndpointName"] == name}

    eventually(deleted)
    mine = [one for one in told if one["detail"]["EndpointName"] == name]
    states = {one["detail"]["EndpointStatus"] for one in mine if one["detail-type"] == kinds[0]}
    assert states == {"CREATING", "IN_SERVICE", "UPDATING", "DELETING"}
    assert [one for one in mine if one["detail-type"] == kinds[1]]
    assert all(one["resources"] == [f"{ARN}endpoint/{name}"] for one in mine)
    assert all(one["detail"]["CreationTime"] > 1e12 for one in mine)  # milliseconds

    cloudwatch = offline.client("cloudwatch")
    dimensions = [{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "v1"}]
    listed = cloudwatch.list_metrics(Namespace="AWS/SageMaker", Dimensions=dimensions)["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {
        *("Invocations", "InvocationsPerInstance", "Invocation4XXErrors", "Invocation5XXErrors"),
        *("InvocationModelErrors", "ModelLatency", "OverheadLatency"),
    }
    green = cloudwatch.list_metrics(
        Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointConfigName", "Value": new}]
    )
    assert {one["Value"] for metric in green["Metrics"] for one in metric["Dimensions"]} == {name, new, "v2"}

    def statistics(metric: str, *names: str) -> dict:
        now = time.time()
        return cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName=metric, Dimensions=dimensions, StartTime=now - 600, EndTime=now + 60,
            Period=1200, Statistics=list(names),
        )["Datapoints"][0]  # fmt: skip

    errors = statistics("Invocation4XXErrors", "Sum", "SampleCount")
    assert errors["Sum"] == 1 and errors["SampleCount"] == statistics("Invocations", "Sum")["Sum"] >= 4
    assert statistics("InvocationModelErrors", "Sum")["Sum"] == 1
    latency = statistics("ModelLatency", "Average", "Maximum")
    assert latency["Unit"] == "Microseconds" and 1 < latency["Average"] <= latency["Maximum"]


def test_the_log_has_a_stream_of_the_variants_instance(sagemaker, deployed, offline):
    name = deployed("v1")
    streams = offline.client("logs").describe_log_streams(logGroupName=f"/aws/sagemaker/Endpoints/{name}")["logStreams"]
    assert [stream["logStreamName"].startswith("v1/i-") for stream in streams] == [True]


def test_a_model_must_be_in_the_region_and_its_role_must_be_able_to_read_it(sagemaker, offline, unique):
    data, image = (
        sagemaker.boosted("reg:squarederror"),
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0",
    )
    away, name = offline.client("sagemaker", "eu-west-1"), unique("away")
    with pytest.raises(ClientError, match=r"Could not access model data at s3://.* the object is located in eu-west-1"):
        away.create_model(
            ModelName=name, PrimaryContainer={"Image": image, "ModelDataUrl": data}, ExecutionRoleArn=sagemaker.role
        )
    iam, role = offline.client("iam"), unique("blind")
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    blind = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    with pytest.raises(ClientError, match='Also ensure that the role has "s3:GetObject" permissions'):
        sagemaker.client.create_model(
            ModelName=name,
            PrimaryContainer={"Image": image.replace("eu-west-1", "us-east-1"), "ModelDataUrl": data},
            ExecutionRoleArn=blind,
        )


NAME = r"Member must satisfy regular expression pattern: \^\[a-zA-Z0-9\]"
ENDPOINT = {"EndpointName": "e", "EndpointConfigName": "c"}


def variant(**more) -> dict:
    known = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    return {"EndpointConfigName": "c", "ProductionVariants": [known | more]}


def capture(percent: int, mode: str) -> dict:
    options = {"CaptureOptions": [{"CaptureMode": mode}], "DestinationS3Uri": "s3://b/p"}
    return variant() | {"DataCaptureConfig": {"InitialSamplingPercentage": percent, **options}}


def deployment(config: dict) -> dict:
    return ENDPOINT | {"DeploymentConfig": config}


def at_least(value: float) -> str:
    return f"Member must have value greater than or equal to {value}"


def at_most(value: float) -> str:
    return f"Member must have value less than or equal to {value}"


def no_longer_than(value: int) -> str:
    return f"Member must have length less than or equal to {value}"


ONE = "'productionVariants.1.member"
TERMINATION = shifting("ALL_AT_ONCE", 1)
TERMINATION["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 3601
ALARMS = {"Alarms": [{"AlarmName": "a"}] * 11}
BOUNDS = {  # operation, request, words
    "EndpointName with _": ("create_endpoint", ENDPOINT | {"EndpointName": "a_b"}, f"'a_b' at 'endpointName' .*{NAME}"),
    "EndpointName that ends in -": ("create_endpoint", ENDPOINT | {"EndpointName": "a-"}, f"'a-' at .*{NAME}"),
    "EndpointName of 64": ("create_endpoint", ENDPOINT | {"EndpointName": "a" * 64}, no_longer_than(63)),
    "EndpointConfigName with a blank": (
        "describe_endpoint_config", {"EndpointConfigName": "a b"}, f"'a b' at .*{NAME}"),
    "ModelName of 64": ("describe_model", {"ModelName": "a" * 64}, f"at 'modelName' .*{no_longer_than(63)}"),
    "VariantName with _": (
        "create_endpoint_config", variant(VariantName="a_b"), f"'a_b' at {ONE}.variantName' .*{NAME}"),
    "eleven variants": (
        "create_endpoint_config",
        variant() | {"ProductionVariants": variant()["ProductionVariants"] * 11},
        f"at 'productionVariants' .*{no_longer_than(10)}",
    ),
    "InstanceType": (
        "create_endpoint_config",
        variant(InstanceType="ml.huge"),
        rf"'ml.huge' at {ONE}.instanceType' .*Member must satisfy enum value set: \[.*ml\.m5\.large",
    ),
    "InitialInstanceCount of 0": (
        "create_endpoint_config", variant(InitialInstanceCount=0), f"'0' at .*{at_least(1)}"),
    "a weight below 0": ("create_endpoint_config", variant(InitialVariantWeight=-1.0), f"'-1.0' at .*{at_least(0)}"),
    "startup health check of 59 s": (
        "create_endpoint_config", variant(ContainerStartupHealthCheckTimeoutInSeconds=59), f"'59' at .*{at_least(60)}"),
    "sampling of 101 percent": ("create_endpoint_config", capture(101, "Input"), f"'101' at .*{at_most(100)}"),
    "capture mode": ("create_endpoint_config", capture(1, "Both"), "'Both' at .*enum value set: "),
    "wait of 3601 s": ("update_endpoint", deployment(shifting("ALL_AT_ONCE", 3601)), f"'3601' at .*{at_most(3600)}"),
    "termination wait of 3601 s": ("update_endpoint", deployment(TERMINATION), f"'3601' at .*{at_most(3600)}"),
    "eleven alarms": (
        "update_endpoint",
        deployment(shifting("ALL_AT_ONCE", 1, AutoRollbackConfiguration=ALARMS)),
        f"alarms' .*{no_longer_than(10)}",
    ),
    "routing type": ("update_endpoint", deployment(shifting("ZIGZAG", 1)), "'ZIGZAG' at .*enum value set: "),
    "ListEndpoints of 101": ("list_endpoints", {"MaxResults": 101}, f"'101' at 'maxResults' .*{at_most(100)}"),
    "ListEndpoints by colour": ("list_endpoints", {"SortBy": "Colour"}, "'Colour' at 'sortBy' .*enum value set: "),
}  # fmt: skip


@pytest.mark.parametrize("row", BOUNDS)
def test_members_are_bounded_in_awss_words(offline, row):
    operation, request, words = BOUNDS[row]
    client = offline.client("sagemaker", config=Config(parameter_validation=False))
    with pytest.raises(ClientError, match=r"\d validation errors? detected: .*" + words) as caught:
        getattr(client, operation)(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"

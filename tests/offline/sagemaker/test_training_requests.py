"""What CreateTrainingJob and its neighbours refuse before anything runs, row by row of the API's contract."""

import json

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

NAME = "^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"


def create(sagemaker, request) -> None:
    """Sends the request as it is, past the client's own checks."""

    def send(params, **_):
        params["body"] = json.dumps(request).encode()

    client = sagemaker.offline.client(
        "sagemaker", config=Config(parameter_validation=False, retries={"total_max_attempts": 1})
    )
    client.meta.events.register("before-call.sagemaker.CreateTrainingJob", send)
    client.create_training_job()


@pytest.fixture
def refusal(sagemaker, channels):
    """`refusal(change)`: code and message for a request that `change` has altered."""

    def of(change) -> tuple[str, str]:
        request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"})
        change(request)
        with pytest.raises(ClientError) as error:
            create(sagemaker, request)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        found = error.value.response["Error"]
        return found["Code"], found["Message"]

    return of


def failed(value: str, place: str, rule: str) -> str:
    return f"1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: {rule}"


def longer(most: int) -> str:
    return f"Member must have length less than or equal to {most}"


def put(path: str, value):
    """A change: the member at a.b.0.c becomes `value`."""

    def change(request):
        *steps, last = path.split(".")
        for step in steps:
            request = request[int(step) if step.isdigit() else step]
        request[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "place", "rule"),
    [
        *(
            pytest.param(
                "TrainingJobName",
                name,
                "trainingJobName",
                f"Member must satisfy regular expression pattern: {NAME}",
                id=f"name {name!r}",
            )
            for name in ("my_job", "job-", "-job", "my job", "job.1")
        ),
        pytest.param(
            "ResourceConfig.InstanceCount",
            0,
            "resourceConfig.instanceCount",
            "Member must have value greater than or equal to ",
            id="no instance",
        ),
        pytest.param(
            "StoppingCondition.MaxRuntimeInSeconds",
            0,
            "stoppingCondition.maxRuntimeInSeconds",
            "Member must have value greater than or equal to 1",
            id="no runtime",
        ),
        pytest.param(
            "AlgorithmSpecification.TrainingInputMode",
            "Stream",
            "algorithmSpecification.trainingInputMode",
            "Member must satisfy enum value set: [",
            id="input mode",
        ),
        pytest.param(
            "ResourceConfig.InstanceType",
            "ml.x",
            "resourceConfig.instanceType",
            "Member must satisfy enum value set: [",
            id="instance type",
        ),
        pytest.param("InputDataConfig", [], "inputDataConfig", "Member must have length greater", id="no channel"),
        pytest.param(
            "InputDataConfig.0.ChannelName",
            "my channel",
            "inputDataConfig.1.member.channelName",
            "Member must satisfy regular expression pattern: ",
            id="channel name",
        ),
        pytest.param(
            "InputDataConfig.0.DataSource.S3DataSource.S3DataDistributionType",
            "Sharded",
            "inputDataConfig.1.member.dataSource.s3DataSource.s3DataDistributionType",
            "Member must satisfy enum value set: [",
            id="distribution",
        ),
        pytest.param(
            "RoleArn", "role", "roleArn", "Member must", id="role"
        ),
    ],
)  # fmt: skip
def test_a_member_keeps_to_its_constraint(refusal, path, value, place, rule):
    code, message = refusal(put(path, value))
    assert code == "ValidationException"
    assert f"Value '{value}' at '{place}' failed to satisfy constraint: {rule}" in message
    assert " validation error" in message


def test_a_name_has_63_characters(refusal):
    code, message = refusal(put("TrainingJobName", "a" * 64))
    assert code == "ValidationException" and longer(63) in message


def test_a_channel_name_has_64_characters(refusal):
    assert longer(64) in refusal(put("InputDataConfig.0.ChannelName", "a" * 65))[1]


def test_there_are_20_channels(refusal, sagemaker, channels):
    channel = sagemaker.request({"train": channels["train"]}, {})["InputDataConfig"][0]
    many = [channel | {"ChannelName": f"channel-{number}"} for number in range(21)]
    code, message = refusal(put("InputDataConfig", many))
    assert code == "ValidationException" and "at 'inputDataConfig' failed" in message and longer(20) in message


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({f"h{number}": "1" for number in range(101)}, longer(100)),
        ({"k" * 257: "1"}, "Map keys must satisfy constraint: [Member must have length less than or equal to 256"),
        ({"k": "v" * 2501}, "Map value must satisfy constraint: [Member must have length less than or equal to 2500"),
    ],
    ids=["100 of them", "keys of 256", "values of 2500"],
)
def test_hyperparameters_have_bounds(refusal, given, rule):
    code, message = refusal(put("HyperParameters", given))
    assert code == "ValidationException" and "at 'hyperParameters' failed to satisfy constraint: " in message
    assert rule in message


def test_everything_that_is_wrong_is_listed(refusal):
    def change(request):
        request["TrainingJobName"] = "a_b"
        request["ResourceConfig"]["InstanceType"] = "ml.x"

    _, message = refusal(change)
    assert message.startswith("2 validation errors detected: Value '") and message.count("; Value '") == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("HyperParameters", {"num_round": 5}),
        ("HyperParameters", ["num_round"]),
        ("ResourceConfig.InstanceCount", "one"),
        ("InputDataConfig", {"ChannelName": "train"}),
        ("InputDataConfig", "train"),
        ("ResourceConfig", "large"),
        ("TrainingJobName", 5),
        ("StoppingCondition", []),
    ],
    ids=lambda value: str(value),
)
def test_a_member_of_another_type_is_refused(refusal, path, value):
    code, message = refusal(put(path, value))
    assert code in ("ValidationException", "SerializationException") and message


@pytest.mark.parametrize(
    ("member", "place"),
    [("RoleArn", "roleArn"), ("OutputDataConfig", "outputDataConfig"), ("TrainingJobName", "trainingJobName")],
)
def test_a_required_member_may_not_be_missing(refusal, member, place):
    code, message = refusal(lambda request: request.pop(member))
    assert code == "ValidationException"
    assert message == (
        f"1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must not be null"
    )


def test_two_channels_of_one_name_are_refused(refusal, sagemaker, channels):
    channel = sagemaker.request({"train": channels["train"]}, {})["InputDataConfig"][0]
    assert refusal(put("InputDataConfig", [channel, channel]))[0] == "ValidationException"


@pytest.mark.parametrize("operation", ["describe_training_job", "stop_training_job"])
def test_an_unknown_job_is_not_found(sagemaker, operation):
    with pytest.raises(ClientError) as error:
        getattr(sagemaker.client, operation)(TrainingJobName="nowhere")
    assert error.value.response["Error"] == {"Code": "ValidationException", "Message": "Requested resource not found."}


def test_a_name_that_is_taken_is_in_use(sagemaker, trained, channels):
    request = sagemaker.request({"train": channels["train"]}, {}, TrainingJobName=trained["TrainingJobName"])
    with pytest.raises(ClientError) as error:
        sagemaker.client.create_training_job(**request)
    assert error.value.response["Error"]["Code"] == "ResourceInUse"
    assert error.value.response["Error"]["Message"] == (
        "Training job names must be unique within an AWS account and region, and a training job with this name already "
        f"exists ({trained['TrainingJobArn']})"
    )


def test_a_job_that_has_ended_cannot_be_stopped(sagemaker, trained):
    with pytest.raises(ClientError) as error:
        sagemaker.client.stop_training_job(TrainingJobName=trained["TrainingJobName"])
    assert error.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "The request was rejected because the training job is in status Completed.",
    }


def test_a_prefix_without_objects_is_refused_at_once(refusal, sagemaker):
    uri = f"s3://{sagemaker.bucket}/nothing/here/"
    code, message = refusal(put("InputDataConfig.0.DataSource.S3DataSource.S3Uri", uri))
    assert (code, message) == (
        "ValidationException",
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists in '
        "the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "
        f'"{sagemaker.role}" has "s3:ListBucket" permissions on bucket "{sagemaker.bucket}".',
    )


def test_a_bucket_that_does_not_exist_is_told_with_what_s3_said(refusal):
    uri = "s3://no-such-bucket-anywhere/x"
    code, message = refusal(put("InputDataConfig.0.DataSource.S3DataSource.S3Uri", uri))
    assert code == "ValidationException" and f'No S3 objects found under S3 URL "{uri}"' in message
    assert "Error message from S3: " in message


def test_a_role_that_sagemaker_may_not_assume_is_refused(refusal, offline, unique):
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'  # noqa: E501
    role = offline.client("iam").create_role(RoleName=unique("other"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    for arn in (role, "arn:aws:iam::123456789012:role/nobody"):
        code, message = refusal(put("RoleArn", arn))
        assert code == "ValidationException" and message.startswith(f"Could not assume role {arn}.")


GROUP = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("InputDataConfig.0.DataSource.S3DataSource.S3DataType", "AugmentedManifestFile", "S3DataType Augmented"),
        ("OutputDataConfig.CompressionType", "NONE", "OutputDataConfig.CompressionType NONE"),
        ("HyperParameters", {"sagemaker_program": "train.py"}, "script mode"),
        ("AlgorithmSpecification", {"AlgorithmName": "mine", "TrainingInputMode": "File"}, "TrainingImage"),
        ("ResourceConfig", {"InstanceGroups": [GROUP]}, "ResourceConfig.InstanceGroups"),
        ("AlgorithmSpecification.TrainingImage", "1.dkr.ecr.us-east-1.amazonaws.com/xgboost:1", "cannot run the image"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_not_supported_is_refused_by_name(sagemaker, channels, path, value, text):
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"})
    put(path, value)(request)
    with pytest.raises(ClientError, match=text) as error:
        create(sagemaker, request)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


MORE = (
    "Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
    "contact AWS support to request an increase for this quota."
)
ELSEWHERE = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"


@pytest.mark.parametrize(
    ("path", "value", "code", "message"),
    [
        pytest.param(
            "EnableManagedSpotTraining", True, "ValidationException",
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds",
            id="spot without a time to wait",
        ),
        pytest.param(
            "StoppingCondition.MaxWaitTimeInSeconds", 900, "ValidationException",
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
            id="a time to wait without spot",
        ),
        pytest.param(
            "StoppingCondition.MaxRuntimeInSeconds", 864_000, "ResourceLimitExceeded",
            "The request delta of 864000 Seconds for 'Longest run time for a training job' is greater than the "
            f"account-level service-limit of 432000 Seconds. {MORE}",
            id="ten days",
        ),
        pytest.param(
            "ResourceConfig.VolumeSizeInGB", 1025, "ResourceLimitExceeded",
            "The request delta of 1025 GBs for 'Size of EBS volume for a training job instance' is greater than the "
            f"account-level service-limit of 1024 GBs. {MORE}",
            id="volume",
        ),
        pytest.param(
            "AlgorithmSpecification.MetricDefinitions", [{"Name": "mine", "Regex": "x=(.*)"}], "ValidationException",
            "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
            "without specifying metric definitions.",
            id="metric definitions",
        ),
        pytest.param(
            "AlgorithmSpecification.TrainingImage", ELSEWHERE, "ValidationException",
            "Invalid DNS suffix 'amazonaws.com' for region 'eu-west-1' in training image. Please provide the valid "
            "<region>.<dns-suffix>: 'us-east-1.amazonaws.com'",
            id="another region's image",
        ),
        pytest.param(
            "AlgorithmSpecification.TrainingImage", "xgboost:latest", "ValidationException",
            "Invalid training image. Please provide a valid Amazon Elastic Container Registry path of the Docker image "
            "to run.",
            id="no registry",
        ),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_refused_in_its_words(refusal, path, value, code, message):
    assert refusal(put(path, value)) == (code, message)


def test_data_in_another_regions_bucket_are_refused_with_what_s3_said(refusal, offline, unique):
    bucket = unique("elsewhere")
    s3 = offline.client("s3", region="eu-west-1")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=bucket, Key="train/a.csv", Body=b"1,2\n")
    code, message = refusal(put("InputDataConfig.0.DataSource.S3DataSource.S3Uri", f"s3://{bucket}/train/"))
    assert code == "ValidationException" and message.endswith(
        " Error message from S3: The bucket is in this region: eu-west-1. Please use this region to retry the request"
    )


def test_what_was_asked_for_is_described_and_a_missing_time_is_a_day(sagemaker, channels):
    asked = {
        "VpcConfig": {"SecurityGroupIds": ["sg-12345678"], "Subnets": ["subnet-12345678"]},
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "Environment": {"STAGE": "test"},
        "RetryStrategy": {"MaximumRetryAttempts": 2},
        "TensorBoardOutputConfig": {"S3OutputPath": f"s3://{sagemaker.bucket}/board"},
        "ProfilerConfig": {"DisableProfiler": True},
        "RemoteDebugConfig": {"EnableRemoteDebug": True},
        "InfraCheckConfig": {"EnableInfraCheck": True},
        "DebugHookConfig": {"S3OutputPath": f"s3://{sagemaker.bucket}/debug"},
    }
    request = sagemaker.request({"train": channels["train"]}, {"num_round": "1"}, **asked)
    del request["StoppingCondition"]
    sagemaker.client.create_training_job(**request)
    job = sagemaker.wait(request["TrainingJobName"])
    assert {name: job[name] for name in asked} == asked
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    assert job["ResourceConfig"] == request["ResourceConfig"] and job["RoleArn"] == sagemaker.role

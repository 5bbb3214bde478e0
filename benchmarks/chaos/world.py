"""What the chaos plays with: buckets, topics, streams, functions, APIs, a trained model and its endpoints."""

from __future__ import annotations

import io
import json
import random
import time
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

from benchmarks.local_aws import command

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SERVICES = ("lambda", "firehose", "sns", "sagemaker", "apigateway")
CLIENTS = (
    *SERVICES,
    *("s3", "sqs", "iam", "events", "logs", "cloudwatch", "sagemaker-runtime"),
    *("application-autoscaling", "resourcegroupstaggingapi"),
)
KEEPING_FUNCTION = """
import json, os, boto3
s3 = boto3.client("s3")
def handler(event, context):
    for record in event["Records"]:
        s3.put_object(Bucket=os.environ["BUCKET"], Key="events/" + record["Sns"]["Message"], Body=b"x")
"""


class World:
    """`build` once, `connect` after every start; the names stay the same."""

    bucket, versioned_bucket, log_group = "chaos", "chaos-versions", "/chaos"
    role_name, function = "chaos", "keeps"
    endpoint, scaled_endpoint, captured_endpoint = "served", "scaled", "captured"
    slot_stream, topic_stream, direct_stream = "slot", "of-topic", "direct"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment: dict[str, str] = {}
        self.api = self.api_root = self.role = self.slot_role = self.slot_function = self.slot_subscription = ""
        self.open_upload = ""  # a multipart upload that is never completed
        self._clients: dict[str, object] = {}
        self.function_variables = {"BUCKET": self.bucket}

    @property
    def url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    def connect(self) -> None:
        """Starts the offline AWS, or finds it running."""
        self.environment = json.loads(command("env", self.directory, "--json"))
        self._clients = {service: self._new_client(service) for service in CLIENTS}

    def client(self, service: str) -> object:
        """One for all threads: making one takes longer than many calls."""
        return self._clients[service]

    def _new_client(self, service: str) -> object:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60, max_pool_connections=50
            ),
        )

    def build(self) -> None:
        s3, sns, sqs, iam = (self.client(name) for name in ("s3", "sns", "sqs", "iam"))
        for bucket in (self.bucket, self.versioned_bucket):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=self.versioned_bucket, VersioningConfiguration={"Status": "Enabled"})
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": [f"{name}.amazonaws.com" for name in SERVICES]},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        self.role = iam.create_role(RoleName=self.role_name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.attach_role_policy(RoleName=self.role_name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        s3.put_object(Bucket=self.bucket, Key="tagged", Body=b"x")
        self.slot_role = "slot"
        iam.create_role(RoleName=self.slot_role, AssumeRolePolicyDocument=document)
        self.slot_topic = sns.create_topic(Name="slot")["TopicArn"]
        slot_queue = "arn:aws:sqs:us-east-1:123456789012:slot"
        subscribed = sns.subscribe(TopicArn=self.slot_topic, Protocol="sqs", Endpoint=slot_queue)
        self.slot_subscription = subscribed["SubscriptionArn"]
        self.topic = sns.create_topic(Name="records")["TopicArn"]
        self.event_topic = sns.create_topic(Name="events")["TopicArn"]
        self.slot_queue = sqs.create_queue(QueueName="slot")["QueueUrl"]
        self.queue = sqs.create_queue(QueueName="messages", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
        self.client("logs").create_log_group(logGroupName=self.log_group)
        self.client("logs").create_log_stream(logGroupName=self.log_group, logStreamName="lines")
        for stream in (self.slot_stream, self.topic_stream, self.direct_stream):
            self._make_stream(stream)
        self._subscribe()
        self._make_api()
        self._make_endpoints()

    def _make_stream(self, name: str) -> None:
        self.client("firehose").create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "RoleARN": self.role,
                "Prefix": f"records/{name}/",
                "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
            },
        )

    def _subscribe(self) -> None:
        sns, lambda_ = self.client("sns"), self.client("lambda")
        raw = {"RawMessageDelivery": "true", "SubscriptionRoleArn": self.role}
        arn = f"arn:aws:firehose:us-east-1:123456789012:deliverystream/{self.topic_stream}"
        sns.subscribe(TopicArn=self.topic, Protocol="firehose", Endpoint=arn, Attributes=raw)
        queue = "arn:aws:sqs:us-east-1:123456789012:messages"
        let_in = {
            "Effect": "Allow",
            "Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        }
        self.client("sqs").set_queue_attributes(
            QueueUrl=self.queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [let_in]})}
        )
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
        events = self.client("events")
        events.put_rule(Name="to-queue", EventPattern=json.dumps({"source": ["chaos"]}))
        events.put_targets(Rule="to-queue", Targets=[{"Id": "1", "Arn": queue, "InputPath": "$.detail.name"}])
        function = lambda_.create_function(
            FunctionName=self.function,
            Runtime="python3.12",
            Handler="keep.handler",
            Role=self.role,
            Code={"ZipFile": zipped("keep.py", KEEPING_FUNCTION)},
            Environment={"Variables": self.function_variables},
            Timeout=30,
        )["FunctionArn"]
        self.slot_function = "slot"
        lambda_.create_function(
            FunctionName=self.slot_function,
            Runtime="python3.12",
            Handler="keep.handler",
            Role=self.role,
            Code={"ZipFile": zipped("keep.py", "def handler(event, context):\n    return -1\n")},
        )
        lambda_.add_permission(
            FunctionName=self.function,
            StatementId="sns",
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=self.event_topic,
        )
        sns.subscribe(TopicArn=self.event_topic, Protocol="lambda", Endpoint=function)

    def _make_api(self) -> None:
        api = self.client("apigateway")
        self.api = api.create_rest_api(name="chaos")["id"]
        self.api_root = api.get_resources(restApiId=self.api)["items"][0]["id"]
        method = {"restApiId": self.api, "resourceId": self.api_root, "httpMethod": "GET"}
        api.put_method(**method, authorizationType="NONE")
        api.put_method_response(**method, statusCode="200")
        template = {"application/json": '{"statusCode": 200}'}
        api.put_integration(**method, type="MOCK", requestTemplates=template)
        api.put_integration_response(**method, statusCode="200")
        api.create_deployment(restApiId=self.api, stageName="fixed")

    def _make_endpoints(self) -> None:
        s3, sagemaker = self.client("s3"), self.client("sagemaker")
        numbers = random.Random(0)
        rows = ([numbers.random() for _ in range(3)] for _ in range(400))
        lines = "\n".join(",".join(f"{cell:.5f}" for cell in (a - b, a, b, c)) for a, b, c in rows)
        s3.put_object(Bucket=self.bucket, Key="train/data.csv", Body=lines.encode())
        self.start_job("first")
        while (job := sagemaker.describe_training_job(TrainingJobName="first"))["TrainingJobStatus"] == "InProgress":
            time.sleep(0.1)
        model = {"Image": XGBOOST, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
        sagemaker.create_model(ModelName="model", PrimaryContainer=model, ExecutionRoleArn=self.role)
        self.make_endpoint_config("first-0")
        capture = {
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{self.bucket}/captured",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        }
        self.make_endpoint_config("captures-0", DataCaptureConfig=capture)
        for endpoint in (self.endpoint, self.scaled_endpoint, self.captured_endpoint):
            config = "captures-0" if endpoint == self.captured_endpoint else "first-0"
            sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
            self.settled(endpoint)

    def make_endpoint_config(self, name: str, **more: object) -> None:
        variant = {
            "VariantName": "one",
            "ModelName": "model",
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
        }
        self.client("sagemaker").create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)

    def settled(self, endpoint: str, seconds: float = 60) -> dict:
        """The endpoint's description once it is not on its way to another state."""
        sagemaker = self.client("sagemaker")
        deadline = time.monotonic() + seconds
        while (found := sagemaker.describe_endpoint(EndpointName=endpoint))["EndpointStatus"] in (
            "Creating",
            "Updating",
            "RollingBack",
        ):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return found

    def invoke(self, endpoint: str, inference: str = "asked") -> float:
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Body=b"0.5,0.2,0.1", InferenceId=inference
        )
        return float(answer["Body"].read())

    def start_job(self, name: str) -> None:
        parameters = {"objective": "reg:squarederror", "num_round": "20"}
        self.client("sagemaker").create_training_job(
            TrainingJobName=name, HyperParameters=parameters, **self._training("train")
        )

    def start_tuning(self, name: str) -> None:
        self.client("sagemaker").create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name,
            HyperParameterTuningJobConfig={
                "Strategy": "Random",
                "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 1},
                "ParameterRanges": {
                    "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "6"}]
                },
            },
            TrainingJobDefinition={
                "StaticHyperParameters": {"objective": "reg:squarederror", "num_round": "5"},
                **self._training("train", "validation"),
            },
        )

    def _training(self, *channels: str) -> dict:
        where = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/train/"}}
        return {
            "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
            "RoleArn": self.role,
            "InputDataConfig": [
                {"ChannelName": channel, "ContentType": "text/csv", "DataSource": where} for channel in channels
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }


def zipped(name: str, text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(name, text)
    return archive.getvalue()

"""One change of each service, acknowledged; killed at once; there after the restart. Change after change.

Each service's steps are a story of their own. In each round every service takes its next step, all at the same time,
and the server is killed as soon as the last one is answered: nothing that a later second would write is on disk.
"""

import io
import json
import time
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from helpers.offline import operations, process
from helpers.offline.front import READS

ACCOUNT = "123456789012"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
SERVICES = [f"{name}.amazonaws.com" for name in ("firehose", "lambda", "sagemaker", "sns", "events", "apigateway")]
TRUST = {"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/all"


class Kept(dict):
    """What a step needs of the ones before it, and the clients of this life."""

    def __init__(self):
        self.clients = {}

    def __getattr__(self, name):
        return self.clients[name.replace("_", "-")]


def zipped(text):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("app.py", text)
    return archive.getvalue()


def is_gone(call, **arguments):
    try:
        call(**arguments)
    except ClientError:
        return True
    return False


def s3(k):
    here = {"Bucket": "one"}

    def body(key):
        return k.s3.get_object(**here, Key=key)["Body"].read()

    def upload(**more):
        k["upload"] = k.s3.create_multipart_upload(**here, Key="parts", **more)["UploadId"]

    def part(number):
        place = here | {"Key": "parts", "UploadId": k["upload"]}
        k[f"etag{number}"] = k.s3.upload_part(**place, PartNumber=number, Body=b"p" * 5_242_880)["ETag"]

    def parts():
        return [one["PartNumber"] for one in k.s3.list_parts(**here, Key="parts", UploadId=k["upload"])["Parts"]]

    def complete():
        whole = {"Parts": [{"PartNumber": number, "ETag": k[f"etag{number}"]} for number in (1, 2)]}
        k.s3.complete_multipart_upload(**here, Key="parts", UploadId=k["upload"], MultipartUpload=whole)

    def tags(key):
        return k.s3.get_object_tagging(**here, Key=key)["TagSet"]

    one_tag = {"TagSet": [{"Key": "a", "Value": "1"}]}
    yield "CreateBucket", lambda: k.s3.create_bucket(**here), lambda: k.s3.head_bucket(**here)
    yield "PutObject", lambda: k.s3.put_object(**here, Key="k", Body=b"1"), lambda: body("k") == b"1"
    yield (
        "CopyObject",
        lambda: k.s3.copy_object(**here, Key="copy", CopySource="one/k"),
        lambda: body("copy") == b"1",
    )
    yield (
        "PutObjectTagging",
        lambda: k.s3.put_object_tagging(**here, Key="k", Tagging=one_tag),
        lambda: tags("k") == one_tag["TagSet"],
    )
    yield "DeleteObjectTagging", lambda: k.s3.delete_object_tagging(**here, Key="k"), lambda: tags("k") == []
    yield "CreateMultipartUpload", upload, lambda: k.s3.list_multipart_uploads(**here)["Uploads"]
    yield "UploadPart", lambda: part(1), lambda: parts() == [1]
    yield "UploadPart", lambda: part(2), lambda: parts() == [1, 2]
    yield "CompleteMultipartUpload", complete, lambda: len(body("parts")) == 2 * 5_242_880
    yield "DeleteObject", lambda: k.s3.delete_object(**here, Key="copy"), lambda: is_gone(body, key="copy")
    yield (
        "PutBucketVersioning",
        lambda: k.s3.put_bucket_versioning(**here, VersioningConfiguration={"Status": "Enabled"}),
        lambda: k.s3.get_bucket_versioning(**here)["Status"] == "Enabled",
    )
    odd = [{"Key": "k"}, {"Key": "a&<b>]]>'"}]
    yield (
        "PutObject",
        lambda: k.s3.put_object(**here, Key=odd[1]["Key"], Body=b"2"),
        lambda: body(odd[1]["Key"]) == b"2",
    )
    yield (
        "DeleteObjects",
        lambda: k.s3.delete_objects(**here, Delete={"Objects": odd}),
        lambda: all(is_gone(body, key=one["Key"]) for one in odd),
    )

    def delete_versions():
        found = k.s3.list_object_versions(**here, Prefix="a&")
        both = [
            {"Key": one["Key"], "VersionId": one["VersionId"]} for one in found["Versions"] + found["DeleteMarkers"]
        ]
        k.s3.delete_objects(**here, Delete={"Objects": both})

    yield "DeleteObjects", delete_versions, lambda: "Versions" not in k.s3.list_object_versions(**here, Prefix="a&")
    yield (
        "PutBucketPolicy",
        lambda: k.s3.put_bucket_policy(
            **here,
            Policy=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": "s3:GetObject",
                            "Resource": "arn:aws:s3:::one/*",
                        }
                    ],
                }
            ),
        ),
        lambda: k.s3.get_bucket_policy(**here),
    )
    yield (
        "PutBucketTagging",
        lambda: k.s3.put_bucket_tagging(**here, Tagging=one_tag),
        lambda: k.s3.get_bucket_tagging(**here)["TagSet"] == one_tag["TagSet"],
    )


def iam(k):
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    made = {"RoleName": "mine", "AssumeRolePolicyDocument": document}
    yield "CreateRole", lambda: k.iam.create_role(**made), lambda: k.iam.get_role(RoleName="mine")
    yield (
        "PutRolePolicy",
        lambda: k.iam.put_role_policy(RoleName="mine", PolicyName="p", PolicyDocument=json.dumps(POLICY)),
        lambda: k.iam.get_role_policy(RoleName="mine", PolicyName="p"),
    )

    def policy():
        k["policy"] = k.iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(POLICY))["Policy"]["Arn"]

    yield "CreatePolicy", policy, lambda: k.iam.get_policy(PolicyArn=k["policy"])
    yield (
        "AttachRolePolicy",
        lambda: k.iam.attach_role_policy(RoleName="mine", PolicyArn=k["policy"]),
        lambda: k.iam.list_attached_role_policies(RoleName="mine")["AttachedPolicies"],
    )
    yield (
        "UpdateAssumeRolePolicy",
        lambda: k.iam.update_assume_role_policy(
            RoleName="mine", PolicyDocument=document.replace('"Version"', '"Id": "x", "Version"')
        ),
        lambda: k.iam.get_role(RoleName="mine")["Role"]["AssumeRolePolicyDocument"]["Id"] == "x",
    )
    yield (
        "TagRole",
        lambda: k.iam.tag_role(RoleName="mine", Tags=[{"Key": "a", "Value": "1"}]),
        lambda: k.iam.list_role_tags(RoleName="mine")["Tags"],
    )
    yield (
        "DetachRolePolicy",
        lambda: k.iam.detach_role_policy(RoleName="mine", PolicyArn=k["policy"]),
        lambda: not k.iam.list_attached_role_policies(RoleName="mine")["AttachedPolicies"],
    )
    yield (
        "DeletePolicy",
        lambda: k.iam.delete_policy(PolicyArn=k["policy"]),
        lambda: is_gone(k.iam.get_policy, PolicyArn=k["policy"]),
    )
    yield (
        "DeleteRolePolicy",
        lambda: k.iam.delete_role_policy(RoleName="mine", PolicyName="p"),
        lambda: is_gone(k.iam.get_role_policy, RoleName="mine", PolicyName="p"),
    )
    yield "DeleteRole", lambda: k.iam.delete_role(RoleName="mine"), lambda: is_gone(k.iam.get_role, RoleName="mine")


def sqs(k):
    def create():
        k["queue"] = k.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]

    def receive():
        found = k.sqs.receive_message(QueueUrl=k["queue"], MaxNumberOfMessages=10).get("Messages", [])
        k["receipts"] = [one["ReceiptHandle"] for one in found]
        return [one["Body"] for one in found]

    def here(**more):
        return {"QueueUrl": k["queue"]} | more

    def visible():
        k.sqs.change_message_visibility(**here(ReceiptHandle=k["receipts"][0], VisibilityTimeout=0))

    def hidden():
        k.sqs.change_message_visibility(**here(ReceiptHandle=k["receipts"][0], VisibilityTimeout=3600))

    def fifo():
        attributes = {"FifoQueue": "true", "VisibilityTimeout": "600"}
        k["fifo"] = k.sqs.create_queue(QueueName="q.fifo", Attributes=attributes)["QueueUrl"]

    def send(body, name):
        group = {"MessageGroupId": "g", "MessageDeduplicationId": name}
        return k.sqs.send_message(QueueUrl=k["fifo"], MessageBody=body, **group)

    def send_first():
        k["first"] = send("first", "1")["SequenceNumber"]

    def take_first():
        (found,) = k.sqs.receive_message(QueueUrl=k["fifo"])["Messages"]
        k["first receipt"] = found["ReceiptHandle"]

    def first_is_known():
        again = send("again", "1")
        return again["SequenceNumber"] == k["first"] and int(send("second", "2")["SequenceNumber"]) > int(k["first"])

    def group_waits():
        return "Messages" not in k.sqs.receive_message(QueueUrl=k["fifo"])

    yield "CreateQueue", create, lambda: k.sqs.get_queue_url(QueueName="q")
    yield "SendMessage", lambda: k.sqs.send_message(**here(MessageBody="1")), lambda: receive() == ["1"]
    yield "ReceiveMessage", lambda: None, lambda: "Messages" not in k.sqs.receive_message(**here())
    yield "ChangeMessageVisibility", visible, lambda: receive() == ["1"]
    yield "ChangeMessageVisibility", hidden, lambda: receive() == []
    yield "CreateQueue", fifo, lambda: k.sqs.get_queue_url(QueueName="q.fifo")
    yield "SendMessage", send_first, first_is_known
    yield "ReceiveMessage", take_first, group_waits
    yield (
        "DeleteMessage",
        lambda: k.sqs.delete_message(QueueUrl=k["fifo"], ReceiptHandle=k["first receipt"]),
        lambda: k.sqs.receive_message(QueueUrl=k["fifo"])["Messages"][0]["Body"] == "second",
    )
    batch = [{"Id": str(n), "MessageBody": f"b{n}"} for n in range(3)]
    yield (
        "SendMessageBatch",
        lambda: k.sqs.send_message_batch(**here(Entries=batch)),
        lambda: sorted(receive()) == ["b0", "b1", "b2"],
    )

    def batch_visible():
        entries = [{"Id": str(n), "ReceiptHandle": one, "VisibilityTimeout": 0} for n, one in enumerate(k["receipts"])]
        k.sqs.change_message_visibility_batch(**here(Entries=entries))

    yield "ChangeMessageVisibilityBatch", batch_visible, lambda: sorted(receive()) == ["b0", "b1", "b2"]
    yield (
        "SetQueueAttributes",
        lambda: k.sqs.set_queue_attributes(**here(Attributes={"DelaySeconds": "3"})),
        lambda: (
            k.sqs.get_queue_attributes(**here(AttributeNames=["DelaySeconds"]))["Attributes"]["DelaySeconds"] == "3"
        ),
    )
    yield "TagQueue", lambda: k.sqs.tag_queue(**here(Tags={"a": "1"})), lambda: k.sqs.list_queue_tags(**here())["Tags"]
    yield "DeleteQueue", lambda: k.sqs.delete_queue(**here()), lambda: is_gone(k.sqs.get_queue_url, QueueName="q")


def logs(k):
    here = {"logGroupName": "/g"}
    line = [{"timestamp": int(time.time() * 1000), "message": "kept"}]
    yield "CreateLogGroup", lambda: k.logs.create_log_group(**here), lambda: k.logs.describe_log_groups()["logGroups"]
    yield (
        "CreateLogStream",
        lambda: k.logs.create_log_stream(**here, logStreamName="s"),
        lambda: k.logs.describe_log_streams(**here)["logStreams"],
    )
    yield (
        "PutLogEvents",
        lambda: k.logs.put_log_events(**here, logStreamName="s", logEvents=line),
        lambda: len(k.logs.get_log_events(**here, logStreamName="s")["events"]) == 1,
    )
    yield (
        "PutRetentionPolicy",
        lambda: k.logs.put_retention_policy(**here, retentionInDays=7),
        lambda: k.logs.describe_log_groups(logGroupNamePrefix="/g")["logGroups"][0]["retentionInDays"] == 7,
    )
    yield (
        "DeleteLogStream",
        lambda: k.logs.delete_log_stream(**here, logStreamName="s"),
        lambda: not k.logs.describe_log_streams(**here)["logStreams"],
    )
    yield (
        "DeleteLogGroup",
        lambda: k.logs.delete_log_group(**here),
        lambda: not k.logs.describe_log_groups(logGroupNamePrefix="/g")["logGroups"],
    )


def cloudwatch(k):
    alarm = {
        "AlarmName": "a",
        "Namespace": "N",
        "MetricName": "m",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }

    def held():
        return k.cloudwatch.describe_alarms(AlarmNames=["a"])["MetricAlarms"]

    def told():
        return k.cloudwatch.describe_alarm_history(AlarmName="a", HistoryItemType="StateUpdate")["AlarmHistoryItems"]

    yield "PutMetricAlarm", lambda: k.cloudwatch.put_metric_alarm(**alarm), held
    yield (
        "SetAlarmState",
        lambda: k.cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="r"),
        lambda: any("to ALARM" in one["HistorySummary"] for one in told()),
    )
    yield (
        "PutMetricData",
        lambda: k.cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1.0}]),
        lambda: k.cloudwatch.list_metrics(Namespace="N")["Metrics"],
    )
    yield (
        "DisableAlarmActions",
        lambda: k.cloudwatch.disable_alarm_actions(AlarmNames=["a"]),
        lambda: held()[0]["ActionsEnabled"] is False,
    )
    yield (
        "PutDashboard",
        lambda: k.cloudwatch.put_dashboard(DashboardName="d", DashboardBody='{"widgets": []}'),
        lambda: k.cloudwatch.get_dashboard(DashboardName="d"),
    )
    yield "DeleteAlarms", lambda: k.cloudwatch.delete_alarms(AlarmNames=["a"]), lambda: not held()


def events(k):
    target = {"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:none"}
    pattern = '{"source": ["s"]}'

    def rule():
        return k.events.describe_rule(Name="r")

    yield "PutRule", lambda: k.events.put_rule(Name="r", EventPattern=pattern), rule
    yield (
        "PutTargets",
        lambda: k.events.put_targets(Rule="r", Targets=[target]),
        lambda: k.events.list_targets_by_rule(Rule="r")["Targets"],
    )
    yield "DisableRule", lambda: k.events.disable_rule(Name="r"), lambda: rule()["State"] == "DISABLED"
    yield (
        "RemoveTargets",
        lambda: k.events.remove_targets(Rule="r", Ids=["1"]),
        lambda: not k.events.list_targets_by_rule(Rule="r")["Targets"],
    )
    yield "DeleteRule", lambda: k.events.delete_rule(Name="r"), lambda: is_gone(rule)


def sns(k):
    def create():
        k["topic"] = k.sns.create_topic(Name="t")["TopicArn"]

    def subscribe():
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:of-topic"
        k["subscription"] = k.sns.subscribe(TopicArn=k["topic"], Protocol="sqs", Endpoint=arn)["SubscriptionArn"]

    def create_fifo():
        k["fifo topic"] = k.sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]

    def publish(name):
        told = {"MessageGroupId": "g", "MessageDeduplicationId": name}
        return k.sns.publish(TopicArn=k["fifo topic"], Message=name, **told)

    def publish_first():
        k["published"] = publish("1")

    def first_is_known():
        again = publish("1")
        names = ("MessageId", "SequenceNumber")
        return [again[name] for name in names] == [k["published"][name] for name in names]

    def attributes():
        return k.sns.get_topic_attributes(TopicArn=k["topic"])["Attributes"]

    yield "CreateTopic", create, lambda: attributes()
    yield "Subscribe", subscribe, lambda: k.sns.list_subscriptions_by_topic(TopicArn=k["topic"])["Subscriptions"]
    yield "CreateTopic", create_fifo, lambda: k.sns.get_topic_attributes(TopicArn=k["fifo topic"])
    yield "Publish", publish_first, first_is_known
    yield (
        "SetSubscriptionAttributes",
        lambda: k.sns.set_subscription_attributes(
            SubscriptionArn=k["subscription"], AttributeName="RawMessageDelivery", AttributeValue="true"
        ),
        lambda: (
            k.sns.get_subscription_attributes(SubscriptionArn=k["subscription"])["Attributes"]["RawMessageDelivery"]
            == "true"
        ),
    )
    yield (
        "SetTopicAttributes",
        lambda: k.sns.set_topic_attributes(TopicArn=k["topic"], AttributeName="DisplayName", AttributeValue="x"),
        lambda: attributes()["DisplayName"] == "x",
    )
    yield (
        "TagResource",
        lambda: k.sns.tag_resource(ResourceArn=k["topic"], Tags=[{"Key": "a", "Value": "1"}]),
        lambda: k.sns.list_tags_for_resource(ResourceArn=k["topic"])["Tags"],
    )
    yield (
        "Unsubscribe",
        lambda: k.sns.unsubscribe(SubscriptionArn=k["subscription"]),
        lambda: not k.sns.list_subscriptions_by_topic(TopicArn=k["topic"])["Subscriptions"],
    )
    yield "DeleteTopic", lambda: k.sns.delete_topic(TopicArn=k["topic"]), lambda: is_gone(attributes)


def firehose(k):
    here = {"DeliveryStreamName": "s"}
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 1}
    to = {"BucketARN": "arn:aws:s3:::all", "RoleARN": ROLE, "Prefix": "records/", "BufferingHints": hints}

    def held():
        return k.firehose.describe_delivery_stream(**here)["DeliveryStreamDescription"]

    def prefix():
        return held()["Destinations"][0]["ExtendedS3DestinationDescription"]["Prefix"]

    def delivered():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if k.s3.list_objects_v2(Bucket="all", Prefix="records/").get("Contents"):
                return True
            time.sleep(0.1)
        return False

    def update():
        now = held()
        k.firehose.update_destination(
            **here,
            CurrentDeliveryStreamVersionId=now["VersionId"],
            DestinationId=now["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate={"Prefix": "other/"},
        )

    yield (
        "CreateDeliveryStream",
        lambda: k.firehose.create_delivery_stream(**here, ExtendedS3DestinationConfiguration=to),
        held,
    )
    yield "PutRecord", lambda: k.firehose.put_record(**here, Record={"Data": b"kept"}), delivered
    yield "UpdateDestination", update, lambda: prefix() == "other/"
    yield (
        "TagDeliveryStream",
        lambda: k.firehose.tag_delivery_stream(**here, Tags=[{"Key": "a", "Value": "1"}]),
        lambda: k.firehose.list_tags_for_delivery_stream(**here)["Tags"],
    )
    yield "DeleteDeliveryStream", lambda: k.firehose.delete_delivery_stream(**here), lambda: is_gone(held)


def lambda_(k):
    here = {"FunctionName": "f"}

    def create(**more):
        text = "def handler(event, context):\n    return 1\n"
        k.clients["lambda"].create_function(
            **here, Runtime="python3.12", Handler="app.handler", Role=ROLE, Code={"ZipFile": zipped(text)}
        )

    def answer():
        return json.load(k.clients["lambda"].invoke(**here)["Payload"])

    def held():
        return k.clients["lambda"].get_function_configuration(**here)

    yield "CreateFunction", create, lambda: answer() == 1
    yield (
        "UpdateFunctionCode",
        lambda: k.clients["lambda"].update_function_code(
            **here, ZipFile=zipped("def handler(event, context):\n    return 2\n")
        ),
        lambda: answer() == 2,
    )
    yield (
        "UpdateFunctionConfiguration",
        lambda: k.clients["lambda"].update_function_configuration(**here, Timeout=17),
        lambda: held()["Timeout"] == 17,
    )
    yield (
        "AddPermission",
        lambda: k.clients["lambda"].add_permission(
            **here, StatementId="s", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
        ),
        lambda: k.clients["lambda"].get_policy(**here),
    )
    yield (
        "PublishVersion",
        lambda: k.clients["lambda"].publish_version(**here),
        lambda: len(k.clients["lambda"].list_versions_by_function(**here)["Versions"]) == 2,
    )
    yield (
        "CreateAlias",
        lambda: k.clients["lambda"].create_alias(**here, Name="live", FunctionVersion="1"),
        lambda: k.clients["lambda"].get_alias(**here, Name="live"),
    )
    yield (
        "PutFunctionConcurrency",
        lambda: k.clients["lambda"].put_function_concurrency(**here, ReservedConcurrentExecutions=3),
        lambda: k.clients["lambda"].get_function_concurrency(**here)["ReservedConcurrentExecutions"] == 3,
    )
    yield (
        "PutFunctionEventInvokeConfig",
        lambda: k.clients["lambda"].put_function_event_invoke_config(**here, MaximumRetryAttempts=1),
        lambda: k.clients["lambda"].get_function_event_invoke_config(**here)["MaximumRetryAttempts"] == 1,
    )
    yield "DeleteFunction", lambda: k.clients["lambda"].delete_function(**here), lambda: is_gone(held)


def apigateway(k):
    def create():
        k["api"] = k.apigateway.create_rest_api(name="a")["id"]
        k["root"] = k.apigateway.get_resources(restApiId=k["api"])["items"][0]["id"]

    def place(**more):
        return {"restApiId": k["api"], "resourceId": k["root"], "httpMethod": "GET"} | more

    def held():
        return k.apigateway.get_method(**place())

    def mock(status):
        template = {"application/json": json.dumps({"statusCode": status})}
        k.apigateway.put_integration(**place(type="MOCK", requestTemplates=template))

    def asked(**headers):
        url = f"{k['url']}/restapis/{k['api']}/live/_user_request_/"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def key_and_plan():
        k["key"] = k.apigateway.create_api_key(name="k", enabled=True)
        stage = [{"apiId": k["api"], "stage": "live"}]
        quota = {"limit": 3, "period": "MONTH"}
        k["plan"] = k.apigateway.create_usage_plan(name="p", apiStages=stage, quota=quota)["id"]
        k.apigateway.create_usage_plan_key(usagePlanId=k["plan"], keyId=k["key"]["id"], keyType="API_KEY")
        change = [{"op": "replace", "path": "/apiKeyRequired", "value": "true"}]
        k.apigateway.update_method(**place(patchOperations=change))
        k.apigateway.create_deployment(restApiId=k["api"], stageName="live")

    def with_key():
        return asked(**{"x-api-key": k["key"]["value"]})

    yield "CreateRestApi", create, lambda: k.apigateway.get_rest_api(restApiId=k["api"])
    yield "PutMethod", lambda: k.apigateway.put_method(**place(authorizationType="NONE")), held
    yield "PutIntegration", lambda: mock(200), lambda: held()["methodIntegration"]["type"] == "MOCK"
    yield (
        "PutMethodResponse",
        lambda: k.apigateway.put_method_response(**place(statusCode="200")),
        lambda: held()["methodResponses"],
    )
    yield (
        "PutIntegrationResponse",
        lambda: k.apigateway.put_integration_response(**place(statusCode="200")),
        lambda: held()["methodIntegration"]["integrationResponses"],
    )
    yield (
        "CreateDeployment",
        lambda: k.apigateway.create_deployment(restApiId=k["api"], stageName="live"),
        lambda: asked() == 200,
    )
    yield "CreateUsagePlanKey", key_and_plan, lambda: (asked(), with_key()) == (403, 200)
    yield "a counted request", lambda: with_key(), lambda: (with_key(), with_key()) == (200, 429)
    yield (
        "DeleteRestApi",
        lambda: k.apigateway.delete_rest_api(restApiId=k["api"]),
        lambda: is_gone(k.apigateway.get_rest_api, restApiId=k["api"]),
    )


def sagemaker(k):
    container = {"Image": IMAGE, "ModelDataUrl": "s3://all/model.tar.gz"}
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}

    def train():
        k.sagemaker.create_training_job(
            TrainingJobName="j",
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            RoleArn=ROLE,
            HyperParameters={"objective": "reg:squarederror", "num_round": "100"},
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://all/train/"}},
                }
            ],
            OutputDataConfig={"S3OutputPath": "s3://all/models"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )

    yield (
        "CreateTrainingJob",
        train,
        lambda: k.sagemaker.describe_training_job(TrainingJobName="j")["TrainingJobStatus"] != "InProgress",
    )
    yield (
        "CreateModel",
        lambda: k.sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE),
        lambda: k.sagemaker.describe_model(ModelName="m"),
    )
    yield (
        "CreateEndpointConfig",
        lambda: k.sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant]),
        lambda: k.sagemaker.describe_endpoint_config(EndpointConfigName="c"),
    )
    yield (
        "CreateEndpoint",
        lambda: k.sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c"),
        lambda: k.sagemaker.describe_endpoint(EndpointName="e"),
    )
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model/m"
    yield (
        "AddTags",
        lambda: k.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}]),
        lambda: k.sagemaker.list_tags(ResourceArn=arn)["Tags"],
    )
    yield (
        "DeleteTags",
        lambda: k.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"]),
        lambda: not k.sagemaker.list_tags(ResourceArn=arn)["Tags"],
    )
    yield (
        "DeleteModel",
        lambda: k.sagemaker.delete_model(ModelName="m"),
        lambda: is_gone(k.sagemaker.describe_model, ModelName="m"),
    )


STORIES = (s3, iam, sqs, logs, cloudwatch, events, sns, firehose, lambda_, apigateway, sagemaker)
CLIENTS = ("s3", "iam", "sqs", "logs", "cloudwatch", "events", "sns", "firehose", "lambda", "apigateway", "sagemaker")


def test_every_change_that_was_acknowledged_is_there_after_a_kill_at_once(workspace_dir, start_offline):
    kept, missing = Kept(), []

    def connect():
        offline = start_offline(workspace_dir)
        if kept.get("url") != offline.endpoint_url:  # it comes back at the same port, with the same keys
            kept["url"] = offline.endpoint_url
            kept.clients = {name: offline.client(name) for name in CLIENTS}

    connect()
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    kept.iam.create_role(RoleName="all", AssumeRolePolicyDocument=trust)
    kept.iam.put_role_policy(RoleName="all", PolicyName="all", PolicyDocument=json.dumps(POLICY))
    kept.s3.create_bucket(Bucket="all")
    kept.s3.put_object(Bucket="all", Key="train/data.csv", Body=b"1,2\n2,3\n" * 300)
    kept.s3.put_object(Bucket="all", Key="model.tar.gz", Body=b"none")
    stories = {story.__name__: list(story(kept)) for story in STORIES}
    with ThreadPoolExecutor(len(stories)) as pool:
        for turn in range(max(map(len, stories.values()))):
            steps = [(name, *story[turn]) for name, story in stories.items() if turn < len(story)]
            done = [pool.submit(do) for _, _, do, _ in steps]
            for one in done:
                one.result()
            server = psutil.Process(process.read_state(workspace_dir).pid)
            server.kill()
            server.wait(10)
            connect()
            for name, operation, _, is_there in steps:
                try:
                    found = is_there()
                except (ClientError, LookupError) as error:
                    found, operation = None, f"{operation} ({error!r})"
                if not found:
                    missing.append(f"{name}: {operation}, step {turn + 1}")
    assert missing == []


@pytest.mark.parametrize("service", ["s3", "sqs", "sns", "firehose", "logs", "monitoring"])
def test_the_stories_have_every_operation_that_its_service_keeps_in_its_own_way(service):
    """What is kept by a snapshot before it is answered is kept in the same way by all; the others are told."""
    story = {one.__name__: one for one in STORIES}[{"monitoring": "cloudwatch"}.get(service, service)]
    told = {operation for operation, _, _ in story(Kept())}
    operations.collect()
    own = {
        "s3": {"PutObject", "CopyObject", "DeleteObject", "DeleteObjects", "CompleteMultipartUpload", "UploadPart"}
        | {"PutObjectTagging", "DeleteObjectTagging"},
        "sqs": {"SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage"}
        | {"ChangeMessageVisibility", "ChangeMessageVisibilityBatch"},
        "sns": {"Publish"},
        "firehose": {"PutRecord"},
        "logs": {"PutLogEvents"},
        "monitoring": {"PutMetricData"},
    }[service]
    assert own <= told
    assert told <= {name for name in operations.OPERATIONS[service] if not name.startswith(READS)}

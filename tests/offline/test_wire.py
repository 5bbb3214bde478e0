"""Old and new clients of a service speak different protocols, and all of them are understood."""

import gzip
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError
from botocore.model import ServiceModel

# Contract, section 0: protocol of CloudWatch by age of the client.
PROTOCOLS = ["json", "query", "smithy-rpc-v2-cbor"]


@pytest.fixture
def speaking(offline, monkeypatch):
    """speaking("cloudwatch", "query") -> a client that speaks this one of the service's protocols."""

    def make(service, protocol):
        with monkeypatch.context() as patch:
            patch.setattr(ServiceModel, "resolved_protocol", protocol)
            client = offline.client(service)
        monkeypatch.setattr(client.meta.service_model, "resolved_protocol", protocol)
        return client

    return make


@pytest.fixture
def signed(offline):
    """signed(service, headers, body) -> (status, headers, body) of a request that no client would make."""

    def send(service, headers, body, path="/", signed_region="us-east-1"):
        request = AWSRequest("POST", offline.endpoint_url + path, headers=headers, data=body)
        SigV4Auth(offline.session.get_credentials(), service, signed_region).add_auth(request)
        raw = urllib.request.Request(request.url, data=body, headers=dict(request.headers.items()), method="POST")
        try:
            with urllib.request.urlopen(raw, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    return send


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cloudwatch_takes_metrics_and_gives_them_back_in_every_protocol(speaking, unique, protocol):
    client = speaking("cloudwatch", protocol)
    namespace = unique("Wire")
    now = datetime.now(UTC)
    client.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": "Error", "Value": 1.5, "Unit": "Count", "Timestamp": now},
            {"MetricName": "Error", "Values": [2.0, 3.0], "Counts": [1, 2], "Timestamp": now},
            {
                "MetricName": "Error",
                "StatisticValues": {"SampleCount": 2, "Sum": 9, "Minimum": 4, "Maximum": 5},
                "Timestamp": now,
            },
        ],
    )
    (point,) = client.get_metric_statistics(
        Namespace=namespace,
        MetricName="Error",
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86_400,
        Statistics=["Sum", "SampleCount", "Maximum"],
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Maximum"]) == (18.5, 6.0, 5.0)
    assert isinstance(point["Timestamp"], datetime)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cloudwatch_reports_an_error_in_every_protocol(speaking, protocol):
    with pytest.raises(ClientError) as caught:
        speaking("cloudwatch", protocol).get_dashboard(DashboardName="none-of-this-name")
    error = caught.value.response
    # The legacy code is what a query-compatible client shows, whatever the protocol.
    assert error["Error"]["Code"] == "ResourceNotFound"
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cloudwatch_tells_the_same_alarm_in_every_protocol(offline, speaking, unique, protocol):
    name = unique("wire")
    speaking("cloudwatch", protocol).put_metric_alarm(
        AlarmName=name,
        Namespace="Wire",
        MetricName="Error",
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=2.5,
        ComparisonOperator="GreaterThanThreshold",
        ActionsEnabled=False,
    )
    (alarm,) = speaking("cloudwatch", protocol).describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["Threshold"], alarm["Period"], alarm["ActionsEnabled"]) == (2.5, 60, False)
    assert isinstance(alarm["StateUpdatedTimestamp"], datetime)
    offline.client("cloudwatch").delete_alarms(AlarmNames=[name])


def test_sqs_answers_old_clients_with_xml(offline, signed, unique):
    name = unique("wire")
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

    def ask(**fields):
        status, _, body = signed("sqs", headers, urllib.parse.urlencode({"Version": "2012-11-05"} | fields).encode())
        return status, ElementTree.fromstring(re.sub(rb' xmlns="[^"]+"', b"", body))

    status, answer = ask(Action="CreateQueue", QueueName=name)
    assert (status, answer.tag) == (200, "CreateQueueResponse")
    url = answer.findtext("CreateQueueResult/QueueUrl")
    assert url == offline.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    assert ask(Action="SendMessage", QueueUrl=url, MessageBody="ü & <x>")[0] == 200
    answer = ask(Action="ReceiveMessage", QueueUrl=url)[1]
    assert answer.findtext("ReceiveMessageResult/Message/Body") == "ü & <x>"
    status, answer = ask(Action="GetQueueUrl", QueueName="none-of-this-name")
    assert status == 400
    assert answer.findtext("Error/Code") == "AWS.SimpleQueueService.NonExistentQueue"


@pytest.mark.parametrize("service", ["monitoring", "sqs"])
def test_errors_of_query_compatible_services_carry_the_legacy_code_in_a_header(signed, service):
    target, request = {
        "monitoring": ("GraniteServiceVersion20100801.GetDashboard", {"DashboardName": "none"}),
        "sqs": ("AmazonSQS.GetQueueUrl", {"QueueName": "none"}),
    }[service]
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target, "x-amzn-query-mode": "true"}
    status, answered, body = signed(service, headers, json.dumps(request).encode())
    assert status >= 400
    assert answered["x-amzn-query-error"].endswith(";Sender")
    assert json.loads(body)["__type"]


def test_a_compressed_body_is_read_and_a_broken_one_is_an_error_of_the_caller(signed, unique):
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "content-encoding": "gzip",
        "x-amz-target": "GraniteServiceVersion20100801.PutMetricData",
    }
    request = {"Namespace": unique("Wire"), "MetricData": [{"MetricName": "Error", "Value": 1}]}
    assert signed("monitoring", headers, gzip.compress(json.dumps(request).encode()))[0] == 200
    status, _, body = signed("monitoring", headers, json.dumps(request).encode())
    assert (status, json.loads(body)["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize(
    ("service", "target"),
    [
        ("firehose", "Firehose_20150804.DescribeDeliveryStream"),
        ("logs", "Logs_20140328.DescribeLogStreams"),
        ("events", "AWSEvents.DescribeRule"),
        ("monitoring", "GraniteServiceVersion20100801.DescribeAlarms"),
    ],
)
@pytest.mark.parametrize("body", [b"{", b"[1]"], ids=["torn", "no object"])
def test_what_is_not_json_is_an_error_of_the_caller(signed, service, target, body):
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    status, _, answer = signed(service, headers, body)
    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")


def test_what_is_not_cbor_is_an_error_of_the_caller(signed):
    headers = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
    status, answered, body = signed("monitoring", headers, b"\xff\xff", path=path)
    assert (status, answered["smithy-protocol"]) == (400, "rpc-v2-cbor")
    assert b"SerializationException" in body

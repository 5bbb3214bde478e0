"""Messages a second of one boto3 client: SNS PublishBatch to Firehose to S3, until all of them are delivered."""

import json
import time

from benchmarks.local_aws import client, local_aws
from benchmarks.peers import constant_server, moto_server
from benchmarks.ratio import Ratio, in_turn, show

SECONDS, ROUNDS = 2.5, 7  # a server's turn, and how many it has
SAMPLE = "9870,9412,231,140,88,2,431,1180,260,240,400,63,41,fc1-00000001,2026-01-01T00:00:00Z"
ENTRIES = [{"Id": str(n), "Message": SAMPLE} for n in range(10)]
CONSTANT = (
    '<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishBatchResult><Successful>'
    + "".join(f"<member><Id>{n}</Id><MessageId>{n:036d}</MessageId></member>" for n in range(10))
    + "</Successful><Failed/></PublishBatchResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
    "</PublishBatchResponse>"
)


def connect_topic_to_bucket(make_client) -> str:
    """A topic whose messages a delivery stream writes to the bucket `samples`; returns the topic's ARN."""
    make_client("s3").create_bucket(Bucket="samples")
    iam = make_client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": ["sns.amazonaws.com", "firehose.amazonaws.com"]},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    role = iam.create_role(RoleName="delivery", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="delivery", PolicyName="all", PolicyDocument=json.dumps(everything))
    firehose = make_client("firehose")
    stream = firehose.create_delivery_stream(
        DeliveryStreamName="samples",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::samples",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
        },
    )["DeliveryStreamARN"]
    while (
        firehose.describe_delivery_stream(DeliveryStreamName="samples")["DeliveryStreamDescription"][
            "DeliveryStreamStatus"
        ]
        != "ACTIVE"
    ):
        time.sleep(0.05)
    sns = make_client("sns")
    topic = sns.create_topic(Name="samples")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=stream,
        Attributes={"SubscriptionRoleArn": role, "RawMessageDelivery": "true"},
    )
    return topic


class Delivered:
    """Lines in the bucket's objects; each object is read once."""

    def __init__(self, s3) -> None:
        self.s3 = s3
        self.lines: dict[str, int] = {}

    def count(self) -> int:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="samples"):
            for key in {item["Key"] for item in page.get("Contents", [])} - self.lines.keys():
                body = self.s3.get_object(Bucket="samples", Key=key)["Body"].read()
                self.lines[key] = body.count(b"\n")
        return sum(self.lines.values())


def publish(sns, topic: str) -> tuple[int, float]:
    """Batch after batch for SECONDS: (messages, messages a second)."""
    started = time.perf_counter()
    batches = 0
    while (passed := time.perf_counter() - started) < SECONDS:
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=ENTRIES)
        batches += 1
    return batches * len(ENTRIES), batches * len(ENTRIES) / passed


def main() -> None:
    with local_aws() as ours, moto_server() as moto, constant_server(CONSTANT) as constant:
        topic = connect_topic_to_bucket(ours.client)
        sns, s3 = ours.client("sns"), ours.client("s3")
        moto_sns = client("sns", moto)
        moto_topic = moto_sns.create_topic(Name="samples")["TopicArn"]
        constant_sns = client("sns", constant)
        delivered = Delivered(s3)
        sent = 0

        def all_delivered() -> float:
            """The buffer's interval is a second: what is published at first is delivered while more is published."""
            nonlocal sent
            messages, rate = publish(sns, topic)
            sent += messages
            deadline = time.monotonic() + 30
            while delivered.count() < sent and time.monotonic() < deadline:
                time.sleep(0.1)
            if delivered.count() != sent:
                raise RuntimeError(f"{sent} messages were published and {delivered.count()} delivered.")
            return rate

        def by_moto() -> float:
            return publish(moto_sns, moto_topic)[1]

        def by_constant() -> float:
            return publish(constant_sns, topic)[1]

        all_delivered()
        ours_rate, moto_rate, constant_rate = in_turn([all_delivered, by_moto, by_constant], ROUNDS)
    what = "one boto3 client, SNS `PublishBatch` to Firehose to S3, all messages delivered"
    show(
        "Messages of one boto3 client",
        [
            Ratio(what, "moto 5.2.5's server, which delivers none", ours_rate, moto_rate, "/s", 3, True),
            Ratio(
                "the same",
                "a server that answers with a constant, same event loop",
                ours_rate,
                constant_rate,
                "/s",
                0.8,
                True,
            ),
        ],
        [f"{sent:,} messages were published, and as many were found in S3."],
    )


if __name__ == "__main__":
    main()

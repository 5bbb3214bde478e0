"""Messages a second of one boto3 client: SNS PublishBatch to Firehose to S3, until all of them are delivered."""

import json
import time

from benchmarks.local_aws import client, local_aws
from benchmarks.peers import constant_server, moto_server
from benchmarks.ratio import Ratio, in_turn, show

BATCHES, ROUNDS = 300, 3
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
    stream = make_client("firehose").create_delivery_stream(
        DeliveryStreamName="samples",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::samples",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 1},
        },
    )["DeliveryStreamARN"]
    sns = make_client("sns")
    topic = sns.create_topic(Name="samples")["TopicArn"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="firehose",
        Endpoint=stream,
        Attributes={"SubscriptionRoleArn": role, "RawMessageDelivery": "true"},
    )
    return topic


def delivered(s3) -> int:
    """Lines in the bucket's objects."""
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="samples").get("Contents", [])]
    return sum(s3.get_object(Bucket="samples", Key=key)["Body"].read().count(b"\n") for key in keys)


def published_per_second(sns, topic: str) -> float:
    started = time.perf_counter()
    for _ in range(BATCHES):
        sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=ENTRIES)
    return BATCHES * 10 / (time.perf_counter() - started)


def main() -> None:
    with local_aws() as ours, moto_server() as moto, constant_server(CONSTANT) as constant:
        topic = connect_topic_to_bucket(ours.client)
        sns, s3 = ours.client("sns"), ours.client("s3")
        moto_sns = client("sns", moto)
        moto_topic = moto_sns.create_topic(Name="samples")["TopicArn"]
        constant_sns = client("sns", constant)
        sent = 0

        def all_delivered() -> float:
            nonlocal sent
            started = time.perf_counter()
            published_per_second(sns, topic)
            sent += BATCHES * 10
            published = time.perf_counter() - started
            deadline = time.monotonic() + 30
            while delivered(s3) < sent and time.monotonic() < deadline:
                time.sleep(0.05)
            if delivered(s3) != sent:
                raise RuntimeError(f"{sent} messages were published and {delivered(s3)} delivered.")
            return BATCHES * 10 / published

        all_delivered()
        against_moto = in_turn(all_delivered, lambda: published_per_second(moto_sns, moto_topic), ROUNDS)
        against_constant = in_turn(all_delivered, lambda: published_per_second(constant_sns, topic), ROUNDS)
    show(
        "Messages of one boto3 client",
        [
            Ratio("PublishBatch, all delivered to S3", "moto's server, delivers none", *against_moto, "/s", 3, True),
            Ratio("PublishBatch, all delivered to S3", "a constant answer", *against_constant, "/s", 0.8, True),
        ],
        [f"{sent:,} messages were published and as many were found in S3."],
    )


if __name__ == "__main__":
    main()

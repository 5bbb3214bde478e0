"""Firehose streams that put samples into the participant's bucket."""

import time

from botocore.exceptions import ClientError

from helpers.workshop import Workshop

BUFFERING = {"SizeInMBs": 1, "IntervalInSeconds": 1}  # one object when 1 MiB has come together, at the latest after 1 s
LONGEST_WAIT_S = 120


def ensure(ws: Workshop, stream: str, prefix: str) -> bool:
    """Make the stream if it is missing, and wait until it takes records. Returns whether it was made."""
    if status(ws, stream) is not None:
        return False
    ws.client("firehose").create_delivery_stream(
        DeliveryStreamName=ws.name(stream),
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": ws.role_arn("firehose"),
            "BucketARN": f"arn:{ws.partition}:s3:::{ws.bucket('samples')}",
            "Prefix": prefix,
            "BufferingHints": BUFFERING,
        },
        Tags=ws.tags,
    )
    wait_until_active(ws, stream)
    return True


def status(ws: Workshop, stream: str) -> str | None:
    """CREATING, ACTIVE or DELETING; None if there is no such stream."""
    try:
        answer = ws.client("firehose").describe_delivery_stream(DeliveryStreamName=ws.name(stream))
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return answer["DeliveryStreamDescription"]["DeliveryStreamStatus"]


def wait_until_active(ws: Workshop, stream: str) -> None:
    """Wait until the stream takes records: at once offline, about half a minute on AWS."""
    _wait_for(ws, stream, "ACTIVE")


def wait_until_gone(ws: Workshop, stream: str) -> None:
    """Wait until a deleted stream is no longer listed, so that its name is free again."""
    _wait_for(ws, stream, None)


def _wait_for(ws: Workshop, stream: str, wanted: str | None) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_S
    while (now := status(ws, stream)) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Stream {ws.name(stream)} is still {now} after {LONGEST_WAIT_S} s.")
        time.sleep(0.1 if ws.offline else 2)

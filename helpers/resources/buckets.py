"""S3 buckets of the participant: make, list, empty."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from helpers.workshop import Workshop


def ensure(ws: Workshop, purpose: str) -> bool:
    """Make the bucket if it is missing, closed to the public and tagged. Returns whether it was made."""
    s3, bucket = ws.client("s3"), ws.bucket(purpose)
    try:
        s3.head_bucket(Bucket=bucket)
        return False
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    create(ws, bucket)
    return True


def create(ws: Workshop, bucket: str, region: str | None = None) -> None:
    """Create and tag the bucket, in the home region unless another is named. us-east-1 must not be named to S3."""
    region = region or ws.region
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with ws.unless_it_exists():
        ws.client("s3", region).create_bucket(Bucket=bucket, **place)
    ws.client("s3", region).put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": ws.tags})


def keys(ws: Workshop, bucket: str, prefix: str = "") -> Iterator[str]:
    """The keys of the objects under a prefix, in order."""
    for page in ws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def read_text(ws: Workshop, bucket: str, prefix: str = "") -> str:
    """The text of all objects under a prefix, in the order of their keys."""
    s3 = ws.client("s3")
    return "".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys(ws, bucket, prefix))


def empty(ws: Workshop, bucket: str, prefix: str = "") -> int:
    """Delete the objects under a prefix. Returns how many there were."""
    found = list(keys(ws, bucket, prefix))
    for start in range(0, len(found), 1000):
        batch = [{"Key": key} for key in found[start : start + 1000]]
        ws.client("s3").delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
    return len(found)

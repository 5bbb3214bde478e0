"""S3: buckets and objects."""

from __future__ import annotations

from helpers.offline.kernel import Kernel, Support

OPERATIONS: dict[str, Support] = {
    "ListBuckets": Support("real"),
    "CreateBucket": Support("real"),
    "DeleteBucket": Support("real"),
    "HeadBucket": Support("real"),
    "GetBucketLocation": Support("real"),
    "ListObjects": Support("real"),
    "ListObjectsV2": Support("real"),
    "PutObject": Support("real"),
    "GetObject": Support("real"),
    "HeadObject": Support("real"),
    "DeleteObject": Support("real"),
    "DeleteObjects": Support("real"),
    "CopyObject": Support("real"),
    "CreateMultipartUpload": Support("real"),
    "UploadPart": Support("real"),
    "UploadPartCopy": Support("real"),
    "CompleteMultipartUpload": Support("real"),
    "AbortMultipartUpload": Support("real"),
    "ListMultipartUploads": Support("real"),
    "ListParts": Support("real"),
    "GetObjectTagging": Support("real"),
    "PutObjectTagging": Support("real"),
    "DeleteObjectTagging": Support("real"),
    "GetBucketTagging": Support("real"),
    "PutBucketTagging": Support("real"),
    "DeleteBucketTagging": Support("real"),
    "GetObjectAttributes": Support("real"),
    "GetBucketVersioning": Support("real"),
    "PutBucketVersioning": Support("real"),
    "ListObjectVersions": Support("real"),
    "GetBucketPolicy": Support("stored"),
    "PutBucketPolicy": Support("stored"),
    "DeleteBucketPolicy": Support("stored"),
    "GetPublicAccessBlock": Support("stored"),
    "PutPublicAccessBlock": Support("stored"),
    "DeletePublicAccessBlock": Support("stored"),
    "GetBucketEncryption": Support("stored"),
    "PutBucketEncryption": Support("stored"),
    "DeleteBucketEncryption": Support("stored"),
    "GetBucketLifecycleConfiguration": Support("stored"),
    "PutBucketLifecycleConfiguration": Support("stored"),
    "DeleteBucketLifecycle": Support("stored"),
    "GetBucketAcl": Support("stored"),
    "GetObjectAcl": Support("stored"),
    "GetBucketOwnershipControls": Support("stored"),
    "PutBucketOwnershipControls": Support("stored"),
    "GetBucketCors": Support("stored"),
    "PutBucketCors": Support("stored"),
    "DeleteBucketCors": Support("stored"),
}


def install(kernel: Kernel) -> None:
    """Nothing to hook in yet: moto answers."""

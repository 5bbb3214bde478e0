"""S3: buckets and objects."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from urllib.parse import parse_qs

from helpers.offline import damage, fallthrough, uploads
from helpers.offline.kernel import Answer, Call, Kernel, Support
from helpers.offline.records import SYNC_S
from helpers.offline.services.s3 import requests
from helpers.offline.services.s3.download import get_object
from helpers.offline.services.s3.files import REMOVED_AFTER_S, STORE, arriving, keep_objects_in_files
from helpers.offline.services.s3.journal import ObjectJournal
from helpers.offline.services.s3.listing import list_objects
from helpers.offline.services.s3.notifications import Notifications
from helpers.offline.services.s3.port import ObjectsPort

OPERATIONS: dict[str, Support] = {
    "ListBuckets": Support("real"),
    "CreateBucket": Support("real"),
    "DeleteBucket": Support("real"),
    "HeadBucket": Support("real"),
    "GetBucketLocation": Support("real"),
    "ListObjects": Support("real"),
    "ListObjectsV2": Support("real"),
    "PutObject": Support("real", "checksums of every kind but XXHASH are verified, in headers and in trailers"),
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
    "GetBucketPolicy": Support("real"),
    "PutBucketPolicy": Support("real", "denies bind the owner too"),
    "DeleteBucketPolicy": Support("real"),
    "GetBucketNotificationConfiguration": Support("real"),
    "PutBucketNotificationConfiguration": Support(
        "real",
        "ObjectCreated, ObjectRemoved and ObjectTagging with prefix and suffix, to Lambda, SQS, SNS and EventBridge; "
        "other events answer 501",
    ),
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


_KEPT_ONE_BY_ONE = ("PutObject", "CopyObject", "DeleteObject", "CompleteMultipartUpload")


def install(kernel: Kernel) -> None:
    from moto.iam.access_control import PermissionResult
    from moto.s3 import models, responses
    from moto.s3.models import FakeBucket

    models.compute_checksum = responses.compute_checksum = requests.compute_checksum
    # Policies are the authoriser's; moto's own evaluation knows no conditions.
    FakeBucket.get_permission = lambda self, action, resource: PermissionResult.PERMITTED
    keep_objects_in_files(kernel.workspace.dir / "objects")
    journal = ObjectJournal(kernel.workspace.dir / "state", kernel.account_id, lambda: kernel.mark_dirty("s3"))
    kernel.ports.objects = ObjectsPort(kernel.account_id, journal)
    kernel.hot("s3", "ListObjects", list_objects, blocking=True)
    kernel.hot("s3", "ListObjectsV2", list_objects, blocking=True)
    kernel.hot("s3", "GetObject", versioned(get_object), blocking=True)
    for operation in ("HeadObject", "GetObjectTagging", "GetObjectAttributes"):
        kernel.hot("s3", operation, versioned(fallthrough.ask_moto), blocking=True)
    kernel.hot("s3", "UploadPartCopy", copy, blocking=True)
    kernel.hot("s3", "UploadPart", upload_part, blocking=True)
    kernel.hot("s3", "CreateBucket", create_bucket, blocking=True)
    kernel.hot("s3", "PutBucketPolicy", put_bucket_policy, blocking=True)
    kernel.hot("s3", "CreateMultipartUpload", create_multipart_upload, blocking=True)
    install_notifications(kernel)

    def note_object(call: Call) -> None:
        journal.note(call.path_parameters["Bucket"], call.path_parameters["Key"])

    def note_deleted(call: Call) -> None:
        for name in dict.fromkeys(key for key, _ in requests.objects_to_delete(call.body)):
            journal.note(call.path_parameters["Bucket"], name)

    def note_part(call: Call) -> None:
        query = parse_qs(call.query)
        journal.note_part(call.path_parameters["Bucket"], query["uploadId"][0], int(query["partNumber"][0]))

    for operation in (*_KEPT_ONE_BY_ONE, "PutObjectTagging", "DeleteObjectTagging"):
        kernel.kept_by("s3", operation, note_object)
    kernel.kept_by("s3", "DeleteObjects", note_deleted)
    for operation in ("UploadPart", "UploadPartCopy"):
        kernel.kept_by("s3", operation, note_part)
    kernel.before_snapshot["s3"] = [journal.begin_next]

    def take_back() -> None:
        shutil.rmtree(kernel.workspace.dir / uploads.DIRECTORY, ignore_errors=True)
        journal.replay()
        journal.drop_torn()
        orphans = STORE.orphans(_files_in_use(kernel.account_id))
        if orphans and journal.journal.is_damaged:
            damage.set_aside(kernel.workspace.dir, *orphans)
        for path in orphans:
            path.unlink(missing_ok=True)
        kernel.mark_dirty("s3")

    kernel.on_start(take_back)
    kernel.synced(journal.journal.sync)
    kernel.every(SYNC_S, STORE.sync, name="sync of objects")  # apart from the journals, which need not wait for it
    kernel.every(REMOVED_AFTER_S, STORE.remove_due, name="removal of deleted objects")
    kernel.on_stop(lambda: kernel.mark_dirty("s3"))


def install_notifications(kernel: Kernel) -> None:
    notifications = Notifications(kernel)
    notifications.attach()
    kernel.hot("s3", "PutBucketNotificationConfiguration", notifications.put_configuration, blocking=True)
    kernel.hot("s3", "GetBucketNotificationConfiguration", notifications.get_configuration, blocking=True)
    handlers = {"PutObject": put_object, "CompleteMultipartUpload": complete_multipart_upload, "CopyObject": copy}
    handlers["DeleteObject"] = versioned(fallthrough.ask_moto)
    for operation in (*_KEPT_ONE_BY_ONE, "DeleteObjects", "PutObjectTagging", "DeleteObjectTagging"):
        handler = notifications.telling(handlers.get(operation, fallthrough.ask_moto))
        kernel.hot("s3", operation, readable(handler) if operation == "DeleteObjects" else handler, blocking=True)
    notifications.courier.install()


def versioned(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """`handler`, for calls whose version is one."""

    def handle(call: Call) -> Answer:
        if "versionId=" in call.query:
            requests.check_version(call)
        return handler(call)

    return handle


def copy(call: Call) -> Answer:
    """CopyObject and UploadPartCopy."""
    requests.check_copy(call)
    return fallthrough.ask_moto(call)


def create_bucket(call: Call) -> Answer:
    requests.check_bucket_name(call.path_parameters["Bucket"])
    return fallthrough.ask_moto(call)


def put_bucket_policy(call: Call) -> Answer:
    requests.check_policy(call.body, call.path_parameters["Bucket"])
    return fallthrough.ask_moto(call)


def readable(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    """`handler`, for documents that say what to delete."""

    def handle(call: Call) -> Answer:
        requests.objects_to_delete(call.body)
        return handler(call)

    return handle


def create_multipart_upload(call: Call) -> Answer:
    uploads.check_algorithms(call.headers)
    return fallthrough.ask_moto(call)


def complete_multipart_upload(call: Call) -> Answer:
    requests.check_order(call.body)
    return fallthrough.ask_moto(call)


def upload_part(call: Call) -> Answer:
    requests.check_upload_exists(call)
    return put_upload(call)


def put_object(call: Call) -> Answer:
    requests.check_key(call.path_parameters["Key"])
    return put_upload(call)


def put_upload(call: Call) -> Answer:
    """PutObject and UploadPart: where the body came in a file, that file becomes the object's. Blocks."""
    requests.check_bytes(call)
    if call.upload is None:
        return fallthrough.ask_moto(call)
    with arriving(call.upload):
        return fallthrough.ask_moto(call)


def _files_in_use(account_id: str) -> set[str]:
    from moto.s3.models import s3_backends

    names = set()
    for bucket in s3_backends[account_id]["aws"].buckets.values():
        held = [key for versions in dict.values(bucket.keys) for key in versions]
        held += [part for multipart in bucket.multiparts.values() for part in multipart.parts.values()]
        names |= {key._value_buffer.name for key in held if hasattr(key, "_value_buffer")}
    return names

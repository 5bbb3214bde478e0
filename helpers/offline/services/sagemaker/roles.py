"""The execution role: SageMaker must be trusted by it, and may then do on S3 what its policies allow."""

from __future__ import annotations

import json
import re
import time

from helpers.offline import policies
from helpers.offline.authorization import Authorizer, find_role
from helpers.offline.kernel import AwsError, Call, Kernel, Principal
from helpers.offline.services.sagemaker.store import invalid

SERVICE = "sagemaker.amazonaws.com"


def check_trust(kernel: Kernel, role_arn: str) -> None:
    """Raises AwsError where the role does not exist or does not trust SageMaker."""
    role = find_role(kernel.account_id, role_arn)
    document = role.assume_role_policy_document if role is not None else "{}"
    text = document if isinstance(document, str) else json.dumps(document)
    if role is None or not any(
        statement.get("Effect") == "Allow" and policies.principal_matches(statement, service=SERVICE)
        for statement in policies.statements(text)
    ):
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{SERVICE}' to assume the role."
        )


def refusal(kernel: Kernel, role_arn: str, operation: str, bucket: str, key: str = "") -> str | None:
    """Why the role may not do this S3 operation; None where it may."""
    session = re.sub(r":iam::(\d+):role/(?:.*/)?", r":sts::\1:assumed-role/", role_arn) + "/SageMaker"
    call = Call(
        service="s3",
        operation=operation,
        region=kernel.workspace.region,
        account_id=kernel.account_id,
        principal=Principal(session, role_arn),
        method="PUT" if operation == "PutObject" else "GET",
        path=f"/{bucket}/{key}" if key else f"/{bucket}",
        query="list-type=2" if operation == "ListObjectsV2" else "",
        headers={"host": "127.0.0.1", "date": str(time.time())},
        body=b"",
        path_parameters={"Bucket": bucket, "Key": key} if key else {"Bucket": bucket},
        protocol="rest-xml",
    )
    try:
        Authorizer(kernel.account_id).authorize(call)
    except AwsError as error:
        return error.message
    return None

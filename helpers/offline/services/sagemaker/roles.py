"""The execution role: SageMaker must be trusted by it, and may then do on S3 what its policies allow."""

from __future__ import annotations

from helpers.offline import service_roles
from helpers.offline.kernel import Kernel
from helpers.offline.services.sagemaker.store import invalid

SERVICE = "sagemaker.amazonaws.com"
ACTIONS = {"ListObjectsV2": "s3:ListBucket", "GetObject": "s3:GetObject", "PutObject": "s3:PutObject"}


def check_trust(kernel: Kernel, role_arn: str) -> None:
    """Raises AwsError where the role does not exist or does not trust SageMaker."""
    if not service_roles.trusts(kernel.account_id, role_arn, SERVICE):
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{SERVICE}' to assume the role."
        )


def check_model_role(kernel: Kernel, role_arn: str) -> None:
    """As `check_trust`, in the words of CreateModel. Raises AwsError."""
    if not service_roles.trusts(kernel.account_id, role_arn, SERVICE):
        raise invalid(
            f'The execution role ARN "{role_arn}" is invalid. Please ensure that the role exists and that its trust '
            f'relationship policy allows the action "sts:AssumeRole" for the service principal "{SERVICE}".'
        )


def refusal(kernel: Kernel, role_arn: str, operation: str, bucket: str, key: str = "") -> str | None:
    """Why the role may not do this S3 operation; None where it may."""
    resource = f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    return service_roles.refusal(kernel, role_arn, "SageMaker", ACTIONS[operation], resource)

"""The environment variables with which boto3, the AWS CLI and the SageMaker SDK find the offline AWS."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from helpers.offline.process import State

SDK_CONFIGURATION = """\
SchemaVersion: '1.0'
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: {bucket}
"""


def client_environment(directory: Path, state: State) -> dict[str, str]:
    """What a client process needs. Writes the SageMaker SDK's configuration into the workspace if it is missing."""
    region = os.environ.get("WORKSHOP_REGION") or state.region
    return {
        "AWS_ENDPOINT_URL": state.endpoint_url,
        "AWS_ACCESS_KEY_ID": state.access_key_id,
        "AWS_SECRET_ACCESS_KEY": state.secret_access_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(_file(directory / "aws-config", "")),
        "AWS_SHARED_CREDENTIALS_FILE": str(_file(directory / "aws-credentials", "")),
        "AWS_PAGER": "",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(
            _file(
                directory / "sagemaker.yaml", SDK_CONFIGURATION.format(bucket=default_bucket(region, state.account_id))
            )
        ),
    }


# Set by a client's profile on AWS, in the way offline.
UNSET = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN")


def default_bucket(region: str, account_id: str) -> str:
    """The bucket that the SageMaker SDK uses where none is named, as it would call it on AWS."""
    return f"sagemaker-{region}-{account_id}"


def shell_exports(environment: dict[str, str]) -> str:
    lines = [f"unset {' '.join(UNSET)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    return "\n".join(lines)


def _file(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text() != text:
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(text)
    return path

"""Opening the workshop: settings, credentials, what the earlier labs leave, and the status card."""

import importlib
import os
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from helpers.workshop import explain, local_aws
from helpers.workshop.calls import Calls
from helpers.workshop.errors import WorkshopError
from helpers.workshop.participant import find_alias
from helpers.workshop.session import Workshop
from helpers.workshop.status_card import StatusCard

REPOSITORY = Path(__file__).resolve().parents[2]
LABS = {1: "Sample collection", 2: "Model training", 3: "Live inference", 4: "Automated retraining"}
RESOURCES_OF_LAB = {1: "sample_collection", 2: "model_training", 3: "live_inference", 4: "retraining"}
ROLES_GIVEN = {
    1: ("sample_collection_lambda", "firehose", "topic"),
    2: ("sagemaker",),
    3: (),  # the learner makes that lab's role
    4: ("sagemaker", "retraining_lambda", "promotion_lambda"),
}


def connect(lab: int) -> Workshop:
    """Connect to the offline AWS or to your AWS account, and make sure that what the earlier labs leave is there.

    Parameters
    ----------
    lab : which lab you begin, 1 to 4

    Raises
    ------
    WorkshopError : one sentence on what is missing and what to do
    """
    if lab not in LABS or isinstance(lab, bool):
        raise WorkshopError(f"There are labs 1 to 4, so connect(lab=...) needs one of these numbers; got {lab!r}.")
    explain.install()
    ws = open_workshop()
    built = _prepare(ws, lab)
    _card(ws, lab, built).show()
    return ws


def open_workshop() -> Workshop:
    """The workshop object alone: starts or finds the offline AWS, or meets your account; builds nothing.

    Raises
    ------
    WorkshopError : one sentence on what is missing and what to do
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # XGBoost's threads must not spin beside the offline AWS
    mode = os.environ.get("WORKSHOP_MODE", "offline").strip().lower()
    if mode not in ("offline", "aws"):
        raise WorkshopError(f"WORKSHOP_MODE is offline or aws; got {mode!r}.")
    folder = Path(os.environ.get("WORKSHOP_DIR") or REPOSITORY / ".workshop").resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        participant = find_alias(folder, os.environ.get("WORKSHOP_PARTICIPANT"))
    except ValueError as error:
        raise WorkshopError(f"{error} Change WORKSHOP_PARTICIPANT or {folder / 'participant'}.") from None
    except OSError as error:
        raise WorkshopError(
            f"The workshop's folder {folder} cannot be written ({error.strerror}); name another in WORKSHOP_DIR."
        ) from None
    if mode == "offline":
        local_aws.enter(folder)
    else:
        local_aws.refuse_mixture()
    region = os.environ.get("WORKSHOP_REGION") or boto3.Session().region_name or "us-east-1"
    os.environ["AWS_DEFAULT_REGION"] = region
    session = boto3.Session(region_name=region)
    calls = Calls()
    calls.watch(session)
    identity = _identity(session, mode)
    partition = identity["Arn"].split(":")[1]
    ws = Workshop(mode, region, identity["Account"], participant, session, folder, partition, calls)
    _configure_sagemaker_sdk(ws)
    return ws


def _identity(session: boto3.Session, mode: str) -> dict:
    try:
        return session.client("sts").get_caller_identity()
    except NoCredentialsError:
        raise WorkshopError(
            "WORKSHOP_MODE is aws, but no AWS credentials were found: run `aws configure` (or `aws sso login`), "
            "or leave WORKSHOP_MODE out to run offline."
        ) from None
    except (BotoCoreError, ClientError) as error:
        raise WorkshopError(
            f"The {'offline AWS' if mode == 'offline' else 'AWS account'} does not answer: {error}"
        ) from None


def _configure_sagemaker_sdk(ws: Workshop) -> None:
    """Name the default bucket and turn telemetry off: the SDK reads both from a file."""
    path = ws.folder / "sagemaker-sdk.yaml"
    modules = f"{{TelemetryOptOut: true, Session: {{DefaultS3Bucket: {ws.bucket('models')}}}}}"
    path.write_text(f"SchemaVersion: '1.0'\nSageMaker: {{PythonSDK: {{Modules: {modules}}}}}\n")
    os.environ["SAGEMAKER_USER_CONFIG_OVERRIDE"] = str(path)
    # The SDK would refuse roles without rights in EC2, which only jobs inside a network of your own (a VPC) need.
    os.environ.setdefault("SAGEMAKER_VALIDATE_ROLE", "false")


def _prepare(ws: Workshop, lab: int) -> dict[int, list[str]]:
    """What had to be built per earlier lab; empty lists where everything was there."""
    from helpers.resources import fulfillment_center, roles

    try:
        fulfillment_center.build(ws)
        roles.ensure(ws, *ROLES_GIVEN[lab])
        built = {}
        for earlier in range(1, lab):
            module = importlib.import_module(f"helpers.resources.{RESOURCES_OF_LAB[earlier]}")
            built[earlier] = module.build(ws)
        return built
    except ClientError as error:
        reason = error.response["Error"].get("Message") or error
        raise WorkshopError(f"{error.operation_name} was refused while setting up lab {lab}: {reason}") from error


def _card(ws: Workshop, lab: int, built: dict[int, list[str]]) -> StatusCard:
    place = (
        "offline: a local AWS on this computer, nothing is billed"
        if ws.offline
        else "AWS: what you make here is billed to the account"
    )
    rows = [("Mode", place), ("Region", ws.region), ("Account", ws.account_id), ("Participant", ws.participant)]
    rows += [("Given", "an SNS topic, to which your fulfillment centre publishes samples")] if lab == 1 else []
    for earlier, created in built.items():
        rows.append(
            (f"From lab {earlier}", "built for you now: " + ", ".join(created) if created else "everything is there")
        )
    return StatusCard(f"Lab {lab} of {len(LABS)}: {LABS[lab]}", tuple(rows))

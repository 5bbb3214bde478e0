"""connect(): the one object that a notebook holds, the same offline and on AWS."""

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from helpers import local_aws
from helpers.calls import Calls
from helpers.errors import WorkshopError
from helpers.participant import find_alias
from helpers.status_card import StatusCard

REPOSITORY = Path(__file__).resolve().parent.parent
LABS = {1: "Sample collection", 2: "Model training", 3: "Live inference", 4: "Automated retraining"}
RESOURCES_OF_LAB = {1: "sample_collection", 2: "model_training", 3: "live_inference", 4: "retraining"}
ROLES_GIVEN = {
    1: ("sample_collection_lambda", "firehose", "topic"),
    2: ("sagemaker",),
    3: (),  # the learner makes that lab's role
    4: ("sagemaker", "retraining_lambda", "promotion_lambda"),
}
ALREADY_THERE = {
    "BucketAlreadyOwnedByYou",
    "EntityAlreadyExists",
    "ResourceInUseException",
    "ResourceConflictException",
    "ResourceAlreadyExistsException",
    "ConflictException",
}


@dataclass
class Workshop:
    """Where the labs run (mode, region, account), who runs them (participant), and the door to AWS (session)."""

    mode: str
    region: str
    account_id: str
    participant: str
    session: boto3.Session
    folder: Path
    partition: str = "aws"
    calls: Calls = field(default_factory=Calls)
    roles_ready: set[str] = field(default_factory=set, repr=False)  # roles made or brought up to date by this object
    _clients: dict = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def offline(self) -> bool:
        return self.mode == "offline"

    @property
    def tags(self) -> list[dict[str, str]]:
        """The two tags of everything this participant owns, as most services want them."""
        return [{"Key": key, "Value": value} for key, value in self.tag_map.items()]

    @property
    def tag_map(self) -> dict[str, str]:
        """The same tags as Lambda and API Gateway want them."""
        return {"workshop": "robot-fulfillment", "participant": self.participant}

    @property
    def prefix(self) -> str:
        """What the name of every resource of this participant begins with."""
        return f"fulfillment-{self.participant}-"

    @property
    def topic_arn(self) -> str:
        """The SNS topic of your fulfillment centre, given to you by `connect()`."""
        return self.arn("sns", self.name("FulfillmentCenterTopic"))

    def name(self, purpose: str) -> str:
        """The full name of a resource: ws.name("LiveInferenceAPI") -> fulfillment-<participant>-LiveInferenceAPI."""
        return self.prefix + purpose

    def bucket(self, purpose: str) -> str:
        """The name of an S3 bucket: lower case, and with the account, because bucket names are unique in the world."""
        return f"{self.prefix}{purpose}-{self.account_id}".lower()

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """The Amazon Resource Name of something of yours: ws.arn("firehose", "deliverystream/" + name)."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account_id}:{resource}"

    def role_arn(self, purpose: str) -> str:
        """The role for one purpose (see helpers/resources/roles.py); it is made now if it does not exist yet."""
        from helpers.resources import roles

        roles.ensure(self, purpose)
        return roles.arn(self, purpose)

    def client(self, service: str, region: str | None = None) -> object:
        """A boto3 client of the workshop's session, made once per service and region."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._remember_region(key[1])
                config = Config(retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32)
                self._clients[key] = self.session.client(service, region_name=key[1], config=config)
            return self._clients[key]

    @property
    def regions(self) -> tuple[str, ...]:
        """Your own region, then the others you used, in this notebook or an earlier one: teardown looks in all."""
        kept = self.folder / "regions"
        others = kept.read_text().split() if kept.exists() else []
        return (self.region, *(region for region in others if region != self.region))

    def _remember_region(self, region: str) -> None:
        if region not in self.regions:
            with (self.folder / "regions").open("a") as kept:
                kept.write(region + "\n")

    def sagemaker_session(self) -> object:
        """A session of the SageMaker SDK (version 3) whose default bucket is yours."""
        from sagemaker.core.helper.session_helper import Session

        return Session(boto_session=self.session, default_bucket=self.bucket("models"))

    @contextmanager
    def unless_it_exists(self) -> Iterator[None]:
        """Let a create call pass when what it creates is already there, so that a cell can run twice."""
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] not in ALREADY_THERE:
                raise


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
    ws = _open()
    built = _prepare(ws, lab)
    _card(ws, lab, built).show()
    return ws


def _open() -> Workshop:
    mode = os.environ.get("WORKSHOP_MODE", "offline").strip().lower()
    if mode not in ("offline", "aws"):
        raise WorkshopError(f"WORKSHOP_MODE is offline or aws; got {mode!r}.")
    folder = Path(os.environ.get("WORKSHOP_DIR") or REPOSITORY / ".workshop")
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

"""The workshop object: mode, region, account, participant, and the door to AWS."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from helpers.workshop.calls import Calls
from helpers.workshop.errors import WorkshopError

FULL_BYTES = 2**20  # less room than this, and the offline AWS keeps nothing more

ALREADY_THERE = {
    "BucketAlreadyOwnedByYou",
    "EntityAlreadyExists",
    "ResourceInUse",
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
    calls: Calls = field(default_factory=Calls, repr=False)
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

    def refuse_full_disk(self) -> None:
        """Before one waits for the offline AWS: raise WorkshopError when its disk is full, as nothing would come."""
        if self.offline and shutil.disk_usage(self.folder).free < FULL_BYTES:
            raise WorkshopError(
                f"The disk of {self.folder} is full, so the offline AWS can keep nothing more: make room there, then "
                "run this cell again."
            )

    def _remember_region(self, region: str) -> None:
        if region not in self.regions:
            with (self.folder / "regions").open("a") as kept:
                kept.write(region + "\n")

    def sagemaker_session(self) -> object:
        """A session of the SageMaker SDK (version 3) whose default bucket is yours."""
        from sagemaker.core.helper.session_helper import Session

        from helpers.workshop.sdk_configuration import check_each_configuration_once

        check_each_configuration_once()
        return Session(boto_session=self.session, default_bucket=self.bucket("models"))

    @contextmanager
    def unless_it_exists(self) -> Iterator[None]:
        """Let a create call pass when what it creates is already there, so that a cell can run twice."""
        try:
            yield
        except ClientError as error:
            refusal = error.response["Error"]
            if refusal["Code"] not in ALREADY_THERE and "already existing" not in refusal.get("Message", ""):
                raise  # SageMaker has no code of its own for it, only a sentence

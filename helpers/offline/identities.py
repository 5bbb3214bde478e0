"""Whose access key is it: the workspace's owner, or a session of a role in moto's STS store."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from helpers.offline.kernel import Credentials, Principal

OWNER_NAME = "workshop"
OWNER_ID = "AIDA" + OWNER_NAME.upper().ljust(17, "A")


@dataclass(frozen=True, slots=True)
class Identity:
    """`expires` in seconds since the epoch; None for the owner, whose keys do not expire."""

    credentials: Credentials
    principal: Principal
    expires: float | None = None


class Identities:
    """Access key -> identity. Sessions are looked up once; they never change."""

    def __init__(self, owner: Credentials, account_id: str) -> None:
        self.account_id = account_id
        self.owner = Identity(owner, Principal(f"arn:aws:iam::{account_id}:user/{OWNER_NAME}"))
        self._known = {owner.access_key_id: self.owner}

    def find(self, access_key_id: str) -> Identity | None:
        """None for a key that this workspace never gave out."""
        return self._known.get(access_key_id) or self._find_session(access_key_id)

    def _find_session(self, access_key_id: str) -> Identity | None:
        from moto.sts.models import sts_backends

        for session in reversed(sts_backends[self.account_id]["aws"].assumed_roles):
            if session.access_key_id == access_key_id:
                role = session.role_arn.rsplit("/", 1)[-1]
                arn = f"arn:aws:sts::{self.account_id}:assumed-role/{role}/{session.session_name}"
                identity = Identity(
                    Credentials(access_key_id, session.secret_access_key, session.session_token),
                    Principal(arn, session.role_arn, session.policy or None),
                    session.expiration.replace(tzinfo=datetime.UTC).timestamp(),
                )
                if len(self._known) > 10_000:
                    self._known = {self.owner.credentials.access_key_id: self.owner}
                self._known[access_key_id] = identity
                return identity
        return None

"""Entering the arena: the alias, the check of the URL, the token that later changes need."""

import hashlib
import hmac
import secrets

from helpers.arena import names
from helpers.arena.caller import Caller, explain
from helpers.arena.engine import Engine
from helpers.arena.store import EntryRow, NotInStore, Store
from helpers.arena.stream import examples

MOST_ENTRIES = 250


class EntryRefused(ValueError):
    """The entry was not accepted; the text says why and what to do."""


class WrongToken(PermissionError):
    """No token, or not this entry's."""


def hashed(token: str) -> str:
    """What the store keeps of a token: SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


class Desk:
    """Where learners enter, change and withdraw."""

    def __init__(self, store: Store, engine: Engine, caller: Caller) -> None:
        self.store = store
        self.engine = engine
        self.caller = caller
        self._example = ""

    async def check_url(self, url: str) -> str:
        """The cleaned URL, after it answered. Raises EntryRefused in plain words."""
        if not self._example:
            self._example = (await self.engine.threads.run(examples, self.engine.source, 1, 0))[0]
        clean = self.caller.guard.check_url(url)
        wrong = await explain(self.caller, clean, self._example, self.engine.settings.deadline_seconds)
        if wrong:
            raise EntryRefused(wrong)
        return clean

    async def enter(
        self, url: str, alias: str | None = None, kind: str = "learner", *, check: bool = True
    ) -> tuple[EntryRow, str]:
        """A new entry and its token. Raises EntryRefused, NameRefused, NotAllowed, AliasTaken, sqlite3.Error."""
        present = self.store.entries()
        if len(present) >= MOST_ENTRIES:
            raise EntryRefused(f"The arena is full: {MOST_ENTRIES} entries.")
        taken = {names.key(e.alias) for e in present}
        alias = names.clean(alias) if alias else names.generate(taken)
        if names.key(alias) in taken:
            raise EntryRefused(f"The alias {alias} is taken; choose another, or leave it out to get one.")
        if check:
            url = await self.check_url(url)
        token = secrets.token_urlsafe(24)
        return self.engine.admit(alias, url, kind, hashed(token)), token

    def owned(self, entry: int, token: str) -> EntryRow:
        """The entry, if this is its token. Raises WrongToken, whether it exists or not."""
        try:
            row = self.store.entry(entry)
            expected = row.token_hash if row.standing == "in" else ""
        except NotInStore:
            row, expected = None, ""
        if not hmac.compare_digest(hashed(token), expected or "0" * 64) or row is None:
            raise WrongToken("This token is not the entry's.")
        return row

    async def change(self, entry: EntryRow, url: str | None, alias: str | None) -> EntryRow:
        """Raises EntryRefused, NameRefused, NotAllowed, AliasTaken."""
        if url is not None:
            url = await self.check_url(url)
        changed = self.store.change_entry(entry.id, url=url, alias=names.clean(alias) if alias else None)
        self.engine.renew(changed)
        return changed

    def leave(self, entry: int, standing: str) -> None:
        """`standing`: withdrawn or removed."""
        self.store.leave(entry, standing)
        self.engine.leave(entry)

"""The entries that always play: the FC average, and models that the instructor names."""

from dataclasses import dataclass

from helpers.arena.engine import Engine
from helpers.arena.entry import Desk

BASELINE = "FC average"


@dataclass(frozen=True, slots=True)
class Opponent:
    """Its alias and the URL of its API."""

    alias: str
    url: str


class House:
    """Lets opponents enter, and points those that play to where they are now."""

    def __init__(self, engine: Engine, desk: Desk) -> None:
        self._engine = engine
        self._desk = desk

    async def enter_baseline(self) -> None:
        """The FC average needs no API."""
        if all(entry.alias != BASELINE for entry in self._engine.store.entries()):
            await self._desk.enter("", BASELINE, "baseline", check=False)

    async def enter(self, opponent: Opponent) -> None:
        """Raises NotAllowed, NameRefused, EntryRefused when a learner bears the alias."""
        store = self._engine.store
        url = self._desk.caller.guard.check_url(opponent.url)
        known = next((e for e in store.entries() if e.alias == opponent.alias and e.kind == "house"), None)
        if known is None:
            await self._desk.enter(url, opponent.alias, "house", check=False)
        elif known.url != url:
            self._engine.renew(store.change_entry(known.id, url=url))

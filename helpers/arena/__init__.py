"""The live competition: `join` it from a notebook, `start_round` one of your own, `show` the board meanwhile."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.arena.client import ArenaError, Client, Entry, find, join, start, stop
    from helpers.arena.notebook import show
    from helpers.arena.race import Race, start_round

__all__ = ["ArenaError", "Client", "Entry", "Race", "find", "join", "show", "start", "start_round", "stop"]
_ROOMS = {"show": "notebook", "Race": "race", "start_round": "race"}


def __getattr__(name: str) -> object:
    """Load the notebook's side when it is used: the server needs neither pandas' readers nor requests."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"helpers.arena.{_ROOMS.get(name, 'client')}"), name)

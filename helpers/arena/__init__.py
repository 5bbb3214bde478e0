"""The live competition: `join` it from a notebook, `show` the board, `start_round` a short one of your own."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.arena.client import ArenaError, Client, Entry, Race, find, join, start, start_round, stop
    from helpers.arena.notebook import show

__all__ = ["ArenaError", "Client", "Entry", "Race", "find", "join", "show", "start", "start_round", "stop"]


def __getattr__(name: str) -> object:
    """Load the notebook's side when it is used: the server needs neither pandas' readers nor requests."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module("helpers.arena.notebook" if name == "show" else "helpers.arena.client")
    return getattr(module, name)

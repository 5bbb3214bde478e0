"""`pytest --nbval labs` runs in a fresh offline workspace of its own, under the alias of the stored outputs.

Each lab may also be tested alone: what the labs before it leave is built first, so that it finds what it would find.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from helpers.runner.labs import find_labs
from helpers.runner.workspace import build_what_comes_before, fresh_workspace

TO_BUILD = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "nbval", False):
        stack = ExitStack()
        config.add_cleanup(stack.close)
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="workshop-", ignore_cleanup_errors=True))
        stack.enter_context(fresh_workspace(Path(directory)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the first cell of each lab whose predecessor is not run before it."""
    if not getattr(config.option, "nbval", False):
        return
    numbers = {lab.path: lab.number for lab in find_labs()}
    seen: set[int] = set()
    for item in items:
        number = numbers.get(item.path, 0)
        if number and number not in seen:
            seen.add(number)
            if number > 1 and number - 1 not in seen:
                item.stash[TO_BUILD] = number


def pytest_runtest_setup(item: pytest.Item) -> None:
    if number := item.stash.get(TO_BUILD, 0):
        build_what_comes_before(number)

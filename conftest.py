"""`pytest --nbval labs` runs in a fresh offline workspace of its own, under the alias of the stored outputs."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from helpers.runner.workspace import fresh_workspace


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "nbval", False):
        stack = ExitStack()
        config.add_cleanup(stack.close)
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="workshop-", ignore_cleanup_errors=True))
        stack.enter_context(fresh_workspace(Path(directory)))

"""What tests of the arena and of its pages share; their conftests import it."""

import pytest

from tests.arena.participants import Participants
from tests.arena.playing import Running


@pytest.fixture(scope="session")
def participants():
    with Participants() as running:
        yield running


@pytest.fixture
def arena(tmp_path):
    """Start an arena in this test's folder; `arena(settings, …)` may be called again after the first has ended."""
    running = []

    def start(**options):
        made = Running(tmp_path / "arena.db", **options).__enter__()
        running.append(made)
        return made

    yield start
    for made in running:
        made.__exit__()

"""A participant of their own for each test, in the offline AWS of the run."""

import itertools

import pytest

from helpers.workshop import Workshop
from helpers.workshop.calls import Calls

NUMBERS = itertools.count(1)


@pytest.fixture
def enter(offline, tmp_path, monkeypatch):
    """Makes the workshop object, as connect() does, for the participant with this alias."""
    for name, value in offline.environment.items():
        monkeypatch.setenv(name, value)
    account = offline.client("sts").get_caller_identity()["Account"]

    def enter(alias):
        calls, session = Calls(), offline.session
        calls.watch(session)
        return Workshop("offline", session.region_name, account, alias, session, tmp_path, calls=calls)

    return enter


@pytest.fixture
def ws(enter):
    """The workshop object of a new participant."""
    return enter(f"test-falcon{next(NUMBERS)}")

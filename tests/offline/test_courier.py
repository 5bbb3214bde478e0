"""A courier tries again what fails for a passing reason, and gives up what cannot be delivered."""

from types import SimpleNamespace

import pytest

from helpers.offline.courier import Courier
from helpers.offline.kernel import AwsError


class Refusing:
    """Raises `error` at each delivery, until it is taken away."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.delivered: list[str] = []

    def __call__(self, content: str) -> None:
        if self.error is not None:
            raise self.error
        self.delivered.append(content)


@pytest.fixture
def courier(tmp_path):
    """courier(deliver) -> one whose background is the caller's own thread."""
    kernel = SimpleNamespace(
        workspace=SimpleNamespace(dir=tmp_path), background=lambda function, *given: function(*given)
    )
    return lambda deliver: Courier(kernel, "things", deliver)


@pytest.mark.parametrize("error", [OSError("no room"), AwsError("ServiceUnavailable", "Later.", 503)])
def test_what_passes_is_tried_again_until_it_is_delivered(courier, error, monkeypatch):
    deliver = Refusing(error)
    sender = courier(deliver)
    sender.send("a")
    deliver.error = None
    sender.tick()
    assert deliver.delivered == []  # the next attempt is due in a second
    monkeypatch.setattr("helpers.offline.courier.time", SimpleNamespace(time=lambda: float("inf")))
    sender.tick()
    assert deliver.delivered == ["a"]
    assert sender.outbox.left() == []


@pytest.mark.parametrize("error", [AwsError("AccessDenied", "No.", 403), KeyError("queue"), RuntimeError("no queue")])
def test_what_does_not_pass_is_given_up_and_holds_nothing_else_up(courier, error):
    deliver = Refusing(error)
    sender = courier(deliver)
    sender.send("a")
    deliver.error = None
    sender.send("b")
    assert deliver.delivered == ["b"]
    assert sender.outbox.left() == []

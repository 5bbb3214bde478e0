"""A round: its settings, the order of its phases, and a clock that no change of the system time moves."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum


class RoundError(ValueError):
    """What was asked does not fit the round's phase or limits; the text says what does."""


class Phase(StrEnum):
    OPEN = "open"
    WARM_UP = "warm-up"
    LIVE = "live"
    LOCKED = "locked"
    REVEALED = "revealed"


_NEXT = {
    ("start", Phase.OPEN): Phase.WARM_UP,
    ("live", Phase.WARM_UP): Phase.LIVE,
    ("lock", Phase.LIVE): Phase.LOCKED,
    ("reveal", Phase.LOCKED): Phase.REVEALED,
}
_WHEN = {
    "start": "A round is started once, while it is open for entries.",
    "live": "A round goes live from its warm-up.",
    "lock": "Results are locked while the round is live.",
    "reveal": "Results are revealed after they were locked.",
}


def after(phase: Phase, action: str) -> Phase:
    """The phase that `action` leads to. Raises RoundError when it does not fit."""
    try:
        return _NEXT[action, phase]
    except KeyError:
        raise RoundError(f"{_WHEN[action]} This one is {phase}.") from None


_LIMITS = {
    "seconds": (5, 6 * 3600),
    "rate": (0.1, 200),
    "warm_up_seconds": (0, 600),
    "window": (10, 100_000),
    "minimum": (1, 10_000),
    "penalty_ms": (0, 60_000),
    "deadline_seconds": (0.1, 10),
    "speed": (0.1, 10_000),
    "hide_seconds": (0, 3600),
    "seed": (0, 2**63 - 1),
    "change_at": (0, 6 * 3600),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a round is played by. Times in seconds of the round's clock unless the name says otherwise."""

    seconds: float = 1800.0
    rate: float = 5.0  # interactions a second, each asked of every entry
    warm_up_seconds: float = 20.0
    window: int = 600  # scored interactions that the ranking looks back on
    minimum: int = 50  # scored interactions before an entry is ranked
    penalty_ms: float = 1000.0
    deadline_seconds: float = 2.0
    speed: float = 1.0  # warehouse seconds per second of the round
    hide_seconds: float = 60.0  # the ranking locks itself this long before the end
    seed: int = 0
    scenario: str = ""  # name in helpers.fulfillment of the conditions after the change
    change_at: float = 0.0  # when conditions change; 0: only when the instructor says so
    patient: bool = False  # the clock waits for answers that are owed, and asks again where none came

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise RoundError(f"{name} goes from {low:g} to {high:g}, got {value!r}.")
        if not isinstance(self.patient, bool):
            raise RoundError(f"patient is true or false, got {self.patient!r}.")
        if self.seconds * self.rate > 250_000:
            raise RoundError(
                f"A round holds 250,000 interactions at most; {self.seconds:g} s x {self.rate:g} are more."
            )
        if self.change_at and not self.scenario:
            raise RoundError("change_at needs a scenario to change to.")
        if self.hide_seconds >= self.seconds:
            raise RoundError(
                f"hide_seconds ({self.hide_seconds:g}) has to be less than the round's {self.seconds:g} s."
            )
        for whole in ("window", "minimum", "seed"):
            object.__setattr__(self, whole, int(getattr(self, whole)))

    @property
    def interactions(self) -> int:
        """How many begin within the round."""
        return math.ceil(self.seconds * self.rate - 1e-9)

    def answered_by(self, clock: float) -> float:
        """Answers to what was due by then have come, or are late."""
        return clock - self.deadline_seconds - 1.0 / self.rate

    def with_changes(self, changes: dict) -> "Settings":
        """These settings with some replaced. Raises RoundError for a name that is none, or a value out of range."""
        unknown = set(changes) - {f.name for f in fields(self)}
        if unknown:
            raise RoundError(f"A round has no setting {', '.join(sorted(unknown))}.")
        return replace(self, **changes)

    def as_dict(self) -> dict:
        return asdict(self)


class RoundClock:
    """Seconds that a round has been played: stands while paused, and knows nothing of the time of day."""

    def __init__(self, elapsed: float = 0.0, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._elapsed = elapsed
        self._since: float | None = None

    @property
    def running(self) -> bool:
        return self._since is not None

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self._elapsed + (self._now() - self._since if self._since is not None else 0.0)

    def start(self) -> None:
        if self._since is None:
            self._since = self._now()

    def stop(self) -> None:
        self._elapsed = self.elapsed
        self._since = None

    def set_back(self, seconds: float) -> None:
        """Take out time in which nothing could be played, e.g. while the process was stopped."""
        self._elapsed -= seconds

"""Mishaps at the edge, on demand: duplicates, malformed samples, a stray message, late events, a wrong clock."""

from __future__ import annotations

from dataclasses import dataclass

from helpers.fulfillment import identities

STRAY_MESSAGE = "Test message, please ignore"


@dataclass(frozen=True, slots=True)
class Mischief:
    """Shares (0 to 1) of the samples that are hit; the same ones in every run.

    `late_by_s` is in warehouse seconds; `clock_skew_s` is added to the time of every sample; `stray_after` publishes
    one message that is no sample after so many samples.
    """

    duplicates: float = 0.0
    malformed: float = 0.0
    late: float = 0.0
    late_by_s: float = 600.0
    clock_skew_s: float = 0.0
    stray_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("duplicates", "malformed", "late"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, got {getattr(self, name)}.")
        if self.late_by_s < 0:
            raise ValueError(f"late_by_s is a number of seconds, 0 or more, got {self.late_by_s}.")

    def duplicated(self, event_id: int) -> bool:
        """Is this sample published twice?"""
        return identities.uniform(401, event_id) < self.duplicates

    def delayed(self, event_id: int) -> bool:
        """Is this sample published late?"""
        return identities.uniform(402, event_id) < self.late

    def damaged(self, event_id: int, line: str) -> str:
        """The line as it is published: cut off, with text for a number, or with a column too few."""
        if identities.uniform(403, event_id) >= self.malformed:
            return line
        kind = int(identities.mixed(404, event_id)) % 3
        if kind == 0:
            return line[: len(line) // 3]
        if kind == 1:
            return "n/a" + line[line.index(",") :]
        return line[line.index(",") + 1 :]


NONE = Mischief()

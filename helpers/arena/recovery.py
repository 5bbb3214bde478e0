"""A round as it stood when the arena was killed, rebuilt from the log."""

from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from helpers.arena.player import Player
from helpers.arena.scoreboard import CHART_POINTS, Scoreboard
from helpers.arena.store import RoundRow, Store
from helpers.arena.stream import Stream


class Recovered(NamedTuple):
    """`frozen`: the ranking at the lock; `owed`: interaction -> the players whose answers to it are not in the log."""

    scores: Scoreboard
    frozen: list[dict] | None
    owed: dict[int, list[Player]]


def rebuild(store: Store, row: RoundRow, stream: Stream) -> Recovered:
    """Play the log again, up to the round's clock, by the rules by which it was played: scores, sparks and chart."""
    settings = row.settings
    scores = Scoreboard(settings)
    asked = len(stream) if row.finished else min(int(row.clock * settings.rate) + 1, len(stream))
    given = {entry: list(answers) for entry, answers in groupby(store.answers(row.id).tolist(), key=itemgetter(1))}
    entries = {entry.id: entry for entry in store.entries()}
    owed: dict[int, list[Player]] = {}
    for entry, first, _ in store.players(row.id):
        if entry in entries:
            for number in scores.take_up(entries[entry], first, asked, given.get(entry, ())):
                owed.setdefault(number, []).append(scores.players[entry])
    frozen = None
    moments = {settings.seconds * point / CHART_POINTS for point in range(CHART_POINTS)}
    for clock in sorted(moments | {row.locked_clock or 0.0, row.clock}):
        if clock <= row.clock:
            scores.advance(stream, clock)
            scores.remember(clock)
        if clock == row.locked_clock:
            frozen = scores.rows()
    scores.advance(stream, row.clock, everything=row.finished)
    return Recovered(scores, frozen, {} if row.finished else dict(sorted(owed.items())))

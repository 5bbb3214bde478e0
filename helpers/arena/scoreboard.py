"""Who plays and how they stand: everybody's tally, how far the stream has been scored, and the course of the race."""

from collections import deque
from collections.abc import Iterable

from helpers.arena.player import SPARK_POINTS, Given, Player, standings
from helpers.arena.rounds import Settings
from helpers.arena.scoring import Outcome, Tally, error_ms
from helpers.arena.store import EntryRow
from helpers.arena.stream import Stream

CHART_POINTS = 240


class Scoreboard:
    """Scores interactions in the order in which they end, for all at once, so that timing never changes a score."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.players: dict[int, Player] = {}
        self.baseline = Tally(settings.window)  # of the FC average, whether it plays or not
        self.durations: deque[float] = deque(maxlen=settings.window)
        self.chart: deque[list] = deque(maxlen=CHART_POINTS)  # clock, mean duration, FC average's error, the leader's
        self.ended = 0  # so many of the stream's order of ending are scored
        self.announced = 0  # so many interactions have begun, the last of them perhaps late

    def enter(self, entry: EntryRow, first: int) -> Player:
        """Let an entry play from interaction `first` on."""
        player = Player(entry, first, self.settings.window, self.ended)
        self.players[entry.id] = player
        return player

    def rows(self) -> list[dict]:
        """The ranking now, straight from the tallies."""
        return standings(list(self.players.values()), self.settings.minimum)

    def advance(self, stream: Stream, clock: float, *, everything: bool = False) -> None:
        """Score what has ended by `clock`: when the last answer to it may have come, or, with `everything`, at once.

        Without that wait, a slow entry's window would lag behind the others' in rounds that are played fast.
        """
        penalty = self.settings.penalty_ms
        answered_by = clock if everything else self.settings.answered_by(clock)
        while self.ended < len(stream.ends) and stream.ends[self.ended] <= clock:
            number = stream.ending[self.ended]
            if stream.due[number] > answered_by or number >= self.announced:
                break
            duration, average = stream.durations[number], stream.averages[number]
            self.baseline.add(error_ms(Outcome.OK, average, duration, average, penalty), True, None)
            self.durations.append(duration)
            self.ended += 1
        for player in self.players.values():
            player.score(stream, self.ended, penalty)

    def remember(self, clock: float) -> None:
        """Keep a point of each spark and of the chart, at even distances over the round."""
        seconds, minimum = self.settings.seconds, self.settings.minimum
        if self.baseline.count >= minimum and _apart(self.chart, clock, seconds / CHART_POINTS):
            scores = [p.tally.window_rmse for p in self.players.values() if p.tally.count >= minimum]
            mean = sum(self.durations) / len(self.durations)
            best = min((s for s in scores if s is not None), default=None)
            self.chart.append([round(clock, 1), round(mean), round(self.baseline.window_rmse), best and round(best)])
        for player in self.players.values():
            score = player.tally.window_rmse
            if score and player.tally.count >= minimum and _apart(player.spark, clock, seconds / SPARK_POINTS):
                player.spark.append((clock, score))

    def take_up(self, entry: EntryRow, first: int, asked: int, answers: Iterable[tuple]) -> list[int]:
        """Put an entry back as the log left it, unscored: it was asked about the interactions `first` to `asked`.

        `answers`: (number, entry, outcome, prediction or NaN, latency or NaN). Returns the numbers that it still owes.
        """
        player = self.enter(entry, first)
        self.announced = max(self.announced, asked)
        owed = dict.fromkeys(range(first, asked))
        for number in owed:
            player.asked(number)
        for number, _, outcome, prediction, latency in answers:
            player.answered(number, Given(Outcome(outcome), _present(prediction), _present(latency)))
            owed.pop(number, None)
        return list(owed)


def _apart(points: deque, clock: float, seconds: float) -> bool:
    return not points or clock - points[-1][0] >= seconds


def _present(value: float) -> float | None:
    return None if value != value else value

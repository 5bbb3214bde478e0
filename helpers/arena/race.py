"""A round of one's own, started from a notebook: it is played while the notebook goes on, and read when it is over."""

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from helpers.arena.client import ArenaError, Client, find, options_for, start
from helpers.arena.notebook import drawing, watch


class Race:
    """A round that is being played or was: who stood where, and every error over time.

    Whatever is asked of it waits for the end of the round first. Raises ArenaError when another round was opened
    before this one had ended.
    """

    def __init__(self, client: Client, number: int) -> None:
        self.client = client
        self.number = number
        self._final: dict | None = None

    def __repr__(self) -> str:
        return f"<round {self.number}, {'over' if self._final else 'being played'}>"

    def wait(self, *, show: bool = False) -> "Race":
        """Until the round has ended and is revealed; `show` draws the live table in this cell meanwhile."""
        if self._final is None:
            last = watch(
                self.client,
                area=drawing() if show else None,
                until=lambda state: state["finished"] or state["round"] != self.number,
            )
            if last["round"] != self.number:
                raise ArenaError("Another round was opened before this one had ended.")
            if last["phase"] != "revealed":
                self.client.act("reveal")
            self._final = self.client.state()
        return self

    def standings(self) -> pd.DataFrame:
        """The final board: rank, alias, kind, window_rmse_ms, whole_rmse_ms, availability, p95_ms."""
        names = {"score": "window_rmse_ms", "whole": "whole_rmse_ms", "p95": "p95_ms"}
        columns = ["rank", "alias", "kind", "score", "whole", "availability", "p95"]
        self.wait()
        assert self._final is not None
        return pd.DataFrame(self._final["rows"])[columns].rename(columns=names)

    def course(self, begin: int = 1) -> pd.DataFrame:
        """Each entry's window score over time, from its interaction number `begin` on: time_s, alias, error_ms."""
        results = self.results()
        counted = results.groupby("alias").cumcount() + 1
        columns = ["time_s", "alias", "window_rmse_ms"]
        return results.loc[counted >= begin, columns].rename(columns={"window_rmse_ms": "error_ms"})

    def results(self) -> pd.DataFrame:
        """One row per entry and scored interaction, in the order in which they ended.

        Columns: entry, alias, kind, number, time_s (of the round's clock), duration_ms, outcome, prediction_ms,
        latency_ms, error_ms (prediction minus duration), window_rmse_ms (the score at that moment).
        """
        self.wait()
        text = self.client.call("GET", f"api/rounds/{self.number}/export.csv")
        return pd.read_csv(io.StringIO(text))


def start_round(
    ws: Any = None,
    *,
    seconds: float = 20,
    rate: float = 20,
    speed: float = 60,
    seed: int = 7,
    warm_up_seconds: float = 2,
    window: int = 100,
    minimum: int = 20,
    patient: bool = True,
    house: Mapping[str, str] | None = None,
    **settings: float | str,
) -> Race:
    """Start a round and come back at once: short, by default, and at a higher rate than on the big screen.

    `arena.show()` draws it while it is played; what is asked of the `Race` waits for its end.

    Parameters
    ----------
    ws : the workshop object; on AWS, an arena that is started now may call APIs there
    seconds, rate : length of the round and interactions a second
    speed : warehouse seconds per second, so that interactions of ten seconds end within a short round
    seed : of the stream; the same seed asks about the same interactions
    patient : the clock waits for answers that a busy machine owes, so that the same seed gives the same standings
    house : opponents, name -> URL
    settings : any other setting of `helpers.arena.rounds.Settings`

    Raises ArenaError, e.g. when this user does not have the instructor's token.
    """
    client = find() or start(*options_for(ws))
    if house:
        client.call("POST", "api/instructor/house", dict(house))
    chosen = {"seconds": seconds, "rate": rate, "speed": speed, "seed": seed, "warm_up_seconds": warm_up_seconds}
    chosen |= {"window": window, "minimum": minimum, "patient": patient, "hide_seconds": 0.0, **settings}
    client.act("settings" if client.state()["phase"] == "open" else "new", **chosen)
    return Race(client, client.act("start")["round"])

"""Everything that happens in the arena, in one SQLite file, written as it happens."""

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.arena import names
from helpers.arena.rounds import Phase, Settings

_SCHEMA = """
create table if not exists entries (
    id integer primary key autoincrement, alias text not null, alias_key text not null, url text not null,
    kind text not null, token_hash text not null, standing text not null default 'in', entered_at real not null);
create unique index if not exists one_alias on entries (alias_key) where standing = 'in';
create table if not exists rounds (
    id integer primary key autoincrement, settings text not null, phase text not null, clock real not null default 0,
    paused integer not null default 0, finished integer not null default 0, change_from integer, locked_clock real,
    made_at real not null);
create table if not exists players (
    round integer not null, entry integer not null, first integer not null, last integer,
    primary key (round, entry)) without rowid;
create table if not exists interactions (
    round integer not null, number integer not null, due real not null, ends real not null, duration_ms real not null,
    fc_avg_ms real not null, features text not null, primary key (round, number)) without rowid;
create table if not exists answers (
    round integer not null, number integer not null, entry integer not null, outcome integer not null,
    prediction_ms real, latency_ms real, primary key (round, number, entry)) without rowid;
create table if not exists marks (
    id integer primary key autoincrement, round integer not null, clock real not null, kind text not null,
    text text not null);
"""


class NotInStore(KeyError):
    """There is no entry or round of this number."""


class AliasTaken(ValueError):
    """Another entry bears this alias."""


@dataclass(slots=True)
class EntryRow:
    """One entry as the store has it; `entered_at` in seconds since 1970."""

    id: int
    alias: str
    url: str
    kind: str  # learner | house | baseline
    token_hash: str
    standing: str  # in | withdrawn | removed
    entered_at: float


@dataclass(slots=True)
class RoundRow:
    """One round as the store has it; `clock` and `locked_clock` in seconds of its clock, `made_at` since 1970."""

    id: int
    settings: Settings
    phase: Phase
    clock: float
    paused: bool
    finished: bool
    change_from: int | None
    locked_clock: float | None
    made_at: float


_ENTRY = "id, alias, url, kind, token_hash, standing, entered_at"
_ROUND = "id, settings, phase, clock, paused, finished, change_from, locked_clock, made_at"
_MARK = "insert into marks (round, clock, kind, text) values (?, ?, ?, ?)"


class Store:
    """The arena's memory. Safe to call from several threads; each call is one transaction."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # entries

    def add_entry(
        self, alias: str, url: str, kind: str, token_hash: str, playing: tuple[int, int] | None = None
    ) -> EntryRow:
        """`playing`: the round in which it takes part at once, and from which interaction on. Raises AliasTaken."""
        with self._lock, self._db:
            try:
                cursor = self._db.execute(
                    "insert into entries (alias, alias_key, url, kind, token_hash, entered_at)"
                    " values (?, ?, ?, ?, ?, ?)",
                    (alias, names.key(alias), url, kind, token_hash, time.time()),
                )
            except sqlite3.IntegrityError:
                raise AliasTaken(f"The alias {alias} is taken; choose another, or leave it out to get one.") from None
            if playing is not None:
                self._play(playing[0], cursor.lastrowid, playing[1])
            return self.entry(cursor.lastrowid)

    def entry(self, entry: int) -> EntryRow:
        """Raises NotInStore."""
        with self._lock:
            row = self._db.execute(f"select {_ENTRY} from entries where id = ?", (entry,)).fetchone()
        if row is None:
            raise NotInStore(f"entry {entry}")
        return EntryRow(*row)

    def entries(self, *, everyone: bool = False) -> list[EntryRow]:
        """Those that are in, in the order in which they entered; with `everyone` also those that have left."""
        where = "" if everyone else " where standing = 'in'"
        with self._lock:
            return [EntryRow(*r) for r in self._db.execute(f"select {_ENTRY} from entries{where} order by id")]

    def change_entry(self, entry: int, *, alias: str | None = None, url: str | None = None) -> EntryRow:
        """Raises AliasTaken, NotInStore."""
        with self._lock, self._db:
            try:
                if alias is not None:
                    self._db.execute(
                        "update entries set alias = ?, alias_key = ? where id = ?", (alias, names.key(alias), entry)
                    )
                if url is not None:
                    self._db.execute("update entries set url = ? where id = ?", (url, entry))
            except sqlite3.IntegrityError:
                raise AliasTaken(f"The alias {alias} is taken.") from None
            return self.entry(entry)

    def leave(self, entry: int, standing: str) -> None:
        """`standing`: withdrawn (by the learner) or removed (by the instructor)."""
        with self._lock, self._db:
            self._db.execute("update entries set standing = ? where id = ?", (standing, entry))

    # rounds

    def add_round(self, settings: Settings) -> RoundRow:
        with self._lock, self._db:
            cursor = self._db.execute(
                "insert into rounds (settings, phase, made_at) values (?, ?, ?)",
                (json.dumps(settings.as_dict()), Phase.OPEN, time.time()),
            )
            return self.round(cursor.lastrowid)

    def round(self, round_id: int) -> RoundRow:
        """Raises NotInStore."""
        with self._lock:
            row = self._db.execute(f"select {_ROUND} from rounds where id = ?", (round_id,)).fetchone()
        if row is None:
            raise NotInStore(f"round {round_id}")
        number, settings, phase, clock, paused, finished, *rest = row
        settings = Settings(**json.loads(settings))
        return RoundRow(number, settings, Phase(phase), clock, bool(paused), bool(finished), *rest)

    def rounds(self) -> list[RoundRow]:
        with self._lock:
            ids = [r[0] for r in self._db.execute("select id from rounds order by id")]
        return [self.round(i) for i in ids]

    def save_round(self, row: RoundRow) -> None:
        with self._lock, self._db:
            self._save_round(row)

    def _save_round(self, row: RoundRow) -> None:
        self._db.execute(
            "update rounds set settings = ?, phase = ?, clock = ?, paused = ?, finished = ?, change_from = ?,"
            " locked_clock = ? where id = ?",
            (
                json.dumps(row.settings.as_dict()),
                row.phase,
                row.clock,
                row.paused,
                row.finished,
                row.change_from,
                row.locked_clock,
                row.id,
            ),
        )

    def progress(
        self, row: RoundRow, interactions: Iterable[tuple], answers: Iterable[tuple], marks: Iterable[tuple] = ()
    ) -> None:
        """Write what happened since the last call together with the clock, in one transaction."""
        with self._lock, self._db:
            self._db.executemany("insert or ignore into interactions values (?, ?, ?, ?, ?, ?, ?)", interactions)
            self._db.executemany("insert or ignore into answers values (?, ?, ?, ?, ?, ?)", answers)
            self._db.executemany(_MARK, marks)
            self._save_round(row)

    def mark(self, row: RoundRow, kind: str, text: str) -> None:
        """Write a moment of the round at its clock together with the round as it is, in one transaction."""
        with self._lock, self._db:
            self._db.execute(_MARK, (row.id, row.clock, kind, text))
            self._save_round(row)

    def marks(self, round_id: int) -> list[tuple[float, str, str]]:
        """The round's moments, oldest first: (seconds of its clock, kind, text)."""
        with self._lock:
            return self._db.execute(
                "select clock, kind, text from marks where round = ? order by id", (round_id,)
            ).fetchall()

    # who is asked what

    def play(self, round_id: int, entry: int, first: int) -> None:
        """The entry takes part in the round from interaction `first` on."""
        with self._lock, self._db:
            self._play(round_id, entry, first)

    def _play(self, round_id: int, entry: int, first: int) -> None:
        self._db.execute("insert or ignore into players values (?, ?, ?, null)", (round_id, entry, first))

    def stop_playing(self, round_id: int, entry: int, last: int) -> None:
        """`last`: the last interaction that the entry was asked about."""
        with self._lock, self._db:
            self._db.execute("update players set last = ? where round = ? and entry = ?", (last, round_id, entry))

    def players(self, round_id: int) -> list[tuple[int, int, int | None]]:
        """(entry, first interaction, last interaction or None) of a round."""
        with self._lock:
            return self._db.execute(
                "select entry, first, last from players where round = ? order by entry", (round_id,)
            ).fetchall()

    # the log, read on a connection of its own so that reading never holds up writing

    def interactions(self, round_id: int) -> np.ndarray:
        """The round's interactions by number: fields number, due, ends, duration_ms, fc_avg_ms."""
        return self._read(
            "select number, due, ends, duration_ms, fc_avg_ms from interactions where round = ? order by number",
            (round_id,),
            [("number", "i4"), ("due", "f8"), ("ends", "f8"), ("duration_ms", "f8"), ("fc_avg_ms", "f8")],
        )

    def answers(self, round_id: int) -> np.ndarray:
        """Answers by entry and number: number, entry, outcome, prediction_ms and latency_ms (NaN: none)."""
        found = self._read(
            "select number, entry, outcome, ifnull(prediction_ms, -1), ifnull(latency_ms, -1) from answers"
            " where round = ? order by entry, number",
            (round_id,),
            [("number", "i4"), ("entry", "i4"), ("outcome", "i1"), ("prediction_ms", "f8"), ("latency_ms", "f8")],
        )
        for name in ("prediction_ms", "latency_ms"):
            found[name][found[name] < 0] = np.nan
        return found

    def _read(self, query: str, values: tuple, fields: list[tuple[str, str]]) -> np.ndarray:
        with contextlib.closing(sqlite3.connect(self.path, timeout=10)) as db:
            return np.fromiter(db.execute(query, values), dtype=fields)

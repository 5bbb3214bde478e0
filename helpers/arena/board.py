"""What everybody may see: the board once a second, made once and sent to all."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

from helpers.arena.engine import Engine
from helpers.arena.rounds import Phase

PING_SECONDS = 15.0
PHONE_ROWS = 30


class Board:
    """Turns the engine's state into messages, and wakes those who wait for the next one.

    While results are locked, every row, spark and chart point stays as it was at the lock.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.viewers = 0
        self.closing = False
        self._version = 0
        self._changed = asyncio.Event()
        self._encoded: dict[str, bytes] = {}
        self._below: dict[str, dict] = {}  # alias -> its row, of those that phones are not shown unasked
        engine.on_change = self.refresh

    @property
    def period(self) -> float:
        """Seconds between two messages: a short round moves faster."""
        return 0.5 if self.engine.settings.seconds < 120 else 1.0

    async def run(self) -> None:
        """Refresh regularly until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + self.period, loop.time())
            await asyncio.sleep(due - loop.time())
            if self.engine.playing:
                self.refresh()

    def refresh(self) -> None:
        """A new message for everybody who waits for one."""
        engine = self.engine
        if engine.clock.running:
            engine.scores.remember(engine.now)
        self._encoded.clear()
        self._version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """End all streams; none begins anew until `closing` is taken back."""
        self.closing = True
        self.refresh()

    def state(self) -> dict[str, Any]:
        """The public state: phase, clock, and one row per entry."""
        engine, row, settings = self.engine, self.engine.row, self.engine.settings
        clock = engine.now
        hidden = row.phase == Phase.LOCKED
        loop = asyncio.get_running_loop()
        rows = engine.frozen if hidden and engine.frozen is not None else engine.rows()
        locked_at = row.locked_clock
        best = next((r["score"] for r in rows if r["rank"] == 1), None)
        locked_ranks = {r["id"]: r["rank"] for r in engine.frozen or ()}
        shown = [self._row(r, best, hidden, locked_ranks, clock) for r in rows]
        if row.phase == Phase.OPEN:
            shown.sort(key=lambda r: r["id"])
        return {
            "round": row.id,
            "phase": row.phase,
            "paused": row.paused,
            "finished": row.finished,
            "running": engine.clock.running,
            "clock": round(clock, 3),
            "seconds": round(settings.seconds, 3),
            "warm_up": max(0.0, round(engine.warm_up_ends - loop.time(), 1)) if row.phase == Phase.WARM_UP else 0,
            "hide": settings.hide_seconds,
            "locked_at": locked_at,
            "rate": settings.rate,
            "window": settings.window,
            "minimum": settings.minimum,
            "penalty": settings.penalty_ms,
            "scored": engine.scores.baseline.count if not hidden else None,
            "entries": len(shown),
            "rows": shown,
            "chart": [p for p in engine.scores.chart if not hidden or locked_at is None or p[0] <= locked_at],
            "marks": [
                [round(at, 1), kind, text] for at, kind, text in engine.marks if kind in ("conditions", "gap", "paused")
            ],
        }

    def _row(self, r: dict, best: float | None, hidden: bool, locked_ranks: dict, clock: float) -> dict[str, Any]:
        player = self.engine.players.get(r["id"])
        state, reason = "waiting", ""
        if player is not None and self.engine.row.phase != Phase.OPEN and not self.engine.row.finished:
            state, reason = player.chip(self.engine.settings.minimum, clock, self.engine.clock.running)
            if hidden and state == "waiting":
                reason = ""
        elif self.engine.row.finished:
            state = "done"
        moved = None
        if self.engine.row.phase == Phase.REVEALED and r["rank"] and locked_ranks.get(r["id"]):
            moved = locked_ranks[r["id"]] - r["rank"]
        score = r["score"]
        return {
            "id": r["id"],
            "alias": r["alias"],
            "kind": r["kind"],
            "rank": r["rank"],
            "score": round(score, 1) if score is not None else None,
            "gap": round(score - best, 1) if score is not None and best is not None and r["rank"] else None,
            "whole": _whole(r["whole"]),
            "availability": round(r["availability"], 4) if r["availability"] is not None else None,
            "p50": _whole(r["p50"]),
            "p95": _whole(r["p95"]),
            "count": r["count"],
            "state": state,
            "reason": reason,
            "moved": moved,
            "spark": [_whole(s) for at, s in player.spark if not hidden or at <= (self.engine.row.locked_clock or at)]
            if player
            else [],
        }

    def aliases(self) -> list[str]:
        """The learners', in the board's order."""
        return _learners(self.state()["rows"])

    def json(self, view: str, mine: str = "") -> bytes:
        """The state for a view, encoded once for all: `board` (everything) or `phone` (the top, in short rows).

        `mine`: an alias; when its row is not among those at the top, the phone's view holds it as `mine`.
        """
        if view not in self._encoded:
            state = self.state()
            if view == "phone":
                state, self._below = _for_phones(state)
            self._encoded[view] = _encoded(state)
        made = self._encoded[view]
        if view == "phone" and mine in self._below:
            return b'%s,"mine":%s}' % (made[:-1], _encoded(self._below[mine]))
        return made

    def message(self, view: str, mine: str = "") -> bytes:
        """The same as one server-sent event."""
        return b"event: state\nid: %d\ndata: %s\n\n" % (self._version, self.json(view, mine))

    async def follow(self, view: str, mine: str = "") -> AsyncIterator[bytes]:
        """Messages for one viewer, always the newest; a slow viewer skips what it missed."""
        self.viewers += 1
        try:
            yield b"retry: 1500\n\n"
            while not self.closing:
                changed = self._changed
                yield self.message(view, mine)
                if view == "phone":
                    await asyncio.sleep(1.0)  # phones share the room's network: every other second is enough
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self.viewers -= 1


def _for_phones(state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict]]:
    """The top without chart and sparks, and the rows below it by alias: a room's phones share one network.

    `roster` changes whenever the learners' aliases do, so that phones ask for them only then.
    """
    short = ("id", "alias", "kind", "rank", "score", "gap", "state", "reason", "moved", "availability", "p95")
    rows = [{k: r[k] for k in short} for r in state["rows"]]
    roster = zlib.crc32("\n".join(sorted(_learners(rows))).encode())
    below = {r["alias"]: r for r in rows[PHONE_ROWS:]}
    return {**state, "chart": [], "marks": [], "roster": roster, "rows": rows[:PHONE_ROWS]}, below


def _learners(rows: list[dict]) -> list[str]:
    return [r["alias"] for r in rows if r["kind"] == "learner"]


def _encoded(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _whole(value: float | None) -> float | None:
    return None if value is None else round(value)

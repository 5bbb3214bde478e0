"""The live table in a notebook: the board, drawn again while the cell runs."""

import contextlib
import html
import time
from collections.abc import Callable

from helpers.arena.client import ArenaError, Client, find

_CELL = "padding:2px 10px;text-align:{};font-variant-numeric:tabular-nums"
_MOST_ROWS = 40


def show(seconds: float | None = None, arena: str | None = None) -> None:
    """Draw the live board in this cell until the round is over, for `seconds`, or until interrupted."""
    client = find(arena)
    if client is None:
        raise ArenaError("No arena runs in this workspace: start one with `make arena`, or name its address.")
    end = None if seconds is None else time.monotonic() + seconds
    with contextlib.suppress(KeyboardInterrupt):
        watch(client, until=lambda s: s["finished"] or (end is not None and time.monotonic() > end))


def watch(client: Client, *, until: Callable[[dict], bool], show: bool = True, every_seconds: float = 0.5) -> dict:
    """Poll the arena `until` its state fits, drawing it meanwhile; the last state."""
    area = _area() if show else None
    while True:
        state = client.state()
        if area:
            area(table(state))
        if until(state):
            return state
        time.sleep(every_seconds)


def _area() -> Callable[[str], None] | None:
    """Somewhere to draw HTML again and again, or None outside a notebook."""
    from IPython import get_ipython
    from IPython.display import HTML, display

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    handle = display(HTML(""), display_id=True)
    return lambda text: handle.update(HTML(text))


def table(state: dict) -> str:
    """The board as an HTML table; aliases and reasons are escaped."""
    left = max(0.0, state["seconds"] - state["clock"])
    head = {
        "open": "open for entries",
        "warm-up": "warming up",
        "live": f"live, {left:.0f} s left",
        "locked": "locked",
        "revealed": "final",
    }[state["phase"]]
    lines = [_line("th", ["", "alias", "error, ms", "gap", "answered", "state"])]
    for row in state["rows"][:_MOST_ROWS]:
        answered = "" if row["availability"] is None else f"{row['availability']:.0%}"
        cells = [row["rank"] or "–", row["alias"], _ms(row["score"]), _ms(row["gap"]), answered]
        lines.append(_line("td", [*cells, f"{row['state']} {row['reason']}".strip()]))
    more = len(state["rows"]) - _MOST_ROWS
    foot = f"<p>and {more} more</p>" if more > 0 else ""
    caption = f"<caption style='text-align:left'>Arena: {head}</caption>"
    return f"<table>{caption}{''.join(lines)}</table>{foot}"


def _line(tag: str, cells: list) -> str:
    sides = ("right", "left", "right", "right", "right", "left")
    made = (
        f"<{tag} style='{_CELL.format(side)}'>{html.escape(str(cell))}</{tag}>"
        for side, cell in zip(sides, cells, strict=True)
    )
    return f"<tr>{''.join(made)}</tr>"


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"

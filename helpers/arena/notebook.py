"""The live table in a notebook: the board, drawn again while the cell runs."""

import contextlib
import html
import threading
import time
from collections.abc import Callable

from helpers.arena.client import ArenaError, Client, find

_CELL = "padding:2px 10px;text-align:{};font-variant-numeric:tabular-nums"


def show(arena: str | None = None) -> None:
    """Draw the board in this cell and keep it alive there until the reveal, while the notebook goes on.

    One table lives at a time: the next `show()` takes over. Outside a notebook the board is printed once. Raises
    ArenaError when there is no arena.
    """
    global _showing
    client = find(arena)
    if client is None:
        raise ArenaError("No arena runs in this workspace: start one with `make arena`, or name its address.")
    area = drawing()
    if area is None:
        print(as_text(client.state()))
        return
    client.state()
    _showing.set()
    _showing = stop = threading.Event()
    threading.Thread(target=_draw, args=(client, area, stop), name="arena table", daemon=True).start()


_showing = threading.Event()


def _draw(client: Client, area: Callable[[str], None], stop: threading.Event) -> None:
    """Until the results are revealed, another table took over, or the arena has gone."""
    with contextlib.suppress(ArenaError):
        watch(client, area=area, until=lambda state: state["phase"] == "revealed" or stop.is_set())


def watch(
    client: Client,
    *,
    until: Callable[[dict], bool],
    area: Callable[[str], None] | None = None,
) -> dict:
    """Poll the arena `until` its state fits, drawing it in `area` meanwhile; the last state."""
    while True:
        state = client.state(view="phone")
        if area:
            area(table(state))
        if until(state):
            return state
        time.sleep(0.5 if state["seconds"] <= 120 else 1.5)  # a class has a hundred notebooks


def drawing() -> Callable[[str], None] | None:
    """Somewhere to draw HTML again and again, or None outside a notebook."""
    from IPython import get_ipython
    from IPython.display import HTML, display

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    handle = display(HTML(""), display_id=True)
    return lambda text: handle.update(HTML(text))


def as_text(state: dict) -> str:
    """The board as lines of text."""
    rows = [f"{row['rank'] or '–':>3}  {row['alias']:24} {_ms(row['score']):>8} ms" for row in state["rows"]]
    return "\n".join([f"Arena: {_phase(state)}", *rows])


def _phase(state: dict) -> str:
    left = max(0.0, state["seconds"] - state["clock"])
    return {
        "open": "open for entries",
        "warm-up": "warming up",
        "live": f"live, {left:.0f} s left",
        "locked": "locked",
        "revealed": "final",
    }[state["phase"]]


def table(state: dict) -> str:
    """The board as an HTML table; aliases and reasons are escaped."""
    lines = [_line("th", ["", "alias", "error, ms", "gap", "answered", "state"])]
    for row in state["rows"]:
        answered = "" if row["availability"] is None else f"{row['availability']:.0%}"
        cells = [row["rank"] or "–", row["alias"], _ms(row["score"]), _ms(row["gap"]), answered]
        lines.append(_line("td", [*cells, f"{row['state']} {row['reason']}".strip()]))
    more = state["entries"] - len(state["rows"])
    foot = f"<p>and {more} more</p>" if more > 0 else ""
    caption = f"<caption style='text-align:left'>Arena: {_phase(state)}</caption>"
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

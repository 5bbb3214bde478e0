"""A picture that is redrawn while edge compute works: what was sent, and what lies in the bucket by now."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from helpers.plots import style

REDRAW_S = 1.0
WAIT_AT_THE_END_S = 15


class Sender(Protocol):
    """What this picture needs of edge compute."""

    counts: object  # with the number `sent`

    def start(self) -> None: ...
    def stop(self) -> None: ...


def watch_arrivals(edge: Sender, look: Callable[[], Sequence[tuple[float, int]]], seconds: float) -> None:
    """Let edge compute send for so many seconds, and redraw what was sent and what arrived until all is there.

    Parameters
    ----------
    look : gives (seconds since 1970, number of samples) of every object in the bucket now, in the order of arrival
    seconds : how long edge compute works
    """
    there_before = len(look())
    handle, began = _handle(), time.time()
    sent = [(0.0, 0)]
    edge.start()
    while True:
        now = time.time() - began
        if now >= seconds:
            edge.stop()
        sent.append((min(now, seconds), edge.counts.sent))
        objects = [(moment - began, number) for moment, number in look()[there_before:]]
        handle(_picture(sent, objects))
        complete = sum(number for _, number in objects) >= edge.counts.sent
        if now >= seconds and (complete or now >= seconds + WAIT_AT_THE_END_S):
            break
        time.sleep(max(0.05, began + now + REDRAW_S - time.time()))
    print(
        f"{sum(number for _, number in objects):,} samples in {len(objects)} objects have arrived "
        f"of {edge.counts.sent:,} that were sent."
    )


def _picture(sent: Sequence[tuple[float, int]], objects: Sequence[tuple[float, int]]) -> Figure:
    """Two lines over time: samples sent, and samples in the bucket, with one dot per object."""
    with style.look():
        figure, axes = style.canvas(10, 4.4)
        axes.plot(*zip(*sent, strict=True), "--", color=style.GREY, label="samples sent")
        at = np.maximum([moment for moment, _ in objects], 0.0)
        total = np.cumsum([number for _, number in objects], dtype=int)
        axes.step(np.r_[0, at], np.r_[0, total], where="post", color=style.BLUE, label="samples in the bucket")
        axes.plot(at, total, "o", color=style.BLUE, markersize=8, label="an object arrives")
        for x, y, (_, number) in zip(at, total, objects, strict=True):
            axes.annotate(f"+{number:,}", (x, y), (-8, 6), textcoords="offset points", ha="right", fontsize=11)
        axes.set(title="Samples arrive in batches, one object each", xlabel="seconds", ylabel="samples")
        axes.set_ylim(0, max(100, sent[-1][1]) * 1.15)
        axes.set_xlim(left=0)
        axes.legend(loc="upper left")
    return figure


def _handle() -> Callable[[Figure], None]:
    """Shows each new picture in place of the one before; outside a notebook, nothing."""
    try:
        get_ipython()  # type: ignore[name-defined]
    except NameError:
        return lambda figure: None
    from IPython.display import Image, display

    handle = display(display_id=True)
    alt = "Samples sent and samples in the bucket over time"
    return lambda figure: handle.update(Image(style.as_png(figure), alt=alt))

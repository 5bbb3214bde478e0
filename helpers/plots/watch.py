"""A picture that is redrawn while edge compute works: what was sent, and what lies in the bucket by now."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from helpers.plots import style

REDRAW_S = 0.7
WAIT_AT_THE_END_S = 15


class Sender(Protocol):
    """What this picture needs of edge compute."""

    counts: dict[str, int]  # among them "sent"

    def run(self, seconds: float) -> dict[str, int]: ...

    def stop(self) -> dict[str, int]: ...


def watch_arrivals(edge: Sender, look: Callable[[], Sequence[tuple[float, int]]], seconds: float) -> None:
    """Let edge compute send for so many seconds, and redraw what was sent and what arrived until all is there.

    Parameters
    ----------
    look : gives (seconds since 1970, number of samples) of every object in the bucket now, in the order of arrival
    seconds : how long edge compute works

    Whatever ends this early, an interrupt above all, ends at once and stops edge compute too.
    """
    there_before, sent_before = len(look()), edge.counts["sent"]
    show, began = _place_for_pictures(), time.time()
    sent = [(0.0, 0)]
    background = ThreadPoolExecutor(1)
    try:
        running = background.submit(edge.run, seconds)
        while True:
            ended, now = running.done(), time.time() - began
            sent.append((now, edge.counts["sent"] - sent_before))
            objects = [(moment - began, number) for moment, number in look()[there_before:]]
            arrived = sum(number for _, number in objects)
            show(_picture(sent, objects))
            if ended and (arrived >= sent[-1][1] or now > seconds + WAIT_AT_THE_END_S):
                break
            time.sleep(max(0.05, began + now + REDRAW_S - time.time()))
        running.result()
    except BaseException:  # the stop button above all: edge compute must not go on sending behind the cell's back
        edge.stop()
        raise
    finally:
        background.shutdown(wait=False)
    print(f"{arrived:,} samples in {len(objects)} objects have arrived of {sent[-1][1]:,} that were sent.")


def _picture(sent: Sequence[tuple[float, int]], objects: Sequence[tuple[float, int]]) -> Figure:
    """Two lines over time: samples sent, and samples in the bucket, with one dot per object."""
    with style.look():
        figure, axes = style.canvas(10, 4.4)
        axes.plot(*zip(*sent, strict=True), "--", color=style.GREY, label="samples sent")
        at = np.maximum([moment for moment, _ in objects], 0.0)
        total = np.cumsum([number for _, number in objects], dtype=int)
        end = sent[-1][0]
        axes.step(
            np.r_[0, at, end],
            np.r_[0, total, total[-1] if len(total) else 0],
            where="post",
            color=style.BLUE,
            label="in the bucket",
        )
        axes.plot(at, total, "o", color=style.BLUE, markersize=8, label="an object arrives")
        for x, y, (_, number) in zip(at, total, objects, strict=True):
            axes.annotate(f"+{number:,}", (x, y), (7, -15), textcoords="offset points", fontsize=11)
        axes.set(title="Samples arrive in batches, one object each", xlabel="seconds", ylabel="samples")
        axes.set_ylim(np.array([-0.06, 1.15]) * max(100, sent[-1][1]))
        axes.yaxis.set_major_formatter(style.thousands)
        axes.set_xlim(left=0)
        axes.legend(loc="upper left")
    return figure


def _place_for_pictures() -> Callable[[Figure], None]:
    """Shows each new picture in place of the one before; outside a notebook, nothing."""
    try:
        get_ipython()  # type: ignore[name-defined]
    except NameError:
        return lambda figure: None
    from IPython.display import Image, display

    place = display(display_id=True)
    alt = "Samples sent and samples in the bucket over time"
    return lambda figure: place.update(Image(style.as_png(figure), alt=alt))

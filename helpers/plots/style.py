"""One look for all figures: colours that colour-blind readers tell apart, large type, a picture with its sentence."""

from __future__ import annotations

import base64
import io
import sys
import textwrap
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette (jfly.uni-koeln.de/color), told apart with every common form of colour blindness.
INK, GREY, LIGHT = "#222222", "#8A8A8A", "#D9D9D9"
BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", "--", "-.", ":")

ALGORITHMS = {"XGBoost": (BLUE, "o"), "Linear Learner": (ORANGE, "s"), "k-NN": (GREEN, "^")}

LOOK = {
    "font.size": 13,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 13,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": LIGHT,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "lines.linewidth": 2.2,
    "figure.facecolor": "white",
}
DPI = 100
LONGEST_LINE = 100  # characters of a printed summary; JupyterLab would break longer ones in the middle of a word
READABLE = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}  # behind text that lies on a drawing


def look() -> rc_context:
    """The course's style, as a context manager around the making of a figure."""
    return rc_context(LOOK)


def canvas(width: float = 10.0, height: float = 4.6, rows: int = 1, columns: int = 1, **options: object) -> tuple:
    """A figure (size in inches) and its axes, independent of pyplot's state."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def appearance(name: str, position: int) -> tuple[str, str]:
    """Colour and marker of a series: an algorithm keeps its own in all figures."""
    for algorithm, looks in ALGORITHMS.items():
        if name.startswith(algorithm):
            return looks
    return SERIES[position % len(SERIES)], MARKERS[position % len(MARKERS)]


def vertical_mark(axes: Axes, x: float, label: str, *, colour: str = INK, level: int = 0) -> None:
    """A vertical line named at the top of the axes; `level` lifts the name so that neighbours do not overlap."""
    axes.axvline(x, color=colour, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.annotate(
        label,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, 4 + 17 * level),
        textcoords="offset points",
        fontsize=12,
        va="bottom",
        annotation_clip=False,
    )


def seconds(milliseconds: float) -> str:
    """12345.6 -> '12.3 s'."""
    return f"{milliseconds / 1000:.1f} s"


def thousands(value: float, _: int | None = None) -> str:
    """A tick's label with a comma between the thousands."""
    return f"{value:,.0f}"


def show(figure: Figure, summary: str) -> None:
    """Displays a figure with `summary` as its alternative text, then prints the summary under it.

    Outside a notebook only the summary is printed. When a notebook is tested the summary is compared, the picture not.
    """
    if "IPython" in sys.modules:
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            png = base64.b64encode(as_png(figure)).decode()
            display(
                {"image/png": png, "text/plain": "(picture)"},
                raw=True,
                metadata={"image/png": {"alt": summary}},
            )
    print("\n".join(textwrap.wrap(summary, LONGEST_LINE)))


def as_png(figure: Figure) -> bytes:
    """The figure as PNG, byte-identical for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as PNG."""
    path.write_bytes(as_png(figure))

"""The short card that `workshop.connect()` shows: where you are, who you are, what is already there."""

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class StatusCard:
    """A title and rows of (label, text); renders as text and as HTML, the same bytes for the same content."""

    title: str
    rows: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        width = max(len(label) for label, _ in self.rows)
        return "\n".join([self.title, *(f"  {label.ljust(width)}  {text}" for label, text in self.rows)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;padding:.15em 1.5em .15em 0">{html.escape(label)}</th>'
            f'<td style="text-align:left;padding:.15em 0">{html.escape(text)}</td></tr>'
            for label, text in self.rows
        )
        return (
            '<div style="border-left:4px solid #2a78d6;padding:.2em 0 .2em 1em">'
            f'<strong>{html.escape(self.title)}</strong><table style="border:0;margin:.3em 0 0 0">{rows}</table></div>'
        )

    def show(self) -> None:
        """Display the card in a notebook, print it elsewhere."""
        try:
            shell = get_ipython()  # type: ignore[name-defined]
        except NameError:
            shell = None
        if shell is None:
            print(self)
        else:
            from IPython.display import display

            display(self)

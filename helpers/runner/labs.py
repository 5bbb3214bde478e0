"""Which labs there are, and in what order."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Lab:
    """One notebook of the course."""

    number: int
    path: Path

    @property
    def title(self) -> str:
        """The notebook's name in words: `02_model_training` is `Model training`."""
        return self.path.stem.split("_", 1)[1].replace("_", " ").capitalize()


def find_labs(only: list[int] | None = None) -> list[Lab]:
    """The labs in sequence.

    Raises
    ------
    ValueError
        If a number in `only` is not that of a lab.
    """
    labs = [Lab(int(path.stem[:2]), path) for path in sorted((ROOT / "labs").glob("[0-9][0-9]_*.ipynb"))]
    unknown = sorted(set(only or []) - {lab.number for lab in labs})
    if unknown:
        known = ", ".join(str(lab.number) for lab in labs)
        raise ValueError(f"There is no lab {unknown[0]}; there are labs {known}.")
    return [lab for lab in labs if not only or lab.number in only]

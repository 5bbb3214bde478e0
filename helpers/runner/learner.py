"""The labs as a learner begins them: blanks in place of the answers, no outputs. `python -m helpers.runner.learner`

They are copied to my-labs/ once; what is there is a learner's work and is never written over.
"""

import argparse
import sys
from pathlib import Path

import nbformat

from helpers.runner.labs import ROOT, Lab, find_labs
from helpers.runner.whole_files import write_whole

FOLDER = ROOT / "my-labs"


def begun(lab: Lab) -> nbformat.NotebookNode:
    """The lab with its answers replaced by blanks (the `blank` of a cell's metadata), and nothing run yet."""
    notebook = nbformat.read(lab.path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = cell.metadata.pop("blank", cell.source)
            cell.outputs, cell.execution_count = [], None
    return notebook


def hand_out(folder: Path = FOLDER) -> list[Path]:
    """Write the labs that are not in `folder` yet; which they were."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for lab in find_labs():
        path = folder / lab.path.name
        if not path.exists():
            write_whole(path, nbformat.writes(begun(lab)).rstrip("\n") + "\n")
            written.append(path)
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m helpers.runner.learner", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder, my-labs if not given")
    folder = parser.parse_args(arguments).out.resolve()
    try:
        written = hand_out(folder)
    except OSError as error:
        told = f"Your labs could not be written to {folder}: {error.strerror}. Name another folder with --out."
        print(told, file=sys.stderr)
        return 1
    for path in written:
        print(f"yours now: {path}")
    if not written:
        print(f"Your labs are in {folder}. (The answers are in {ROOT / 'labs'}; a deleted lab is handed out anew.)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

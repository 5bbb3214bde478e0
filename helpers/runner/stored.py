"""Stores a run's outputs in the notebook that learners open, without what changes from run to run."""

from pathlib import Path

import nbformat

from helpers.runner.whole_files import write_whole


def keep_outputs(executed: nbformat.NotebookNode, path: Path) -> None:
    """Write `executed` to `path` with metadata that says nothing of the machine or the moment."""
    notebook = nbformat.from_dict(executed)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = merged_streams(cell.outputs)
    write_whole(path, nbformat.writes(notebook).rstrip("\n") + "\n")


def merged_streams(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighbouring pieces of one stream: how they were cut depends on timing."""
    merged: list[nbformat.NotebookNode] = []
    for output in outputs:
        previous = merged[-1] if merged else None
        if previous and output.output_type == previous.output_type == "stream" and output.name == previous.name:
            previous.text += output.text
        else:
            merged.append(output)
    return merged

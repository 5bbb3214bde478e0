"""One HTML report per executed lab, readable without a network."""

from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from helpers.runner.diagrams import BLOCK, as_picture
from helpers.runner.whole_files import write_whole


def write_report(notebook: nbformat.NotebookNode, title: str, path: Path) -> None:
    """Write `notebook` as one self-contained HTML file.

    Scripts that nbconvert would fetch from a content-delivery network are left out. A Mermaid diagram needs one of
    them, so the report holds the diagram as it was drawn before (see diagrams.py).
    """
    page = nbformat.from_dict(notebook)
    page = nbformat.v4.new_notebook(metadata=notebook.metadata, cells=[with_drawings(cell) for cell in page.cells])
    exporter = HTMLExporter(
        template_name="lab", mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=True
    )
    body, _ = exporter.from_notebook_node(page, resources={"metadata": {"name": title}})
    write_whole(path, body)


def with_drawings(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    if cell.cell_type != "markdown":
        return cell
    return nbformat.v4.new_markdown_cell(BLOCK.sub(as_picture, cell.source), metadata=cell.metadata)

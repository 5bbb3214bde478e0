"""One HTML report per executed lab, readable without a network."""

import re
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

MERMAID = re.compile(r"```mermaid\n.*?```\n*", re.DOTALL)


def write_report(notebook: nbformat.NotebookNode, title: str, path: Path) -> None:
    """Write `notebook` as one self-contained HTML file.

    Scripts that nbconvert would fetch from a content-delivery network are left out; a Mermaid diagram needs one of
    them, so the report keeps the sentence under the diagram, which says the same in words.
    """
    page = nbformat.from_dict(notebook)
    page = nbformat.v4.new_notebook(metadata=notebook.metadata, cells=[without_mermaid(cell) for cell in page.cells])
    exporter = HTMLExporter(
        template_name="lab", mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", embed_images=True
    )
    body, _ = exporter.from_notebook_node(page, resources={"metadata": {"name": title}})
    path.write_text(body, encoding="utf-8")


def without_mermaid(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    if cell.cell_type != "markdown":
        return cell
    return nbformat.v4.new_markdown_cell(MERMAID.sub("", cell.source), metadata=cell.metadata)

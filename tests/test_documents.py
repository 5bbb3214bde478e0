"""What the documents point to is there: files, headings, make's targets, modules, paths of the code."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def anchors(document: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path) if path else document
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_paths_exist(document):
    text = document.read_text(encoding="utf-8")
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.S))
    for target in re.findall(r"(?:^|[`;&]|=\w+ )\s*make ([a-z][a-z-]*)", code, re.M):
        assert target in TARGETS, f"make {target}"
    for module in re.findall(r"-m\s+((?:helpers|benchmarks)[\w.]*)", code):
        assert importlib.util.find_spec(module.rstrip(".")), module
    for path in re.findall(r"(?<![\w/.])((?:helpers|tests|benchmarks|docs|labs|data)/[\w./-]*\w)", code):
        assert (ROOT / path).exists(), path

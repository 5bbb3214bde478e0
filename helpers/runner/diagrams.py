"""The labs' Mermaid diagrams as SVG, for reports that are read without a network.

`python -m helpers.runner.diagrams` draws those that are missing, with the Mermaid that JupyterLab brings along, in
headless Chromium. A drawing is named by a digest of its text, so that one of an older text is never shown.
"""

import base64
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import nbformat

from helpers.runner.labs import find_labs

FOLDER = Path(__file__).parent / "drawings"
BLOCK = re.compile(r"```mermaid\n(?P<text>.*?)```\n*(?P<words>\*In words:.*?\*(?:\n|$))?", re.DOTALL)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
START_TIMEOUT_S = 60
DRAW_TIMEOUT_MS = 60_000


def path_of(text: str) -> Path:
    """Where the drawing of this Mermaid text is kept."""
    return FOLDER / f"{hashlib.sha256(text.strip().encode()).hexdigest()[:16]}.svg"


def texts() -> list[str]:
    """The Mermaid texts of the four labs."""
    cells = (cell for lab in find_labs() for cell in nbformat.read(lab.path, as_version=4).cells)
    return [match["text"] for cell in cells if cell.cell_type == "markdown" for match in BLOCK.finditer(cell.source)]


def as_picture(match: re.Match) -> str:
    """What a report shows in place of a Mermaid block: its drawing with the words below it as alternative text.

    A diagram that was not drawn leaves its words.
    """
    words = match["words"] or ""
    path = path_of(match["text"])
    if not path.exists():
        return words
    data = base64.b64encode(path.read_bytes()).decode()
    told = " ".join(words.strip().strip("*").removeprefix("In words:").split()) or "diagram"
    return f"![{told.replace('[', '(').replace(']', ')')}](data:image/svg+xml;base64,{data})\n\n{words}"


def draw(missing: list[str]) -> None:
    """Draw these Mermaid texts with JupyterLab's Mermaid, and keep the SVGs.

    Raises
    ------
    RuntimeError
        If there is no Chromium, or JupyterLab does not start.
    """
    browser = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if browser is None:
        raise RuntimeError("Drawing needs Chromium or Chrome; on Debian: apt install chromium")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        cells = [nbformat.v4.new_markdown_cell(f"```mermaid\n{text}```") for text in missing]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), Path(folder) / "diagrams.ipynb")
        server, address = _jupyterlab(Path(folder))
        try:
            chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport={"width": 1200, "height": 4000})
            page.goto(address, timeout=DRAW_TIMEOUT_MS)
            page.wait_for_selector(".jp-Notebook", timeout=DRAW_TIMEOUT_MS)
            pictures = page.locator(".jp-RenderedMermaid img, .jp-RenderedMarkdown img[src^='data:image/svg']")
            pictures.nth(len(missing) - 1).wait_for(timeout=DRAW_TIMEOUT_MS)
            sources = pictures.evaluate_all("all => all.map(one => one.src)")
        finally:  # the driver ends its browser
            server.terminate()
            server.wait(20)
    FOLDER.mkdir(exist_ok=True)
    for text, source in zip(missing, sources, strict=True):
        path_of(text).write_text(_svg(source))


def _jupyterlab(folder: Path) -> tuple[subprocess.Popen, str]:
    """JupyterLab over a folder, with settings of its own, and the address of the notebook in it."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR")}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "JUPYTER_TOKEN": token}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0", "--LabApp.news_url="]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={folder}"],
        env={**os.environ, **own},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    base, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(f"{base}/api", timeout=2).close()
            return server, f"{base}/doc/tree/diagrams.ipynb?token={token}"
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                server.terminate()
                raise RuntimeError("JupyterLab did not start, so nothing was drawn.") from None
            time.sleep(0.2)


def _svg(source: str) -> str:
    """The SVG of a data address."""
    head, _, body = source.partition(",")
    return base64.b64decode(body).decode() if head.endswith(";base64") else urllib.parse.unquote(body)


def main() -> int:
    needed = texts()
    kept = {path_of(text) for text in needed}
    for path in FOLDER.glob("*.svg"):
        if path not in kept:
            path.unlink()
    missing = [text for text in needed if not path_of(text).exists()]
    try:
        if missing:
            draw(missing)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(needed)} diagrams, {len(missing)} drawn anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Debian's Chromium, driven by playwright; an arena on a real socket behind it."""

import shutil

import pytest

from tests.arena.fixtures import arena, participants  # noqa: F401 (found by their names)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")  # playwright's event loop must end with the tests that need it
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium or google-chrome is installed: `apt-get install chromium`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def visit(browser):
    """Open a page; the test fails when the page reports an error or breaks its own content policy."""
    pages, troubles = [], []

    def go(url, size=(1920, 1080), **options):
        page = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options).new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda m: troubles.append(m.text) if m.type == "error" and "Failed to load" not in m.text else None,
        )
        page.goto(url)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.context.close()
    assert troubles == []

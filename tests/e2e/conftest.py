"""The app in a real browser: one server and one browser a session, one clean page a test."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, WebError, sync_playwright

from tests.e2e.browser import launch
from tests.e2e.serve import ROOT, Server, start_server

HERE = Path(__file__).parent
# At a deep link Streamlit's own client first asks below the page's path, and then at the root.
PROBE = re.compile(r"/\w+/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: quick tests speak first, and none meets Playwright's event loop."""
    items.sort(key=lambda item: HERE in item.path.parents)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    server = getattr(item, "funcargs", {}).get("server")
    if report.failed and server:
        report.sections.append(("server log", server.log()[-4000:]))
    return report


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with start_server(ROOT / "app.py") as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Give a new window on the app; ``page.goto("/cell?…")`` is relative to the server.

    At the end the test fails if the console showed an error or anything left this machine.
    """
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error" and not PROBE.search(message.location["url"]):
            complaints.append(f"console: {message.text} ({message.location['url']})")

    def catch(error: WebError) -> None:
        complaints.append(f"uncaught: {error.error}")

    def watch(url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            complaints.append(f"left this machine: {url[:200]}")

    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    context.on("console", hear)
    context.on("weberror", catch)
    context.on("request", lambda request: watch(request.url))
    context.on("page", lambda opened: opened.on("websocket", lambda socket: watch(socket.url)))
    yield context.new_page()
    context.close()
    assert not complaints, "\n".join(complaints)

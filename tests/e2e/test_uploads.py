"""A file becomes a series, and the series a link; a bad file is answered in one sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.browser import settle
from tests.e2e.reading import open_link, pictures, same_elsewhere, sentences, step
from tests.e2e.serve import Server


@pytest.fixture
def elsewhere(browser: Browser, server: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    yield context.new_page()
    context.close()


def hand_over(page: Page, path: Path) -> None:
    """Choose a file in the browser's own dialog."""
    uploader = page.locator("[data-testid=stFileUploader]")
    if not uploader.is_visible():
        page.get_by_role("button", name="From a file or table").click()
    with page.expect_file_chooser() as chooser:
        uploader.locator("button").first.click()
    chooser.value.set_files(path)
    settle(page, 500)


def test_a_column_of_a_file_becomes_the_link(page: Page, elsewhere: Page, tmp_path: Path) -> None:
    rows = "\n".join(f"{1900 + k},{k * k % 17}.5,{'abc'[k % 3]}" for k in range(40))
    (tmp_path / "sea level.csv").write_text(f"year,height,name\n{rows}\n")
    open_link(page, "/flow?flow_input=Numbers&flow_H=4")
    before = pictures(page)
    hand_over(page, tmp_path / "sea level.csv")
    assert sentences(page) == []
    page.get_by_role("button", name="Use this column").click()
    settle(page, 400)
    page.keyboard.press("Escape")
    settle(page)
    assert "flow_numbers=0.5+1.5+4.5+9.5" in page.url.replace("%20", "+")
    assert pictures(page) != before
    assert "40 numbers" in page.inner_text("body")
    same_elsewhere(page, elsewhere)


BAD = {
    "large.csv": b"1\n" * 5_000_000,
    "binary.csv": bytes(range(256)) * 20,
    "nan.csv": b"x\n1\nnan\n2\n",
    "one.csv": b"x\n1\n",
    "empty.csv": b"",
    "words.csv": b"a,b\nc,d\ne,f\n",
}


def test_a_bad_file_is_answered_in_one_sentence(page: Page, tmp_path: Path) -> None:
    open_link(page, "/cell?cell_input=Numbers")
    wrong = []
    for name, content in BAD.items():
        (tmp_path / name).write_bytes(content)
        hand_over(page, tmp_path / name)
        own = page.locator("[data-testid=stFileUploader]").inner_text()
        said = [*sentences(page), *(line for line in own.splitlines() if line.startswith("Error"))]
        if len(said) != 1 or not said[0].strip():
            wrong.append(f"{name}: {said}")
        if len(pictures(page)) != 2 or "Traceback" in page.inner_text("body"):
            wrong.append(f"{name}: the page is broken")
        page.locator("[data-testid=stFileChipDeleteBtn] button").click()
        settle(page, 300)
    assert wrong == []
    page.keyboard.press("Escape")
    settle(page)
    before = pictures(page)
    step(page, "ArrowLeft")
    assert pictures(page) != before

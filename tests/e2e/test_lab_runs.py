"""The Memory lab in a browser: a run that is watched, left, found again, shared, queued for, and lost."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e import test_look as look
from tests.e2e.browser import settle, shot
from tests.e2e.reading import open_link, pictures, sentences, turn_to, wait_for_pictures
from tests.e2e.serve import ROOT, Server, start_server

SMALL = "lab_T_adding=10&lab_seeds=2&lab_steps=200&lab_stop=last+step&lab_H=4&lab_B=5"
LONG = "lab_T_adding=20&lab_seeds=1&lab_steps=20000&lab_stop=last+step&lab_H=8&lab_cells=GRU"
AT_REST = 7


@pytest.fixture(scope="module")
def single() -> Iterator[Server]:
    """A server with one worker, so that a second run has to wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RNNVIZ_WORKERS", "1")
        with start_server(ROOT / "app.py") as running:
            yield running


def visitor(browser: Browser, server: Server) -> BrowserContext:
    return browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)


def button(page: Page, name: str):
    return page.locator("[class*=st-key-lab_]").get_by_role("button", name=name)


def progress(page: Page) -> str:
    return page.locator("[data-testid=stProgress]").inner_text()


def start(page: Page, link: str) -> None:
    open_link(page, f"/lab?{link}")
    button(page, "Start").click()


def test_a_run_is_watched_to_its_end_and_its_link_shows_it(page: Page, browser: Browser, server: Server):
    start(page, SMALL)
    expect(page.get_by_text("Finished after 200 steps")).to_be_visible(timeout=60_000)
    wait_for_pictures(page, AT_REST)
    settle(page, 300)
    assert re.search(r"lab_run=[0-9a-f]{16}-[0-9a-f]{4}", page.url)
    mine = pictures(page)
    with visitor(browser, server) as elsewhere:
        other = elsewhere.new_page()
        for link in (page.url, re.sub(r"&?lab_run=[\w-]+", "", page.url)):
            open_link(other, link)
            wait_for_pictures(other, AT_REST)
            settle(other, 300)
            assert [words for words, _ in pictures(other)] == [words for words, _ in mine]
            assert button(other, "Cancel").count() == 0
    page.get_by_role("link", name="Open in Inside the cell").click()
    wait_for_pictures(page, 2)
    settle(page)
    assert "cell_run=" in page.url
    expect(page.get_by_text("From the Memory lab: Adding problem, length 10")).to_be_visible()
    assert sentences(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_finished_run_in_both_themes(page: Page, theme: str):
    open_link(page, f"/lab?{SMALL}&embed_options={theme}_theme")
    begin = page.locator(".st-key-lab_start button")
    if "Start" in begin.inner_text():  # the other theme's run stands already
        begin.click()
    expect(page.get_by_text("Finished after 200 steps")).to_be_visible(timeout=60_000)
    wait_for_pictures(page, AT_REST)
    wrong = []
    for width, height in ((1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page, 500)
        shot(page, f"lab_finished_{theme}_{width}")
        wrong += look.misfits(page)
    look.whole(page, f"lab_finished_{theme}_whole")
    assert wrong == [], "\n".join(wrong)


def test_a_run_survives_being_left_and_belongs_to_its_browser(browser: Browser, single: Server):
    with visitor(browser, single) as mine, visitor(browser, single) as theirs:
        page, other = mine.new_page(), theirs.new_page()
        start(page, LONG)
        expect(page.get_by_text(re.compile(r"Step \d.* left"))).to_be_visible(timeout=30_000)
        seen = set()
        for _ in range(25):
            seen.add(progress(page))
            page.wait_for_timeout(100)
        assert len(seen) >= 4, seen  # it moves by itself
        link = page.url
        turn_to(page, "Gradient flow")
        wait_for_pictures(page, 2)
        turn_to(page, "Memory lab")
        expect(page.get_by_text(re.compile(r"Step \d.* of 20,000"))).to_be_visible()
        page.close()
        page = mine.new_page()
        page.goto(link)
        expect(button(page, "Pause")).to_be_visible(timeout=30_000)
        # Someone else: watches it, has no say in it, and waits in line with a run of their own.
        other.goto(link)
        expect(other.get_by_text(re.compile(r"Step \d.* of 20,000"))).to_be_visible(timeout=30_000)
        assert button(other, "Pause").count() == button(other, "Cancel").count() == 0
        start(other, SMALL)
        expect(other.get_by_text("In the queue: this one is next.")).to_be_visible(timeout=30_000)
        button(page, "Pause").click()
        expect(page.get_by_text(re.compile(r"Paused after step"))).to_be_visible(timeout=30_000)
        paused = progress(page)
        expect(other.get_by_text("Finished after 200 steps")).to_be_visible(timeout=60_000)
        assert progress(page) == paused
        button(page, "Resume").click()
        expect(page.get_by_text(re.compile(r"Step \d.* left"))).to_be_visible(timeout=30_000)
        lose_worker(single)
        expect(page.get_by_text(re.compile("Its process ended .signal SIGKILL"))).to_be_visible(
            timeout=30_000
        )
        button(page, "Resume").click()
        expect(page.get_by_text(re.compile(r"Step \d.* left"))).to_be_visible(timeout=30_000)
        button(page, "Cancel").click()
        expect(page.get_by_text(re.compile("Cancelled after step"))).to_be_visible(timeout=30_000)
        assert "Traceback" not in single.log()


def lose_worker(server: Server) -> None:
    """Kill the process that trains."""
    for _ in range(100):
        found = subprocess.run(
            ["pgrep", "-f", "-P", str(server.process.pid), "rnnviz.runs.worker"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        if found:
            os.kill(int(found[0]), signal.SIGKILL)
            return
        time.sleep(0.1)
    raise AssertionError("the server has no worker")


def test_controls_answer_while_a_run_learns(browser: Browser, single: Server):
    with visitor(browser, single) as mine:
        page = mine.new_page()
        start(page, LONG + "&lab_seed=5")
        expect(page.get_by_text(re.compile(r"Step \d.* left"))).to_be_visible(timeout=30_000)
        slider = page.locator(".st-key-lab_example input[type=range]")
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text("Sequence 6 of those that runs are judged by")).to_be_visible()
        expect(page.get_by_text(re.compile(r"Step \d.* left"))).to_be_visible()
        button(page, "Cancel").click()
        expect(page.get_by_text(re.compile("Cancelled after step"))).to_be_visible(timeout=30_000)

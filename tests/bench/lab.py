"""The Memory lab while nine models learn: how often its picture follows, and what a slider feels of it."""

from collections.abc import Iterator
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.app import MOVES, PAGES, RUN, WARM_UP, move, opened, served
from tests.bench.timing import Row
from tests.e2e.browser import launch, settle
from tests.e2e.serve import ROOT

LONG = "/lab?lab_steps=20000&lab_stop=last+step"
WATCHED = 10  # seconds

# A repaint is a frame in which the first chart's lines changed.
_REPAINTS = """seconds => new Promise(done => {
  const chart = document.querySelector("[data-testid=stVegaLiteChart]")
  let frames = 0, due = false
  const observer = new MutationObserver(mutations => {
    if (due || !mutations.some(({ attributeName }) => attributeName === "d")) return
    due = true
    requestAnimationFrame(() => { frames += 1; due = false })
  })
  observer.observe(chart, { subtree: true, attributes: true })
  setTimeout(() => { observer.disconnect(); done(frames / seconds) }, 1000 * seconds)
})"""


def rows() -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with served(RUN, ROOT) as address:
            yield from lab_rows(browser, address)
        browser.close()


def lab_rows(browser: Browser, address: str) -> Iterator[Row]:
    what = "Inside the cell, a step of the forget bias"
    link, key = PAGES[what]
    page = opened(browser, address + link)
    quiet = moves(page, key)
    lab = opened(browser, address + LONG)
    lab.locator(".st-key-lab_start button").click()
    lab.locator("[data-testid=stProgress]", has_text=" left").wait_for()
    lab.wait_for_timeout(3000)
    lab.bring_to_front()
    often = lab.evaluate(_REPAINTS, WATCHED)
    yield Row(
        "Memory lab, 3 cells × 3 seeds learning: repaints of the curves a second",
        "",
        often,
        0.0,
        often,
        often,
        unit="/s",
        asked="≥ 4",
    )
    lab.goto("about:blank")  # nobody looks; the run goes on
    busy = moves(page, key)
    ratios = [a / b for a, b in zip(busy, quiet, strict=True)]
    yield Row(
        f"{what}, while 9 models learn",
        "the same while none does",
        median(busy),
        median(quiet),
        min(ratios),
        max(ratios),
        asked="as quick",
    )


def moves(page: Page, key: str) -> list[float]:
    """Milliseconds of each step of a slider, in order."""
    page.bring_to_front()
    page.locator(f".st-key-{key} input[type=range]").focus()
    page.keyboard.press("Home")
    settle(page)
    return [move(page)[0] for _ in range(MOVES + WARM_UP)][WARM_UP:]

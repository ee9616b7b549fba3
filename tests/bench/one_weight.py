"""One weight: a slider in the figure beside Streamlit's, and all positions beside a loop with autograd."""

import time
from collections.abc import Iterator
from itertools import product
from statistics import median

import torch
from playwright.sync_api import Browser, Page, sync_playwright

from rnnviz.charts.one_weight import tables
from rnnviz.charts.one_weight_positions import PHIS, SIZES, TAUS, WEIGHTS
from rnnviz.one_weight import OneWeight, positions
from rnnviz.ui.scrub import sendable
from tests.bench.app import BASELINE, RUN, move, opened, served
from tests.bench.timing import Row
from tests.e2e.browser import launch, settle
from tests.e2e.serve import ROOT

PRESSES, WARM_UP = 50, 5
FRAME_MS = 1e3 / 60
EVERY = 97  # one position in so many is run by the loop
ROUNDS = 5
PHI = {"identity": lambda a: a, "tanh": torch.tanh}

# From a key press to the frame after which the changed drawing is on screen, in ms.
_ARM = """() => {
  window.pressed = new Promise(done => {
    let from = 0, changed = false
    addEventListener("keydown", event => { from = event.timeStamp }, { capture: true, once: true })
    const observer = new MutationObserver(() => {
      if (changed) return
      changed = true
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()  // its message comes after the frame is drawn
        port1.onmessage = () => { observer.disconnect(); done(performance.now() - from) }
        port2.postMessage(0)
      })
    })
    const all = { subtree: true, childList: true, attributes: true, characterData: true }
    observer.observe(document.querySelector("[data-testid=stVegaLiteChart] svg"), all)
  })
}"""


def rows() -> Iterator[Row]:
    yield batch_row()
    packed = tables(positions(OneWeight()), "constant")
    sent = sum(sendable(table).nbytes for table in packed) / 1e6
    yield Row("all positions on the wire", "", sent, 0, 0, 0, None, "MB", "< 3 MB")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with served(RUN, ROOT) as ours, served(RUN, BASELINE) as theirs:
            yield from press_rows(browser, ours, theirs)
        browser.close()


def batch_row() -> Row:
    """Every position in one batch; of a loop a sample, for as many as there are."""
    every = list(product(PHIS, WEIGHTS, TAUS, SIZES))
    x = OneWeight().unit_input()
    positions(OneWeight())
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        positions(OneWeight())
        mine = time.perf_counter() - start
        start = time.perf_counter()
        for phi, w, tau, size in every[::EVERY]:
            by_autograd(phi, w, tau, size * x)
        rounds.append((mine, (time.perf_counter() - start) * len(every) / len(every[::EVERY])))
    ratios = [a / b for a, b in rounds]
    ours, theirs = (1e3 * median(column) for column in zip(*rounds, strict=True))
    what = f"all {len(every):,} positions, autograd's answer included"
    return Row(what, "a loop with autograd", ours, theirs, min(ratios), max(ratios))


def by_autograd(phi: str, w: float, tau: int, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """dL/dw and all ∂L/∂h_t of one position, as one would write it."""
    leaf = torch.tensor(w, dtype=x.dtype, requires_grad=True)
    states = [torch.zeros((), dtype=x.dtype)]
    for t in range(tau):
        states.append(PHI[phi](leaf * states[-1] + x[t]))
    return torch.autograd.grad((states[-1] + 1) ** 2 / 2, [leaf, *states[1:]])


def press_rows(browser: Browser, ours: str, theirs: str) -> Iterator[Row]:
    page, plain = opened(browser, f"{ours}/one"), opened(browser, theirs)
    page.locator(".vega-bindings input[name=one_w]").focus()
    page.keyboard.press("Home")
    plain.locator("input[type=range]").focus()
    plain.keyboard.press("Home")
    page.wait_for_timeout(600)
    settle(page)
    settle(plain)
    rounds = [(press(page), move(plain)[0]) for _ in range(PRESSES + WARM_UP)][WARM_UP:]
    ratios = [a / b for a, b in rounds]
    mine, other = (median(column) for column in zip(*rounds, strict=True))
    yield Row(
        "a step of w, key press to repainted", "a step of a slider", mine, other, min(ratios), max(ratios)
    )
    frames = median(a / FRAME_MS for a, _ in rounds)
    yield Row("  its frames of 1/60 s", "", frames, 0, 0, 0, None, "", "about 2")
    page.wait_for_timeout(600)
    settle(page)
    page.evaluate("() => { sent.length = 0 }")
    for _ in range(PRESSES):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(60)
    yield Row(
        f"messages during {PRESSES} steps", "", page.evaluate("() => sent.length"), 0, 0, 0, None, "", "0"
    )
    page.context.close()


def press(page: Page) -> float:
    """Milliseconds from a key press to the changed picture."""
    page.bring_to_front()
    page.evaluate(_ARM)
    page.keyboard.press("ArrowRight")
    found: float = page.evaluate("() => window.pressed")
    return found

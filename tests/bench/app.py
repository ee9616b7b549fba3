"""The app in a browser beside plain Streamlit: key press to repainted charts, start to first picture.

Both sides are watched by the same script in the same browser, move by move in turns.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.timing import Row
from tests.e2e.browser import launch, settle
from tests.e2e.serve import ROOT

BASELINE = Path(__file__).parent / "baseline"
MOVES, WARM_UP = 28, 4  # the forget bias has 32 steps
STARTS = 4
STEP_BOUND, START_BOUND = 1.5, 1.3
# Neither side may wait for the network, which a benchmark cannot count on.
QUIET = ["--server.headless=true", "--browser.gatherUsageStats=false", "--browser.serverAddress=localhost"]
RUN = ["run", "app.py"]
PAGES = {
    "Gradient flow, a step of the radius": ("/flow", "flow_radius"),
    **{
        f"Gradient flow at T = 200, {tab}": (
            f"/flow?flow_T=200&flow_tab={tab.replace(' ', '+')}",
            "flow_radius",
        )
        for tab in ("How far", "Why", "Spectrum", "Remedies")
    },
    "Inside the cell, a step of the forget bias": ("/cell?cell_input=Noise&cell_T=100", "cell_fbias"),
}
PARTS = ("key to request", "server", "front end")

# Notes when the socket speaks, how much it says, and where components live.
# A picture counts as repainted one frame after its SVG or canvas changed last.
WATCH = """(() => {
  const Real = WebSocket, attach = Element.prototype.attachShadow
  window.sent = [], window.heard = [], window.sizes = [], window.roots = []
  Element.prototype.attachShadow = function (...args) {
    const root = attach.apply(this, args)
    window.roots.push(root)
    return root
  }
  window.stage = () => roots.filter(root => root.host.isConnected)
    .map(root => root.querySelector(".stepper .stage")).find(Boolean)
  window.WebSocket = class extends Real {
    constructor(...args) {
      super(...args)
      this.addEventListener("message", ({ data }) => {
        window.heard.push(performance.now())
        window.sizes.push(data.byteLength)
      })
    }
    send(data) { window.sent.push(performance.now()); super.send(data) }
  }
})()"""

_ARM = """() => {
  const charts = [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
  charts.push(...stage()?.querySelectorAll(":scope > canvas, :scope > svg") ?? [])
  const changed = new Set()
  let pressed = 0, painted = 0, frame = 0
  window.sent.length = window.heard.length = window.sizes.length = 0
  addEventListener("keydown", event => { pressed = event.timeStamp }, { capture: true, once: true })
  const inPicture = ({ target, addedNodes }) =>
    (target instanceof Element ? target : target.parentElement)?.closest("svg, canvas") ||
    [...addedNodes].some(node => node.nodeName === "svg")
  const observers = charts.map(chart => {
    const observer = new MutationObserver(mutations => {
      if (!pressed || !mutations.some(inPicture)) return
      changed.add(chart)
      cancelAnimationFrame(frame)
      frame = requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()  // its message comes after the frame is drawn
        port1.onmessage = () => { painted = performance.now() }
        port2.postMessage(0)
      })
    })
    observer.observe(chart, { subtree: true, childList: true, attributes: true, characterData: true })
    return observer
  })
  window.moved = new Promise((done, fail) => {
    const start = performance.now()
    const look = () => {
      const now = performance.now()
      if (changed.size === charts.length && painted && now - painted > 200) {
        observers.forEach(observer => observer.disconnect())
        const request = window.sent.find(at => at >= pressed) - pressed
        const answer = Math.max(...window.heard.filter(at => at <= painted)) - pressed
        done([painted - pressed, request, answer - request, painted - pressed - answer])
      } else if (now - start > 10000) fail(`${changed.size} of ${charts.length} charts changed`)
      else setTimeout(look, 20)
    }
    look()
  })
}"""

_STEPPER = """() => {
  const roots = [...document.querySelectorAll("*")].map(el => el.shadowRoot).filter(Boolean)
  const stage = roots.map(root => root.querySelector(".stepper .stage")).find(Boolean)
  const canvas = stage?.querySelector("canvas")
  if (!canvas?.width || !stage.querySelector("svg text")?.textContent) return false
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
  return data.some(value => value)
}"""
_TEXT = "() => !!document.querySelector('[data-testid=stMarkdownContainer] p, h1')?.textContent.trim()"


def rows() -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield from step_rows(browser)
        yield start_row(browser)
        browser.close()


def step_rows(browser: Browser) -> Iterator[Row]:
    with served(RUN, ROOT) as ours, served(RUN, BASELINE) as theirs:
        plain = opened(browser, theirs)
        for what, (link, key) in PAGES.items():
            page = opened(browser, ours + link)
            page.locator(f".st-key-{key} input[type=range]").focus()
            plain.locator("input[type=range]").focus()
            if key == "cell_fbias":
                page.keyboard.press("Home")
            plain.keyboard.press("Home")
            settle(page)
            settle(plain)
            rounds = [(move(page), move(plain)) for _ in range(MOVES + WARM_UP)][WARM_UP:]
            totals = [(a[0], b[0]) for a, b in rounds]
            ratios = [a / b for a, b in totals]
            mine, other = (median(column) for column in zip(*totals, strict=True))
            yield Row(what, "one slider, one line", mine, other, min(ratios), max(ratios), STEP_BOUND)
            for k, part in enumerate(PARTS, 1):
                mine, other = (median(side[k] for side in column) for column in zip(*rounds, strict=True))
                parts = [a[k] / max(b[k], 0.1) for a, b in rounds]
                yield Row(f"  of it {part}", "the same", mine, other, min(parts), max(parts))
            page.context.close()


def opened(browser: Browser, link: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.add_init_script(WATCH)
    page.goto(link)
    settle(page)
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for()
    page.wait_for_timeout(2500)  # what the app loads behind its first page is loaded
    return page


def move(page: Page) -> list[float]:
    """Milliseconds of one step of the focused slider, and their parts."""
    page.bring_to_front()
    page.evaluate(_ARM)
    page.keyboard.press("ArrowRight")
    found: list[float] = page.evaluate("() => window.moved")
    return found


def start_row(browser: Browser) -> Row:
    """First useful picture after ``streamlit run app.py``, beside the first text of ``streamlit hello``."""
    rounds = []
    with tempfile.TemporaryDirectory() as empty:
        for k in range(STARTS + 1):
            ways = [(RUN, ROOT, _STEPPER), (["hello"], Path(empty), _TEXT)]
            times = [first_picture(browser, *way) for way in (ways if k % 2 else ways[::-1])]
            rounds.append(tuple(times if k % 2 else times[::-1]))
    rounds = rounds[1:]  # the first pays for the disk
    ratios = [a / b for a, b in rounds]
    mine, other = (1e3 * median(column) for column in zip(*rounds, strict=True))
    return Row(
        "start to first picture",
        "streamlit hello, its text",
        mine,
        other,
        min(ratios),
        max(ratios),
        START_BOUND,
    )


def first_picture(browser: Browser, command: list[str], folder: Path, seen: str) -> float:
    """Seconds from the command to what ``seen`` recognises, in a browser that never saw the app."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    start = time.perf_counter()
    with served(command, folder) as url:
        page.goto(url, wait_until="commit")
        page.wait_for_function(seen, polling="raf", timeout=60_000)
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        seconds = time.perf_counter() - start
        page.context.close()
    return seconds


@contextmanager
def served(command: list[str], folder: Path) -> Iterator[str]:
    """``streamlit`` with this command in this folder; yields its address the moment it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", *command, *QUIET, f"--server.port={port}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not listens(port):
            if process.poll() is not None:
                raise RuntimeError(f"streamlit {' '.join(command)} ended at once")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

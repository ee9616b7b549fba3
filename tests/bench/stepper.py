"""The stepper in a browser: frames while it plays, a key press, its messages, and how a long run arrives.

What is played is a page's LSTM of T = 200, H = 32. A run of T = 1000, H = 64, more than the pages allow, is
shown by an app of its own, ``stepper_app``. The browser draws without a GPU; an empty page beside the
stepper's tells what its display can do.
"""

import math
from collections.abc import Iterator
from statistics import median

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.app import BASELINE, RUN, WATCH, move, opened, served
from tests.bench.stepper_app.run import header, packed, values
from tests.bench.timing import Row
from tests.e2e.browser import launch, settle
from tests.e2e.serve import ROOT

LINK = "/cell?cell_input=Noise&cell_T=200&cell_H=32"
# The first window is the one that the bounds hold for; the second is a projector's.
WINDOWS = ((1280, 720), (1920, 1080))
PLAYS, SECONDS = 5, 3.0
PRESSES, WARM_UP = 50, 5
HURRY_MS = 60  # between two steps, below the 250 ms after which the link follows
MOVES = 28  # of the forget bias, after 4 to warm up
LOADS = 7
LONG = 1000, 64  # T, H
FRAMES, LONGEST_TASK, PRESS_FRAMES, LOAD_MS, BYTES = 55, 50, 2, 1000, 1.1

# When frames began, where the stepper stood at each, and the tasks that kept them waiting.
_FRAMES = """seconds => new Promise(done => {
  const time = window.stage?.()?.parentElement.querySelector(".time")
  const frames = [], steps = [], tasks = []
  const note = entries => tasks.push(...entries.map(entry => entry.duration))
  const observer = new PerformanceObserver(list => note(list.getEntries()))
  observer.observe({ type: "longtask" })
  const each = now => {
    frames.push(now)
    steps.push(Number(time?.value))
    if (now - frames[0] < 1e3 * seconds) return requestAnimationFrame(each)
    setTimeout(() => {
      note(observer.takeRecords())
      observer.disconnect()
      done({ frames, steps, tasks })
    }, 100)
  }
  requestAnimationFrame(each)
})"""

# From a key press to the frame after which the changed drawing is on screen, in ms;
# and what the browser itself says of it, which counts until the frame is presented, in steps of 8 ms from 16.
_ARM_PRESS = """() => {
  window.pressed = new Promise(done => {
    let from = 0, changed = false, shown = 16
    const timing = new PerformanceObserver(list => {
      for (const entry of list.getEntries()) if (entry.name === "keydown") shown = entry.duration
    })
    timing.observe({ type: "event", durationThreshold: 16 })
    addEventListener("keydown", event => { from = event.timeStamp }, { capture: true, once: true })
    const observer = new MutationObserver(() => {
      if (!from || changed) return
      changed = true
      observer.disconnect()
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel()  // its message comes after the frame is drawn
        port1.onmessage = () => {
          const painted = performance.now() - from
          setTimeout(() => { timing.disconnect(); done([painted, shown]) }, 120)
        }
        port2.postMessage(0)
      })
    })
    const all = { subtree: true, childList: true, attributes: true, characterData: true }
    observer.observe(stage().querySelector("svg"), all)
  })
}"""

# Before anything else runs: when the page's first picture is on screen.
_PICTURE = """;(() => {
  const look = () => {
    const drawn = window.stage?.()
    const ready = drawn?.querySelector("canvas").style.width && drawn.querySelector("svg text")?.textContent
    if (!ready) return requestAnimationFrame(look)
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => { window.pictured = performance.now() }
    port2.postMessage(0)
  }
  requestAnimationFrame(look)
})()"""
_LOADED = """() => {
  const largest = Math.max(...sizes), canvas = stage().querySelector("canvas")
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height)
  if (!data.some(value => value)) throw new Error("the strips are empty")
  return [pictured - sent[0], pictured - heard[sizes.indexOf(largest)], sizes.reduce((a, b) => a + b, 0)]
}"""


def rows() -> Iterator[Row]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        with served(RUN, ROOT) as ours, served(RUN, BASELINE) as theirs:
            for window in WINDOWS:
                yield from play_rows(browser, ours, window)
            plain = opened(browser, theirs)
            yield from press_rows(browser, ours, plain)
            yield slider_row(browser, ours, plain)
        with served(["run", "tests/bench/stepper_app/app.py"], ROOT) as alone:
            yield from load_rows(browser, alone)
        browser.close()


def shown(browser: Browser, link: str, window: tuple[int, int] = WINDOWS[0]) -> Page:
    """A page whose stepper is drawn and has the focus; the mouse is elsewhere."""
    page = browser.new_context(viewport={"width": window[0], "height": window[1]}).new_page()
    page.add_init_script(WATCH + _PICTURE)
    page.goto(link)
    page.wait_for_function("() => window.pictured")
    settle(page)
    page.wait_for_timeout(2500)  # what the app loads behind its first page is loaded
    rest(page)
    return page


def rest(page: Page) -> None:
    """At the first step, paused, and the link has been told."""
    page.bring_to_front()
    page.locator(".stepper .time").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(600)
    settle(page)


def play_rows(browser: Browser, app: str, window: tuple[int, int]) -> Iterator[Row]:
    page = shown(browser, app + LINK, window)
    empty = browser.new_page()
    size = "" if window == WINDOWS[0] else f" at {window[0]} × {window[1]}"
    asked = not size
    for speed, words in (("60", "60 a second"), ("2.5", "2.5 a second, gliding")):
        page.locator(".stepper select[name=speed]").select_option(speed)
        fps, paces, long, longest, sent = [], [], 0, 0.0, 0
        for _ in range(PLAYS):
            empty.bring_to_front()
            still = empty.evaluate(_FRAMES, 1)
            rest(page)
            page.evaluate("() => { sent.length = 0 }")
            page.keyboard.press("Space")
            page.wait_for_timeout(50)
            found = page.evaluate(_FRAMES, SECONDS)
            sent += page.evaluate("() => sent.length")
            page.keyboard.press("Space")
            fps.append((rate(found["frames"]), rate(still["frames"])))
            paces.append(pace(found["frames"], found["steps"]))
            long += sum(task > LONGEST_TASK for task in found["tasks"])
            longest = max(longest, *found["tasks"], 0.0)
        ratios = [a / b for a, b in fps]
        mine, other = (median(column) for column in zip(*fps, strict=True))
        what, low, high = f"playing {words}{size}", min(ratios), max(ratios)
        yield Row(
            what, "an empty page", mine, other, low, high, None, "fps", f"≥ {FRAMES} fps" if asked else ""
        )
        ratios = [each / float(speed) for each in paces]
        mine, other = median(paces), float(speed)
        yield Row("  its steps", "the speed", mine, other, min(ratios), max(ratios), None, "/s")
        yield plainly(f"  its tasks over 50 ms in {PLAYS} × {SECONDS:g} s", long, "", "0" if asked else "")
        if longest:
            yield plainly("  the longest of them", longest, "ms")
        yield plainly("  messages to the server meanwhile", sent, "", "0" if asked else "")
    page.context.close()
    empty.context.close()


def rate(frames: list[float]) -> float:
    """Frames a second."""
    return 1e3 * (len(frames) - 1) / (frames[-1] - frames[0])


def pace(frames: list[float], steps: list[int]) -> float:
    """Steps a second, from the first that was seen to begin to the last."""
    begun = [k for k in range(1, len(steps)) if steps[k] != steps[k - 1]]
    return 1e3 * (steps[begun[-1]] - steps[begun[0]]) / (frames[begun[-1]] - frames[begun[0]])


def plainly(what: str, ours: float, unit: str, asked: str = "") -> Row:
    """A number that stands alone."""
    return Row(what, "", ours, 0, 0, 0, None, unit, asked)


def press_rows(browser: Browser, app: str, plain: Page) -> Iterator[Row]:
    page = shown(browser, app + LINK)
    plain.locator("input[type=range]").focus()
    plain.keyboard.press("Home")
    settle(plain)
    rounds = [(press(page), move(plain)[0]) for _ in range(PRESSES + WARM_UP)][WARM_UP:]
    ratios = [a[0] / b for a, b in rounds]
    mine, other = median(a[0] for a, _ in rounds), median(b for _, b in rounds)
    yield Row("a step, key press to repainted", "a step of a slider", mine, other, min(ratios), max(ratios))
    # By the clock, 1/60 s each: frames that the browser drops count too.
    frames = [math.ceil(a[0] * 60 / 1e3) for a, _ in rounds]
    yield plainly("  its frames", median(frames), "", f"≤ {PRESS_FRAMES}")
    yield plainly(f"  the most of {PRESSES}", max(frames), "")
    late = sum(frame > PRESS_FRAMES for frame in frames)
    yield plainly(f"  later than {PRESS_FRAMES}, of {PRESSES}", late, "", "0")
    yield plainly("  until presented, by 8 ms", median(a[1] for a, _ in rounds), "ms")
    rest(page)
    page.evaluate("""() => {
      sent.length = 0
      window.presses = []
      addEventListener("keydown", event => presses.push(event.timeStamp), { capture: true })
    }""")
    for _ in range(PRESSES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(HURRY_MS)
    yield plainly(f"messages during {PRESSES} steps", page.evaluate("() => sent.length"), "", "0")
    gap = page.evaluate("() => Math.max(...presses.slice(1).map((at, k) => at - presses[k]))")
    yield plainly("  the longest between two, which 250 should exceed", gap, "ms")
    page.wait_for_timeout(1500)
    yield plainly("  and after a pause, for the link", page.evaluate("() => sent.length"), "")
    page.context.close()


def press(page: Page) -> list[float]:
    """Milliseconds from a key press to the changed picture, and until presented."""
    page.bring_to_front()
    page.evaluate(_ARM_PRESS)
    page.keyboard.press("ArrowRight")
    found: list[float] = page.evaluate("() => window.pressed")
    return found


def slider_row(browser: Browser, app: str, plain: Page) -> Row:
    page = shown(browser, f"{app}/cell")
    page.locator("[data-testid=stVegaLiteChart] svg").first.wait_for()
    page.locator(".st-key-cell_fbias input[type=range]").focus()
    page.keyboard.press("Home")
    plain.locator("input[type=range]").focus()
    plain.keyboard.press("Home")
    settle(page)
    settle(plain)
    rounds = [(move(page)[0], move(plain)[0]) for _ in range(MOVES + 4)][4:]
    page.context.close()
    ratios = [a / b for a, b in rounds]
    mine, other = (median(column) for column in zip(*rounds, strict=True))
    what = "forget bias to a new run in the stepper, and its chart"
    return Row(what, "one slider, one line", mine, other, min(ratios), max(ratios), 1.5)


def load_rows(browser: Browser, app: str) -> Iterator[Row]:
    run = packed(*LONG)
    link = "{}/?T={}&H={}".format(app, *LONG)
    tabs = []
    for _ in range(LOADS + 1):
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        page.add_init_script(WATCH + _PICTURE)
        page.goto(link)
        page.wait_for_function("() => window.pictured", timeout=60_000)
        tabs.append(page.evaluate(_LOADED))
        page.context.close()
    asked, received, wire = (
        median(column) for column in zip(*tabs[1:], strict=True)
    )  # the first computes it
    name = "T = {}, H = {}".format(*LONG)
    yield plainly(f"{name}, from the tab's request to its picture", asked, "ms", f"< {LOAD_MS} ms")
    yield plainly("  the slowest", max(tab[0] for tab in tabs[1:]), "ms")
    yield plainly("  of it after the bytes have come", received, "ms")
    needed = 4 * values(run)
    ratio = wire / needed
    yield Row(
        f"{name}, on the wire", "its numbers as float32", wire / 1e6, needed / 1e6, ratio, ratio, BYTES, "MB"
    )
    text = as_json(run)
    ratio = wire / text
    yield Row("  the same", "its numbers as JSON", wire / 1e6, text / 1e6, ratio, ratio, None, "MB")


def as_json(run: bytes) -> int:
    """Bytes of a run's numbers as JSON lists, each as short as can be read back."""
    start = 4 + int.from_bytes(run[:4], "little")
    size = 0
    for kind, shape, offset in header(run)["arrays"].values():
        # Of scaled rows the digits alone: their exponents would make the text longer still.
        array = np.frombuffer(run, f"<{kind.replace('s', 'f')}", math.prod(shape), start + offset)
        size += sum(map(len, array.astype("U").tolist())) + array.size + 1  # commas and brackets
    return size

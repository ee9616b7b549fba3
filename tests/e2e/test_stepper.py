"""The stepper's hands and ears: sub-steps, keyboard, playing, what it tells the server, and re-runs."""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from rnnviz.engine import CELLS
from tests.e2e.browser import settle
from tests.e2e.reading import widget
from tests.e2e.stepping import (
    H,
    T,
    keys,
    link,
    open_stepper,
    see,
    tap,
)

LSTM = CELLS["lstm"]
_STEPS = """root => {
  const seen = window.steps = []
  const step = root.querySelector(".step")
  new MutationObserver(() => seen.push([performance.now(), parseInt(step.textContent.slice(4))]))
    .observe(step, { childList: true, characterData: true, subtree: true })
}"""
_PASSED = """() => {
  window.passed = []
  window.addEventListener("keydown", event => event.defaultPrevented || window.passed.push(event.key))
}"""
_CONTROLS = """root => [...root.querySelectorAll("button, select, input, [tabindex='0']")]
  .filter(el => el.getClientRects().length && !el.disabled)
  .map(el => el.dataset.tag = el.dataset.tag ?? `${Math.random()}`)"""
_FOCUSED = """root => {
  const el = root.getRootNode().activeElement
  if (!el || !root.contains(el)) return null
  const style = getComputedStyle(el)
  const name = el.getAttribute("aria-label") || el.labels?.[0]?.textContent || el.textContent
  return [el.dataset.tag, name.trim(), style.outlineStyle, parseFloat(style.outlineWidth)]
}"""


@pytest.fixture
def cell(page: Page) -> Locator:
    open_stepper(page, link(LSTM))
    return page.locator(".stepper")


def at(page: Page) -> tuple[int, int]:
    seen = see(page)
    return seen["t"], int(seen["pressed"]["stages"])


def test_shift_and_arrows_walk_through_the_sub_steps_and_on_into_the_next_step(cell: Locator) -> None:
    page, n = cell.page, len(LSTM.stages)
    keys(page, "Home")
    walk = [(1, 0), *((t, stage) for t in (1, 2) for stage in range(1, n + 1)), (3, 1)]
    for where in walk:
        assert at(page) == where
        keys(page, "Shift+ArrowRight")
    for where in [(3, 2), *reversed(walk[1:])]:
        assert at(page) == where
        keys(page, "Shift+ArrowLeft")
    assert at(page) == (1, 1)
    keys(page, "End", *["Shift+ArrowRight"] * 9)
    assert at(page) == (T, n)
    expect(cell.locator(".time")).to_have_attribute("aria-valuetext", see(page)["spoken"])
    assert LSTM.stages[-1].title in see(page)["spoken"]


def test_a_click_on_a_gate_opens_its_equation_and_sub_step(cell: Locator) -> None:
    page = cell.page
    for stage, about in enumerate(LSTM.stages, 1):
        for name in about.equations:
            cell.locator(f"g.node[data-node={name}] .number").click()
            seen = see(page)
            assert seen["pressed"]["stages"] == str(stage)
            assert seen["opened"] == [name]


def test_the_keys_of_the_stepper(cell: Locator) -> None:
    page = cell.page
    keys(page, "Home")
    assert (see(page)["t"], see(page)["unit"]) == (1, 3)
    keys(page, "ArrowLeft", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowDown")
    assert (see(page)["t"], see(page)["unit"]) == (3, 2)
    keys(page, "End", "ArrowRight", *["ArrowDown"] * H)
    assert (see(page)["t"], see(page)["unit"]) == (T, H)
    keys(page, "b")
    expect(cell).to_have_class("stepper is-back")
    keys(page, "B")
    expect(cell).to_have_class("stepper")
    keys(page, "Home", "Space")
    expect(cell).to_have_attribute("data-state", "playing")
    keys(page, "Space")
    expect(cell).to_have_attribute("data-state", "paused")
    expect(cell.locator(".play")).to_have_accessible_name("Play")
    spoken = see(page)["spoken"]
    assert spoken.startswith(f"Step {see(page)['t']} of {T}, input ")
    assert spoken.endswith(".")
    assert all(f"{name} " in spoken for name in "figoch")


def test_with_nothing_focused_only_what_the_page_does_not_need(cell: Locator) -> None:
    page = cell.page
    page.evaluate("document.activeElement.blur()")
    page.evaluate(_PASSED)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert see(page)["t"] == 18
    page.keyboard.press("b")
    assert see(page)["pressed"]["directions"] == "back"
    page.keyboard.press("b")
    left = ["Home", "End", " ", "ArrowUp", "ArrowDown", "r", "Tab"]
    for key in left[:-1]:
        page.keyboard.press(key)
    assert (see(page)["t"], see(page)["unit"], see(page)["state"]) == (18, 3, "paused")
    assert page.evaluate("window.passed") == left[:-1]
    settle(page)
    cell.locator(".time").focus()  # Streamlit's own keys stay its own, in the component, too
    page.evaluate("window.passed = []")
    for key in ("r", "c"):
        page.keyboard.press(key)
    assert page.evaluate("window.passed") == ["r", "c"]
    assert (see(page)["t"], see(page)["unit"]) == (18, 3)


def test_who_types_elsewhere_does_not_step(cell: Locator) -> None:
    page, field = cell.page, widget(cell.page, "cell_text").locator("input")
    field.focus()
    for key in ("End", "ArrowLeft", "b", "ArrowRight", "Home"):
        page.keyboard.press(key)
    assert field.input_value() == "the clouds are in the skby"
    assert (see(page)["t"], see(page)["pressed"]["directions"]) == (17, "forth")
    cell.locator("[name=speed]").focus()
    page.keyboard.press("ArrowDown")
    assert see(page)["t"] == 17


def test_every_control_is_reached_by_tab_has_a_name_and_shows_its_focus(page: Page) -> None:
    open_stepper(page, link(LSTM, cell_stage="2", cell_silent="2"))
    root = page.locator(".stepper")
    wanted = root.evaluate(_CONTROLS)
    root.locator(".stages button").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    found: dict[str, Any] = {}
    while (now := root.evaluate(_FOCUSED)) and now[0] not in found:
        found[now[0]] = now[1:]
        page.keyboard.press("Tab")
    assert set(found) == set(wanted)
    assert all(name for name, _, _ in found.values())
    assert [row for row in found.values() if row[1] == "none" or row[2] < 2] == []
    names = [name for name, _, _ in found.values()]
    assert {"Step t", "Speed", "Scale", "Play", "GIF", "Backward", "Unrolled"} <= set(names)


def test_what_takes_the_focus_is_not_hidden_from_screen_readers_and_keeps_it(page: Page) -> None:
    open_stepper(page, link(LSTM, cell_stage="2"))
    root = page.locator(".stepper")
    root.locator("g.equation[data-open=g]").focus()
    page.keyboard.press("Enter")
    assert see(page)["opened"] == ["g"]
    assert root.evaluate(_FOCUSED), "the focus is lost when an equation is opened"
    root.locator("g.equation[data-open=i]").focus()
    page.keyboard.press("Space")
    assert see(page)["opened"] == ["i"], "a button obeys Space"
    assert root.locator("[aria-hidden=true] [tabindex='0']").count() == 0
    expect(root.get_by_role("button", name="Open the sum of the input gate")).to_have_count(1)


def watch(page: Page, speed: str, *first: str) -> None:
    """Set a speed, go to a place and play from there, noting each step and its time."""
    page.locator(".stepper [name=speed]").select_option(speed)
    keys(page, *first)
    page.locator(".stepper").evaluate(_STEPS)
    keys(page, "Space")


def steps(page: Page) -> list[list[float]]:
    found: list[list[float]] = page.evaluate("window.steps")
    return found


def test_it_plays_to_the_end_rests_and_starts_again(cell: Locator) -> None:
    page = cell.page
    watch(page, "15", "End", *["ArrowLeft"] * 4)
    page.wait_for_function("window.steps.some(([, t]) => t === 3)", timeout=8000)
    seen = steps(page)
    walked = [t for _, t in seen]
    end = walked.index(T)  # a slow machine skips steps, not the last
    assert walked[: end + 1] == sorted(walked[: end + 1])
    assert walked[end + 1] == 1
    rest = seen[end + 1][0] - seen[end][0]
    assert 2000 < rest < 3500
    keys(page, "Space", "b")
    watch(page, "15", "Home", "ArrowRight", "ArrowRight", "ArrowRight")
    page.wait_for_function("window.steps.some(([, t]) => t > 20 && t < 25)", timeout=8000)
    walked = [t for _, t in steps(page)]
    end = walked.index(1)
    assert walked[: end + 1] == sorted(walked[: end + 1], reverse=True)
    assert walked[end + 1] == T


def test_the_highest_speed_starts_also_while_the_cursor_still_glides(cell: Locator) -> None:
    watch(cell.page, "60", "Home", "End", "ArrowLeft", "Home", "ArrowRight")
    cell.page.wait_for_function(f"window.steps.some(([, t]) => t === {T})", timeout=3000)
    walked = [t for _, t in steps(cell.page)]
    assert walked == sorted(walked)


def test_speed_hover_and_leaving(cell: Locator) -> None:
    page = cell.page
    watch(page, "5", "Home")
    page.wait_for_function("window.steps.length >= 6")
    seen = steps(page)
    assert 150 < (seen[5][0] - seen[0][0]) / (seen[5][1] - seen[0][1]) < 270
    cell.locator(".stage").hover()
    expect(cell).to_have_attribute("data-state", "paused")
    stood = see(page)["t"]
    page.wait_for_timeout(700)
    assert see(page)["t"] == stood
    page.mouse.move(5, 5)
    expect(cell).to_have_attribute("data-state", "playing")
    page.wait_for_function("window.steps.length >= 9")
    cell.locator(".play").click()
    expect(cell).to_have_attribute("data-state", "paused")


def test_home_is_alive_by_itself_and_still_for_who_wants_it_still(page: Page) -> None:
    open_stepper(page, "/")
    root = page.locator(".stepper")
    expect(root).to_have_attribute("data-state", "playing")
    root.evaluate(_STEPS)
    page.wait_for_function("window.steps.length >= 2")
    jump = """root => {
      const key = new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, composed: true })
      root.querySelector(".time").dispatchEvent(key)
      return root.querySelector(".cursor").getAttribute("transform")
    }"""
    keys(page, "Home")
    page.wait_for_timeout(700)
    gliding = root.evaluate(jump)
    page.wait_for_timeout(700)
    assert gliding != root.locator(".cursor").get_attribute("transform")

    page.emulate_media(reduced_motion="reduce")
    open_stepper(page, "/")
    expect(root).to_have_attribute("data-state", "paused")
    assert see(page)["t"] == 1
    there = root.evaluate(jump)
    page.wait_for_timeout(900)
    assert root.locator(".cursor").get_attribute("transform") == there
    assert see(page)["t"] == 2


def test_nothing_is_sent_while_stepping(page: Page) -> None:
    sent: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    open_stepper(page, "/")
    assert sent  # the ear works: the page's own first request was heard
    quiet = len(sent)
    keys(page, "Home", *["ArrowRight"] * T, "ArrowDown", "b", "Shift+ArrowRight", "Space")
    page.wait_for_timeout(1500)
    keys(page, "Space")
    page.wait_for_timeout(600)
    assert len(sent) == quiet

    open_stepper(page, link(LSTM))
    quiet = len(sent)
    tap(page, 110, "Home", *["ArrowRight"] * 8, "b", "ArrowDown")
    assert len(sent) == quiet
    tap(page, 110, "ArrowUp", " ")  # who plays within the pause does not stand there
    page.wait_for_timeout(1500)
    assert len(sent) == quiet
    keys(page, "Space")
    page.wait_for_timeout(500)
    assert quiet < len(sent) <= quiet + 2

"""The home page's living picture: it plays by itself, obeys the keyboard and never asks the server."""

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.browser import settle, shot
from tests.e2e.serve import ROOT

RECORD = json.loads((ROOT / "assets" / "home.json").read_text(encoding="utf-8"))
T = len(RECORD["text"])


@pytest.fixture
def picture(page: Page) -> Locator:
    page.goto("/")
    settle(page)
    return page.locator(".living")


def step(picture: Locator) -> int:
    """The step under the cursor, from 0."""
    return int(picture.get_by_role("slider").get_attribute("aria-valuenow") or 0) - 1


def hold(picture: Locator, key: str) -> None:
    """Stop at the first or last step."""
    picture.get_by_role("slider").focus()
    picture.page.keyboard.press(key)
    expect(picture).to_have_attribute("data-state", "paused")


def numbers(picture: Locator) -> dict[str, str]:
    """What is written under each symbol; `c0` is the cell state one step earlier."""
    found: list[list[str]] = picture.locator(".number[data-of]").evaluate_all(
        "all => all.map(el => [el.dataset.of, el.textContent])"
    )
    return dict(reversed(found))  # c stands in both equations


def recorded(t: int, unit: int) -> dict[str, str]:
    gates, states = RECORD["gates"], RECORD["states"]
    values = {name: gates[name][t][unit] for name in "figo"}
    values |= {"c0": states["c"][t][unit], "c": states["c"][t + 1][unit], "h": states["h"][t + 1][unit]}
    return {name: f"{value:.2f}".replace("-", "−") for name, value in values.items()}


def painted(picture: Locator) -> list[int]:
    """Mean opacity (0 to 255) of each step's column on the canvas."""
    found: list[int] = picture.locator("canvas").evaluate(
        """(canvas, T) => {
          const { width, height } = canvas
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height)
          return Array.from({ length: T }, (_, t) => {
            const x = Math.round((t + 0.5) * width / T)
            let sum = 0, n = 0
            for (let y = 0; y < height; y++) {
              const a = data[4 * (y * width + x) + 3]
              if (a) { sum += a; n++ }
            }
            return n ? Math.round(sum / n) : 0
          })
        }""",
        T,
    )
    return found


def test_it_shows_the_sentence_and_six_strips_and_starts_by_itself(picture: Locator) -> None:
    expect(picture.locator(".chars span")).to_have_text([c.replace(" ", "␣") for c in RECORD["text"]])
    expect(picture.locator(".label .symbol")).to_have_text(["f", "i", "g", "o", "c", "h"])
    expect(picture.locator(".label .range").first).to_contain_text("0")
    before = step(picture)
    expect(picture.get_by_role("slider")).not_to_have_attribute("aria-valuenow", str(before + 1))
    assert picture.get_attribute("data-state") == "playing"


def test_the_past_is_in_full_colour_and_the_future_faint(picture: Locator) -> None:
    hold(picture, "Home")
    for _ in range(T // 2):
        picture.page.keyboard.press("ArrowRight")
    picture.page.wait_for_timeout(700)  # the cursor glides to its step
    opacity = painted(picture)
    assert all(a == 255 for a in opacity[: T // 2 + 1])
    assert all(0 < a < 80 for a in opacity[T // 2 + 1 :])
    shot(picture.page, "living_middle")


def test_the_arrow_moves_by_one_and_the_numbers_are_the_record_s(picture: Locator) -> None:
    hold(picture, "Home")
    for t in range(T):
        assert step(picture) == t
        assert numbers(picture) == recorded(t, RECORD["unit"])
        picture.page.keyboard.press("ArrowRight")
    assert step(picture) == T - 1  # it stops at the end
    picture.page.keyboard.press("ArrowLeft")
    assert step(picture) == T - 2


def test_space_plays_and_pauses(picture: Locator) -> None:
    hold(picture, "Home")
    picture.page.keyboard.press("Space")
    expect(picture).to_have_attribute("data-state", "playing")
    expect(picture.get_by_role("slider")).not_to_have_attribute("aria-valuenow", "1")
    picture.page.keyboard.press("Space")
    expect(picture).to_have_attribute("data-state", "paused")
    stopped = step(picture)
    picture.page.wait_for_timeout(900)
    assert step(picture) == stopped


def test_the_button_pauses_and_has_a_name(picture: Locator) -> None:
    picture.get_by_role("button", name="Pause the run").click()
    expect(picture.get_by_role("button", name="Play the run")).to_be_visible()
    expect(picture).to_have_attribute("data-state", "paused")


def test_hovering_pauses_and_a_click_chooses_step_and_unit(picture: Locator) -> None:
    page, area = picture.page, picture.locator("canvas").bounding_box()
    assert area
    units = RECORD["hidden_size"]
    x = area["x"] + area["width"] * 4.5 / T
    page.mouse.move(x, area["y"] + 2)
    expect(picture).to_have_attribute("data-state", "paused")
    assert step(picture) == 4
    page.mouse.move(10, 10)
    expect(picture).to_have_attribute("data-state", "playing")
    page.mouse.click(x, area["y"] + area["height"] - 2)  # the last unit of the last strip
    page.mouse.move(10, 10)
    expect(picture).to_have_attribute("data-state", "paused")
    assert numbers(picture) == recorded(4, units - 1)
    page.mouse.move(area["x"] + area["width"] * 9.5 / T, area["y"] + 2)  # a glance, not a choice
    assert step(picture) == 9
    page.mouse.move(10, 10)
    assert step(picture) == 4


def test_nothing_is_sent_to_the_server_and_nothing_moves_on_the_page(page: Page) -> None:
    sent: list[Any] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.goto("/")
    settle(page)
    picture = page.locator(".living")
    hold(picture, "Home")
    page.wait_for_timeout(300)
    quiet = len(sent)
    assert quiet > 0  # the ear works: the page's own first request was heard

    def places() -> Any:
        return picture.locator(".number, .chars span, .facts").evaluate_all(
            "all => all.map(el => { const b = el.getBoundingClientRect(); return [b.left, b.top, b.height] })"
        )

    first = places()
    for _ in range(T):
        page.keyboard.press("ArrowRight")
        assert places() == first
    page.keyboard.press("Space")
    page.wait_for_timeout(1500)
    assert len(sent) == quiet


def test_reduced_motion_starts_paused_in_the_middle(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto("/")
    settle(page)
    picture = page.locator(".living")
    expect(picture).to_have_attribute("data-state", "paused")
    assert step(picture) == T // 2
    page.wait_for_timeout(900)
    assert step(picture) == T // 2


def test_a_screen_reader_gets_a_sentence(picture: Locator) -> None:
    hold(picture, "Home")
    slider = picture.get_by_role("slider")
    reads = f"{RECORD['hidden_size']} units reads “{RECORD['text']}” one character at a time"
    expect(slider).to_have_accessible_name(f"An LSTM with {reads}. Time step")
    said = slider.get_attribute("aria-valuetext") or ""
    assert said.startswith(f"Step 1 of {T}, character {RECORD['text'][0]}. Unit {RECORD['unit'] + 1}.")
    assert recorded(0, RECORD["unit"])["h"] in said


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=["1280", "1920"])
def test_both_themes(page: Page, scheme: str, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"/?embed_options={scheme}_theme")
    settle(page)
    picture = page.locator(".living")
    hold(picture, "End")
    page.wait_for_timeout(500)
    shot(page, f"living_{scheme}_{size[0]}")
    ground = page.locator(".stApp").evaluate("el => getComputedStyle(el).backgroundColor")
    inks = picture.locator(".chars span.past, .label .symbol").evaluate_all(
        "all => all.map(el => getComputedStyle(el).color)"
    )
    for ink in inks:
        assert contrast(ink, ground) >= 3, (ink, ground)
    box = picture.bounding_box()
    assert box
    assert box["height"] < 0.62 * size[1]  # the cards below still peek into the first screen


def test_a_theme_switch_shows_at_once_and_leaves_the_run_where_it_is(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/")
    settle(page)
    picture = page.locator(".living")
    hold(picture, "End")
    light = picture.evaluate("el => getComputedStyle(el).color")
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert contrast(light, picture.evaluate("el => getComputedStyle(el).color")) > 7
    assert step(picture) == T - 1
    expect(picture).to_have_attribute("data-state", "paused")


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two `rgb(…)` colours."""

    def luminance(color: str) -> float:
        parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)

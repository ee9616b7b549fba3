"""What a visitor sees on a page: its controls and their values, its pictures, its sentences."""

import re
from typing import Any

from playwright.sync_api import Locator, Page

from tests.e2e.browser import settle

_CONTROLS = """() => Object.fromEntries(
  [...document.querySelectorAll("[class*='st-key-']")].flatMap(el => {
    const key = el.className.match(/st-key-((?:cell|flow)_[a-zA-Z_]+)/)?.[1]
    const range = el.querySelector("input[type=range]")
    const chosen = el.querySelector("[role=radio][aria-checked=true]")
    const text = el.querySelector("input:not([type=file]), textarea")
    if (!key || !el.matches(".stElementContainer")) return []
    if (range) return [[key, range.getAttribute("aria-valuetext")]]
    if (chosen) return [[key, chosen.textContent]]
    return text ? [[key, text.value]] : []
  }))"""

# Vega numbers its clips and gradients anew; everything else in a picture is the picture.
_PICTURES = """() => [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].map((el, k) => {
  const svg = el.querySelector("svg").outerHTML
  return [document.querySelectorAll(".aloud")[k].textContent, svg.replace(/(clip|gradient)[-_]?\\d+/g, "$1")]
})"""


def open_link(page: Page, link: str, charts: bool = True) -> None:
    """Go there and wait until it stands, pictures included."""
    page.goto(link)
    settle(page)
    if charts:
        page.locator("[data-testid=stVegaLiteChart] svg").nth(1).wait_for()


def controls(page: Page) -> dict[str, str]:
    """Every bound control, also folded ones, and its value as it is written beside it."""
    found: dict[str, str] = page.evaluate(_CONTROLS)
    return found


def pictures(page: Page) -> list[list[str]]:
    """Each picture's words and its SVG."""
    found: list[list[str]] = page.evaluate(_PICTURES)
    return found


def sentences(page: Page) -> list[str]:
    """Everything in a box above or within the page."""
    boxes = page.locator("[data-testid=stAlert]").all_inner_texts()
    lines = [line.strip() for box in boxes for line in box.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"[a-z_]+", line)]  # an icon is its name


def widget(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}")


def unfold(page: Page) -> None:
    """Open the folded controls, if they are folded."""
    folded = page.get_by_text("Weights and conventions")
    if not folded.evaluate("el => el.closest('details')?.open ?? false"):
        folded.click()
        page.wait_for_timeout(400)  # it glides


def press(page: Page, key: str, *keys: str) -> None:
    """Press keys on a slider."""
    widget(page, key).locator("input[type=range]").focus()
    for name in keys:
        page.keyboard.press(name)
    settle(page)


def choose(page: Page, key: str, name: str) -> None:
    """Take one of a few."""
    radio = widget(page, key).get_by_role("radio", name=name, exact=True)
    if radio.count():
        radio.click()
    else:
        widget(page, key).locator("input").click()
        page.get_by_role("option", name=name, exact=True).click()
    settle(page)


def type_in(page: Page, key: str, text: str) -> None:
    """Type a line or an area of text and leave it."""
    field = widget(page, key).locator("input, textarea").first
    field.fill(text)
    field.press("Control+Enter")
    settle(page)


def same_elsewhere(page: Page, other: Page) -> None:
    """Opened in another window, this page's address shows the same pictures and controls."""
    open_link(other, page.url)
    here: list[Any] = [controls(page), pictures(page)]
    there: list[Any] = [controls(other), pictures(other)]
    assert there[0] == here[0]
    assert [words for words, _ in there[1]] == [words for words, _ in here[1]]
    assert there[1] == here[1]


def contrast(one: str, other: str) -> float:
    """WCAG contrast of two `rgb(…)` colours."""

    def luminance(color: str) -> float:
        parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)

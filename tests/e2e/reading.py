"""What a visitor sees on a page: its controls and their values, its pictures, its sentences."""

import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page

from rnnviz.ui.pages import PAGES
from tests.e2e.browser import settle

# The stepper stands in a shadow root, which document.querySelector does not enter.
STEPPER = """(() => {
  for (const el of document.querySelectorAll("[class*=st-key-] *"))
    if (el.shadowRoot?.querySelector(".stepper")) return el.shadowRoot.querySelector(".stepper")
  return null
})()"""

_CONTROLS = """() => {
  const found = Object.fromEntries(
    [...document.querySelectorAll("[class*='st-key-']")].flatMap(el => {
      const key = el.className.match(/st-key-((?:cell|one|flow|cliff|dyn|lab|far|runs)_[a-zA-Z_]+)/)?.[1]
      const range = el.querySelector("input[type=range]")
      const chosen = el.querySelector("[role=radio][aria-checked=true]")
      const text = el.querySelector("input:not([type=file]), textarea")
      if (!key || !el.matches(".stElementContainer")) return []
      if (range) return [[key, range.getAttribute("aria-valuetext")]]
      if (chosen) return [[key, chosen.textContent]]
      return text ? [[key, text.value]] : []
    }))
  const stepper = STEPPER
  if (!stepper || !("cell_cell" in found)) return found
  const pressed = group => stepper.querySelector(`.${group} [aria-pressed=true]`).dataset.value
  return {
    ...found,
    cell_t: stepper.querySelector(".step").textContent.match(/t = (\\d+)/)[1],
    cell_unit: stepper.querySelector(".facts .unit").textContent.match(/unit (\\d+)/)[1],
    cell_stage: pressed("stages"),
    cell_direction: { forth: "forward", back: "backward" }[pressed("directions")],
    cell_view: pressed("views"),
    cell_scale: stepper.querySelector("[name=scale]").value,
  }
}""".replace("STEPPER", STEPPER)

# Vega numbers its clips and gradients anew; everything else in a picture is the picture. Of the stepper it is
# everything written in it but what lies under the pointer, its strips, and where its cursor stands.
_PICTURES = """() => {
  const said = [...document.querySelectorAll(".aloud")]
  const charts = [...document.querySelectorAll("[data-testid=stVegaLiteChart]")].map(el => [
    said.find(words => el.compareDocumentPosition(words) & Node.DOCUMENT_POSITION_FOLLOWING).textContent,
    // Streamlit draws what has many marks on a canvas.
    el.querySelector("svg")?.outerHTML.replace(/(clip|gradient)[-_]?\\d+/g, "$1")
      ?? el.querySelector("canvas").toDataURL(),
  ])
  const stepper = STEPPER
  if (!stepper) return charts
  const texts = [...stepper.querySelectorAll(".stage svg text:not(.readout)")]
    .filter(el => el.checkVisibility({ opacityProperty: true })).map(el => el.textContent)
  const picture = [texts.join("\\n"), stepper.querySelector(".cursor").getAttribute("transform"),
    stepper.querySelector(".stage canvas").toDataURL()]
  return [...charts, [stepper.querySelector(".time").getAttribute("aria-valuetext"), picture.join("\\n")]]
}""".replace("STEPPER", STEPPER)

_COUNT = """count => document.querySelectorAll("[data-testid=stVegaLiteChart] :is(svg, canvas)").length
  + Boolean(STEPPER?.querySelector(".headline")?.textContent) >= count""".replace("STEPPER", STEPPER)

# Charts that a page shows at least; the others two.
AT_FIRST = {"/cliff": 1, "/lab": 1, "/far": 1, "/one": 1, "/runs": 0}


def open_link(page: Page, link: str, charts: bool = True) -> None:
    """Go there and wait until it stands, pictures included."""
    page.goto(link)
    settle(page)
    if charts:
        wait_for_pictures(page)


def wait_for_pictures(page: Page, count: int | None = None) -> None:
    """Until as many charts and steppers stand; as many as the page shows at first where not said."""
    page.wait_for_function(_COUNT, arg=AT_FIRST.get(urlsplit(page.url).path, 2) if count is None else count)


def controls(page: Page) -> dict[str, str]:
    """Every bound control, also folded ones, and its value as it is written beside it or in the stepper."""
    found: dict[str, str] = page.evaluate(_CONTROLS)
    return found


def pictures(page: Page) -> list[list[str]]:
    """Each picture's words and what is in it: the charts' first, the stepper's last."""
    found: list[list[str]] = page.evaluate(_PICTURES)
    return found


def complaints(page: Page) -> list[str]:
    """`sentences`, but for those that say what a machine gets right."""
    praise = page.get_by_test_id("stAlertContentSuccess").all_inner_texts()
    return [said for said in sentences(page) if not any(said in words for words in praise)]


def sentences(page: Page) -> list[str]:
    """Everything in a box above or within the page."""
    boxes = page.locator("[data-testid=stAlert]").all_inner_texts()
    lines = [line.strip() for box in boxes for line in box.splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"[a-z_]+", line)]  # an icon is its name


def widget(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}")


def unfold(page: Page, what: str = "Weights and conventions") -> None:
    """Open folded controls, if they are folded."""
    folded = page.get_by_text(what)
    if not folded.evaluate("el => el.closest('details')?.open ?? false"):
        folded.click()
        page.wait_for_timeout(400)  # it glides


def press(page: Page, key: str, *keys: str) -> None:
    """Press keys on a slider."""
    widget(page, key).locator("input[type=range]").focus()
    for name in keys:
        page.keyboard.press(name)
    settle(page)


def step(page: Page, *keys: str) -> None:
    """Press keys in the stepper and wait until the link has followed."""
    page.locator(".stepper .time").focus()
    for name in keys:
        page.keyboard.press(name)
    linger(page)


def take(page: Page, group: str, value: str) -> None:
    """Press one of a group of the stepper's buttons, and wait until the link has followed."""
    page.locator(f".stepper .{group} button[data-value='{value}']").click()
    linger(page)


def turn_to(page: Page, title: str) -> None:
    """Go to a page by the menu, through its group where it stands in one."""
    (group,) = [known.group for known in PAGES if known.title == title]
    if group:
        page.get_by_test_id("stTopNavSection").filter(has_text=group).click()
        page.get_by_role("menuitem").filter(has_text=title).click()
    else:
        page.get_by_role("link", name=title, exact=True).click()


def linger(page: Page) -> None:
    """The stepper reports after 250 ms of stillness; hovering counts as playing on."""
    page.wait_for_timeout(400)
    settle(page)


def choose(page: Page, key: str, name: str) -> None:
    """Take one of a few."""
    radio = widget(page, key).get_by_role("radio", name=name, exact=True)
    if radio.count():
        radio.click()
    else:
        field = widget(page, key).locator("input")
        field.scroll_into_view_if_needed()
        page.wait_for_timeout(200)  # a list that is scrolled while it opens closes again
        field.click()
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

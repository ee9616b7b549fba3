"""What the pages look like in both themes, that they can be used by keyboard alone, and how they fail."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from rnnviz.ui.pages import PAGES
from tests.e2e.browser import settle, shot
from tests.e2e.reading import STEPPER, contrast, controls, linger, open_link, pictures, sentences
from tests.e2e.serve import start_server

LINKS = {page.url: "/" if page is PAGES[0] else f"/{page.url}" for page in PAGES}

_OVERFLOW = """() => {
  const wide = []
  const page = document.scrollingElement
  if (page.scrollWidth > innerWidth) wide.push(`the page: ${page.scrollWidth} > ${innerWidth}`)
  for (const main of document.querySelectorAll("[data-testid=stMain], [data-testid=stSidebarContent]"))
    if (main.scrollWidth > main.clientWidth)
      wide.push(`${main.dataset.testid}: ${main.scrollWidth} > ${main.clientWidth}`)
  for (const svg of document.querySelectorAll("[data-testid=stVegaLiteChart] svg")) {
    const frame = svg.getBoundingClientRect()
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect()
      // A text's box is its line's, a few pixels more than its ink.
      const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top,
        box.bottom - frame.bottom)
      if (box.width && out > 4)
        wide.push(`text “${text.textContent}” leaves its figure by ${Math.round(out)}`)
    }
  }
  const stage = STEPPER?.querySelector(".stage"), frame = stage?.getBoundingClientRect()
  const seen = part => [...stage.querySelectorAll(`svg ${part} text`)]
    .filter(el => el.textContent.trim())
    .filter(el => el.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .map(el => [el.textContent, el.getBoundingClientRect()])
  if (stage) for (const [text, box] of seen("")) {
    const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top,
      box.bottom - frame.bottom)
    if (out > 4) wide.push(`text “${text}” leaves the stage by ${Math.round(out)}`)
  }
  for (const part of stage ? [".figure", ".panel"] : []) {
    const texts = seen(part)
    texts.forEach(([one, a], k) => texts.slice(k + 1).forEach(([other, b]) => {
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      const share = width * height / Math.min(a.width * a.height, b.width * b.height)
      if (width > 0 && height > 0 && share > 0.3)
        wide.push(`${part}: “${one}” and “${other}” overlap by ${Math.round(100 * share)} %`)
    }))
  }
  return wide
}""".replace("STEPPER", STEPPER)

# Words on a picture have a rim, the same words in one colour beneath them: it is their ground, if it is wide.
_INKS = """() => {
  const texts = [...document.querySelectorAll("[data-testid=stVegaLiteChart] svg text")]
    .filter(el => el.textContent.trim() && Number(getComputedStyle(el).opacity))  // 0: it would overlap
  const place = el => el.textContent + el.closest("svg").id + el.getAttribute("transform")
  const isRim = el => getComputedStyle(el).stroke === getComputedStyle(el).fill
    && parseFloat(getComputedStyle(el).strokeWidth) >= 3
  const rims = new Map(texts.filter(isRim).map(el => [place(el), getComputedStyle(el).fill]))
  return texts.filter(el => !isRim(el)).map(el => {
    const style = getComputedStyle(el), alpha = Number(style.fillOpacity) * Number(style.opacity)
    return [el.textContent, style.fill, alpha, rims.get(place(el)) ?? null]
  })
}"""


# The letter in the cursor's tab stands on ink; what a sub-step leaves out is dim.
_STEPPER_INKS = """() => [...STEPPER?.querySelectorAll(".stage svg text:not(.current)") ?? []]
  .filter(el => el.textContent.trim() && el.checkVisibility({ opacityProperty: true }))
  .map(el => {
    const style = getComputedStyle(el)
    const mixed = style.fill.match(/^color\\(srgb (.+?)( \\/.*)?\\)$/)  // a color-mix is said this way
    const ink = mixed ? `rgb(${mixed[1].split(" ").map(part => 255 * part).join(",")})` : style.fill
    return [el.textContent, ink, Number(style.fillOpacity) * Number(style.opacity)]
  })""".replace("STEPPER", STEPPER)
_FOCUSED = """() => {
  let el = document.activeElement
  while (el.shadowRoot?.activeElement) el = el.shadowRoot.activeElement
  return el.getAttribute("aria-label") ?? el.textContent
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", LINKS)
def test_every_page_in_both_themes(page: Page, name: str, theme: str) -> None:
    wrong: list[Any] = []
    open_link(page, f"{LINKS[name]}?embed_options={theme}_theme", charts=name != PAGES[0].url)
    for width, height in ((1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page, 500)
        shot(page, f"{name}_{theme}_{width}")
        wrong += [f"{width}: {what}" for what in misfits(page)]
    whole(page, f"{name}_{theme}_whole")
    assert sentences(page) == []
    assert sorted(set(wrong)) == [], "\n".join(sorted(set(wrong)))


def misfits(page: Page) -> list[str]:
    """What leaves its place, and what cannot be read on its ground."""
    wrong: list[str] = page.evaluate(_OVERFLOW)
    ground = page.locator(".stApp").evaluate("el => getComputedStyle(el).backgroundColor")
    for text, ink, opacity, *rim in page.evaluate(_INKS) + page.evaluate(_STEPPER_INKS):
        under = next(filter(None, rim), ground)
        if contrast(ink, under) < 3 or opacity < 0.99:
            wrong.append(f"“{text}” {ink} on {under} has {contrast(ink, under):.2f}:1, α {opacity}")
    return wrong


def whole(page: Page, name: str) -> None:
    """A picture of all that can be scrolled to."""
    height = page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('[data-testid=stMain]')].map(el => el.scrollHeight))"
    )
    page.set_viewport_size({"width": 1280, "height": max(720, min(int(height), 4000))})
    settle(page, 300)
    shot(page, name)


@pytest.mark.parametrize(
    "link",
    [
        "/cell?cell_cell=GRU&cell_input=Noise&cell_T=400&cell_H=64&cell_unit=64&cell_t=400",
        "/cell?cell_cell=RNN&cell_activation=identity&cell_init=Orthogonal&cell_gain=3&cell_input=Noise&cell_T=400&cell_t=400",
        "/cell?cell_cell=LSTM&cell_text=WW&cell_t=2&cell_H=2&cell_unit=2",
        "/cell?cell_direction=backward",
        "/cell?cell_view=unrolled",
        "/cell?cell_view=loop",
        "/flow?flow_radius=3&flow_activation=identity&flow_T=400&flow_H=64",
        "/flow?flow_radius=0&flow_T=2",
    ],
    ids=[
        "gru-400",
        "rnn-explodes",
        "lstm-2",
        "backward",
        "unrolled",
        "loop",
        "flow-explodes",
        "flow-zero",
    ],
)
def test_extremes_stay_within_their_columns(page: Page, link: str, request: pytest.FixtureRequest) -> None:
    open_link(page, link)
    settle(page, 300)
    shot(page, f"extreme_{request.node.callspec.id}")
    wrong = page.evaluate(_OVERFLOW)
    assert wrong == [], "\n".join(wrong)


def test_a_theme_switch_reaches_every_picture(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    open_link(page, "/cell")
    light = page.evaluate(_INKS), page.evaluate(_STEPPER_INKS)
    page.emulate_media(color_scheme="dark")
    settle(page, 500)
    ground = page.locator(".stApp").evaluate("el => getComputedStyle(el).backgroundColor")
    assert page.evaluate(_INKS) != light[0]
    assert page.evaluate(_STEPPER_INKS) != light[1]
    low = [(text, ink) for text, ink, *_ in page.evaluate(_INKS) if contrast(ink, ground) < 3]
    low += [(text, ink) for text, ink, _ in page.evaluate(_STEPPER_INKS) if contrast(ink, ground) < 3]
    shot(page, "cell_switched_to_dark")
    assert low == [], low[:4]


def test_tab_reaches_every_slider_and_an_arrow_moves_one_step(page: Page) -> None:
    open_link(page, "/cell?cell_input=Noise&cell_T=25")
    reached = []
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(_FOCUSED))
    for name in ("Step t", "Forget bias", "Sequence length T", "PNG", "Show the code"):
        assert name in reached, reached
    for name in ("Play", "Step on", "Whole step", "Backward", "Unrolled", "Speed", "Scale", "Present"):
        assert name in reached, reached
    slider = page.locator(".stepper .time")
    slider.focus()
    # The slider turns time, and up and down the unit, which had a slider of its own before.
    for key, t, unit in (
        ("ArrowRight", 18, 3),
        ("ArrowRight", 19, 3),
        ("ArrowLeft", 18, 3),
        ("Home", 1, 3),
        ("End", 25, 3),
        ("ArrowDown", 25, 4),
        ("ArrowUp", 25, 3),
    ):
        page.keyboard.press(key)
        linger(page)
        held = controls(page)
        assert (held["cell_t"], held["cell_unit"]) == (str(t), str(unit))
        chart, stepper = (words for words, _ in pictures(page))
        assert f"of unit {unit} over 25 steps. At step {t}:" in chart
        assert stepper.startswith(f"Step {t} of 25")
        assert f"Unit {unit}." in stepper
        expect(page.locator(".stepper .headline")).to_contain_text(f"Step {t} of 25")
        expect(page.get_by_role("heading", name=f"Unit {unit}: its gates and states")).to_be_visible()
        assert page.evaluate(_FOCUSED) == "Step t", "the slider keeps the focus"


def test_headers_keep_everything_on_this_machine(page: Page) -> None:
    for path in ("/", "/cell", "/flow", "/lab", "/_stcore/health", "/nowhere"):
        headers = page.request.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


ROUTER = """
import streamlit as st
from rnnviz.ui import layout
layout.frame()
st.title("Scratch")
if st.query_params.get("kind") == "value":
    raise ValueError("H is **9** <b>x</b>; allowed: 1 to 8.")
raise RuntimeError("a secret place")
"""
APP = """
import streamlit as st
from rnnviz.ui import layout
app = st.App({router!r}, on_script_error=layout.show_failure)
"""


def test_what_nobody_foresaw_is_one_sentence(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "router.py").write_text(ROUTER)
    (tmp_path / "app.py").write_text(APP.format(router=str(tmp_path / "router.py")))
    with start_server(tmp_path / "app.py") as server:
        context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
        page = context.new_page()
        for link, start in (
            ("/", "Something went wrong (RuntimeError)."),
            ("/?kind=value", "H is **9** <b>x</b>; allowed: 1 to 8."),
        ):
            page.goto(link)
            settle(page)
            (sentence,) = sentences(page)
            assert sentence.startswith(start)
            assert sentence.endswith(".")
            body = page.inner_text("body")
            assert not re.search(r"Traceback|a secret place|File \"|\.py", body)
            expect(page.get_by_role("heading", name="Scratch")).to_be_visible()
        shot(page, "failure")
        context.close()
        assert "a secret place" in server.log()

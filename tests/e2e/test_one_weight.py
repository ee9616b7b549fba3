"""One weight in a browser: its sliders move the picture alone, the link follows, and files scrub offline."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
from playwright.sync_api import Browser, Page

from tests.e2e.browser import settle
from tests.e2e.reading import open_link
from tests.e2e.serve import Server
from tests.e2e.test_exports import column, read, save

# Counts what the page sends, and drives a slider.
COUNT = """(() => {
  const Real = WebSocket
  window.sent = 0
  window.WebSocket = class extends Real { send(data) { window.sent++; super.send(data) } }
})()"""
TEXTS = """() => [...document.querySelectorAll(".vega-embed svg text")]
  .map(el => el.textContent).filter(Boolean)"""
HELD = """() => Object.fromEntries([...document.querySelectorAll(".vega-bindings input")]
  .filter(el => el.type === "range" || el.checked).map(el => [el.name, el.value]))"""


def said(page: Page, start: str) -> str:
    """The words in the picture that begin so."""
    (found,) = {text for text in page.evaluate(TEXTS) if text.startswith(start)}
    return str(found)


def press(page: Page, name: str, *keys: str) -> None:
    page.locator(f".vega-bindings input[name={name}]").first.focus()
    for key in keys:
        page.keyboard.press(key)


def link(page: Page) -> dict[str, str]:
    return {key: value for key, (value,) in parse_qs(urlsplit(page.url).query).items()}


def drawn(page: Page, there: str) -> None:
    open_link(page, there, charts=False)
    page.locator(".vega-bindings input[name=one_w]").wait_for()
    page.wait_for_timeout(300)


def test_sliders_move_the_picture_alone_and_the_link_follows(
    page: Page, browser: Browser, server: Server
) -> None:
    page.add_init_script(COUNT)
    drawn(page, "/one")
    assert said(page, "Backward") == "Backward:  p₁ = w p₂ = 0.9 · 0.48 = 0.432"
    settle(page)
    page.evaluate("() => { sent = 0 }")
    press(page, "one_w", "ArrowRight", "ArrowRight")
    page.wait_for_timeout(60)
    assert said(page, "Backward").startswith("Backward:  p₁ = w p₂ = 1 · "), "1 is hit exactly"
    assert said(page, "|w|").startswith("|w| = 1")
    press(page, "one_tau", *["ArrowLeft"] * 8)
    press(page, "one_back", "Home", "ArrowRight")
    assert said(page, "Backward").startswith("Backward:  p₁₁ = w p₁₂")
    assert page.evaluate("() => sent") == 0, "nothing is asked of the server while a slider moves"
    page.locator(".vega-bindings label", has_text="tanh").click()
    page.locator(".vega-bindings label", has_text="log").click()
    page.wait_for_timeout(500)
    settle(page)
    assert page.evaluate("() => sent") in (1, 2), "the link is told once they stand still"
    wanted = {"one_w": "1", "one_tau": "12", "one_back": "1", "one_phi": "tanh", "one_axis": "log"}
    assert link(page) == wanted
    before = page.evaluate(TEXTS)
    assert "none: φ′ differs at every step" in before

    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    other = context.new_page()
    drawn(other, page.url)
    assert other.evaluate(TEXTS) == before
    assert other.evaluate(HELD) == page.evaluate(HELD)
    context.close()

    page.emulate_media(color_scheme="dark")  # Streamlit builds the chart anew
    page.wait_for_timeout(1500)
    settle(page)
    assert page.evaluate(TEXTS) == before
    assert page.evaluate(HELD) == {**wanted, "one_size": "0.25"}
    press(page, "one_w", "ArrowLeft")
    page.wait_for_timeout(500)
    settle(page)
    assert link(page)["one_w"] == "0.95"


def test_files_are_of_what_is_shown_and_scrub_offline(page: Page, browser: Browser, tmp_path: Path) -> None:
    drawn(page, "/one?one_size=1")
    press(page, "one_w", *["ArrowLeft"] * 8)
    page.wait_for_timeout(500)
    settle(page)
    w, tau = 0.5, 20
    table = read(save(page, "one-weight", "CSV", tmp_path).read_text(encoding="utf-8"))
    h = np.array([0.0, *(2 * (1 - w**t) for t in range(1, tau + 1))])
    p = (h[-1] + 1) * w ** np.arange(tau - 1, -1.0, -1.0)
    np.testing.assert_allclose(column(table, "h"), h[1:], rtol=1e-15)
    np.testing.assert_allclose(column(table, "p"), p, rtol=1e-15)
    np.testing.assert_allclose(column(table, "term"), p * h[:-1], rtol=1e-14)
    svg = save(page, "one-weight", "SVG", tmp_path).read_text(encoding="utf-8")
    assert "w p₂ = 0.5 · " in svg
    assert save(page, "one-weight", "PNG", tmp_path).stat().st_size > 20_000
    assert save(page, "one-weight", "PDF", tmp_path).read_bytes().startswith(b"%PDF")

    file = save(page, "one-weight", "HTML", tmp_path)
    context = browser.new_context(offline=True)
    offline = context.new_page()
    offline.goto(file.as_uri())
    offline.locator(".vega-bindings input[name=one_w]").wait_for()
    assert said(offline, "Backward").startswith("Backward:  p₁ = w p₂ = 0.5 · ")
    press(offline, "one_w", *["ArrowLeft"] * 30)
    offline.wait_for_timeout(100)
    assert said(offline, "Backward").startswith("Backward:  p₁ = w p₂ = −1 · ")
    assert offline.evaluate(HELD)["one_size"] == "1"
    context.close()

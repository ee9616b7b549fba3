"""The stepper's files, its looks in both themes, and the presenter's view."""

import base64
import io
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from rnnviz.engine import CELLS
from tests.e2e.browser import settle, shot
from tests.e2e.reading import contrast
from tests.e2e.stepping import STRONG, TEXT, go, keys, linger, link, open_stepper, press_button, see

LSTM = CELLS["lstm"]
SVG = "{http://www.w3.org/2000/svg}"

# Text that can be read: [text, kind, ink, what it stands on]; colours as the browser paints them.
_INKS = """root => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
  const rgb = css => {
    pen.clearRect(0, 0, 1, 1)
    pen.fillStyle = css
    pen.fillRect(0, 0, 1, 1)
    return `rgb(${[...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).join(",")})`
  }
  const seen = el => {
    for (let at = el; at && at !== root; at = at.parentElement) {
      const style = getComputedStyle(at)
      if (Number(style.opacity) < 0.99 || style.display === "none") return false
      if (style.visibility === "hidden") return false
    }
    return el.textContent.trim() !== ""
  }
  const paper = rgb(getComputedStyle(root.querySelector(".stage")).backgroundColor)
  const tab = rgb(getComputedStyle(root.querySelector(".cursor .tab")).fill)
  return [...root.querySelectorAll(".stage svg text")].filter(seen).map(el =>
    [el.textContent, el.getAttribute("class"), rgb(getComputedStyle(el).fill),
     el.matches(".current") ? tab : paper])
}"""
# How large the smallest text is, what it says, and what leaves the window.
_FITS = """root => {
  const visible = el => el.getClientRects().length && getComputedStyle(el).visibility !== "hidden"
    && el.textContent.trim() && Number(getComputedStyle(el.closest("g") ?? el).opacity)
  const texts = [...root.querySelectorAll(".stage svg text, .bar button, .drive button, .facts > *")]
  const sizes = texts.filter(visible).map(el => [parseFloat(getComputedStyle(el).fontSize), el.textContent])
  const out = [".bar", ".stage", ".drive"].filter(name => {
    const box = root.querySelector(name).getBoundingClientRect()
    return box.left < 0 || box.top < 0 || box.right > innerWidth + 0.5 || box.bottom > innerHeight + 0.5
  })
  const stage = root.querySelector(".stage").getBoundingClientRect()
  const cut = [...root.querySelectorAll(".stage svg text")].filter(visible).filter(el => {
    const box = el.getBoundingClientRect()
    return box.left < -1 || box.right > innerWidth + 1 || box.top < -1 || box.bottom > innerHeight + 1
  }).map(el => el.textContent)
  return { smallest: sizes.sort((a, b) => a[0] - b[0])[0], out, cut, height: stage.height }
}"""


def saved(page: Page, kind: str) -> tuple[str, bytes]:
    """Press a format's button and take the file."""
    with page.expect_download(timeout=60000) as coming:
        page.locator(f".stepper [data-save={kind}]").click()
    download = coming.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def picture_of(data_url: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(data_url.split(",")[1]))).convert("RGBA"))


@pytest.mark.parametrize(("mode", "dark"), [("forth", False), ("back", True)])
def test_svg_png_and_pdf_are_what_is_on_screen(page: Page, mode: str, dark: bool) -> None:
    theme = {"embed_options": "dark_theme"} if dark else {}
    open_stepper(page, link(LSTM, **STRONG, **theme))
    go(page, 12, 5)
    press_button(page, "directions", mode)
    press_button(page, "stages", "2")
    page.wait_for_timeout(600)
    seen = see(page)
    name, raw = saved(page, "SVG")
    assert name == f"lstm_t12_unit5{'_backward' if mode == 'back' else ''}.svg"
    text = raw.decode("utf-8")
    drawing = ElementTree.fromstring(text)
    words = ["".join(el.itertext()) for el in drawing.iter(f"{SVG}text")]
    numbers = [*seen["nodes"].values(), *seen["parts"].values()]
    numbers += [number.lstrip("+−") for line in seen["equations"].values() for number in line[1:]]
    missing = [number for number in numbers if number and not any(number in word for word in words)]
    assert missing == []
    images = list(drawing.iter(f"{SVG}image"))
    assert len(images) == 1
    canvas = page.locator(".stepper canvas").evaluate("el => el.toDataURL()")
    assert np.array_equal(picture_of(images[0].attrib["href"]), picture_of(canvas))
    references = re.findall(r"""(?:href|src)=["']([^"']*)|url\(([^)]*)""", text)
    assert [one for one in references if not "".join(one).strip("'\"").startswith(("data:", "#"))] == []
    assert not re.search(r"var\(|light-dark\(|color-mix\(|<script|foreignObject", text)
    # Slide and drawing programs know no newer colours than these.
    paints = {
        el.attrib[key] for el in drawing.iter() for key in ("fill", "stroke", "color") if key in el.attrib
    }
    assert [one for one in paints if not re.fullmatch(r"none|rgba?\([\d., ]+\)|#[0-9a-f]{3,8}", one)] == []

    name, raw = saved(page, "PNG")
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    assert name.endswith(".png")
    assert image.width >= 1920
    pixels = np.array(image)
    assert pixels.std() > 10
    assert (pixels[2, 2].mean() < 60) == dark

    name, raw = saved(page, "PDF")
    assert name.endswith(".pdf")
    assert raw.startswith(b"%PDF")
    assert len(raw) > 5000
    assert see(page) == seen


def test_the_run_as_a_gif(page: Page) -> None:
    open_stepper(page, link(LSTM, cell_text="abcd"))
    go(page, 3, 5)
    before = see(page)
    name, raw = saved(page, "GIF")
    assert name == "lstm_unit5.gif"
    movie: Any = Image.open(io.BytesIO(raw))
    assert movie.n_frames == 4
    assert movie.info["loop"] == 0
    frames = []
    for k in range(4):
        movie.seek(k)
        frames.append(np.array(movie.convert("RGB")).astype(int))
    assert all(np.abs(a - b).max() > 50 for a, b in pairwise(frames))
    assert see(page) == before
    expect(page.locator(".stepper .busy")).to_be_hidden()
    linger(page)
    assert "cell_t=3&" in f"{page.url}&", "the link names a frame of the animation"


def test_a_long_gif_shows_how_far_it_is_and_can_be_cancelled(page: Page) -> None:
    files: list[str] = []
    page.on("download", lambda download: files.append(download.suggested_filename))
    open_stepper(page, link(LSTM, cell_text=TEXT * 8))
    go(page, 20, 5)
    before = see(page)
    page.locator(".stepper [data-save=GIF]").click()
    busy = page.locator(".stepper .busy")
    expect(busy).to_contain_text(re.compile(r"Frame \d+ of 200 · about \d+ s left"))
    expect(busy.locator("progress")).to_be_visible()
    first = busy.locator("progress").evaluate("el => el.value")
    page.wait_for_timeout(600)
    assert busy.locator("progress").evaluate("el => el.value") > first > 0
    page.keyboard.press("Tab")  # the page is not frozen meanwhile
    busy.get_by_role("button", name="Cancel").click()
    expect(busy).to_contain_text("Cancelled; nothing was saved.")
    after = see(page)
    assert {**after, "state": ""} == {**before, "state": ""}
    linger(page)
    assert files == []
    assert "cell_t=20&" in f"{page.url}&", "the link names a frame of the animation"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_stands_out_from_its_ground(page: Page, theme: str) -> None:
    for cell in ("lstm", "gru"):
        open_stepper(page, link(CELLS[cell], embed_options=f"{theme}_theme"))
        for press in (
            (),
            (("stages", "2"),),
            (("stages", "0"), ("directions", "back")),
            (("views", "unrolled"),),
        ):
            for group, value in press:
                press_button(page, group, value)
            page.wait_for_timeout(250)
            inks = page.locator(".stepper").evaluate(_INKS)
            assert len(inks) > 30
            low = [(text, kind, ink, on) for text, kind, ink, on in inks if contrast(ink, on) < 3]
            assert low == [], (cell, press)


def test_a_theme_switch_keeps_the_place_and_repaints(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    open_stepper(page, link(LSTM, cell_fbias="6"))
    go(page, 8, 4)
    press_button(page, "stages", "3")
    page.locator(".stepper [name=marks]").check()
    ink = "el => getComputedStyle(el).color"
    painted = "el => { const c = el.getContext('2d'); return [...c.getImageData(9, 9, 1, 1).data].join() }"
    light, before = page.locator(".stage").evaluate(ink), see(page)
    marked = page.locator(".stepper canvas").evaluate(painted)
    page.emulate_media(color_scheme="dark")
    settle(page, 500)
    assert contrast(light, page.locator(".stage").evaluate(ink)) > 7
    assert see(page) == before
    assert page.locator(".stepper canvas").evaluate(painted) != marked


SIZES = [(1280, 720), (1920, 1080), (3840, 2160)]


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}" for width, _ in SIZES])
def test_the_presenter_s_view(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    theme = "dark" if size[0] == 1920 else "light"
    open_stepper(page, link(LSTM, **STRONG, present="1", embed_options=f"{theme}_theme"))
    for furniture in ("stSidebar", "stHeader"):
        expect(page.locator(f"[data-testid={furniture}]:visible")).to_have_count(0)
    page.evaluate("document.activeElement.blur()")
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    seen = see(page)
    assert (seen["t"], seen["unit"], seen["pressed"]["stages"]) == (3, 4, "2")
    page.keyboard.press("Space")
    assert see(page)["state"] == "playing"
    page.keyboard.press("Space")
    assert see(page)["state"] == "paused"
    page.keyboard.press("End")
    assert see(page)["t"] == len(TEXT)
    failures = []
    modes = {"stage": (), "whole": (("stages", "0"),), "back": (("directions", "back"),)}
    modes |= {"unrolled": (("directions", "forth"), ("views", "unrolled")), "loop": (("views", "loop"),)}
    for mode, press in modes.items():
        for group, value in press:
            press_button(page, group, value)
        page.mouse.move(0, 0)
        page.wait_for_timeout(700)
        shot(page, f"stepper_present_{size[0]}_{mode}")
        fits = page.locator(".stepper").evaluate(_FITS)
        small, text = fits["smallest"]
        if fits["out"] or fits["cut"]:
            failures.append((mode, "outside the window", fits["out"], fits["cut"]))
        if small < 0.012 * size[1]:
            failures.append(
                (mode, f"“{text}” is {small:.1f} px, {100 * small / size[1]:.2f} % of the height")
            )
    assert failures == []


@pytest.mark.parametrize("cell", list(CELLS))
def test_screens_of_every_state(page: Page, cell: str) -> None:
    spec = CELLS[cell]
    for theme in ("light", "dark"):
        open_stepper(page, link(spec, **STRONG, embed_options=f"{theme}_theme"))
        stages = [f"stage{k}" for k in range(1, len(spec.stages) + 1)] if theme == "light" else []
        for state in ["whole", *stages, "backward", "unrolled", "loop"]:
            press_button(page, "stages", state[5:] if state.startswith("stage") else "0")
            press_button(page, "directions", "back" if state == "backward" else "forth")
            press_button(page, "views", state if state in ("unrolled", "loop") else "cell")
            page.mouse.move(2, 2)
            page.wait_for_timeout(550 if state in ("unrolled", "loop") else 150)
            expect(page.locator(".stepper .headline")).not_to_be_empty()
            shot(page, f"stepper_{cell}_{theme}_{state}")
            if theme == "dark" and state == "backward" and cell != "lstm":
                break
    keys(page, "Home")

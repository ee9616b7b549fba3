"""Links to a place in the stepper, what-if runs, and the colours of its strips."""

import random
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from rnnviz.charts.paint import paint
from rnnviz.charts.stepper import strips_of
from rnnviz.charts.theme import DIVERGING, SEQUENTIAL
from rnnviz.engine import CELLS, CellSpec, Clamp, lesion
from tests.e2e.browser import settle
from tests.e2e.reading import sentences
from tests.e2e.serve import Server
from tests.e2e.stepping import (
    PAUSE,
    STRONG,
    H,
    T,
    agrees,
    go,
    keys,
    linger,
    link,
    open_stepper,
    oracle_of,
    picture,
    press_button,
    see,
    spot,
    tap,
)
from tests.engine.oracle import name_of

LSTM, RNN, GRU = CELLS["lstm"], CELLS["rnn"], CELLS["gru"]
NEUTRAL = [int(DIVERGING[3][k : k + 2], 16) for k in (1, 3, 5)]

# The canvas's colour at the middle of each (strip, t, unit), and of what CSS calls some colours.
_PIXELS = """(root, [spots, T, H]) => {
  const canvas = root.querySelector(".stage canvas"), ink = canvas.getContext("2d")
  const area = canvas.getBoundingClientRect(), scale = canvas.width / area.width
  const frames = [...root.querySelectorAll(".strip-frame")].map(el => el.getBoundingClientRect())
  return spots.map(([k, t, unit]) => {
    const frame = frames[k], wide = frame.width - 2, tall = frame.height - 2
    const x = frame.left + 1 - area.left + (t - 0.5) * wide / T
    const y = frame.top + 1 - area.top + (unit - 0.5) * tall / H
    return [...ink.getImageData(Math.floor(x * scale), Math.floor(y * scale), 1, 1).data]
  })
}"""
_COLOUR = """(root, css) => {
  const probe = document.createElement("i")
  root.querySelector(".stage").append(probe)
  probe.style.color = css
  const pen = document.createElement("canvas").getContext("2d")
  pen.fillStyle = getComputedStyle(probe).color
  pen.fillRect(0, 0, 1, 1)
  probe.remove()
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3)
}"""
_WAIT = """() => new Promise(done => {
  const began = performance.now(), before = location.href
  const look = () => location.href === before ? setTimeout(look, 5) : done(performance.now() - began)
  look()
})"""
_ALIGNED = """root => {
  const middle = el => { const b = el.getBoundingClientRect(); return b.left + b.width / 2 }
  const column = middle(root.querySelector(".cursor .column"))
  return [column, ...[...root.querySelectorAll(".input text")].map(middle)]
}"""


def query(page: Page) -> dict[str, str]:
    """What the link says of the place."""
    given = parse_qs(urlsplit(page.url).query)
    names = ("t", "unit", "stage", "direction", "view", "scale")
    return {name: given[f"cell_{name}"][0] for name in names if f"cell_{name}" in given}


def pixels(page: Page, spots: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array(page.locator(".stepper").evaluate(_PIXELS, [spots, T, H]))


def test_the_link_follows_after_stillness_and_not_before(page: Page) -> None:
    open_stepper(page, link(LSTM))
    assert set(tap(page, 110, *["ArrowLeft"] * 7)) == {page.url}
    waited = page.evaluate(_WAIT)
    assert waited > PAUSE - 110 - 30
    assert query(page) == {"t": "10"}
    settle(page)
    address = page.url
    keys(page, "Space")
    page.wait_for_timeout(1300)
    assert page.url == address
    keys(page, "Space")
    go(page, 5, 8)
    press_button(page, "stages", "3")
    press_button(page, "directions", "back")
    press_button(page, "views", "loop")
    page.locator(".stepper [name=scale]").select_option("linear")
    linger(page)
    want = {"t": "5", "unit": "8", "stage": "3", "direction": "backward", "view": "loop", "scale": "linear"}
    assert query(page) == want
    go(page, 17, 3)
    press_button(page, "stages", "0")
    press_button(page, "directions", "forth")
    press_button(page, "views", "cell")
    page.locator(".stepper [name=scale]").select_option("auto")
    linger(page)
    assert query(page) == {}


@pytest.mark.parametrize(
    ("spec", "t", "unit", "pressed", "scale"),
    [
        (LSTM, 3, 11, {"stages": "2"}, "log"),
        (LSTM, 24, 1, {"directions": "back", "views": "unrolled"}, "linear"),
        (GRU.with_options(reset="before", z="takes"), 9, 6, {"stages": "3", "directions": "back"}, "auto"),
        (RNN.with_options(activation="relu"), 1, 12, {"views": "loop"}, "unit"),
    ],
    ids=["stage", "unrolled back", "gru back", "loop"],
)
def test_an_opened_link_lands_there(
    browser: Browser,
    server: Server,
    page: Page,
    spec: CellSpec,
    t: int,
    unit: int,
    pressed: dict[str, str],
    scale: str,
) -> None:
    open_stepper(page, link(spec))
    go(page, t, unit)
    for group, value in pressed.items():
        press_button(page, group, value)
    page.locator(".stepper [name=scale]").select_option(scale)
    linger(page)
    here = picture(page)
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    try:
        other = context.new_page()
        open_stepper(other, page.url)
        assert picture(other) == here
        assert query(other) == query(page)
    finally:
        context.close()


def test_what_a_link_cannot_have_is_said_once_and_the_default_shown(page: Page) -> None:
    bad = {"t": "99", "unit": "0", "stage": "7", "direction": "sideways", "view": "3d", "scale": "loud"}
    open_stepper(page, link(LSTM, **{f"cell_{name}": value for name, value in bad.items()}))
    said = sentences(page)
    assert len(said) == len(bad), said
    for value in bad.values():
        assert sum(f"“{value}”" in sentence for sentence in said) == 1, (value, said)
    seen = see(page)
    assert (seen["t"], seen["unit"]) == (17, 3)
    assert seen["pressed"] == {"stages": "0", "views": "cell", "directions": "forth"}
    assert query(page) == {}
    keys(page, "ArrowLeft")
    linger(page)
    assert query(page) == {"t": "16"}
    assert sentences(page) == []


def test_the_place_outlives_a_walk_to_home_unless_a_link_says_another(page: Page) -> None:
    open_stepper(page, link(LSTM))
    go(page, 9, 5)
    press_button(page, "directions", "back")
    linger(page)

    def walk(name: str) -> None:
        page.get_by_role("link", name=name).first.click()
        settle(page, 400)
        page.locator(".stepper .headline:not(:empty)").wait_for()

    walk("Home")
    assert see(page)["state"] == "playing"
    keys(page, "Home", "ArrowRight")
    assert see(page)["t"] == 2
    walk("Inside the cell")
    seen = see(page)
    assert (seen["t"], seen["unit"], seen["pressed"]["directions"]) == (9, 5, "back")
    assert query(page) == {"t": "9", "unit": "5", "direction": "backward"}
    walk("Home")
    keys(page, "End")
    assert see(page)["t"] == T
    walk("Sunspots through a GRU")
    assert see(page)["t"] == 80
    assert page.locator(".stepper .step").inner_text() == "t = 80 / 150"


HELD = ("f · forget gate", "h · hidden state")
WHATIFS = [
    (
        LSTM,
        {"cell_hold": HELD[0], "cell_at": "1", "cell_steps": "9-14"},
        {"clamp": (Clamp("f", 1.0, None, tuple(range(9, 15))),)},
        9,
    ),
    (LSTM, {"cell_silent": "3"}, {"clamp": lesion(LSTM, (2,))}, 1),
    (
        RNN,
        {"cell_hold": HELD[1], "cell_at": "0.5", "cell_units": "2, 5-6", "cell_steps": "4"},
        {"clamp": (Clamp("h", 0.5, (1, 4, 5), (4,)),)},
        4,
    ),
    (GRU, {"cell_edits": "6 = k"}, {"edits": ((6, "k"),)}, 6),
]


@pytest.mark.parametrize(("spec", "asked", "meant", "first"), WHATIFS, ids=["f=1", "lesion", "h=0.5", "edit"])
def test_what_if(page: Page, spec: CellSpec, asked: dict, meant: dict, first: int) -> None:
    open_stepper(page, link(spec, **STRONG, **asked))
    assert sentences(page) == []
    after, before = oracle_of(spec, **meant), oracle_of(spec)
    dice = random.Random(name_of(spec) + str(first))
    for t, unit in [(first, 3), *((dice.randint(1, T), dice.randint(1, H)) for _ in range(3))]:
        go(page, t, unit)
        seen = see(page)
        assert seen["nodes"]["x"] == f"= “{after.symbols[t - 1].replace(' ', '␣')}”"
        for name, text in seen["nodes"].items():
            want = after.value(name, t, unit) if name != "x" else None
            assert want is None or not text or agrees(text, want), (name, t, unit, text, want)
        keys(page, "b")
        for name, text in see(page)["nodes"].items():
            want = after.gradient(name, t, unit) if text else None
            assert want is None or agrees(text, want, 1e-15), (name, t, unit, text, want)
        keys(page, "b")

    box = page.locator(".stepper [name=delta]")
    expect(box).to_be_visible()
    box.check()
    spots = [(k, t, u) for k in range(len(spec.equations)) for t in range(1, first) for u in (1, 5, 12)]
    if spots:
        assert np.abs(pixels(page, spots)[:, :3] - NEUTRAL).max() <= 1
    strip = len(spec.equations) - 1
    for t, unit in [(first, 3), (first + 2, 7), (2, 2)]:
        page.mouse.move(*spot(page, strip, t, unit, T, H))
        said = page.locator(".stepper .readout").text_content() or ""
        words, _, number = said.rpartition(": ")
        assert words == f"hidden state Δh, unit {unit}, step {t}"
        assert agrees(number, after.value("h", t, unit) - before.value("h", t, unit), 1e-12), said


@pytest.mark.parametrize("spec", [LSTM, GRU, RNN.with_options(activation="identity")], ids=name_of)
def test_strips_have_the_colours_of_the_values_and_a_click_selects(page: Page, spec: CellSpec) -> None:
    open_stepper(page, link(spec, **STRONG, cell_scale="linear"))
    expect(page.locator(".stepper [name=delta]")).to_be_hidden()  # no what-if, no difference
    oracle, dice = oracle_of(spec), random.Random(name_of(spec))
    strips = strips_of(spec, oracle.trace)
    for k, strip in enumerate(strips):
        low, stops = (0.0, SEQUENTIAL) if strip.is_gate else (-strip.limit, DIVERGING)
        want = paint(strip.values, low, strip.limit, stops)
        spots = [(k, dice.randint(1, T), dice.randint(1, H)) for _ in range(40)]
        found = pixels(page, spots)
        assert (found[:, 3] == 255).all()
        for (_, t, unit), colour in zip(spots, found[:, :3], strict=True):
            assert np.abs(colour - want[t - 1, unit - 1].astype(int)).max() <= 3, (strip.name, t, unit)
        t, unit = dice.randint(1, T), dice.randint(1, H)
        x, y = spot(page, k, t, unit, T, H)
        page.mouse.click(x, y)
        seen = see(page)
        assert (seen["t"], seen["unit"]) == (t, unit)
        said = page.locator(".stepper .readout").text_content() or ""
        assert said.startswith(f"{strip.title} {strip.name}, unit {unit}, step {t}: ")
        assert agrees(said.split(": ")[1], float(strip.values[t - 1, unit - 1]))
        page.wait_for_timeout(500)
        column, *letters = page.locator(".stepper").evaluate(_ALIGNED)
        assert len(letters) == T
        assert abs(column - letters[t - 1]) < 1.5
        assert abs(column - x) < 1.5


def test_saturated_gates_are_marked(page: Page) -> None:
    open_stepper(page, link(LSTM, **STRONG, cell_fbias="2.5"))
    page.locator(".stepper [name=marks]").check()
    strips = strips_of(LSTM, oracle_of(LSTM, bias=2.5).trace)
    root = page.locator(".stepper")
    closed, between = root.evaluate(_COLOUR, "inherit"), root.evaluate(_COLOUR, "var(--line)")
    met = set()
    for k, strip in enumerate(strips):
        if not strip.is_gate:
            continue
        opened = root.evaluate(_COLOUR, f"var(--q-{strip.name})")
        spots = [(k, t, unit) for t in range(1, T + 1) for unit in (1, 4, 7, 10)]
        for (_, t, unit), colour in zip(spots, pixels(page, spots)[:, :3], strict=True):
            v = strip.values[t - 1, unit - 1]
            kind = int(v > 0.1) + int(v > 0.9)
            met.add(kind)
            assert np.abs(colour - [closed, between, opened][kind]).max() <= 1, (strip.name, t, unit, v)
        said = root.locator(".strip-label").nth(k).text_content() or ""
        shares = [round(100 * float(part.mean())) for part in (strip.values < 0.1, strip.values > 0.9)]
        assert re.findall(r"(\d+) %", said) == [str(share) for share in shares]
    assert {1, 2} <= met

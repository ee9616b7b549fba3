"""A link is the state: every control is in it, it opens elsewhere as it was, and no link breaks a page."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from rnnviz.ui.pages import PAGES
from tests.e2e.browser import settle
from tests.e2e.reading import (
    choose,
    complaints,
    controls,
    linger,
    open_link,
    pictures,
    press,
    same_elsewhere,
    sentences,
    step,
    take,
    turn_to,
    type_in,
    unfold,
    wait_for_pictures,
)
from tests.e2e.serve import ROOT, Server, start_server


@pytest.fixture
def elsewhere(browser: Browser, server: Server) -> Iterator[Page]:
    """A window of someone else's."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    yield context.new_page()
    context.close()


def query(page: Page) -> dict[str, str]:
    return {
        key: value for key, (value,) in parse_qs(urlsplit(page.url).query, keep_blank_values=True).items()
    }


@pytest.mark.parametrize(
    ("link", "heading"), [(f"/{'' if page is PAGES[0] else page.url}", page.title) for page in PAGES]
)
def test_a_link_is_the_first_thing_a_new_server_sees(browser: Browser, link: str, heading: str) -> None:
    with start_server(ROOT / "app.py") as fresh:
        context = browser.new_context(base_url=fresh.url)
        page = context.new_page()
        page.goto(link)
        settle(page)
        expect(page.get_by_role("heading", level=1)).not_to_be_empty()
        if heading != PAGES[0].title:
            expect(page.get_by_role("heading", level=1)).to_have_text(heading)
            wait_for_pictures(page)
        assert sentences(page) == []
        assert page.get_by_text("Page not found").count() == 0
        context.close()
        assert "Traceback" not in fresh.log()


def test_every_kind_of_control_on_the_cell_page_is_in_the_link(page: Page, elsewhere: Page) -> None:
    open_link(page, "/cell")
    assert query(page) == {}
    before = pictures(page)
    choose(page, "cell_cell", "GRU")
    unfold(page)
    choose(page, "cell_init", "Orthogonal")
    press(page, "cell_gain", "ArrowRight", "ArrowRight")
    choose(page, "cell_z", "takes n")
    press(page, "cell_H", "ArrowLeft")
    press(page, "cell_seed", "ArrowRight")
    type_in(page, "cell_text", "in & out: 100% <b>ω</b> #?+")
    choose(page, "cell_loss", "every step")
    unfold(page, "What if")
    choose(page, "cell_hold", "z · update gate")
    press(page, "cell_at", "ArrowLeft")
    type_in(page, "cell_units", "2, 4-5")
    type_in(page, "cell_steps", "3–20")
    type_in(page, "cell_silent", "7")
    type_in(page, "cell_edits", "3 = b")
    step(page, "ArrowRight")
    step(page, "ArrowUp")
    take(page, "stages", "2")
    take(page, "directions", "back")
    take(page, "views", "unrolled")
    page.locator(".stepper [name=scale]").select_option("linear")
    linger(page)
    assert query(page) == {
        "cell_cell": "GRU",
        "cell_init": "Orthogonal",
        "cell_gain": "1.1",
        "cell_z": "takes n",
        "cell_H": "11",
        "cell_seed": "5",
        "cell_text": "in & out: 100% <b>ω</b> #?+",
        "cell_loss": "every step",
        "cell_hold": "z · update gate",
        "cell_at": "0.95",
        "cell_units": "2, 4-5",
        "cell_steps": "3–20",
        "cell_silent": "7",
        "cell_edits": "3 = b",
        "cell_t": "18",
        "cell_unit": "2",
        "cell_stage": "2",
        "cell_direction": "backward",
        "cell_view": "unrolled",
        "cell_scale": "linear",
    }
    assert sentences(page) == []
    assert pictures(page) != before
    same_elsewhere(page, elsewhere)
    page.reload()
    open_link(page, page.url)
    assert pictures(page) == pictures(elsewhere)


def test_every_kind_of_control_on_the_flow_page_is_in_the_link(page: Page, elsewhere: Page) -> None:
    open_link(page, "/flow")
    before = pictures(page)
    choose(page, "flow_input", "Sine")
    press(page, "flow_period", "ArrowRight")
    press(page, "flow_T", "ArrowLeft")
    press(page, "flow_radius", "ArrowRight")
    press(page, "flow_fbias", "ArrowLeft")
    choose(page, "flow_activation", "ReLU")
    choose(page, "flow_connection", "residual")
    choose(page, "flow_loss", "every step")
    unfold(page)
    choose(page, "flow_dtype", "float32")
    choose(page, "flow_wrt", "inputs")
    choose(page, "flow_scale", "relative")
    assert query(page) == {
        "flow_input": "Sine",
        "flow_period": "26",
        "flow_T": "99",
        "flow_radius": "1.05",
        "flow_fbias": "0.75",
        "flow_activation": "ReLU",
        "flow_connection": "residual",
        "flow_loss": "every step",
        "flow_dtype": "float32",
        "flow_wrt": "inputs",
        "flow_scale": "relative",
    }
    assert pictures(page) != before
    same_elsewhere(page, elsewhere)


def test_typed_numbers_are_in_the_link(page: Page, elsewhere: Page) -> None:
    open_link(page, "/flow?flow_input=Numbers")
    type_in(page, "flow_numbers", "1, -2.5\n3e-2; 4")
    assert query(page)["flow_numbers"] == "1, -2.5\n3e-2; 4"
    same_elsewhere(page, elsewhere)


def test_what_was_turned_back_leaves_the_link(page: Page) -> None:
    open_link(page, "/flow?flow_radius=1.05")
    press(page, "flow_radius", "ArrowLeft")
    assert query(page) == {}


def test_a_page_left_and_found_again_is_as_it_was(page: Page) -> None:
    open_link(page, "/cell?cell_cell=GRU")
    step(page, *["ArrowLeft"] * 8)
    held = controls(page)
    assert held["cell_t"] == "9"
    turn_to(page, "Gradient flow")
    settle(page, 400)
    expect(page.get_by_role("heading", level=1)).to_have_text("Gradient flow")
    assert sentences(page) == []
    page.get_by_role("link", name="Inside the cell").click()
    settle(page, 400)
    assert sentences(page) == []
    assert controls(page) == held
    assert query(page) == {"cell_cell": "GRU", "cell_t": "9"}


def test_the_prepared_views_open_from_home(page: Page) -> None:
    open_link(page, "/", charts=False)
    cards = page.locator("[data-testid=stPageLink] a")
    assert cards.count() >= 3
    for k in range(cards.count()):
        cards.nth(k).click()
        page.get_by_role("heading", name="Recurrent networks").wait_for(state="detached")
        settle(page)
        wait_for_pictures(page)
        assert complaints(page) == []
        assert query(page)
        page.get_by_role("link", name="Home").click()
        page.get_by_role("heading", name="Recurrent networks").wait_for()
        wait_for_pictures(page, 1)
        settle(page)
        assert query(page) == {}


def test_presenting_goes_along_to_a_prepared_view(page: Page) -> None:
    open_link(page, "/?present=1", charts=False)
    page.locator("[data-testid=stPageLink] a").first.click()
    page.get_by_text("Recurrent networks").wait_for(state="detached")
    settle(page, 400)
    assert query(page)["present"] == "1"
    expect(page.locator(".st-key-present input")).to_be_checked()


@pytest.mark.parametrize("link", ["/", "/cell?cell_cell=GRU&cell_text=a%26b%20c"])
def test_copy_link_copies_the_address(page: Page, link: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_link(page, link, charts=link != "/")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == page.evaluate("() => location.href")
    assert parse_qs(urlsplit(copied).query) == parse_qs(urlsplit(link).query)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()


DEFAULT = {
    "cell_t": "17",
    "cell_H": "12",
    "cell_cell": "LSTM",
    "cell_seed": "4",
    "cell_unit": "3",
    "cell_stage": "0",
    "cell_direction": "forward",
    "cell_view": "cell",
    "cell_scale": "auto",
}
# Each link, and the keys that are answered, one sentence each.
HOSTILE = [
    ("cell_t=0&cell_H=65&cell_seed=-1", ["cell_t", "cell_H", "cell_seed"]),
    ("cell_t=abc&cell_H=nan&cell_seed=inf&cell_unit=1e999", ["cell_t", "cell_H", "cell_seed", "cell_unit"]),
    ("cell_t=&cell_H=%00&cell_seed=%FF%FE", ["cell_t", "cell_H", "cell_seed"]),
    ("cell_unit=%F0%9F%99%82%E2%80%AE&cell_cell=Transformer", ["cell_unit", "cell_cell"]),
    ("cell_cell=<script>window.pwned=1</script>", ["cell_cell"]),
    ("cell_cell=%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E", ["cell_cell"]),
    ("cell_cell=" + "x" * 5000, ["cell_cell"]),
    ("nobody=1&__proto__=1&flow_radius=1", ["nobody", "__proto__", "flow_radius"]),
    ("%3Cscript%3Ewindow.pwned%3D1%3C/script%3E=1", ["<script>"]),
    ("cell_t=5.5", ["cell_t"]),
    ("cell_cell=", ["cell_cell"]),
    ("cell_t=3&cell_t=9", ["cell_t"]),
    (
        "cell_stage=5&cell_direction=up&cell_view=&cell_scale=%00",
        ["cell_stage", "cell_dir", "cell_view", "cell_scale"],
    ),
    ("present=banana&cell_hold=<script>window.pwned=1</script>", ["present", "cell_hold"]),
]


@pytest.mark.parametrize(("link", "keys"), HOSTILE, ids=[link[:24] for link, _ in HOSTILE])
def test_no_link_breaks_the_page(page: Page, server: Server, link: str, keys: list[str]) -> None:
    """The defaults, one sentence a key that names it, nothing executed."""
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    open_link(page, f"/cell?{link}")
    said = sentences(page)
    assert [[key for key in keys if key in line] for line in sorted(said)] == [
        [key] for key in by_line(said, keys)
    ]
    assert len(said) == len(keys)
    shown = controls(page)
    assert {key: shown.get(key) for key in DEFAULT} == DEFAULT
    chart, stepper = (words for words, _ in pictures(page))
    assert f"of unit {DEFAULT['cell_unit']} over" in chart
    assert f"At step {DEFAULT['cell_t']}:" in chart
    assert stepper.startswith(f"Step {DEFAULT['cell_t']} of 25")
    assert f"Unit {DEFAULT['cell_unit']}." in stepper
    assert "Traceback" not in page.inner_text("body")
    assert not page.evaluate("() => 'pwned' in window")
    assert "Traceback" not in server.log()


def by_line(said: list[str], keys: list[str]) -> list[str]:
    return [next((key for key in keys if key in line), "") for line in sorted(said)]


def test_the_sentence_goes_when_the_control_moves(page: Page) -> None:
    open_link(page, "/cell?cell_t=999&nobody=1")
    assert len(sentences(page)) == 2
    step(page, "ArrowRight")
    assert sentences(page) == []
    assert query(page) == {"cell_t": "18"}


def test_an_unknown_page_says_so_and_home_can_be_reached(elsewhere: Page) -> None:
    elsewhere.goto("/nowhere")  # Streamlit also says so in the console, hence not in the strict window
    settle(elsewhere)
    assert elsewhere.get_by_text("Page not found").count() == 1
    elsewhere.keyboard.press("Escape")
    elsewhere.get_by_role("link", name="Home").click()
    wait_for_pictures(elsewhere, 1)


def test_four_hundred_characters_fit_a_link(page: Page, elsewhere: Page) -> None:
    text = ("the clouds are in the sky " * 20)[:400]
    open_link(page, f"/cell?cell_T=400&cell_text={text.replace(' ', '%20')}")
    assert sentences(page) == []
    assert "400 steps" in pictures(page)[0][0]
    same_elsewhere(page, elsewhere)

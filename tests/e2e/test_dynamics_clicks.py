"""Dynamics in a browser: a click starts an orbit, which the link holds and opens elsewhere."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import settle, shot
from tests.e2e.reading import open_link, pictures, press, wait_for_pictures
from tests.e2e.serve import Server


@pytest.fixture
def elsewhere(browser: Browser, server: Server) -> Iterator[Page]:
    """A window of someone else's."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, base_url=server.url)
    yield context.new_page()
    context.close()


def query(page: Page) -> dict[str, str]:
    return {key: value for key, (value,) in parse_qs(urlsplit(page.url).query).items()}


def click_at(page: Page, x: float, y: float) -> None:
    """Click in the phase plane, at parts of its width and height."""
    chart = page.locator(".st-key-phase-plane [data-testid=stVegaLiteChart] :is(svg, canvas)").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    settle(page, 400)


def starts(page: Page) -> str:
    words = page.locator(".aloud").first.text_content() or ""
    return words.partition("?")[2]


def test_a_click_draws_an_orbit_that_the_link_holds(page: Page, elsewhere: Page) -> None:
    open_link(page, "/dyn?dyn_tab=Two+units")
    assert starts(page).count("From h₁") == 1
    click_at(page, 0.7, 0.3)
    first = query(page)
    assert first["dyn_earlier"] == "0.1, 0.2"
    # where it was clicked: on the right, above the middle
    assert 0.3 < float(first["dyn_s_a"]) < 0.9
    assert 0.2 < float(first["dyn_s_b"]) < 0.8
    assert starts(page).count("From h₁") == 2
    click_at(page, 0.4, 0.7)
    second = query(page)
    assert second["dyn_earlier"] == f"{first['dyn_s_a']}, {first['dyn_s_b']}; 0.1, 0.2"
    assert float(second["dyn_s_a"]) < 0 > float(second["dyn_s_b"])
    assert starts(page).count("From h₁") == 3
    press(page, "dyn_s_a", "ArrowRight")  # the same by keyboard
    moved = query(page)
    assert abs(float(moved["dyn_s_a"]) - float(second["dyn_s_a"]) - 0.01) < 1e-9
    page.mouse.move(2, 2)
    settle(page, 300)
    shot(page, "dyn_two")
    elsewhere.goto(page.url)
    settle(elsewhere)
    wait_for_pictures(elsewhere, 2)
    assert query(elsewhere) == moved
    assert [words for words, _ in pictures(elsewhere)] == [words for words, _ in pictures(page)]
    page.reload()  # a canvas that is painted over differs in the last shade at the edges of its lines
    settle(page)
    wait_for_pictures(page, 2)
    page.wait_for_timeout(500)
    assert pictures(elsewhere) == pictures(page)


def test_views_keep_what_they_held_and_a_link_opens_each(page: Page) -> None:
    open_link(page, "/dyn")
    press(page, "dyn_w", "ArrowLeft", "ArrowLeft")
    assert query(page)["dyn_w"] == "1.9"
    page.get_by_role("radio", name="Two units").click()
    settle(page)
    wait_for_pictures(page, 2)
    expect(page.locator(".st-key-phase-plane")).to_be_visible()
    assert query(page)["dyn_tab"] == "Two units"
    page.get_by_role("radio", name="One unit").click()
    settle(page)
    wait_for_pictures(page, 2)
    expect(page.locator(".st-key-dyn_w input[type=range]")).to_have_attribute("aria-valuetext", "1.90")
    shot(page, "dyn_one")

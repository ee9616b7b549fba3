"""A machine in a browser: it is stepped by the keyboard, its link follows, and opens elsewhere as it was."""

import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from rnnviz.engine import unroll
from rnnviz.machines import machine
from rnnviz.machines.typed import TYPED
from tests.e2e.browser import settle
from tests.e2e.reading import sentences
from tests.e2e.stepping import agrees, keys, linger, open_stepper, picture, see

LINK = "/dyn?dyn_tab=Machines&dyn_mach_sum=1011+%2B+111"


def test_a_machine_is_stepped_by_the_keyboard_and_its_link_follows(page: Page) -> None:
    open_stepper(page, LINK)
    made = machine("addition")
    h = unroll(made.spec, made.params, TYPED["sum"].read("1011 + 111").tensor).states["h"][:, 0]
    before = picture(page)
    keys(page, "ArrowRight", "ArrowRight", "ArrowDown")
    linger(page)
    seen = see(page)
    assert (seen["t"], seen["unit"]) == (3, 2)
    assert agrees(seen["nodes"]["h"], float(h[3, 1]))
    now = picture(page)
    assert now["cursor"] != before["cursor"]
    assert now["texts"] != before["texts"]
    query = parse_qs(urlsplit(page.url).query)
    assert query["dyn_mach_t"] == ["3"]
    assert query["dyn_mach_unit"] == ["2"]
    # The tape marks the same step, and says so to those who hear it.
    said = page.locator(".aloud").filter(has_text=re.compile("A row of cells each"))
    expect(said).to_contain_text("At step 3: a 0, b 1")
    other = page.context.new_page()
    open_stepper(other, page.url)
    assert picture(other) == now
    assert sentences(other) == sentences(page)
    other.close()


def test_typing_another_sum_steps_another_run(page: Page) -> None:
    open_stepper(page, LINK)
    field = page.locator(".st-key-dyn_mach_sum input")
    field.fill("1 + 1")
    field.press("Enter")
    settle(page)
    expect(page.locator(".stepper .step")).to_contain_text("/ 2")
    assert any("1 + 1 = 10, which is 2." in line for line in sentences(page))
    field.fill("1 + 2")
    field.press("Enter")
    settle(page)
    assert any("Sum is “1 + 2”; allowed: two binary numbers" in line for line in sentences(page))
    page.locator(".st-key-dyn_mach_name input").click()
    page.get_by_role("option", name="Latch, an LSTM").click()
    settle(page)
    expect(page.locator(".stepper .step")).to_contain_text("/ 12")

"""The cliff in a browser: balls that roll without the server, links, files and code."""

import csv
import io
import subprocess
import sys

import numpy as np
from playwright.sync_api import Browser, Page

from rnnviz.cliff import Descent, Unit, descend
from tests.e2e.browser import settle
from tests.e2e.reading import controls, open_link, press, same_elsewhere, sentences, unfold

BALLS = (
    """() => document.querySelector(".js-plotly-plot").data.slice(3).map(ball => [ball.x[0], ball.y[0]])"""
)


def wait_for_scene(page: Page) -> None:
    page.locator(".js-plotly-plot canvas").first.wait_for()
    page.wait_for_function(
        "() => document.querySelectorAll('.js-plotly-plot .slider-rail-touch-rect').length"
    )
    settle(page)


def test_the_balls_roll_without_the_server(page: Page) -> None:
    open_link(page, "/cliff")
    wait_for_scene(page)
    ways = descend(Unit(), [Descent(4.75, -1.5, 0.5), Descent(4.75, -1.5, 0.5, 1.0)], 60)
    (_, top), (w, b) = page.evaluate(BALLS)
    assert abs(top + 1.25) < 1e-9, "thrown over the window's edge"
    np.testing.assert_allclose([w, b], [ways[1].w[60], ways[1].b[60]])
    sent: list[str] = []
    page.on("websocket", lambda socket: sent.append(socket.url))
    page.evaluate(
        "() => { window.runs = 0; new MutationObserver(() => window.runs++).observe("
        "document.querySelector('[data-testid=stApp]'), {attributes: true}) }"
    )
    rail = page.locator(".slider-rail-touch-rect")
    rail.scroll_into_view_if_needed()
    box = rail.bounding_box()
    assert box
    page.mouse.click(box["x"] + 2, box["y"] + box["height"] / 2)
    page.wait_for_function(f"() => Math.abs(({BALLS})()[0][0] - 4.75) < 1e-9")
    assert page.evaluate(BALLS) == [[4.75, -1.5], [4.75, -1.5]]
    page.wait_for_timeout(300)
    assert page.evaluate("() => window.runs") == 0
    assert sent == []


def test_a_link_restores_the_cliff(page: Page, browser: Browser) -> None:
    open_link(page, "/cliff?cliff_activation=tanh&cliff_window=close")
    wait_for_scene(page)
    press(page, "cliff_lr", "ArrowRight")
    press(page, "cliff_T", "ArrowLeft", "ArrowLeft")
    press(page, "cliff_tanh_b", "ArrowLeft")
    unfold(page, "What does one step do at the foot of the wall?")
    settle(page)
    for part in ("cliff_lr=1", "cliff_T=48", "cliff_tanh_b=-0.9", "cliff_answer=true"):
        assert part in page.url
    assert controls(page)["cliff_lr"] == "1"
    assert page.get_by_text("The steepest ground that the way").is_visible()
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    other = context.new_page()
    same_elsewhere(page, other)
    wait_for_scene(other)
    assert other.evaluate(BALLS) == page.evaluate(BALLS)
    assert sentences(other) == []
    context.close()


def test_both_figures_leave_the_app(page: Page, browser: Browser, tmp_path) -> None:
    open_link(page, "/cliff?cliff_updates=12&cliff_T=9")
    wait_for_scene(page)
    for stem, formats in (
        ("cliff-contour", ("PNG", "SVG", "PDF", "HTML", "CSV")),
        ("cliff", ("HTML", "CSV")),
    ):
        bar = page.locator(f".st-key-export_{stem}")
        files = {}
        for name in formats:
            with page.expect_download() as download:
                bar.get_by_role("button", name=name, exact=True).click()
            files[name] = tmp_path / download.value.suggested_filename
            download.value.save_as(files[name])
        if "SVG" in files:
            svg = files["SVG"].read_text(encoding="utf-8")
            assert "xₜ = w σ(xₜ₋₁) + b" in svg
            assert "clipped at θ = 1" in svg
            assert files["PDF"].read_bytes().startswith(b"%PDF")
        bar.get_by_role("button", name="Show the code").click()
        with page.expect_download() as download:
            page.get_by_role("dialog").get_by_role("button", name="Download the script").click()
        download.value.save_as(tmp_path / "script.py")
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        ran = subprocess.run(
            [sys.executable, "-I", "script.py"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            encoding="utf-8",
        )
        assert ran.stderr == ""
        table = files["CSV"].read_text(encoding="utf-8")
        mine, printed = (list(csv.DictReader(io.StringIO(text))) for text in (table, ran.stdout))
        assert len(mine) == len(printed)
        for name in set(mine[0]) - {"way"}:
            columns = ([float(row[name]) for row in rows] for rows in (mine, printed))
            np.testing.assert_allclose(*columns, rtol=1e-12)
    offline = browser.new_context(offline=True).new_page()
    offline.goto(files["HTML"].as_uri())
    offline.locator(".js-plotly-plot canvas").first.wait_for()
    assert len(offline.evaluate(BALLS)) == 2
    offline.context.close()

"""What leaves the app: every figure in every format, its numbers, and the script that makes them."""

import csv
import io
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page
from torch import Tensor

from rnnviz.engine import CELLS, CellSpec, Trace, bptt, init_params, unroll
from rnnviz.engine.products import direct_log_norms, end_products
from rnnviz.experiment import Input, loss_on
from tests.e2e.browser import settle, shot
from tests.e2e.reading import open_link

TEXT = "the clouds"
PAGES = {
    "cell": f"/cell?cell_text={TEXT.replace(' ', '%20')}&cell_t=4&cell_H=5",
    "flow": "/flow?flow_T=30&flow_H=6&flow_radius=1.5",
    "why": "/flow?flow_tab=Why&flow_gates=true&flow_T=30&flow_H=6&flow_radius=1.5",
}
FIGURES = {
    "strips": "cell",
    "unit": "cell",
    "gradient-norms": "flow",
    "jacobian-products": "flow",
    "step-norms": "why",
    "direct-path": "why",
}
Table = list[dict[str, str]]


def save(page: Page, stem: str, name: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator(f".st-key-export_{stem}").get_by_role("button", name=name, exact=True).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def read(text: str) -> Table:
    return list(csv.DictReader(io.StringIO(text)))


def column(table: Table, name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in table])


def wanted(stem: str) -> tuple[Table, dict[str, np.ndarray]]:
    """Columns of the figure's table, straight from the engine."""
    if FIGURES[stem] == "cell":
        x = Input("text", len(TEXT), text=TEXT).signal().x
        spec = CELLS["lstm"]
        run = unroll(spec, init_params(spec, x.shape[2], 5, seed=4, forget_bias=1.0), x)
        values = {name: gate[:, 0].numpy() for name, gate in run.gates.items()}
        values |= {name: state[1:, 0].numpy() for name, state in run.states.items()}
        if stem == "unit":
            return {"step": np.arange(1, 11)} | {name: v[:, 2] for name, v in values.items()}
        steps, units = np.meshgrid(np.arange(1, 11), np.arange(1, 6), indexing="ij")
        return {"step": steps.ravel(), "unit": units.ravel()} | {n: v.ravel() for n, v in values.items()}
    x = Input("noise", 30, seed=4).signal().x
    norms = []
    for spec in CELLS.values():
        bias = {"forget_bias": 1.0} if "f" in spec.gate_names else {}
        params = init_params(spec, 1, 6, seed=4, scheme="scaled", radius=1.5, **bias)
        if stem == "gradient-norms":
            found = bptt(spec, params, x, lambda h: loss_on("last", h))
            norms += [np.exp(found.log_norms(name).numpy()) for name in spec.state_names]
        elif stem == "step-norms":
            from rnnviz.engine import jacobians

            found = jacobians(spec, params, unroll(spec, params, x))
            norms += [np.exp(found.step_log_norms(name)[:, 0].numpy()) for name in spec.state_names]
        else:
            norms += of_products(stem, spec, params, unroll(spec, params, x))
    return {"norm": np.concatenate(norms)}


def of_products(stem: str, spec: CellSpec, params: dict[str, Tensor], run: Trace) -> list[np.ndarray]:
    """A cell's columns: its product and bounds, or the whole beside its direct path."""
    if stem == "direct-path":
        if spec.direct is None:
            return []
        state, _ = spec.direct(run.gates)
        logs = [end_products(spec, params, run, state).log_norms(state), direct_log_norms(spec, run)]
        return [np.exp(log[:, 0].numpy()) for log in logs]
    found = [np.exp(end_products(spec, params, run).log_norms("h")[:, 0].numpy())]
    if spec.slope:
        sigma = torch.linalg.matrix_norm(params["W_hh"], 2).item()
        slope = spec.slope({"h": run.states["h"][1:]}, run.gates).mean().item()
        found += [np.exp(np.arange(30, -1, -1) * np.log(factor)) for factor in (sigma, slope * sigma)]
    return found


@pytest.mark.parametrize("stem", FIGURES)
def test_a_figure_in_every_format(page: Page, browser: Browser, tmp_path: Path, stem: str) -> None:
    open_link(page, PAGES[FIGURES[stem]])
    files = {name: save(page, stem, name, tmp_path) for name in ("PNG", "SVG", "PDF", "HTML", "CSV")}
    names = {path.stem for path in files.values()}
    assert len(names) == 1, "one name, five endings"
    assert names.pop().startswith(stem)

    picture = np.asarray(Image.open(files["PNG"]).convert("RGB"))
    assert picture.shape == (1080, 1920, 3)
    ground = picture[2, 2]
    assert 0.005 < (np.abs(picture.astype(int) - ground).sum(-1) > 30).mean() < 0.9
    ink = np.argwhere(np.abs(picture.astype(int) - ground).sum(-1) > 60)
    assert ink[:, 1].max() - ink[:, 1].min() > 1500, "the picture fills the slide"
    assert ink[:, 0].max() - ink[:, 0].min() > 850

    svg = files["SVG"].read_text(encoding="utf-8")
    assert svg.lstrip().startswith("<svg")
    assert not re.search(r"(href|src)=[\"']https?:", svg)
    assert files["PDF"].read_bytes().startswith(b"%PDF")

    table = read(files["CSV"].read_text(encoding="utf-8"))
    for name, values in wanted(stem).items():
        np.testing.assert_array_equal(column(table, name), values)

    context = browser.new_context(offline=True)
    asked: list[str] = []
    offline = context.new_page()
    offline.on("request", lambda request: asked.append(request.url))
    offline.goto(files["HTML"].as_uri())
    offline.locator("#chart svg").wait_for()
    assert offline.locator("#chart svg path").count() > 3
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


@pytest.mark.parametrize("stem", FIGURES)
def test_the_code_prints_the_numbers(page: Page, tmp_path: Path, stem: str) -> None:
    open_link(page, PAGES[FIGURES[stem]])
    table = read(save(page, stem, "CSV", tmp_path).read_text(encoding="utf-8"))
    page.locator(f".st-key-export_{stem}").get_by_role("button", name="Show the code").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("code").first.wait_for()
    settle(page)
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download the script").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    script = path.read_text(encoding="utf-8")
    assert path.suffix == ".py"
    assert squeezed(dialog.locator("code").first.text_content() or "") == squeezed(script)
    assert "rnnviz" not in script
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    # -I: no path to this package, no environment
    ran = subprocess.run([sys.executable, "-I", str(path)], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    printed = read(ran.stdout)
    assert len(printed) == len(table)
    shared = [name for name in table[0] if name in printed[0]]
    assert {"norm", "h"} & set(shared)
    for name in shared:
        if name in ("cell", "state"):
            key = ("cell", "state", "steps_back")
            assert sorted(tuple(row[k] for k in key) for row in printed) == sorted(
                tuple(row[k] for k in key) for row in table
            )
    order = [name for name in ("cell", "state", "steps_back", "step", "unit") if name in shared]
    for row in (printed, table):
        row.sort(key=lambda r: tuple(r[k] for k in order))
    for name in set(shared) - {"cell", "state"}:
        np.testing.assert_allclose(column(printed, name), column(table, name), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize(
    "text", ["a%00b", "a%0Ab", "%22%22%22 \\", "a\\", "%E2%80%AE%F0%9F%99%82 ab", "{x}%25s'"], ids=ascii
)
def test_the_code_runs_whatever_the_text(page: Page, tmp_path: Path, text: str) -> None:
    open_link(page, f"/cell?cell_text={text}&cell_H=2")
    page.locator(".st-key-export_unit").get_by_role("button", name="Show the code").click()
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name="Download the script").click()
    download.value.save_as(tmp_path / "script.py")
    ran = subprocess.run(
        [sys.executable, "-I", "script.py"], capture_output=True, text=True, cwd=tmp_path, encoding="utf-8"
    )
    assert ran.stderr == ""
    assert len(read(ran.stdout)) == len(unquote(text))  # a row a step


def squeezed(code: str) -> str:
    return re.sub(r"\s+", "", code)


def test_the_path_in_three_dimensions(page: Page, browser: Browser, tmp_path: Path) -> None:
    open_link(page, PAGES["cell"])
    page.get_by_text("The path of the hidden state").click()
    page.locator(".js-plotly-plot canvas").first.wait_for()
    settle(page)
    assert "cell_path=true" in page.url
    open_link(page, page.url)
    page.locator(".js-plotly-plot canvas").first.wait_for()
    page.locator(".js-plotly-plot").scroll_into_view_if_needed()
    page.wait_for_timeout(600)  # the scene is drawn after its canvas is there
    shot(page, "cell_path")
    bar = page.locator("[class*=st-key-export_]").last
    stem = re.search(r"st-key-export_([\w-]+)", bar.get_attribute("class") or "")[1]
    table = read(save(page, stem, "CSV", tmp_path).read_text(encoding="utf-8"))
    assert len(table) >= len(TEXT)
    html = save(page, stem, "HTML", tmp_path)
    context = browser.new_context(offline=True)
    asked: list[str] = []
    offline = context.new_page()
    offline.on("request", lambda request: asked.append(request.url))
    offline.goto(html.as_uri())
    offline.locator(".js-plotly-plot canvas").first.wait_for()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
    bar.get_by_role("button", name="Show the code").click()
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name="Download the script").click()
    download.value.save_as(tmp_path / "path.py")
    ran = subprocess.run([sys.executable, "-I", "path.py"], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stderr == ""
    printed = read(ran.stdout)
    assert printed[0].keys() == table[0].keys()
    for name in table[0]:
        np.testing.assert_allclose(column(printed, name), column(table, name), rtol=1e-9, atol=1e-12)

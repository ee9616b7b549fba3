"""Exported files: exact size, our own face, nothing from outside, numbers to the last bit."""

import csv
import io
import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import altair as alt
import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from playwright.sync_api import sync_playwright

from rnnviz import export
from tests.e2e.browser import launch

TITLE = "How much of the loss reaches each step: ‖∂L/∂hₜ‖"
FONTS = Path(export.__file__).parents[1] / "assets" / "fonts"
SIGNS = "‖∂σφλτθ∞≤≥≈−×·′…“”–—⊙→←↑↓□▼▽₀₁₂₃₄₅₆₇₈₉ₜ₋₊⁻⁰¹²³⁴⁵⁶⁷⁸⁹√ΣΠ␣∇∈∘⊗⊕∝∥⊤ₙᵢⱼₕₖ"


def spec(title: str = TITLE, **more: object) -> dict[str, object]:
    rows = [
        {"t": t, "y": 10.0 ** (-t * k / 9), "cell": c} for c, k in (("RNN", 3), ("LSTM", 1)) for t in range(9)
    ]
    return {
        "data": {"values": rows},
        "title": {"text": title, "subtitle": "T = 9, seed 0"},
        "mark": "line",
        "encoding": {
            "x": {"field": "t", "type": "quantitative"},
            "y": {"field": "y", "type": "quantitative", "scale": {"type": "log"}},
            "color": {"field": "cell", "type": "nominal"},
        },
        "width": "container",
        **more,
    }


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def pdf_faces(pdf: bytes) -> set[str]:
    """Names of the fonts a PDF embeds, without the subset's tag; object streams are unpacked."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    for stream in streams:
        try:
            pdf += zlib.decompress(stream)
        except zlib.error:
            continue
    return {name.decode() for name in re.findall(rb"/FontName\s*/(?:[A-Z]{6}\+)?([\w-]+)", pdf)}


@pytest.mark.parametrize(("size", "dark"), [((1920, 1080), False), ((1920, 1080), True), ((800, 600), False)])
def test_png_has_exactly_the_size_and_an_opaque_background(size, dark):
    png = export.chart_png(spec(), size, dark=dark)
    assert struct.unpack(">II", png[16:24]) == size
    image = pixels(png)
    assert (image[..., 3] == 255).all()
    assert (image[[0, 0, -1, -1], [0, -1, 0, -1], :3] < 64).all() == dark
    edge = export.PADDING  # half of the padding at scale 2
    body = image.copy()
    body[edge:-edge, edge:-edge] = image[0, 0]
    assert (body == image[0, 0]).all(), "something is drawn in the outer margin"
    assert len(np.unique(image.reshape(-1, 4), axis=0)) > 50


def test_a_layered_altair_chart_fills_the_slide_and_long_captions_stay_inside():
    rows = alt.Data(values=[{"t": t, "y": t * t} for t in range(9)])
    line = alt.Chart(rows).mark_line().encode(x="t:Q", y="y:Q")
    caption = "Ein sehr langer Untertitel mit Einstellungen, " * 12
    chart = (line + line.mark_point()).properties(title=alt.Title(TITLE, subtitle=caption))
    ink = (pixels(export.chart_png(chart))[..., :3] < 200).any(-1)
    columns = np.flatnonzero(ink.any(0))
    assert 40 <= columns[0] < 120
    assert 1750 < columns[-1] <= 1880
    svg = export.chart_svg(chart).decode()
    drawn = re.sub(r"<[^>]*>", "", svg)
    assert drawn.count("Untertitel") == 12


@pytest.mark.parametrize(
    ("chart", "size", "word"),
    [
        ({"hconcat": [spec()]}, export.SLIDE, "hconcat"),
        (spec(encoding={"row": {"field": "cell"}}), export.SLIDE, "row"),
        (spec(), (1921, 1080), "1921"),
        (spec(), (0, 1080), "size"),
        (spec(data={"url": "https://example.org/data.csv"}), export.SLIDE, "not allowed"),
        (spec(data={"values": [{"t": float("nan")}]}), export.SLIDE, "(?i)json"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(chart, size, word):
    with pytest.raises(ValueError, match=word):
        export.chart_png(chart, size)


def test_svg_text_is_in_our_face_and_the_face_is_inside():
    config = {"title": {"font": "Georgia"}, "axis": {"labelFont": "Comic Sans"}, "font": "Source Sans 3"}
    svg = export.chart_svg(spec(), config=config).decode()
    families = set(re.findall(r'<text[^>]*font-family="([^"]*)"', svg))
    assert families
    assert all(family.startswith("Rnnviz Sans,") for family in families)
    assert svg.count("@font-face") == 2
    assert re.search(r'<svg[^>]* width="960" height="540" viewBox="0 0 960 540"', svg)
    assert not re.search(r"url\((?!data:)", svg)


def test_data_is_left_alone_by_the_change_of_face():
    chart = spec(
        data={"values": [{"font": "Georgia", "t": 1}]}, mark="text", encoding={"text": {"field": "font"}}
    )
    assert ">Georgia</text>" in export.chart_svg(chart).decode()


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_every_sign_of_the_figures_keeps_our_face(weight):
    # vl-convert turns a whole line to another face for one missing glyph, and the PDF would embed that face.
    style = {"normal": "RnnvizSans-Regular", "bold": "RnnvizSans-Semibold"}[weight]
    title = {
        "text": SIGNS,
        "fontWeight": weight,
        "subtitle": f"‖∂L/∂hₜ‖ = f ⊙ c′ {SIGNS}",
        "subtitleFontWeight": weight,
    }
    pdf = export.chart_pdf({"data": {"values": [{}]}, "mark": "point", "title": title})
    assert pdf_faces(pdf) == {style}


def test_the_check_of_faces_sees_a_missing_glyph():
    # Ours has no Cyrillic; Liberation Sans, which vl-convert carries, has.
    assert not pdf_faces(export.chart_pdf(spec("‖∂L/∂hₜ‖ Ж"))) <= {
        "RnnvizSans-Regular",
        "RnnvizSans-Semibold",
    }


def test_a_norm_in_a_title_is_drawn_with_the_same_letters_as_without_it():
    # The same word at the same place, once alone and once beside the signs, pixel by pixel.
    config = {"title": {"anchor": "start"}}
    plain, with_norm = (
        pixels(export.chart_png(spec(title), config=config)) for title in ("Norms", "Norms ‖∂L/∂hₜ‖")
    )
    ink = (plain[:80, :, :3] < 128).any(-1)
    columns = np.flatnonzero(ink.any(0))
    assert columns.size
    assert (plain[:75, : columns[0] + 70] == with_norm[:75, : columns[0] + 70]).all()


def test_pdf_is_one_slide_with_both_faces():
    pdf = export.chart_pdf(spec())
    assert pdf.startswith(b"%PDF")
    assert re.search(rb"/MediaBox\s*\[0 0 960 540\]", pdf)
    assert pdf_faces(pdf) == {"RnnvizSans-Regular", "RnnvizSans-Semibold"}


HOSTILE = "</script><script>window.stolen = 1</script><img src=https://example.org/x>"


def references(page: str) -> list[str]:
    return re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=|@import|url\(\s*['\"]?https?:", page)


@pytest.mark.parametrize(
    "write", [export.chart_html, lambda chart: export.plotly_html(go.Figure(layout_title=HOSTILE))]
)
def test_html_refers_to_nothing_outside_and_holds_no_foreign_markup(write):
    page = write(spec(HOSTILE)).decode()
    body = re.sub(r"<script[^>]*>.*?</script>", "<script>", page, flags=re.DOTALL)
    assert "<script" in body
    assert "<img" not in body
    assert "window.stolen" not in re.sub(r"<title>.*?</title>", "", body)
    # Scripts mention addresses as text; what a browser would fetch by itself is in the markup and the styles.
    assert not references(body)
    assert not re.findall(r"<script[^>]+src", page)


def test_html_draws_in_a_browser_without_a_network(tmp_path):
    file = tmp_path / "figure.html"
    file.write_bytes(export.chart_html(spec(f"‖∂L/∂hₜ‖ {HOSTILE}"), config={"title": {"anchor": "start"}}))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.context.set_offline(True)
        page.goto(file.as_uri())
        page.wait_for_selector("#chart svg path")
        widths = [page.locator("#chart svg").bounding_box()["width"]]
        page.set_viewport_size({"width": 700, "height": 700})
        page.wait_for_function("document.querySelector('#chart svg').getBoundingClientRect().width <= 700")
        widths.append(page.locator("#chart svg").bounding_box()["width"])
        loaded = page.evaluate("[...document.fonts].map((face) => [face.family, face.status])")
        stolen = page.evaluate("window.stolen")
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []
    assert stolen is None
    assert widths == pytest.approx([1000, 700], abs=2)
    assert [[family.strip('"'), status] for family, status in loaded] == [["Rnnviz Sans", "loaded"]] * 2


def test_exports_open_no_socket(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("an export asked for the network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    with pytest.raises(AssertionError):
        socket.socket()
    for write in (export.chart_png, export.chart_svg, export.chart_pdf, export.chart_html):
        assert len(write(spec())) > 5000
    assert len(export.plotly_html(go.Figure())) > 1_000_000


def test_eight_threads_draw_what_one_draws():
    titles = [f"run {k}" for k in range(8)]
    alone = [export.chart_svg(spec(title)) for title in titles]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda title: export.chart_svg(spec(title)), titles)) == alone


def test_the_chart_is_not_changed():
    chart = spec(config={"axis": {"labelFont": "Georgia"}})
    before = json.dumps(chart)
    export.chart_svg(chart, config={"axis": {"grid": False}})
    assert json.dumps(chart) == before


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(width=64), min_size=1), st.data())
def test_csv_reads_back_to_the_same_bits(values, data):
    words = data.draw(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs", "Cc"])),
            min_size=len(values),
            max_size=len(values),
        )
    )
    text = export.table_csv(
        {"y": np.array(values), "f": np.array(values, np.float64).tolist(), "‖w‖, “q”": words}
    )
    rows = list(csv.reader(io.StringIO(text.decode("utf-8"), newline="")))
    assert rows[0] == ["y", "f", "‖w‖, “q”"]
    for got, want, word in zip(rows[1:], values, words, strict=True):
        assert got[0] == got[1]
        assert got[2] == word
        if np.isnan(want):
            assert got[0] == "nan"
        else:
            assert struct.pack("<d", float(got[0])) == struct.pack("<d", want)


def test_csv_is_exactly_this():
    columns = {"t": np.arange(2), "a": [float("-inf"), None], "b": np.float32([0.1, 5e-324])}
    assert export.table_csv(columns) == b"t,a,b\n0,-inf,0.10000000149011612\n1,nan,0.0\n"


@pytest.mark.parametrize("columns", [{}, {"a": [1], "b": [1, 2]}, {"a": np.zeros((2, 2))}])
def test_csv_refuses_what_is_no_table(columns):
    with pytest.raises(ValueError, match="column"):
        export.table_csv(columns)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.dictionaries(st.text(), st.text() | st.floats() | st.integers()))
def test_any_file_name_is_harmless(stem, configuration):
    name = export.filename(stem, configuration, "png")
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*\.png", name)
    assert len(name) <= 120
    assert ".." not in name


@pytest.mark.parametrize(
    ("stem", "configuration", "name"),
    [
        ("gradient-flow", {"T": 100, "radius": 1.2, "seed": 0}, "gradient-flow_T100_radius1.2_seed0.png"),
        ("../../etc/passwd", {}, "etc-passwd.png"),
        ("a\x00b\nc", {"x": "../y"}, "a-b-c_x.-y.png"),
        ("CON", {}, "figure_CON.png"),
        ("‖∂‖", {}, "figure.png"),
        ("Zustände", {"lr": 1e-5}, "Zustande_lr1e-05.png"),
        ("x" * 300, {}, "x" * 116 + ".png"),
    ],
)
def test_file_names(stem, configuration, name):
    assert export.filename(stem, configuration, "png") == name


@pytest.mark.parametrize("ext", ["", "p/g", "png.exe", "pñg"])
def test_a_strange_ending_is_refused(ext):
    with pytest.raises(ValueError, match="ext"):
        export.filename("a", {}, ext)


def test_camera_saves_a_slide():
    camera = export.plotly_camera_config("gates", "svg")["toImageButtonOptions"]
    assert (camera["filename"], camera["format"]) == ("gates", "svg")
    assert (camera["width"] * camera["scale"], camera["height"] * camera["scale"]) == (1920, 1080)


def test_fonts_are_small_and_their_licence_is_beside_them():
    faces = sorted(path.name for path in FONTS.glob("RnnvizSans-*"))
    assert faces == [
        f"RnnvizSans-{style}.{ext}" for style in ("Regular", "Semibold") for ext in ("ttf", "woff2")
    ]
    assert all((FONTS / face).stat().st_size < 150_000 for face in faces)
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FONTS / "OFL.txt").read_text(encoding="utf-8")


def test_importing_export_loads_nothing_heavy():
    heavy = "{'streamlit', 'altair', 'plotly', 'vl_convert', 'torch'}"
    code = f"import sys, rnnviz.export; print(sorted({heavy} & sys.modules.keys()))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )

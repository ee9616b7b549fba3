"""Strips and lines: every pixel, mark and row against the run that they show."""

import base64
import io
import json

import altair as alt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rnnviz.charts.figure import Figure, layered, records
from rnnviz.charts.paint import paint
from rnnviz.charts.strips import HOVER_LIMIT, Strip, still_tables, strips
from rnnviz.charts.theme import DIVERGING, SEQUENTIAL
from rnnviz.charts.unit_lines import unit_lines
from rnnviz.engine import CELLS, unroll
from rnnviz.experiment import Input, Model
from rnnviz.ui import cached
from tests.engine.oracle import quick

INF = float("inf")


def rgb(stop):
    return [int(stop[k : k + 2], 16) for k in (1, 3, 5)]


def strip(values, low=-1.0, high=1.0, name="h"):
    return Strip(name, "hidden state", np.array(values, dtype=float), low, high)


def pixels(picture):
    head, data = picture.split(",", 1)
    assert head == "data:image/png;base64"
    image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert image.format == "PNG"
    assert image.mode == "RGB"
    return np.asarray(image)


def assert_drawable(figure):
    spec = figure.standalone()
    alt.LayerChart.from_dict(spec, validate=True).to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    named = {layer["data"]["name"] for layer in spec["layer"] if "data" in layer}
    assert named <= set(spec["datasets"])
    assert spec["data"]["name"] in spec["datasets"]


@pytest.mark.parametrize(("stops", "low"), [(DIVERGING, -2.0), (SEQUENTIAL, 0.0)])
def test_anchors_are_met_exactly_and_between_them_it_is_linear(stops, low):
    n = len(stops)
    at = np.linspace(low, 2.0, n)
    np.testing.assert_array_equal(paint(at[None], low, 2.0, stops)[0], [rgb(stop) for stop in stops])
    for k, share in ((0, 0.5), (1, 0.25), (n - 2, 0.9)):
        value = at[k] + share * (at[k + 1] - at[k])
        want = [a + share * (b - a) for a, b in zip(rgb(stops[k]), rgb(stops[k + 1]), strict=True)]
        got = paint(np.array([[value]]), low, 2.0, stops)[0, 0]
        np.testing.assert_allclose(got, want, atol=0.5 + 1e-6)


def test_beyond_the_ends_is_the_end_and_not_a_number_is_black():
    values = np.array([[-INF, -1e300, -1.0001, 1.0001, 1e300, INF, np.nan]])
    first, last = rgb(DIVERGING[0]), rgb(DIVERGING[-1])
    assert paint(values, -1, 1, DIVERGING)[0].tolist() == [first] * 3 + [last] * 3 + [[0, 0, 0]]


def test_zero_is_the_lightest_and_equal_sizes_are_equally_far_from_it():
    light = np.array([sum(rgb(stop)) for stop in DIVERGING])
    middle = len(DIVERGING) // 2
    assert len(DIVERGING) % 2
    assert light.argmax() == middle
    assert (np.diff(light[: middle + 1]) > 0).all()
    assert (np.diff(light[middle:]) < 0).all()
    assert paint(np.zeros((1, 1)), -0.3, 0.3, DIVERGING)[0, 0].tolist() == rgb(DIVERGING[middle])
    values = np.linspace(-1, 1, 41)[None]
    mirrored = paint(-values, -1, 1, DIVERGING[::-1]).astype(int)
    assert np.abs(mirrored - paint(values, -1, 1, DIVERGING)).max() <= 1  # halves round up on either side
    light = [sum(rgb(stop)) for stop in SEQUENTIAL]
    assert light == sorted(light, reverse=True)


@given(seed=st.integers(0, 99), T=st.integers(1, 9), H=st.integers(1, 6))
@quick
def test_a_picture_has_one_pixel_a_value_unit_one_on_top(seed, T, H):
    values = np.random.default_rng(seed).uniform(-1, 1, (T, H))
    image = pixels(strip(values).picture())
    assert image.shape == (H, T, 3)
    for t in range(T):
        for unit in range(H):
            place = (values[t, unit] + 1) / 2 * (len(DIVERGING) - 1)
            k = min(int(place), len(DIVERGING) - 2)
            a, b = (np.array(rgb(DIVERGING[j])) for j in (k, k + 1))
            np.testing.assert_allclose(image[unit, t], a + (place - k) * (b - a), atol=0.5 + 1e-6)


def test_a_known_value_is_where_it_belongs():
    values = np.zeros((5, 3))
    values[3, 0], values[1, 2] = 1.0, -1.0
    image = pixels(strip(values).picture())
    assert image[0, 3].tolist() == rgb(DIVERGING[-1])
    assert image[2, 1].tolist() == rgb(DIVERGING[0])
    rest = [(u, t) for u in range(3) for t in range(5) if (u, t) not in ((0, 3), (2, 1))]
    assert all(image[place].tolist() == rgb(DIVERGING[3]) for place in rest)
    gate = pixels(strip([[0.0, 1.0]], 0.0, 1.0).picture())
    assert gate[:, 0].tolist() == [rgb(SEQUENTIAL[0]), rgb(SEQUENTIAL[-1])]


@pytest.mark.parametrize(
    ("values", "low", "high", "limit", "text"),
    [
        ([[0.2, 0.4]], 0.0, 1.0, 1.0, "0 … 1"),
        ([[0.2, 0.4]], -1.0, 1.0, 1.0, "±1"),
        ([[2.0, -3.456]], -INF, INF, 3.456, "±3.46"),
        ([[2.0, 0.0]], 0.0, INF, 2.0, "±2"),
        ([[0.0, 0.0]], -INF, INF, 1e-12, "±1e-12"),
        ([[1e-3, -2e-3]], -INF, INF, 2e-3, "±0.002"),
        ([[np.nan, -3.0]], -INF, INF, 3.0, "±3"),
        ([[INF, -3.0]], -INF, INF, 3.0, "±3"),
        ([[np.nan, np.nan]], -INF, INF, 1e-12, "±1e-12"),
    ],
)
def test_the_scale_is_symmetric_and_printed(values, low, high, limit, text):
    row = strip(values, low, high)
    assert row.limit == limit
    assert row.range_text == text
    image = pixels(row.picture())[:, 0]
    for value, pixel in zip(values[0], image.tolist(), strict=True):
        assert (pixel == [0, 0, 0]) == bool(np.isnan(value))
        if value == INF:
            assert pixel == rgb(DIVERGING[-1])
        if low != 0 and abs(value) == limit:
            assert pixel == rgb(DIVERGING[-1 if value > 0 else 0])


CASES = [
    (Model("rnn", (("activation", "identity"),), 3, 1), Input("impulse", 4)),
    (Model("lstm", (), 4, 1, forget_bias=1.0), Input("text", 6, text="a b\"'c")),
    (Model("gru", (("reset", "before"), ("z", "takes")), 1, 1), Input("noise", 2)),
]


@pytest.mark.parametrize(("model", "source"), CASES, ids=["rnn", "lstm", "gru"])
def test_table_description_and_marks_are_those_of_the_run(model, source):
    rows = cached.strips_of(model, source)
    x = source.signal().x
    run = unroll(model.spec, model.params(x.shape[2]), x)
    recorded = {**run.gates, **{name: values[1:] for name, values in run.states.items()}}
    assert [row.name for row in rows] == [equation.name for equation in model.spec.equations]
    assert {row.name for row in rows} == set(recorded)
    T, H = len(x), model.hidden_size
    for t in (1, T):
        for unit in (1, H):
            figure = strips(rows, cached.strip_tables(model, source), t, unit, "seed 1")
            assert_drawable(figure)
            table = figure.table
            assert list(table) == ["step", "unit", *(row.name for row in rows)]
            assert {len(column) for column in table.values()} == {T * H}
            for k in range(T * H):
                step, which = table["step"][k], table["unit"][k]
                for name, values in recorded.items():
                    assert table[name][k] == values[step - 1, 0, which - 1].item()
            assert len({(s, u) for s, u in zip(table["step"], table["unit"], strict=True)}) == T * H
            for name, values in recorded.items():
                assert f"{name} {values[t - 1, 0, unit - 1].item():.3f}" in figure.description
            marks = records(figure.data)
            assert [(m["from"], m["to"]) for m in marks if m["kind"] == "step"] == [(t - 0.5, t + 0.5)]
            tops = [mark["top"] for mark in marks if mark["kind"] == "unit"]
            images = records(figure.still["images"])
            assert [image["url"] for image in images] == [row.picture() for row in rows]
            # The mark stands at the middle of the unit's row of pixels.
            want = [image["y"] - 0.5 + (unit - 0.5) / H for image in images]
            np.testing.assert_allclose(tops, want, atol=1e-12)


@pytest.mark.parametrize(("model", "source"), CASES, ids=["rnn", "lstm", "gru"])
def test_hover_boxes_lie_on_the_pixels_they_speak_of(model, source):
    rows, tables = cached.strips_of(model, source), cached.strip_tables(model, source)
    T, H = rows[0].values.shape
    cells = records(tables["cells"])
    assert len(cells) == T * H * len(rows)
    for k, row in enumerate(rows):
        centre = tables["images"]["y"][k]
        for t in range(T):
            for unit in range(H):
                x, y = t + 1, centre - 0.5 + (unit + 0.5) / H
                over = [c["label"] for c in cells if c["a"] < x < c["b"] and c["y"] < y < c["z"]]
                place = f"{row.name}, unit {unit + 1}, step {t + 1}: {row.values[t, unit]:.4g}"
                assert len(over) == 1
                assert over[0] == f"{row.title} {place}"


def test_hover_text_is_there_up_to_its_limit_and_no_further():
    for H, there in ((HOVER_LIMIT // 40, True), (HOVER_LIMIT // 40 + 1, False)):
        rows = [strip(np.zeros((20, H)), name=name) for name in "ho"]
        tables = still_tables(rows, np.ones((20, 1)), ())
        assert ("cells" in tables) == there
        figure = strips(rows, tables, 1, 1, "seed 1")
        assert any(layer.get("data") == {"name": "cells"} for layer in figure.spec["layer"]) == there
        assert_drawable(figure)


def test_the_input_is_drawn_as_letters_or_as_a_curve():
    rows = [strip(np.zeros((3, 2)))]
    letters = still_tables(rows, np.eye(3), ("a", " ", "b"))["input"]
    assert letters["symbol"] == ["a", "␣", "b"]
    assert list(letters["x"]) == [1, 2, 3]
    curve = still_tables(rows, np.array([[2.0], [-4.0], [0.0]]), ())["input"]
    np.testing.assert_allclose(np.diff(curve["y"]) / np.diff([2.0, -4.0, 0.0]), -0.1)
    assert [label.split(": ")[1] for label in curve["label"]] == ["2", "-4", "0"]
    flat = still_tables(rows, np.zeros((3, 1)), ())["input"]
    assert np.isfinite(flat["y"]).all()
    for symbols in (("a", " ", "b"), ()):
        assert_drawable(strips(rows, still_tables(rows, np.eye(3), symbols), 1, 1, "seed 1"))


@pytest.mark.parametrize(("model", "source"), CASES, ids=["rnn", "lstm", "gru"])
def test_lines_of_a_unit_are_its_recorded_values(model, source):
    rows = cached.strips_of(model, source)
    T = len(rows[0].values)
    for unit in {1, model.hidden_size}:
        figure = unit_lines(rows, T, unit, "seed 1")
        assert_drawable(figure)
        assert list(figure.table) == ["step", *(row.name for row in rows)]
        assert figure.table["step"].tolist() == list(range(1, T + 1))
        drawn = records(figure.data)
        for row in rows:
            values = row.values[:, unit - 1]
            np.testing.assert_array_equal(figure.table[row.name], values)
            line = [p for p in drawn if p["kind"] == "line" and p["name"] == row.name]
            assert [(p["step"], p["value"]) for p in line] == list(enumerate(values.tolist(), 1))
            assert f"{row.name} {values[-1]:.3f}" in figure.description
        assert [p["step"] for p in drawn if p["kind"] == "cursor"] == [T]
        ends = [p for p in drawn if p["kind"] == "end"]
        assert [p["name"] for p in ends] == [row.name for row in rows]
        every = np.concatenate([figure.table[row.name] for row in rows])
        places = np.sort([p["value"] for p in ends])
        assert (np.diff(places) >= np.ptp(every) / 13 - 1e-9).all()


def test_one_step_and_one_unit_suffice():
    rows = [strip([[0.5]]), strip([[-3.0]], -INF, INF, "c")]
    tables = still_tables(rows, np.array([[1.0]]), ())
    figure = strips(rows, tables, 1, 1, "seed 1")
    assert_drawable(figure)
    assert_drawable(unit_lines(rows, 1, 1, "seed 1"))
    assert {name: column.tolist() for name, column in figure.table.items()} == {
        "step": [1],
        "unit": [1],
        "h": [0.5],
        "c": [-3.0],
    }


def test_what_is_not_finite_is_drawn_without_complaint():
    rows = [strip([[0.5], [np.nan], [INF]], -INF, INF, "c")]
    tables = still_tables(rows, np.ones((3, 1)), ())
    assert_drawable(strips(rows, tables, 2, 1, "seed 1"))
    figure = unit_lines(rows, 2, 1, "seed 1")
    assert_drawable(figure)
    assert [p["value"] for p in records(figure.data) if p["kind"] == "line"] == [0.5, None, None]


def test_moving_the_cursor_leaves_the_specification_and_the_pictures_alone():
    model, source = CASES[1]
    rows, tables = cached.strips_of(model, source), cached.strip_tables(model, source)
    first, second = (strips(rows, tables, t, unit, "seed 1") for t, unit in ((1, 1), (5, 3)))
    assert first.spec == second.spec
    assert first.still is second.still
    assert first.data != second.data
    assert unit_lines(rows, 1, 1, "x").spec == unit_lines(rows, 4, 2, "x").spec


def test_records_are_rows_and_json_has_no_word_for_infinity():
    columns = {"a": np.array([1.5, np.nan, INF]), "b": [1, -INF, None], "c": np.array(["x", "y", "z"])}
    assert records(columns) == [
        {"a": 1.5, "b": 1, "c": "x"},
        {"a": None, "b": None, "c": "y"},
        {"a": None, "b": None, "c": "z"},
    ]
    assert records({}) == []
    json.dumps(records({"k": np.arange(3), "f": np.float32([1, 2, 3]), "t": np.array([True, False, True])}))
    with pytest.raises(ValueError, match="argument 2"):
        records({"a": [1, 2], "b": [1]})


def test_layers_without_data_take_the_figures_own():
    own = alt.Chart(alt.NamedData("still")).mark_point().encode(x="a:Q")
    spec = layered([alt.Chart().mark_line().encode(x="a:Q"), own], width=300)
    assert "config" not in spec
    assert "data" not in spec["layer"][0]
    assert spec["layer"][1]["data"] == {"name": "still"}
    assert spec["width"] == 300
    figure = Figure(
        "stem", "Title", "Caption", "Words", spec, {"a": [1.0, INF]}, {"a": [1.0]}, {"still": {"a": [2]}}
    )
    whole = figure.standalone()
    assert whole["datasets"] == {"rows": [{"a": 1.0}, {"a": None}], "still": [{"a": 2}]}
    assert whole["title"] == {"text": "Title", "subtitle": "Caption"}
    assert whole["description"] == "Words"
    assert_drawable(figure)


def test_every_registered_cell_can_be_drawn():
    for cell, spec in CELLS.items():
        model = Model(cell, spec.options, 2)
        source = Input("sine", 3)
        figure = strips(cached.strips_of(model, source), cached.strip_tables(model, source), 1, 1, "x")
        assert_drawable(figure)
        assert all(part.title in figure.description for part in (*spec.gates, *spec.states))

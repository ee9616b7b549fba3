"""The trainability map: a tile a lag and learning rate, one absolute scale, empty where nothing is known."""

import json
import math

import altair as alt
import numpy as np
import pytest

from rnnviz.charts.paint import paint
from rnnviz.charts.theme import DECADES
from rnnviz.charts.trainability import trainability
from rnnviz.export import chart_svg, table_csv
from rnnviz.tasks import TASKS
from tests.charts.sweeps import outcomes

LAGS, LRS = [10, 20, 50], [0.001, 0.01]
FOUND = [
    *outcomes("gru", {10: [1.0, 1.0, 1.0], 20: [0.5, 0.6, 1.0]}, lr=0.001),
    *outcomes("gru", {10: [0.125, 0.1, 0.2], 20: [math.nan, 0.4, 0.3], 50: [math.nan] * 3}, lr=0.01),
]


def drawn(found=FOUND, lengths=LAGS, lrs=LRS, task="recall"):
    return trainability(TASKS[task], "GRU", lengths, lrs, found, "seed 0")


def rows(figure, *kinds):
    return [row for row in figure.standalone()["datasets"]["rows"] if row["kind"] in kinds]


def column_and_line(row, columns=3, lines=2):
    """Which tile a place is in."""
    x, y = (row["x"] + (row["x2"] or row["x"])) / 2, (row["y"] + (row["y2"] or row["y"])) / 2
    return int(x * columns), int(y * lines)


def assert_drawable(figure):
    spec = figure.standalone()
    alt.LayerChart.from_dict(spec, validate=True).to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    assert b"<svg" in chart_svg(spec)
    assert len({len(column) for column in figure.data.values()}) == 1
    table_csv(figure.table)


def shade(value, low=0.125):
    red, green, blue = paint(np.array([[value]]), low, 1.0, DECADES)[0, 0]
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_each_tile_has_its_median_its_seeds_and_its_colour():
    figure = drawn()
    want = {  # column, line: median, text, solved
        (0, 0): (1.0, "100 %", "3/3"),
        (1, 0): (0.6, "60 %", "1/3"),
        (0, 1): (0.125, "12 %", "0/3"),
        (1, 1): (0.35, "35 %", "0/3"),
        (2, 1): (0.125, "diverged", "0/3"),
    }
    tiles = {column_and_line(row): row for row in rows(figure, "tile")}
    assert tiles.keys() == want.keys()
    assert {at: row["fill"] for at, row in tiles.items()} == {at: shade(v) for at, (v, *_) in want.items()}
    for kind, place in (("figure", 1), ("solved", 2)):
        texts = {column_and_line(row): row["label"] for row in rows(figure, kind)}
        assert texts == {at: values[place] for at, values in want.items()}
    assert (
        (tiles[1, 0]["label"])
        == "lag 20, learning rate 0.001: median 60 %, seeds 50 % to 100 %, 1 of 3 solved it"
    )
    assert_drawable(figure)


def test_tiles_that_nobody_computed_are_outlined_and_empty():
    figure = drawn()
    outline = rows(figure, "level", "upright")
    assert len(outline) == 4
    assert {column_and_line(row | {"x": row["x"] + 0.01, "y": row["y"] + 0.01}) for row in outline} >= {
        (2, 0)
    }
    xs = [x for row in outline for x in (row["x"], row["x2"]) if x is not None]
    assert min(xs) > 2 / 3
    assert max(xs) < 1
    assert "1 tiles are empty" in figure.description
    nothing = drawn([])
    assert len(rows(nothing, "level", "upright")) == 4 * 6
    assert not rows(nothing, "tile", "figure", "solved", "cross")
    assert "Nothing is computed yet." in nothing.description
    assert nothing.spec == figure.spec
    assert_drawable(nothing)


def test_a_seed_that_diverged_is_a_cross_in_its_tile_and_the_caption_says_so():
    crosses = [column_and_line(row) for row in rows(drawn(), "cross")]
    assert sorted(crosses) == [(1, 1), (2, 1), (2, 1), (2, 1)]
    tiles = "seed 0 · each tile: the median over the seeds, and how many solved it"
    assert drawn().caption == f"{tiles} · ×: a seed that diverged"
    assert drawn(FOUND[:6]).caption == tiles


@pytest.mark.parametrize("value", np.linspace(0.125, 1, 25))
def test_text_stands_out_on_every_colour(value):
    def light(colour):
        linear = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in linear]
        return np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05

    figure = drawn(outcomes("gru", {10: [value]}))
    (tile,), (text,) = rows(figure, "tile"), rows(figure, "figure")
    one, other = light(tile["fill"]), light(text["ink"])
    assert max(one, other) / min(one, other) >= 3.5


def test_the_scale_is_absolute_from_chance_to_all():
    figure = drawn()
    marks = {row["label"]: row["y"] for row in rows(figure, "share")}
    assert marks["12.5 %, without memory"] == 0
    assert marks["100 %"] == 1
    assert marks["60 %"] == pytest.approx((0.6 - 0.125) / 0.875)
    assert marks.keys() == {f"{k} %" for k in (40, 60, 80, 100)} | {"12.5 %, without memory"}
    one = {row["fill"] for row in rows(drawn(FOUND[3:6]), "tile")}
    assert one <= {row["fill"] for row in rows(figure, "tile")}, "a tile alone has the same colour"
    low = min(TASKS["parity_running"].baseline(lag).metric for lag in (5, 50))
    running = drawn([], [5, 50], task="parity_running")
    assert {row["label"] for row in rows(running, "share")} == {
        f"{100 * low:.3g} %, without memory",
        "60 %",
        "80 %",
        "100 %",
    }


def test_lags_and_rates_stand_at_their_tiles():
    figure = drawn()
    assert [(row["label"], row["x"]) for row in rows(figure, "lag")] == [
        (str(lag), pytest.approx((k + 0.5) / 3)) for k, lag in enumerate(LAGS)
    ]
    assert [(row["label"], row["y"]) for row in rows(figure, "rate")] == [("0.001", 0.25), ("0.01", 0.75)]
    assert drawn().title == "At which lag and learning rate does the GRU still learn?"


def test_the_table_is_a_row_a_seed():
    assert list(drawn().table["metric"])[:4] == [1.0, 1.0, 1.0, 0.5]
    assert set(drawn().table["learning_rate"]) == set(LRS)

"""The cliff's pictures: contour lines on their levels, ways cut at the window, words with room."""

import re

import numpy as np
import pytest

from rnnviz.charts.cliff import HIGH, LIFT, LOW, cliff
from rnnviz.charts.cliff_contour import apart, contour
from rnnviz.charts.cliff_labels import GAP, MARGIN, Labels
from rnnviz.charts.cliff_levels import LEVELS, levels_of, off_the_wall
from rnnviz.charts.cliff_records import Surface, Wall, Way
from rnnviz.charts.cliff_ways import exits, pieces, said
from rnnviz.charts.figure import Formula
from rnnviz.cliff import Descent, Unit, descend, ends_on, surface, wall

BOX = ((3.5, 5.5), (-3.25, -1.25))
UNIT, FORMULA = Unit(), Formula("E", "E")
NOWHERE = Wall(*(np.empty(0) for _ in range(3)))


@pytest.fixture(scope="module")
def ground():
    return surface(ends_on(UNIT, BOX), UNIT.target, BOX)


@pytest.fixture(scope="module")
def ways():
    return descend(UNIT, [Descent(4.75, -1.5, 0.5), Descent(4.75, -1.5, 0.5, 1.0)], 60)


def way_through(*points, clip=None):
    w, b, E = np.array(points, dtype=float).T
    return Way(w, b, E, np.ones_like(w), np.zeros_like(w), clip)


def bilinear(ground, w, b):
    j = np.clip(np.searchsorted(ground.w, w, side="right") - 1, 0, len(ground.w) - 2)
    i = np.clip(np.searchsorted(ground.b, b, side="right") - 1, 0, len(ground.b) - 2)
    s = (w - ground.w[j]) / (ground.w[j + 1] - ground.w[j])
    t = (b - ground.b[i]) / (ground.b[i + 1] - ground.b[i])
    E = ground.E
    low = (1 - s) * E[i, j] + s * E[i, j + 1]
    return (1 - t) * low + t * ((1 - s) * E[i + 1, j] + s * E[i + 1, j + 1])


def rows_of(figure, kind):
    names = list(figure.data)
    rows = zip(*figure.data.values(), strict=True)
    return [row for row in (dict(zip(names, r, strict=True)) for r in rows) if row["kind"] == kind]


def test_every_contour_line_lies_on_its_level(ground):
    found = levels_of(ground)
    assert set(found) == {level for level in LEVELS if ground.E.min() < level < ground.E.max()}
    for level, lines in found.items():
        for line in lines:
            np.testing.assert_allclose(bilinear(ground, *line.T), level, rtol=0, atol=1e-9)


def test_every_edge_of_the_grid_that_crosses_a_level_is_on_its_line(ground):
    level = 0.2
    above = np.greater(ground.E, level)
    crossings = int(np.diff(above, axis=0).sum() + np.diff(above, axis=1).sum())
    on_edges = {tuple(p) for line in levels_of(ground)[level] for p in np.round(line, 9).tolist()}
    assert len(on_edges) == crossings


def test_only_what_runs_in_the_wall_is_left_out_of_a_line(ground):
    line = wall(UNIT, BOX)
    cell = ground.b[1] - ground.b[0]
    dropped = 0
    for lines in levels_of(ground).values():
        for whole in lines:
            kept = np.concatenate([*off_the_wall(whole, ground, line), np.empty((0, 2))])
            gone = np.array([p for p in whole.tolist() if p not in kept.tolist()])
            dropped += len(gone)
            # A single point between two that are gone is no line.
            near = np.abs(gone[:, 1] - np.interp(gone[:, 0], line.w, line.b)) if len(gone) else np.zeros(0)
            assert (near < 3 * cell).all()
    assert dropped > 100
    whole = levels_of(ground)[0.2][0]
    assert off_the_wall(whole, ground, NOWHERE)[0] is whole


def test_a_way_is_cut_where_it_leaves_the_window_and_comes_back():
    box = ((0.0, 1.0), (0.0, 1.0))
    way = way_through((0.5, 0.5, 0.0), (0.5, 2.5, 4.0), (0.5, 0.25, 1.0), (0.75, 0.25, 2.0))
    first, second = pieces(way, box)
    np.testing.assert_allclose(first, [[0.5, 0.5, 0.0], [0.5, 1.0, 1.0]])
    np.testing.assert_allclose(second, [[0.5, 1.0, 2.0], [0.5, 0.25, 1.0], [0.75, 0.25, 2.0]])
    (one,) = exits(way, box)
    assert (one.update, one.to) == (1, (0.5, 2.5))
    np.testing.assert_allclose(one.at, (0.5, 1.0, 1.0))
    assert one.words == "update 1 leads to w = 0.5, b = 2.5"


def test_a_way_outside_its_window_has_no_pieces_and_one_through_it_has():
    box = ((0.0, 1.0), (0.0, 1.0))
    assert pieces(way_through((2, 2, 0), (3, 3, 0)), box) == []
    assert exits(way_through((2, 2, 0), (3, 3, 0)), box) == []
    (through,) = pieces(way_through((-1, -1, 0), (2, 2, 3)), box)
    np.testing.assert_allclose(through, [[0, 0, 1], [1, 1, 2]])
    (before,) = pieces(way_through((0.5, 0.5, 0), (0.6, 0.5, 0), (np.nan, 0.5, 0)), box)
    np.testing.assert_allclose(before[:, 0], [0.5, 0.6])


def test_the_figure_says_where_each_way_leads(ground, ways):
    figure = contour(ground, wall(UNIT, BOX), ways, FORMULA, "caption")
    free, clipped = ways
    (leaving,) = rows_of(figure, "exit")
    assert leaving["label"] == f"update 25 leads to w = {free.w[25]:.3g}, b = {free.b[25]:.3g}"
    assert leaving["y"] == pytest.approx(-1.25)
    assert leaving["label"].capitalize() in figure.description
    for value in (free.E[-1], clipped.E[-1], ground.steepest()[0]):
        assert f"{value:.3g}" in figure.description
    table = figure.table
    assert len(table["w"]) == 2 * 61
    np.testing.assert_array_equal(table["w"], np.concatenate([free.w, clipped.w]))
    np.testing.assert_array_equal(table["norm"], np.hypot(table_of(ways, "dw"), table_of(ways, "db")))
    assert (table["clipped"].sum(), int(np.argmax(table["clipped"]))) == (1, 61 + 24)
    marks = [row for row in rows_of(figure, "update") if row["way"] == "clipped"]
    assert len(marks) == clipped.inside(BOX).sum()
    assert "clipped to 1" in marks[24]["words"]
    assert f"{clipped.norm[24]:.3g}" in marks[24]["words"]
    assert apart(ways) == 25
    own = [row["words"] for row in rows_of(figure, "update") if row["way"] == "unclipped"]
    assert own == [], "its updates in the window are the other's, too"


def table_of(ways, name):
    return np.concatenate([getattr(way, name) for way in ways])


def test_ways_that_never_part_are_marked_once_and_a_gentle_slope_is_no_wall():
    unit = Unit(steps=2)
    box = surface(ends_on(unit, BOX), unit.target, BOX)
    both = descend(unit, [Descent(4.75, -1.5, 0.5), Descent(4.75, -1.5, 0.5, 10.0)], 9)
    figure = contour(box, wall(unit, BOX), both, FORMULA, "caption")
    assert apart(both) == 10
    assert apart(both[:1]) == 0
    assert {row["way"] for row in rows_of(figure, "update")} == {"clipped"}
    assert [row["label"] for row in rows_of(figure, "wall name")] == ["x₀ repels"]


def test_the_specification_stays_while_sliders_move(ground, ways):
    line = wall(UNIT, BOX)
    one = contour(ground, line, ways, FORMULA, "caption")
    short = descend(UNIT, [Descent(4.0, -2.0, 0.1), Descent(4.0, -2.0, 0.1, 0.5)], 3)
    other = contour(ground, line, short, FORMULA, "other")
    assert one.spec == other.spec
    assert one.data["x"] != other.data["x"]


def test_words_stand_apart_and_inside(ground, ways):
    figure = contour(ground, wall(UNIT, BOX), ways, FORMULA, "caption")
    words = [*rows_of(figure, "start"), *rows_of(figure, "number"), *rows_of(figure, "value")]
    assert {"start", "60"} <= {row["label"] for row in words}
    low, size = np.array([3.5, -3.25]), 2.0
    at = (np.array([[row["x"], row["y"]] for row in words]) - low) / size
    gaps = np.abs(at[:, None] - at[None]).max(2) + np.eye(len(at))
    assert gaps.min() >= GAP
    assert ((at > 0) & (at < 1)).all()
    labels = Labels(BOX)
    edge = np.column_stack([np.full(9, 3.5 + MARGIN), np.linspace(-3.2, -1.3, 9)])
    assert labels.along(edge) is None
    assert labels.free(4.0, -2.0)
    assert not labels.free(4.05, -2.0)


def test_the_scene_is_the_surface_with_both_ways_on_it(ground, ways):
    line = wall(UNIT, BOX)
    view = cliff(ground, line, ways, FORMULA, "caption", dark=False)
    plane, free, clipped, *balls = view.figure.data
    np.testing.assert_array_equal(plane.z, ground.E)
    np.testing.assert_array_equal(plane.customdata, ground.norm)
    shown = np.clip(plane.surfacecolor, LOW, HIGH)
    away = np.abs(ground.b[:, None] - np.interp(ground.w, line.w, line.b)) > 0.021
    away |= ground.w < line.w[0] - 0.01
    np.testing.assert_allclose(shown[away], np.clip(np.log10(ground.norm), LOW, HIGH)[away])
    assert (shown >= np.clip(np.log10(ground.norm), LOW, HIGH) - 1e-12).all()
    beside = shown[np.searchsorted(ground.b, line.b[-1]) - 1 :][:2, -1]
    np.testing.assert_allclose(beside, HIGH)  # the wall reaches 5e4 there
    lift = LIFT * np.ptp(ground.E)
    np.testing.assert_allclose(np.array(clipped.z)[:61] - lift, ways[1].E)
    assert (free.line.dash, clipped.line.dash) == ("dash", "solid")
    assert {ball.marker.symbol for ball in balls} == {"circle", "diamond"}
    np.testing.assert_array_equal(view.table["E"], ground.E.ravel())


def test_the_balls_stand_where_their_update_led(ground, ways):
    view = cliff(ground, wall(UNIT, BOX), ways, FORMULA, "caption", dark=True)
    (slider,) = view.figure.layout.sliders
    assert len(slider.steps) == 61
    assert slider.active == 60
    moved, balls = slider.steps[24].args
    assert list(balls) == [3, 4]
    assert [x[0] for x in moved["x"]] == [way.w[24] for way in ways]
    assert [y[0] for y in moved["y"]] == [way.b[24] for way in ways]
    moved, _ = slider.steps[25].args
    assert moved["y"][0][0] == pytest.approx(-1.25)  # on the window's edge, and said to be beyond
    assert "outside the window" in moved["text"][0][0]
    assert f"{ways[0].E[25]:.4g}" in moved["text"][0][0]
    assert "outside" not in moved["text"][1][0]
    (note,) = view.figure.layout.scene.annotations
    assert note.text == "update 25 leads to w = 9.18, b = 6.79"


def test_a_flat_surface_and_a_standing_way_can_be_drawn():
    w = np.linspace(0, 1, 5)
    flat = Surface(w, w, np.zeros((5, 5)), np.zeros((5, 5)), np.zeros((5, 5)))
    still = [way_through((0.5, 0.5, 0), (0.5, 0.5, 0)), way_through((0.5, 0.5, 0), (0.5, 0.5, 0), clip=1.0)]
    figure = contour(flat, NOWHERE, still, FORMULA, "caption")
    assert rows_of(figure, "level") == []
    assert len(rows_of(figure, "way")) == 4
    view = cliff(flat, NOWHERE, still, FORMULA, "caption", dark=False)
    assert np.isfinite(view.figure.data[0].surfacecolor).all()


def test_numbers_are_written_to_three_digits():
    values = [-0.25, 128796909.8, 1.2e-12, 0.0, float("nan"), float("-inf"), 100.4]
    assert [said(v) for v in values] == ["−0.25", "1.29e8", "1.2e−12", "0", "not a number", "−∞", "100"]
    assert re.fullmatch(r"9.18", said(9.1805))

"""Norms against steps back: every point is there, whatever it is, and the table holds it in full."""

import json
import math

import altair as alt
import numpy as np
import pytest
import torch

from rnnviz.charts.gradient_flow import Curve, crossings, gradient_norms, step_norms
from rnnviz.experiment import Input, Model
from rnnviz.ui import flow_cached
from tests.engine.oracle import torch_module

DRAW = [gradient_norms, step_norms]


def curve(logs, cell="rnn", title="RNN", state="h"):
    """From log₁₀ of the norms, first step first."""
    logs = np.array(logs, dtype=float)
    return Curve(cell, title, state, np.arange(len(logs) - 1, -1, -1), logs * math.log(10))


def rows(figure, *kinds):
    """Rows of these kinds, in whichever of a figure's tables they stand."""
    tables = figure.standalone()["datasets"].values()
    return [row for table in tables for row in table if row.get("kind") in kinds]


def points(figure, **of):
    """The points of a figure's lines of which this is so."""
    whole = figure.standalone()["datasets"]["rows"]
    return [row for row in whole if of.items() <= row.items()]


def said(figure, name):
    """What the pointer reads of a line, by its place: the first column of the strips' table."""
    table = figure.standalone()["datasets"]["tips"]
    first = next(iter(table[0]))
    return {row[first]: row[name] for row in table}


def assert_drawable(figure):
    spec = figure.standalone()
    chart = alt.LayerChart.from_dict(spec, validate=True)
    assert chart.to_dict(validate=True)["layer"]
    json.dumps(spec, allow_nan=False)
    named = {ROW["data"]["name"] for ROW in spec["layer"] if "name" in ROW.get("data", {})}
    assert named <= set(spec["datasets"])
    assert figure.title in spec["title"]["text"]
    assert figure.caption in spec["title"]["subtitle"]


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize(
    "logs",
    [
        [0],
        [0, 0],
        [-1, 0],
        [-400, -100, -38.01, -37, 0],
        [-np.inf, -np.inf, -50, 0],
        [-np.inf] * 3,
        [400, 38.5, 37, 0],
        [np.inf, 0],
        [np.nan, 0],
        [np.nan, np.nan],
    ],
    ids=str,
)
def test_no_point_is_dropped_and_each_is_called_what_it_is(draw, logs):
    with np.errstate(over="ignore"):
        figure = draw([curve(logs)], "seed 4")
    assert_drawable(figure)
    line, words = points(figure), said(figure, "RNN h")
    zeros = {row["back"]: row["place"] for row in rows(figure, "zero")}
    sides = {row["back"]: (row["place"], row["beyond"]) for row in rows(figure, "beyond")}
    assert [row["back"] for row in line] == list(range(len(logs) - 1, -1, -1)) == list(words)
    assert len(figure.table["norm"]) == len(logs)
    np.testing.assert_allclose(figure.table["log10_norm"], logs, rtol=1e-14)
    edges = {row["label"]: row["place"] for row in rows(figure, "edge")}
    below, above = any(-np.inf < v < -38 for v in logs), any(v > 38 for v in logs)
    assert edges == ({"< 1e-38": -38.0} if below else {}) | ({"> 1e38": 38.0} if above else {})
    placed = [row["place"] for row in line if row["place"] is not None]
    for log, row in zip(logs, line, strict=True):
        back = row["back"]
        assert (back in zeros) == np.isneginf(log)
        if np.isnan(log):
            assert row["place"] is None
            assert words[back] == "not a number"
        elif np.isneginf(log):  # below everything that has a place on the axis, and marked as what it is
            assert row["place"] is None
            assert zeros[back] < min(placed, default=np.inf)
            assert words[back] == "exactly 0"
        elif log < -38:
            assert row["place"] == -38
            assert sides.pop(back) == (-38, "below")
            assert words[back].startswith("< 1e-38 (")
        elif log > 38:
            assert row["place"] == 38
            assert sides.pop(back) == (38, "above")
            assert words[back].startswith("> 1e38 (")
        else:
            assert row["place"] == pytest.approx(log, abs=1e-12)
            assert float(words[back]) == pytest.approx(10**log, rel=5.1e-3)
    assert not sides
    assert len(rows(figure, "end")) == 1
    assert [row["label"] for row in rows(figure, "lane")] == ["exactly 0"] * (-np.inf in logs)
    assert all(row["place"] >= -38 for row in rows(figure, "tick"))


def test_each_end_of_the_axis_is_named_once_whichever_curves_reach_it():
    curves = [curve([-50, 0]), curve([60, -60, 0], "lstm", "LSTM"), curve([-1, 0], "gru", "GRU")]
    figure = gradient_norms(curves, "seed 4")
    edges = [(row["label"], row["place"]) for row in rows(figure, "edge")]
    assert sorted(edges) == [("< 1e-38", -38.0), ("> 1e38", 38.0)]


@pytest.mark.parametrize("draw", DRAW)
def test_what_lies_beyond_is_drawn_by_layers_of_its_own(draw):
    layers = draw([curve([-50, 0])], "seed 4").spec["layer"]
    triangles = [layer for layer in layers if "shape" in layer["encoding"]]
    assert len(triangles) == 1
    assert "below" in json.dumps(triangles[0]["transform"])
    assert triangles[0]["encoding"]["x"]["field"] == "back"
    assert triangles[0]["encoding"]["y"]["field"] == "place"
    assert sum("'edge'" in json.dumps(layer.get("transform")) for layer in layers) == 2
    (line,) = [layer for layer in layers if layer["mark"]["type"] == "line"]
    assert "transform" not in line, "it goes through all points, its crossings as well"


def test_ends_are_named_in_order_and_apart():
    curves = [
        curve([-1.0, 0], "rnn", "RNN"),
        curve([-1.0, 0], "lstm", "LSTM"),
        curve([-1.001, 0], "lstm", "LSTM", "c"),
        curve([-30, 0], "gru", "GRU"),
    ]
    figure = gradient_norms(curves, "seed 4")
    ends = {row["label"]: row["place"] for row in rows(figure, "end")}
    assert list(ends) == ["RNN h", "LSTM h", "LSTM c", "GRU h"]
    assert ends["GRU h"] < ends["LSTM c"] < ends["RNN h"] < ends["LSTM h"]
    assert min(np.diff(sorted(ends.values()))) >= 30 / 14 - 1e-9
    assert all(row["back"] == 1 for row in rows(figure, "end"))
    for row in curves:
        assert f"{row.cell_title} {row.state} " in figure.description
    assert "1.00e-30" in figure.description


@pytest.mark.parametrize(
    ("logs", "places"),
    [
        ([], []),
        ([1], []),
        ([1, 2, 3], []),
        ([1, -1, 1, 1, -2], [1, 2, 4]),
        ([0, 1], [1]),  # exactly 1 does not amplify
        ([0, -1], []),
        ([-np.inf, 1, np.inf, -np.inf], [1, 3]),
        ([-1, -1e-300, 1e-300], [2]),
    ],
)
def test_crossings_are_where_the_side_changes(logs, places):
    assert crossings(np.array(logs, dtype=float)).tolist() == places


def test_crossings_are_marked_only_where_one_is_drawn():
    logs = [0.3, -0.2, -0.1, 0.4]
    figure = step_norms([curve(logs)], "seed 4")
    assert [row["back"] for row in rows(figure, "cross")] == [2, 0]
    (one,) = rows(figure, "one")
    assert (one["place"], one["label"][0]) == (0.0, "1")
    assert "RNN h 2 of 4" in figure.description
    assert not rows(gradient_norms([curve(logs)], "seed 4"), "cross", "one")


def test_the_skeleton_is_one_for_all_data_of_one_span():
    first, second = (gradient_norms([curve([low, 0])], "seed 4") for low in (-20.0, -20.3))
    assert first.spec == second.spec
    assert first.data != second.data


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_table_holds_the_gradients_of_torch_nn(cell):
    model, source = Model(cell, (("activation", "tanh"),) if cell == "rnn" else (), 6, 2), Input("noise", 9)
    figure = gradient_norms(flow_cached.gradient_curves(model, source, "last"), "seed 2")
    x = source.signal().x
    module = torch_module(model.spec, model.params(1))
    zero = torch.zeros(1, 1, 6, dtype=torch.float64)
    last, norms = len(x), []
    for start in range(last + 1):  # run to t, take the state there as a leaf, and go on
        state = (zero, zero) if cell == "lstm" else zero
        with torch.no_grad():
            if start:
                _, state = module(x[:start], state)
        leaf = state[0] if cell == "lstm" else state
        leaf = leaf.clone().requires_grad_()
        if start == last:
            h = leaf
        else:
            _, after = module(x[start:], (leaf, state[1]) if cell == "lstm" else leaf)
            h = after[0] if cell == "lstm" else after
        norms.append(torch.autograd.grad(h.sum() / math.sqrt(6), leaf)[0].norm().item())
    of_h = figure.table["state"] == "h"
    assert figure.table["steps_back"][of_h].tolist() == list(range(last, -1, -1))
    assert set(figure.table["cell"]) == {cell}
    np.testing.assert_allclose(figure.table["norm"][of_h], norms, rtol=1e-11)
    np.testing.assert_allclose(10 ** figure.table["log10_norm"], figure.table["norm"], rtol=1e-11)


def test_one_unit_and_two_steps_are_drawn():
    for cell in ("rnn", "lstm", "gru"):
        model, source = Model(cell, hidden_size=1), Input("impulse", 2)
        assert_drawable(gradient_norms(flow_cached.gradient_curves(model, source, "all"), "seed 0"))
        assert_drawable(step_norms(flow_cached.step_curves(model, source), "seed 0"))

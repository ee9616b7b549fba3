"""Products of Jacobians, their bound, and the direct path beside them; zeros and what float32 loses."""

import json
import math

import altair as alt
import numpy as np
import pytest
import torch

from rnnviz.charts.gradient_flow import Curve, gradient_norms
from rnnviz.charts.log_curves import LIMITS
from rnnviz.charts.products import Bound, direct_paths, lags_said, products, ratio, steepest
from rnnviz.engine import CELLS
from rnnviz.experiment import Input, Model
from rnnviz.ui import flow_cached
from tests.charts.test_gradient_flow import points, rows, said
from tests.engine.oracle import VARIANTS, name_of

WITH_SLOPE = [spec for spec in VARIANTS if spec.slope]
SOURCE = Input("noise", 15, seed=3)


def model(spec, **more):
    return Model(spec.name, spec.options, **{"hidden_size": 6, "seed": 2, **more})


def curve(logs, state="h", cell="rnn", title="RNN", **more):
    logs = np.array(logs, dtype=float)
    return Curve(cell, title, state, np.arange(len(logs) - 1, -1, -1), logs * math.log(10), **more)


def assert_drawable(figure):
    spec = figure.standalone()
    alt.LayerChart.from_dict(spec, validate=True).to_dict(validate=True)
    json.dumps(spec, allow_nan=False)
    assert figure.formula.plain in spec["title"]["subtitle"]


@pytest.mark.parametrize("spec", WITH_SLOPE, ids=name_of)
@pytest.mark.parametrize("radius", [0.0, 0.4, 1.5])
def test_the_bound_bounds_and_is_made_of_the_weights(spec, radius):
    own = model(spec, scheme="scaled", scheme_options=(("radius", radius),))
    bound = flow_cached.bound(own, SOURCE)
    W = own.params(1)["W_hh"].numpy()
    assert bound.sigma == pytest.approx(np.linalg.svd(W, compute_uv=False)[0], rel=1e-12, abs=1e-300)
    phi = dict(spec.options)["activation"]
    assert (
        bound.steepest == {"tanh": 1.0, "relu": 1.0, "identity": 1.0, "sigmoid": 0.25}[phi] == steepest(spec)
    )
    past = float("connection" in dict(spec.options))
    factor = past + bound.steepest * np.linalg.svd(W, compute_uv=False)[0]
    line, _ = bound.curves(np.arange(15, -1, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        want = np.where(np.arange(15, -1, -1) == 0, 0.0, np.arange(15, -1, -1) * np.log(factor))
    np.testing.assert_allclose(line.log_norm, want, rtol=1e-12)
    assert (flow_cached.product_curve(own, SOURCE).log_norm <= line.log_norm + 1e-9).all()


@pytest.mark.parametrize("spec", WITH_SLOPE, ids=name_of)
def test_the_mean_slope_is_measured(spec):
    own = model(spec)
    p = {name: value.numpy() for name, value in own.params(1).items()}
    phi = dict(spec.options)["activation"]
    slopes, h = [], np.zeros(6)
    for x in SOURCE.signal().x[:, 0].numpy():
        a = torch.tensor(p["W_ih"] @ x + p["b_ih"] + p["W_hh"] @ h + p["b_hh"], requires_grad=True)
        value = {"identity": lambda v: v * 1}.get(phi, getattr(torch, phi, None))(a)
        slopes.append(torch.autograd.grad(value.sum(), a)[0].numpy())
        h = value.detach().numpy() + (h if "connection" in dict(spec.options) else 0)
    assert flow_cached.bound(own, SOURCE).slope == pytest.approx(np.mean(slopes), rel=1e-12)


def test_only_a_cell_with_one_nonlinearity_has_a_bound():
    assert [bool(flow_cached.bound(model(spec), SOURCE)) for spec in CELLS.values()] == [
        spec.slope is not None for spec in CELLS.values()
    ]


@pytest.mark.parametrize("spec", [s for s in VARIANTS if s.direct], ids=name_of)
def test_full_and_direct_are_what_they_are_called(spec):
    own = model(spec, forget_bias=1.0 if "f" in spec.gate_names else None)
    full, direct = flow_cached.direct_curves(own, SOURCE)
    params, x = own.params(1), SOURCE.signal().x
    kept, state = [], {name: torch.zeros(1, 6, dtype=torch.float64) for name in spec.state_names}
    states = [state]
    for ax in spec.project(x, params):
        state, gates = spec.step(ax, state, params)
        states.append(state)
        kept.append({"f": gates.get("f"), "z": gates.get("z")})
    options = dict(spec.options)
    for t in range(16):
        if "f" in spec.gate_names:
            factors = [k["f"] for k in kept[t:]]
        elif "z" in spec.gate_names:
            factors = [k["z"] if options["z"] == "keeps" else 1 - k["z"] for k in kept[t:]]
        else:
            factors = []
        path = np.prod([f.numpy()[0] for f in factors] or [np.ones(6)], axis=0).max()
        assert math.exp(direct.log_norm[t]) == pytest.approx(path, rel=1e-12)
    start = 5  # the whole, by autograd from there
    name = full.state

    def end(value):
        at = {**states[start], name: value[None]}
        for ax in spec.project(x[start:], params):
            at, _ = spec.step(ax, at, params)
        return at[name][0]

    J = torch.autograd.functional.jacobian(end, states[start][name][0])
    want = torch.linalg.matrix_norm(J, 2).item()
    assert math.exp(full.log_norm[start]) == pytest.approx(want, rel=1e-11)


def test_the_whole_and_the_direct_path_differ_and_words_say_how_far():
    full, direct = curve([-3.0, -1.0, 0.0], style="full"), curve([-5.0, -1.5, 0.0], "direct", style="direct")
    figure = direct_paths([(full, direct)], ["GRU"], "seed 2")
    assert_drawable(figure)
    assert "RNN 3.16× at lag 1" in figure.caption
    assert "GRU has no direct path" in figure.caption
    assert lags_said(2) == [1]
    assert lags_said(120) == [1, 10, 50, 100]
    assert ratio(full, direct, 2) == "100"
    nothing = curve([-np.inf, 0.0])
    assert (ratio(nothing, nothing, 1), ratio(curve([-3.0, 0.0]), nothing, 1)) == ("0/0", "∞")


@pytest.mark.parametrize("skips", [False, True])
def test_a_bound_is_drawn_and_said_with_its_numbers(skips):
    bound = Bound("rnn", "RNN", 1.25, 1.0, 0.5, skips)
    assert bound.factors == ((2.25, 1.625) if skips else (1.25, 0.625))
    figure = products(
        [curve([-2.0, -1.0, 0.0]), curve([0, 0, 0], cell="gru", title="GRU")], [bound], "seed 2"
    )
    assert_drawable(figure)
    for words in ("σ_max = 1.25", "φ′ ≤ 1", "mean φ′ = 0.5", f"{bound.factors[0]:.4g}^lag", "no bound"):
        assert words in figure.caption
    assert set(figure.table["state"]) == {"h", "bound", "measured"}
    thin = points(figure, width=1.5)
    assert {row["style"] for row in thin} == {"bound", "measured"}
    far = [row for row in thin if row["back"] == 2]
    assert [row["place"] for row in far] == pytest.approx([2 * math.log10(f) for f in bound.factors])
    assert ("1 + " in figure.formula.latex) == skips


# What float32 loses ------------------------------------------------------------------------------------

OWN = [-np.inf, -np.inf, -44.8, -30.0, 0.0]
FULL = [-60.0, -52.0, -44.8, -30.0, 0.0]


def underflowing(**more):
    return gradient_norms([curve(OWN)], "seed 2", lost=[curve(FULL)], **more)


def test_an_underflow_is_marked_named_and_float64_goes_on():
    figure = underflowing()
    assert_drawable(figure)
    zeros = rows(figure, "zero")
    assert [row["back"] for row in zeros] == [4, 3]
    words = said(figure, "RNN h")
    assert all("underflow; float64 has 1.00e-" in words[row["back"]] for row in zeros)
    (lane,) = rows(figure, "lane")
    assert lane["label"] == "0: underflow"
    finite = [row["place"] for row in points(figure) if row["place"] is not None]
    assert max(row["place"] for row in zeros) < lane["place"] < min(finite)
    assert min(finite) == pytest.approx(-60)
    assert {row["place"]: row["label"] for row in rows(figure, "limit")} == dict(LIMITS)
    thin = [row["back"] for row in points(figure, width=1.5)]
    assert thin == [4, 3, 2], "where they part, from where they do"
    assert {row["label"] for row in rows(figure, "end")} == {"RNN h", "RNN h in float64"}
    assert "exactly 0 in float32: RNN h from 3 steps back on" in figure.caption
    assert list(figure.table["dtype"]) == ["float32"] * 5 + ["float64"] * 5
    np.testing.assert_allclose(figure.table["log10_norm"], OWN + FULL)


def test_the_limits_are_those_of_float32():
    info = np.finfo(np.float32)
    assert sorted(LIMITS) == pytest.approx([math.log10(info.smallest_subnormal), math.log10(info.tiny)])
    assert all(f"{10**place:.1e}" in words for place, words in LIMITS.items())


def test_a_zero_that_float64_has_too_is_no_underflow():
    figure = gradient_norms([curve([-np.inf, 0.0])], "seed 2", lost=[curve([-np.inf, 0.0])])
    (zero,) = rows(figure, "zero")
    assert (zero["back"], said(figure, "RNN h")[1]) == (1, "exactly 0")
    assert [row["label"] for row in rows(figure, "lane")] == ["exactly 0"]


def test_without_loss_nothing_more_is_drawn():
    figure = gradient_norms([curve([-3.0, 0.0])], "seed 2", lost=[curve([-3.0000001, 0.0])])
    assert rows(figure, "zero", "lane", "limit") == points(figure, width=1.5) == []
    assert "in float32 none of it becomes 0" in figure.caption


def test_what_is_beyond_the_longer_axis_is_a_triangle_at_its_end():
    figure = gradient_norms([curve([-np.inf, 0.0])], "seed 2", lost=[curve([-90.0, 0.0])])
    assert [row["label"] for row in rows(figure, "edge")] == ["< 1e-75"]
    (far,) = [row for row in points(figure, width=1.5) if row["back"] == 1]
    assert far["place"] == -75
    assert [(row["back"], row["beyond"]) for row in rows(figure, "beyond")] == [(1, "below")]


def test_zeros_of_several_curves_stand_in_lanes_of_their_own():
    several = [curve([-np.inf, 0.0], cell=cell, title=cell.upper()) for cell in CELLS]
    places = [row["place"] for row in rows(gradient_norms(several, "seed 2"), "zero")]
    assert len(set(places)) == 3
    assert max(places) < 0


def test_a_line_is_broken_where_a_zero_is_and_one_point_alone_is_seen():
    figure = gradient_norms([curve([-3.0, -np.inf, -2.0, -1.0, 0.0])], "seed 2")
    line = {row["back"]: row for row in points(figure)}
    assert line[4]["piece"] != line[2]["piece"] == line[1]["piece"] == line[0]["piece"]
    assert [row["back"] for row in rows(figure, "alone")] == [4]


def test_relative_curves_start_at_their_largest_and_say_so_three_times():
    curves = [curve([-9.0, -3.0, -5.0]), curve([-1.0, 2.0, 0.0], cell="gru", title="GRU")]
    figure = gradient_norms(curves, "seed 2", relative=True)
    assert_drawable(figure)
    assert "relative to each curve’s own largest" in figure.title
    assert "divided by its own largest" in figure.caption
    assert any("its own largest" in json.dumps(layer) for layer in figure.spec["layer"])
    places = [row["place"] for row in points(figure)]
    assert places == pytest.approx([-6, 0, -2, -3, 0, -2])
    np.testing.assert_allclose(figure.table["log10_norm"], [-9, -3, -5, -1, 2, 0])
    np.testing.assert_allclose(np.log10(figure.table["relative_to_own_largest"]), places, atol=1e-12)
    absolute = gradient_norms(curves, "seed 2")
    for words in (absolute.title, absolute.caption, json.dumps(absolute.spec)):
        assert "largest" not in words


def test_the_first_step_of_the_weights_is_zero_by_its_nature():
    figure = gradient_norms([curve([-np.inf, -1.0, 0.0])], "seed 2", subject="weights")
    assert "step 1 adds exactly 0, as h₀ = 0" in figure.caption
    assert "steps back on" not in figure.caption

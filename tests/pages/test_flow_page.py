"""How far and Why as a visitor meets them: every number is the engine's, only the chosen tab is computed."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch

from rnnviz.engine import CELLS, bptt, jacobians, unroll
from rnnviz.engine.products import direct_log_norms, end_products
from rnnviz.experiment import Input, Model, loss_on
from rnnviz.ui import flow_cached, flow_far, flow_remedies, flow_spectrum, flow_why
from rnnviz.ui.pages import FLOW
from tests.pages.visit import check_whole, figures, set_control, table, told, values, visit

SMALL = {"flow_T": 20, "flow_H": 5, "flow_radius": 0.9, "flow_seed": 2}
TABS = {"How far": flow_far, "Why": flow_why, "Spectrum": flow_spectrum, "Remedies": flow_remedies}
OPTIONS = {
    name: tuple((option, choices[0]) for option, choices in spec.choices) for name, spec in CELLS.items()
}


def model(name, dtype="float64", T=20, **options):
    own = {**dict(OPTIONS[name]), **{k: v for k, v in options.items() if k in dict(OPTIONS[name])}}
    return Model(name, tuple(own.items()), 5, 2, "scaled", (("radius", 0.9),), 1.0, dtype=dtype)


def run(own, T=20):
    x = own.reads(Input("noise", T, seed=2).signal().x)
    params = own.params(1)
    return params, x, unroll(own.spec, params, x)


def gradient(own, loss="last"):
    params, x, _ = run(own)
    return bptt(own.spec, params, x, partial(loss_on, loss))


def line(rows, cell, style):
    """log₁₀ of one line, first step first; -inf for what is marked as zero."""
    own = [row for row in rows if (row.get("cell"), row.get("style")) == (cell, style)]
    zero = {row["back"] for row in own if row.get("kind") == "zero"}
    return np.array([-np.inf if row["back"] in zero else row["place"] for row in own if "kind" not in row])


def captions(at):
    found = [re.search('<p class="under">(.*?)</p>', part.proto.body) for part in at.get("html")]
    return [match[1] for match in found if match]


def log10(values):
    return np.asarray(values) / math.log(10)


@pytest.mark.parametrize("loss", ["the last step", "every step"])
def test_the_gradients_of_states_are_the_engines(loss):
    at = visit(FLOW, **SMALL, flow_loss=loss)
    check_whole(at)
    rows = table(at, "reaches each earlier step")
    for name, spec in CELLS.items():
        found = gradient(model(name), "last" if loss == "the last step" else "all")
        for state in spec.state_names:
            np.testing.assert_allclose(line(rows, name, state), log10(found.log_norms(state)), atol=1e-12)


def test_saliency_is_the_gradient_of_the_inputs():
    at = visit(FLOW, **SMALL, flow_wrt="inputs")
    check_whole(at)
    rows = table(at, "react to each input")
    for name in CELLS:
        want = np.log10(gradient(model(name)).d_x.flatten(1).norm(dim=1).numpy())
        np.testing.assert_allclose(line(rows, name, "x"), want, atol=1e-12)


def test_what_steps_add_is_the_engines_and_sums_to_the_whole():
    at = visit(FLOW, **SMALL, flow_wrt="weights")
    check_whole(at)
    rows, said = table(at, "each time step add", "marks"), captions(at)[0]
    for name, spec in CELLS.items():
        found = gradient(model(name))
        parts = found.contributions("W_hh")
        assert not parts[0].any()  # h_0 = 0
        logs = np.append(-np.inf, np.log10(parts[1:].flatten(1).norm(dim=1).numpy()))
        np.testing.assert_allclose(line(rows, name, "W_hh"), logs, atol=1e-12)
        whole = found.d_params["W_hh"]
        torch.testing.assert_close(parts.sum(0), whole, rtol=1e-12, atol=1e-15)
        assert f"{spec.title} {whole.norm():.4g} and {whole.norm():.4g}" in said


@pytest.mark.parametrize("wrt", ["states", "inputs", "weights"])
def test_relative_is_asked_for_and_marked(wrt):
    at = visit(FLOW, **SMALL, flow_wrt=wrt)
    assert not any("its own largest" in words for words in captions(at))
    absolute = figures(at)[0]["description"]
    set_control(at, "flow_scale", "relative")
    check_whole(at)
    spec = figures(at)[0]
    assert spec["description"] != absolute
    assert "relative to each curve’s own largest" in spec["description"]
    assert "divided by its own largest value" in captions(at)[0]
    rows = table(at, "relative to", "marks")
    styles = {(row["cell"], row["style"]) for row in rows if "width" in row}
    assert len(styles) >= 3
    for cell, style in styles:
        assert line(rows, cell, style).max() == pytest.approx(0, abs=1e-12)


def test_float32_is_computed_in_float32_and_shows_what_it_loses():
    link = {**SMALL, "flow_T": 150, "flow_radius": 0.2, "flow_dtype": "float32"}
    at = visit(FLOW, **link)
    check_whole(at)
    rows = table(at, "reaches each earlier step", "marks")
    own = Model("rnn", OPTIONS["rnn"], 5, 2, "scaled", (("radius", 0.2),), dtype="float32")
    params, x, _ = run(own, 150)
    assert {value.dtype for value in (*params.values(), x)} == {torch.float32}
    found = bptt(own.spec, params, x, partial(loss_on, "last")).d_states["h"]
    assert found.dtype == torch.float32
    zero = (found == 0).flatten(1).all(1).numpy()
    first = 150 - np.flatnonzero(zero).max()
    assert zero[: 151 - first].all()
    assert f"exactly 0 in float32: RNN h from {first} steps back on" in captions(at)[0]
    assert "in float32" in captions(at)[1]
    np.testing.assert_array_equal(np.isneginf(line(rows, "rnn", "h")), zero)
    assert [row["label"] for row in rows if row.get("kind") == "lane"] == ["0: underflow"]
    assert len([row for row in rows if row.get("kind") == "limit"]) == 2
    exact = Model("rnn", OPTIONS["rnn"], 5, 2, "scaled", (("radius", 0.2),))
    params, x, _ = run(exact, 150)
    logs = log10(bptt(exact.spec, params, x, partial(loss_on, "last")).log_norms("h"))
    thin = [row for row in rows if row.get("width") == 1.5 and row["cell"] == "rnn"]
    assert len(thin) >= zero.sum()
    for row in thin:
        assert row["place"] == pytest.approx(max(logs[150 - int(row["back"])], -75), abs=1e-9)
    kinds = {row.get("kind") for row in table(visit(FLOW, **SMALL), "reaches", "marks")}
    assert "tick" in kinds
    assert not kinds & {"limit", "lane"}


@pytest.mark.parametrize("connection", ["plain", "residual"])
def test_products_and_their_bound_are_the_engines(connection):
    at = visit(FLOW, **SMALL, flow_connection=connection)
    check_whole(at)
    rows, said = table(at, "left at the end"), captions(at)[1]
    for name in CELLS:
        own = model(name, connection=connection)
        params, _, trace = run(own)
        want = log10(end_products(own.spec, params, trace).log_norms("h")[:, 0])
        np.testing.assert_allclose(line(rows, name, "h"), want, atol=1e-12)
    own = model("rnn", connection=connection)
    params, _, trace = run(own)
    sigma = torch.linalg.svdvals(params["W_hh"])[0].item()
    gates, h = trace.gates, trace.states["h"][1:]
    slope = (1 - (gates["g"] if connection == "residual" else h) ** 2).mean().item()
    past = 1 if connection == "residual" else 0
    assert f"σ_max = {sigma:.4g}" in said
    assert f"mean φ′ = {slope:.4g}" in said
    for style, factor in (("bound", past + sigma), ("measured", past + slope * sigma)):
        assert f"{factor:.4g}^lag" in said
        np.testing.assert_allclose(
            line(rows, "rnn", style), np.arange(20, -1, -1) * math.log10(factor), atol=1e-12
        )


def test_step_norms_are_the_engines():
    at = visit(FLOW, **SMALL, flow_tab="Why")
    check_whole(at, count=1)
    rows, said = table(at, "one step amplify"), captions(at)[0]
    for name, spec in CELLS.items():
        params, _, trace = run(model(name))
        found = jacobians(spec, params, trace)
        for state in spec.state_names:
            logs = found.step_log_norms(state)[:, 0]
            np.testing.assert_allclose(line(rows, name, state), log10(logs), atol=1e-12)
            assert f"{spec.title} {state} {int((logs > 0).sum())} of 20" in said


@pytest.mark.parametrize("connection", ["plain", "residual"])
def test_the_answer_shows_the_whole_beside_the_direct_path(connection):
    at = visit(FLOW, **SMALL, flow_tab="Why", flow_connection=connection)
    check_whole(at, count=1)
    assert any("product of its forget gates?" in block.label for block in at.expander)
    assert not any("**No.**" in part.value for part in at.markdown)
    at = visit(FLOW, **SMALL, flow_tab="Why", flow_connection=connection, flow_gates="true")
    check_whole(at, count=2)
    rows, said = table(at, "product of the gates"), captions(at)[1]
    (answer,) = [part.value for part in at.markdown if "**No.**" in part.value]
    answer = re.sub(r"\\(.)", r"\1", answer)
    cells = [name for name in CELLS if model(name, connection=connection).spec.direct]
    assert cells == (["rnn"] if connection == "residual" else []) + ["lstm", "gru"]
    for name in cells:
        own = model(name, connection=connection)
        params, _, trace = run(own)
        state, _ = own.spec.direct(trace.gates)
        whole = end_products(own.spec, params, trace, state).log_norms(state)[:, 0]
        direct = direct_log_norms(own.spec, trace)[:, 0]
        np.testing.assert_allclose(line(rows, name, "full"), log10(whole), atol=1e-12)
        np.testing.assert_allclose(line(rows, name, "direct"), log10(direct), atol=1e-12)
        times = math.exp(whole[10] - direct[10])
        (words,) = re.findall(rf"{own.spec.title} 1?[^;]*? ([\d.e]+)× at lag 10", said)
        assert float(words) == pytest.approx(times, rel=0.006)
        (spoken,) = re.findall(rf"([\d.e]+) times the direct path for {own.spec.title} {state}", answer)
        assert float(spoken) == pytest.approx(times, rel=0.006)
    assert ("RNN has no direct path" in said) == (connection == "plain")


@pytest.mark.parametrize("tab", TABS)
def test_only_the_chosen_tab_is_drawn(tab, monkeypatch):
    def refuse(asked):
        raise AssertionError("a tab that nobody looks at was drawn")

    for name, part in TABS.items():
        if name != tab:
            monkeypatch.setattr(part, "draw", refuse)
    at = visit(FLOW, **SMALL, flow_tab=tab)
    assert [error.value for error in at.exception] == []
    assert told(at) == []
    assert 1 <= len(figures(at)) <= 2
    assert values(at)["flow_tab"] == tab


def test_controls_hold_from_tab_to_tab():
    at = visit(FLOW, **SMALL, flow_wrt="inputs", flow_dtype="float32")
    for tab in (*TABS, "How far"):
        set_control(at, "flow_tab", tab)
        assert [error.value for error in at.exception] == []
        shown = values(at)
        assert {key: shown[key] for key in SMALL} == SMALL
        assert shown["flow_dtype"] == "float32"
    assert all("in float32" in words for words in captions(at))


@pytest.mark.parametrize(
    ("key", "raw"),
    [("flow_tab", "Whyy"), ("flow_dtype", "float16"), ("flow_wrt", ""), ("flow_scale", "log"),
     ("flow_connection", "skip"), ("flow_gates", "maybe"), ("flow_activation", "swish")],
)  # fmt: skip
def test_a_link_that_asks_for_what_is_not_there_is_answered_once(key, raw):
    tab = {"flow_tab": "Why"} if key == "flow_gates" else {}
    at = visit(FLOW, **SMALL, **{**tab, key: raw})
    assert [error.value for error in at.exception] == []
    (sentence,) = told(at)
    assert f"({key})" in sentence
    assert "allowed: " in sentence
    assert told(at.run()) == []


ENDS = [
    {"flow_radius": 0},
    {"flow_radius": 3, "flow_activation": "identity", "flow_T": 400, "flow_H": 64},
    {"flow_radius": 3, "flow_activation": "ReLU", "flow_connection": "residual", "flow_T": 400},
    {"flow_T": 2, "flow_H": 1},
    {"flow_init": "Chrono", "flow_t_max": 400},
    {"flow_fbias": -2, "flow_T": 400},
    {"flow_activation": "sigmoid", "flow_T": 400},
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("ends", ENDS, ids=lambda ends: "-".join(f"{k[5:]}{v}" for k, v in ends.items()))
def test_the_ends_are_drawn_in_every_way(ends, dtype):
    """No traceback, no complaint and no missing picture, whatever is looked at."""
    ways = [{}, {"flow_wrt": "inputs"}, {"flow_wrt": "weights", "flow_scale": "relative"},
            {"flow_tab": "Why", "flow_gates": "true"}]  # fmt: skip
    for way in ways:
        at = visit(FLOW, **ends, **way, flow_dtype=dtype)
        assert [error.value for error in at.exception] == []
        assert [words for words in told(at) if "Chrono" not in words] == []
        assert len(figures(at)) == 2


@pytest.mark.parametrize("tab", ["How far", "Why"])
def test_a_run_that_outgrows_its_numbers_is_called_so_and_gives_none(tab):
    link = {"flow_T": 400, "flow_radius": 3, "flow_activation": "ReLU", "flow_connection": "residual",
            "flow_dtype": "float32", "flow_gates": "true"}  # fmt: skip
    link = link if tab == "Why" else {k: v for k, v in link.items() if k != "flow_gates"}
    at = visit(FLOW, **link, flow_tab=tab)
    check_whole(at)
    options = (("activation", "relu"), ("connection", "residual"))
    own = Model("rnn", options, 32, 4, "scaled", (("radius", 3.0),), dtype="float32")
    x = own.reads(Input("noise", 400, seed=4).signal().x)
    states = unroll(own.spec, own.params(1), x).states["h"]
    step = int(np.flatnonzero(~torch.isfinite(states).flatten(1).all(1))[0])
    for words in captions(at):
        (said,) = re.findall(r"RNN: \w is not finite from step (\d+) on", words)
        assert int(said) == step
    if tab == "How far":
        (counted,) = re.findall(r"RNN h is not a number at (\d+) of 401 steps", captions(at)[0])
        rows = [row for row in table(at, "left at the end") if (row["cell"], row["style"]) == ("rnn", "h")]
        places = [row["place"] for row in rows]
        assert 0 < int(counted) < 401
        assert [math.isnan(place or 0) or place is None for place in places] == [True] * 400 + [False]
        assert "mean φ′ = nan" in captions(at)[1]
    else:
        places = [row["place"] for row in table(at, "one step amplify") if row["cell"] == "rnn"]
        assert sum(math.isfinite(place) for place in places) == step - 1


def test_caches_keep_what_a_control_does_not_touch():
    before = flow_cached.gradients.cache_info().misses
    at = visit(FLOW, **{**SMALL, "flow_seed": 77})
    first = flow_cached.gradients.cache_info().misses
    assert first > before
    for key, value in (("flow_wrt", "inputs"), ("flow_scale", "relative"), ("flow_tab", "Why")):
        set_control(at, key, value)
    assert flow_cached.gradients.cache_info().misses == first

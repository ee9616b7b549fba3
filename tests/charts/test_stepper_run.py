"""The bytes that the stepper is drawn from: they are the engine's run, its gradients and its equations."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.charts.notation import plain_symbols, tokens
from rnnviz.charts.stepper import direct_wires, strips_of
from rnnviz.engine import CELLS, Clamp, unroll
from rnnviz.experiment import Input, Model
from rnnviz.ui import cached
from rnnviz.whatif import WhatIf
from tests.charts import payload
from tests.charts.payload import TINY, Payload, a_run, arrays_of, model_run, read, run_of
from tests.engine.oracle import VARIANTS, draw, name_of, quick, random_params

every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
both_losses = pytest.mark.parametrize("loss", ["last", "all"])
# What a sum is read back with: its weights and values came as float32.
FLOAT32 = 2e-6


@every_variant
@pytest.mark.parametrize("size", [(7, 3, 4), (1, 1, 1), (2, 5, 3), (9, 1, 7)], ids=str)
def test_the_arrays_are_the_engines_rounded_once_and_each_starts_at_a_multiple_of_eight(spec, size):
    T, D, H = size
    run = a_run(spec, T, 1, D, H, before=a_run(spec, T, 1, D, H, seed=5).trace)
    for caption in ("", "a", "ab", "“é…”", "🌧️ \0\n\"'\\"):
        sent = read(replace(run, caption=caption), t=1)
        assert sent.head["caption"] == caption
        payload.assert_laid_out(sent)
    payload.assert_same_arrays(sent.arrays, arrays_of(run))
    assert {values.dtype.str for values in sent.arrays.values()} == {"<f4"}
    for name, values in sent.arrays.items():
        rows = T + 1 if name.removeprefix("d:") in spec.state_names else T
        assert name in run.params or values.shape == (rows, D if name == "x" else H), name


@every_variant
def test_of_a_batch_the_first_sequence_is_sent(spec):
    whole = a_run(spec, B=3)
    first = replace(whole.trace, x=whole.trace.x[:, :1])
    alone = unroll(spec, whole.params, first.x)
    sent = read(whole)
    payload.assert_same_arrays(sent.arrays, arrays_of(whole))
    np.testing.assert_allclose(sent.arrays["h"], alone.states["h"][:, 0], atol=1e-6)


@every_variant
def test_the_header_says_what_the_run_is(spec):
    run = a_run(spec, symbols=list("a 🌧️b␣"), features=["a", "b", " "])
    head = read(run, t=3, unit=2, view="loop", playing=True).head
    assert (head["cell"], head["T"], head["H"], head["D"]) == (spec.title, 7, 4, 3)
    assert (head["symbols"], head["features"]) == (list("a 🌧️b␣"), ["a", "b", " "])
    assert (head["caption"], head["loss"]) == ("caption", "every step")
    assert head["start"] == {"t": 3, "unit": 2, "view": "loop", "playing": True}
    assert (head["blocks"], head["states"]) == (list(spec.blocks), list(spec.state_names))
    parts = {part.name: part for part in (*spec.gates, *spec.states)}
    assert [strip["name"] for strip in head["strips"]] == [e.name for e in spec.equations]
    recorded = {**run.trace.gates, **run.trace.states}
    for strip, row in zip(head["strips"], strips_of(spec, run.trace), strict=True):
        part = parts[strip["name"]]
        assert (strip["symbol"], strip["title"]) == (f"{part.symbol}_t", part.title)
        assert (row.name, row.title, row.low, row.high) == (part.name, part.title, part.low, part.high)
        np.testing.assert_array_equal(row.values, recorded[row.name][-7:, 0])
        assert strip["gate"] == ((part.low, part.high) == (0, 1))
    stages = [(s["title"], s["sentence"], tuple(s["equations"])) for s in head["stages"]]
    assert stages == [(s.title, s.sentence, s.equations) for s in spec.stages]
    nodes, edges = spec.graph.nodes, spec.graph.edges
    for got, node in zip(head["graph"]["nodes"], nodes, strict=True):
        for key in ("name", "op", "stage", "block"):
            assert got[key] == getattr(node, key)
        assert tuple(got["biases"]) == node.biases
    for got, edge in zip(head["graph"]["edges"], edges, strict=True):
        assert got.items() >= edge.__dict__.items()
    assert not any("\\" in node["label"] for node in head["graph"]["nodes"])
    assert {"x", *parts} <= set(head["colours"])


@every_variant
@both_losses
def test_what_arrives_one_step_earlier_is_the_sum_of_its_parts(spec, loss):
    lines = {"lstm": "c", "gru": "h", "rnn-residual": "h"}
    for clamps in ((), (Clamp(spec.states[-1].name, 0.3, (1,), (3, 4)),)):
        sent = read(a_run(spec, loss=loss, clamps=clamps))
        assert ("loss:h" in sent.arrays) == (loss == "all")
        for name in spec.state_names:
            parts = [f"direct:{name}", f"gates:{name}"] + ["loss:h"] * (name == "h" and loss == "all")
            found = [sent.value(part) for part in parts]
            scale = sum(np.abs(part) for part in found).max() + 1e-30
            whole = sent.arrays[f"d:{name}"][:-1]
            np.testing.assert_allclose(sum(found), whole, rtol=0, atol=1e-6 * scale)
            assert found[0].any() == (name == lines.get(payload.kind_of(spec)))
        if loss == "all":
            assert not sent.arrays["loss:h"][0].any()
            np.testing.assert_allclose(sent.arrays["loss:h"][1:], 0.5)  # 1/√H


@every_variant
def test_what_changed_is_the_run_with_the_change_minus_the_run_without(spec):
    name = spec.equations[0].name
    plain = a_run(spec)
    held = a_run(spec, clamps=(Clamp(name, 0.25, (1, 2), (3, 4)),), before=plain.trace)
    sent, before = read(held), read(plain)
    assert not any(key.startswith("delta:") for key in before.arrays)
    assert before.head["delta"] == {}
    assert set(sent.head["delta"]) == {*spec.gate_names, *spec.state_names}
    for key, largest in sent.head["delta"].items():
        delta = sent.value(f"delta:{key}")
        size = max(1.0, np.abs(before.value(key)).max())  # both travel as float32
        np.testing.assert_allclose(delta, sent.value(key) - before.value(key), atol=3e-7 * size)
        assert not delta[:2].any()  # nothing differs before the first step that is held
        assert largest == pytest.approx(np.abs(delta).max(), rel=1e-6)
    assert sent.head["delta"][name] > 0


@every_variant
@both_losses
@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 30.0])
def test_limits_cover_what_is_drawn_with_them(spec, loss, scale):
    params = {name: scale * value for name, value in random_params(spec, 3, 4, 2).items()}
    run = run_of(spec, params, draw(2, 7, 1, 3), loss)
    sent = read(run)
    drawn = {"x", *run.wires.values}
    limits, flow = sent.head["limits"], sent.head["flow"]
    assert set(limits) == drawn
    for name, limit in limits.items():
        values = sent.value(name)
        if limit:
            assert np.abs(values).max() <= limit * (1 + 1e-6), name
        else:  # a gate's scale, 0 to 1
            assert values.min() >= 0, name
            assert values.max() <= 1, name
            between = [part.name for part in (*spec.gates, *spec.states) if (part.low, part.high) == (0, 1)]
            assert sent.nodes[name]["like"] in (*between, "x")
    for strip in sent.head["strips"]:
        assert (limits[strip["name"]] == 0) == strip["gate"]
    flowing = [np.abs(v[v != 0]) for name, v in arrays_of(run).items() if name.startswith("d:")]
    top = max(v.max(initial=0) for v in flowing)
    assert flow["top"] == top
    assert flow["floor"] == max(min(v.min(initial=np.inf) for v in flowing), top * 1e-12)
    assert flow["top"] >= flow["floor"] > 0


GROWS = Model("rnn", (("activation", "identity"),), 3, 4, "identity", (("gain", 3.0), ("std", 1.0)))
FADES = Model("rnn", (("activation", "tanh"),), 5, 4, "scaled", (("radius", 0.05),))


@pytest.mark.parametrize(("model", "beyond"), [(GROWS, 1e38), (FADES, 1e-38)], ids=["grows", "fades"])
def test_what_float32_cannot_hold_travels_in_another_way_and_nothing_becomes_zero(model, beyond):
    run = model_run(model, Input("noise", 400), loss="last")
    sent = read(run)
    payload.assert_laid_out(sent)
    payload.assert_nothing_lost(sent, arrays_of(run))
    sizes = np.abs(sent.arrays["d:h"])
    assert sent.kinds["d:h"] != "f4" == sent.kinds["x"] == sent.kinds["W_hh"]
    if model is GROWS:
        assert sizes.max() > beyond < np.abs(sent.arrays["h"]).max()
    else:
        assert 0 < sizes[sizes > 0].min() < beyond
        assert sent.arrays["h"].dtype == np.float32
        flow = sent.head["flow"]  # twelve decades at most
        assert (flow["top"], flow["floor"]) == pytest.approx((5**-0.5, 1e-12 * 5**-0.5), rel=1e-9)


EDGES = [0.0, -0.0, 1.1e-38, 1.19e-38, 1.3e-38, 3.39e38, 3.402e38, 1e-320]
ANY = st.floats(width=64) | st.sampled_from(EDGES)


@given(st.lists(ANY, min_size=4, max_size=4), st.integers(1, 3))
@quick
def test_any_numbers_arrive(numbers, place):
    run = a_run(CELLS["rnn"])
    names = ["b_ih", "b_hh", "extra"][:place]
    odd = {name: torch.tensor(numbers[:-1] if name == "extra" else numbers).double() for name in names}
    run = replace(run, params={**run.params, **odd})
    sent = read(run)
    payload.assert_laid_out(sent)
    payload.assert_nothing_lost(sent, arrays_of(run))


def test_a_long_run_takes_little_more_than_four_bytes_a_number():
    source = draw(1, 1000, 1, 1)
    model = Model("lstm", (), 64, 4, forget_bias=1.0)
    sent = read(run_of(model.spec, model.params(1), source, "all"))
    count = sum(values.size for values in sent.arrays.values())
    assert count > 45 * 1000 * 64
    assert len(sent.data) <= 1.1 * 4 * count
    # Also where the gradient of a thousand steps falls below what float32 can hold.
    sent = read(run_of(model.spec, model.params(1), source, "last"))
    assert 0 < np.abs(sent.arrays["d:h"][1:]).min() < TINY
    assert len(sent.data) <= 1.1 * 4 * count


TENFOLD = ("identity", (("gain", 10.0), ("std", 1.0)))
# The last one is a view that a link leads to: within the sliders' limits, ReLU outgrows its spectral radius.
EXPLODING = [
    pytest.param("identity", 4, TENFOLD, 300, id="forward"),
    pytest.param("identity", 4, TENFOLD, 400, id="both"),
    pytest.param("relu", 82, ("scaled", (("radius", 3.0),)), 400, id="page"),
]


@pytest.mark.parametrize(("activation", "seed", "scheme", "T"), EXPLODING)
@both_losses
def test_runs_beyond_float64_are_sent_with_a_finite_header(activation, seed, scheme, T, loss):
    model = Model("rnn", (("activation", activation),), 3, seed, *scheme)
    x = Input("noise", T, seed=seed).signal().x
    run = run_of(model.spec, model.params(1), x * (1e10 if scheme is TENFOLD else 1), loss)
    everything = [run.trace.states["h"], *run.gradients.d_states.values()]
    assert not all(torch.isfinite(values).all() for values in everything)
    sent = read(run)
    numbers = [*sent.head["limits"].values(), *sent.head["flow"].values(), *sent.head["delta"].values()]
    assert np.isfinite(numbers).all()
    assert min(numbers) >= 0
    payload.assert_laid_out(sent)
    payload.assert_nothing_lost(sent, arrays_of(run))
    assert json.dumps(sent.head, allow_nan=False)


@every_variant
@pytest.mark.parametrize("size", [(9, 3, 5), (1, 1, 1), (4, 6, 2)], ids=str)
def test_every_equation_can_be_worked_out_from_what_is_sent(spec, size):
    T, D, H = size
    for clamps in ((), (Clamp(spec.equations[0].name, 0.5, (0,), (1, 3)[: 1 + (T > 2)]),)):
        run = a_run(spec, T, 1, D, H, clamps=clamps)
        sent, want = read(run), payload.terms_of(spec, run)
        key = f"gru-{spec.option('reset')}" if spec.name == "gru" else payload.kind_of(spec)
        assert sent.head["equations"].keys() == payload.TERMS[key].keys() == {e.name for e in spec.equations}
        for name, terms in payload.TERMS[key].items():
            got = sent.terms(name)
            assert len(got) == len(terms)
            for term, values in zip(terms, got, strict=True):
                np.testing.assert_allclose(values, want[term], FLOAT32, FLOAT32, err_msg=term)
            free = np.ones((T, H), dtype=bool)
            for clamp in clamps:
                if clamp.name == name:
                    free[[t - 1 for t in clamp.steps], 0] = False
                    assert (sent.value(name)[~free] == 0.5).all()
            result, left = sent.right_hand_side(name), sent.value(name)
            np.testing.assert_allclose(result[free], left[free], rtol=2e-5, atol=2e-5)
            np.testing.assert_allclose(left, want[name], rtol=1e-6)


@every_variant
def test_symbols_joined_read_like_the_equation(spec):
    sent, want = read(a_run(spec)), payload.WRITTEN[name_of(spec)]
    # Between numbers a product is a dot.
    assert [sent.written(e.name).replace("·", "⊙") for e in spec.equations] == want
    assert ["".join(plain_symbols(e.latex).split()) for e in spec.equations] == want
    for equation in spec.equations:
        assert sent.head["equations"][equation.name] == tokens(spec, equation)
        assert not any("\\" in token.get("symbol", "") for token in tokens(spec, equation))


@every_variant
def test_the_direct_line_passes_no_matrix(spec):
    found = set().union(*(direct_wires(spec.graph, name) for name in spec.state_names))
    assert found == payload.LINES[payload.kind_of(spec)]
    assert spec.name != "lstm" or direct_wires(spec.graph, "h") == set()
    edges = read(a_run(spec)).head["graph"]["edges"]
    assert {(e["source"], e["target"]) for e in edges if e["direct"]} == found


@pytest.mark.parametrize("cell", CELLS)
def test_the_whole_way_from_a_model_to_bytes_with_and_without_a_what_if(cell):
    model, source = Model(cell, CELLS[cell].options, 4, 3), Input("text", 7, text="ab ba c")
    spec, x = model.spec, source.signal().x
    params = model.params(x.shape[2])
    edited = x.clone()
    edited[1], edited[4] = 0, 0
    edited[1, 0, 3] = edited[4, 0, 0] = 1  # c and a blank
    clamps = (Clamp("h", 0.5, (1,), (3,)),)
    zero = tuple(Clamp(name, 0.0, (2,)) for name in spec.state_names)
    whatif = WhatIf(clamps, (2,), ((2, 3, 1.0), (5, 0, 1.0)))
    start = (("t", 4), ("unit", 2), ("back", True))
    for loss, said in (("last", "the last step"), ("all", "every step")):
        plain = run_of(spec, params, x, loss)
        changed = run_of(spec, params, edited, loss, (*clamps, *zero), plain.trace)
        for asked, want, symbols in ((WhatIf(), plain, "ab ba c"), (whatif, changed, "ac b  c")):
            sent = Payload(cached.stepper_run(model, source, asked, loss, "a caption", start))
            payload.assert_same_arrays(sent.arrays, arrays_of(want))
            assert sent.head["start"] == dict(start)
            assert (sent.head["caption"], sent.head["loss"]) == ("a caption", said)
            assert sent.head["features"] == [" ", "a", "b", "c"]
            assert "".join(sent.head["symbols"]) == symbols
    series = Payload(
        cached.stepper_run(model, Input("sine", 5), WhatIf(edits=((2, None, 0.5),)), "all", "", ())
    )
    assert series.head["symbols"] == series.head["features"] == []
    assert series.arrays["x"][1] == 0.5

"""Spectrum and Remedies as a visitor meets them: every number on the page is the engine's."""

import math
import re
from functools import partial

import numpy as np
import pytest
import torch

from rnnviz.engine import CELLS, bptt, lyapunov, unroll
from rnnviz.engine.clipping import Clip, global_norm
from rnnviz.engine.products import end_products
from rnnviz.experiment import Input, Model, loss_on
from rnnviz.ui import flow_remedies, flow_spectrum
from rnnviz.ui.pages import FLOW
from tests.pages.visit import check_whole, quiet_log, set_control, table, told, visit

SMALL = {"flow_T": 20, "flow_H": 5, "flow_radius": 0.9, "flow_seed": 2}
NOISE = Input("noise", 20, seed=2)
OPTIONS = {
    name: tuple((option, values[0]) for option, values in spec.choices) for name, spec in CELLS.items()
}


def model(name, **changes):
    given = {"hidden_size": 5, "seed": 2, "scheme": "scaled", "scheme_options": (("radius", 0.9),)}
    return Model(name, OPTIONS[name], **{**given, "forget_bias": 1.0, **changes})


def words(at):
    """All that is written under figures and between them."""
    under = [re.sub("<[^>]+>", " ", part.proto.body) for part in at.get("html")]
    return [part.value for part in at.markdown] + under


def of_kind(rows, *kinds):
    return [row for row in rows if row["kind"] in kinds]


@pytest.mark.parametrize("name", CELLS)
def test_the_matrix_on_the_page_is_the_models(name):
    spec = CELLS[name]
    link = {**SMALL, "flow_tab": "Spectrum", "flow_matrix": spec.title}
    block = spec.blocks[0]
    if len(spec.blocks) > 1:
        link[f"flow_block_{name}"] = block
    at = visit(FLOW, **link)
    check_whole(at)
    W = model(name).params(1)["W_hh"][:5].numpy()
    sigma = np.linalg.svd(W, compute_uv=False)
    said = " ".join(words(at))
    assert f"σ_max = {sigma[0]:.4g}" in said
    assert "ρ = 0.9" in said
    rows = table(at, "What does W_hh do")
    end = {row["label"]: row["y"] for row in of_kind(rows, "one")}["1: as long as before"]
    np.testing.assert_allclose([row["y"] / end for row in of_kind(rows, "value")], sigma, rtol=1e-12)
    unit = of_kind(rows, "circle")[0]["size"]
    points = [complex(row["x"], row["y"]) / unit for row in of_kind(rows, "eigenvalue")]
    wanted = np.linalg.eigvals(W)
    for point in points:
        assert np.abs(wanted - point).min() < 1e-9


@pytest.mark.parametrize("name", CELLS)
def test_the_spectrum_over_lag_on_the_page_is_the_engines(name):
    at = visit(FLOW, **SMALL, flow_tab="Spectrum", flow_matrix=CELLS[name].title)
    rows = of_kind(table(at, "In how many directions"), "line")
    x, p, spec = NOISE.signal().x, model(name).params(1), CELLS[name]
    found = end_products(spec, p, unroll(spec, p, x)).singular_logs(range(21))[:, 0].numpy() / math.log(10)
    drawn = {(int(row["back"]), int(row["k"])): row["place"] for row in rows if row["label"]}
    assert len(drawn) > 21
    for (lag, k), place in drawn.items():
        assert place == pytest.approx(found[lag, k - 1], abs=1e-12)
    assert {lag for lag, k in drawn if k == 1} == set(range(21))
    known = found[-1] > found[-1, 0] + math.log10(5 * len(spec.states) * 2.0**-52)
    assert f"{known.sum()} of 5 above" in " ".join(words(at))


def test_the_exponents_on_the_page_are_the_engines():
    at = visit(FLOW, **SMALL, flow_tab="Spectrum", flow_over="Lyapunov spectrum")
    check_whole(at)
    rows, said = of_kind(table(at, "Do small changes"), "dot"), " ".join(words(at))
    for name, spec in CELLS.items():
        own = model(name)
        found = lyapunov(spec, own.params(1), NOISE.signal().x, 5, every=2)[0].numpy()
        drawn = [row["place"] for row in rows if row["cell"] == name]
        np.testing.assert_allclose(drawn, found, rtol=1e-12)
        first = f"{abs(found[0]):.3g}"
        assert f"**{spec.title}**: λ₁ = −{first} a step: small changes vanish" in said
        assert f"by a factor e every {-1 / found[0]:.3g} steps" in said


@pytest.mark.parametrize("loss", ["the last step", "every step"])
@pytest.mark.parametrize("name", CELLS)
def test_the_remedies_on_the_page_are_the_engines(name, loss):
    spec, kind = CELLS[name], {"the last step": "last", "every step": "all"}[loss]
    link = {"flow_tab": "Remedies", "flow_remedied": spec.title, "flow_loss": loss, "flow_window": 6}
    at = visit(FLOW, **SMALL, **link, flow_theta="0.01", flow_answer="true", flow_guess="yes")
    check_whole(at)
    own, read = model(name), partial(loss_on, kind)
    x, p = NOISE.signal().x, own.params(1)
    plain = bptt(spec, p, x, read)
    clipped = bptt(spec, p, x, read, clip=Clip("norm", 0.01))
    runs = {
        "plain": plain.contribution_log_norms("W_hh"),
        "window": bptt(spec, p, x, read, truncate=6).contribution_log_norms("W_hh"),
        "norm": plain.contribution_log_norms("W_hh") + math.log(clipped.clip_scale),
    }
    if len(spec.blocks) == 1:
        residual = spec.with_options(connection="residual")
        runs["residual"] = bptt(residual, p, x, read).contribution_log_norms("W_hh")
    if own.own_forget_bias is not None:
        more = model(name, forget_bias=5.0).params(1)
        runs["forget"] = bptt(spec, more, x, read).contribution_log_norms("W_hh")
    rows = table(at, "What does each step add")
    assert {row["remedy"] for row in rows} - {"chrono"} == set(runs)
    assert ("chrono" in {row["remedy"] for row in rows}) == any(gate.memory for gate in spec.gates)
    for remedy, logs in runs.items():
        drawn = {row["x"]: row for row in rows if row["remedy"] == remedy}
        assert set(drawn) == set(range(20))
        for t, log in enumerate(logs.tolist(), 1):
            row = drawn[20 - t]
            assert math.isnan(row["place"]) == (log == -math.inf)
            if log != -math.inf:
                assert row["place"] == pytest.approx(log / math.log(10), abs=1e-10)

    value = bptt(spec, p, x, read, clip=Clip("value", 0.01)).d_params
    g, cut = (torch.cat([v.flatten() for v in d.values()]) for d in (plain.d_params, value))
    said = " ".join(words(at))
    norm = global_norm(plain.d_params).item()
    assert f"unclipped {norm:.4g}, by norm 0.01 (cosine 1.0000), by value {cut.norm():.4g} " in said
    cosine = (g @ cut / (g.norm() * cut.norm())).item()
    assert said.count(f"{cosine:.4f}") >= 2
    assert "You expected yes. It is **no**." in said
    shown = table(at, "What does clipping do")
    for remedy, found in (("plain", plain.d_params), ("norm", clipped.d_params), ("value", value)):
        sizes = found["W_hh"].abs().flatten().sort(descending=True).values.numpy()
        for row in (row for row in shown if row["remedy"] == remedy):
            size = sizes[round(10 ** row["x"]) - 1]
            assert 10 ** row["place"] == pytest.approx(size, rel=1e-8) or not size


def test_the_clipped_curve_waits_for_the_answer():
    at = visit(FLOW, **SMALL, flow_tab="Remedies")
    assert "norm" not in {row["remedy"] for row in table(at, "What does each step add")}
    assert not any("It is **no**" in text or text.startswith("**No**") for text in words(at))
    at = set_control(at, "flow_guess", "no")
    assert not any("as you expected" in text for text in words(at))


EXTREMES = [
    {"flow_T": 2, "flow_H": 1},
    {"flow_T": 2, "flow_H": 64},
    {"flow_radius": 0.0},
    {"flow_radius": 0.0, "flow_dtype": "float32"},
    {"flow_radius": 3.0, "flow_activation": "identity", "flow_T": 400},
    {"flow_radius": 3.0, "flow_activation": "identity", "flow_T": 400, "flow_dtype": "float32"},
    {"flow_activation": "ReLU", "flow_connection": "residual", "flow_radius": 3.0, "flow_T": 300},
    {"flow_activation": "ReLU", "flow_dtype": "float32"},
    {"flow_init": "Chrono", "flow_remedied": "LSTM", "flow_matrix": "LSTM"},
    {"flow_init": "Identity", "flow_input": "Impulse", "flow_gain": 0.0},
    {"flow_input": "Text", "flow_text": "ab", "flow_remedied": "GRU", "flow_theta": "1000"},
]


@pytest.mark.parametrize("link", EXTREMES, ids=str)
def test_the_extremes_are_shown(link):
    chrono = ["Chrono sets gate biases; RNN has no gates and is drawn as PyTorch draws it."]
    for tab in (
        {"flow_tab": "Spectrum"},
        {"flow_tab": "Spectrum", "flow_over": "Lyapunov spectrum"},
        {"flow_tab": "Remedies", "flow_answer": "true"},
    ):
        table = flow_spectrum.CONTROLS if tab["flow_tab"] == "Spectrum" else flow_remedies.CONTROLS
        own = {c.key for c in (*flow_spectrum.CONTROLS.values(), *flow_remedies.CONTROLS.values())}
        kept = {k: v for k, v in link.items() if k not in own or k in {c.key for c in table.values()}}
        with quiet_log():
            at = visit(FLOW, **{"flow_H": 8, **kept, **tab})
        assert [error.value for error in at.exception] == []
        assert told(at) == (chrono if link.get("flow_init") == "Chrono" else [])
        assert len(at.get("vega_lite_chart")) == 2
        for text in words(at):
            assert not re.search(r"\bnan\b", text), text


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ({"flow_tab": "Remedies", "flow_window": "0"}, "flow_window"),
        ({"flow_tab": "Remedies", "flow_theta": "7"}, "flow_theta"),
        ({"flow_tab": "Remedies", "flow_guess": "maybe"}, "flow_guess"),
        ({"flow_tab": "Spectrum", "flow_matrix": "LSTM", "flow_block_lstm": "z"}, "flow_block_lstm"),
        ({"flow_tab": "Spectrum", "flow_over": "both"}, "flow_over"),
    ],
)
def test_what_a_link_cannot_have_is_named(link, complaint):
    at = visit(FLOW, **SMALL, **link)
    (sentence,) = told(at)
    assert complaint in sentence
    assert "allowed: " in sentence
    assert len(at.get("vega_lite_chart")) == 2


def test_a_window_ends_with_the_sequence():
    at = visit(FLOW, **{**SMALL, "flow_T": 9}, flow_tab="Remedies", flow_window=9)
    check_whole(at)
    rows = table(at, "What does each step add")
    plain, window = ({r["x"]: r["place"] for r in rows if r["remedy"] == way} for way in ("plain", "window"))
    assert plain == pytest.approx(window, rel=0, abs=0, nan_ok=True)

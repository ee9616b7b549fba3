"""The numbers that a page sends to its stepper are those of a run that has nothing of this package in it."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from rnnviz.ui.pages import CELL
from tests.charts.payload import assert_laid_out
from tests.pages.visit import check_whole, sent, set_control, visit

TEXT = "the clouds are in the sky"
MODULES = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
BLOCKS = {"RNN": "h", "LSTM": "ifgo", "GRU": "rzn"}
PHI = {"tanh": np.tanh, "ReLU": lambda a: np.maximum(a, 0), "identity": lambda a: a}
ROUNDING = 5.001e-4  # in words, three decimals are said
FLOAT32 = 3e-6  # a sum of products that travelled as float32


def one_hot(text, alphabet):
    return np.array([[float(letter == other) for other in alphabet] for letter in text])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def drawn(cell, D, H, seed, forget_bias=1.0):
    """``torch.nn``'s own layer and weights with this seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = MODULES[cell](D, H, dtype=torch.float64)
    if cell == "LSTM":
        with torch.no_grad():
            module.bias_ih_l0[H : 2 * H], module.bias_hh_l0[H : 2 * H] = forget_bias, 0.0
    return module


def reference(cell, x, H=12, seed=4, forget_bias=1.0, phi="tanh", before=False, takes=False, hold=None):
    """name -> (T,H) for every value and every term, each step in NumPy from ``torch.nn``'s weights.

    ``before`` and ``takes`` are the GRU's conventions that torch.nn has not; ``hold(name, t, value)`` may
    replace what a step computes.
    """
    W, U, b_i, b_h = (p.detach().numpy() for p in drawn(cell, x.shape[1], H, seed, forget_bias).parameters())
    hold = hold or (lambda name, t, value: value)
    h, c, rows = np.zeros(H), np.zeros(H), []
    for t, x_t in enumerate(x, 1):
        row = {"h_prev": h, "c_prev": c}

        def put(name, value, row=row, t=t):
            row[name] = hold(name, t, value)
            return row[name]

        def squash(name, phi, row=row, put=put):
            return put(name, phi(row[f"Wx_{name}"] + row[f"Uh_{name}"] + row[f"b_{name}"]))

        for k, name in enumerate(BLOCKS[cell]):
            part = slice(k * H, (k + 1) * H)
            row |= {
                f"Wx_{name}": W[part] @ x_t,
                f"Uh_{name}": U[part] @ h,
                f"b_{name}": b_i[part] + b_h[part],
            }
        if cell == "RNN":
            h = squash("h", PHI[phi])
        elif cell == "LSTM":
            i, f, o = (squash(k, sigmoid) for k in "ifo")
            g = squash("g", np.tanh)
            c = put("c", f * c + i * g)
            h = put("h", o * np.tanh(c))
        else:
            r, z = squash("r", sigmoid), squash("z", sigmoid)
            if before:
                row["Uh_n"] = U[2 * H :] @ (r * h)
                n = squash("n", np.tanh)
            else:
                row["b_n"], row["Uh_n"] = b_i[2 * H :], U[2 * H :] @ h + b_h[2 * H :]
                n = put("n", np.tanh(row["Wx_n"] + row["b_n"] + r * row["Uh_n"]))
            h = put("h", (1 - z) * h + z * n if takes else z * h + (1 - z) * n)
        rows.append(row)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


# What stands behind the equals sign, number by number.
MIX = ["z", "h_prev", "z", "n"]
TERMS = {
    "RNN": {"h": ["Wx_h", "Uh_h", "b_h"]},
    "LSTM": {
        **{k: [f"Wx_{k}", f"Uh_{k}", f"b_{k}"] for k in "figo"},
        "c": ["f", "c_prev", "i", "g"],
        "h": ["o", "c"],
    },
    "GRU": {
        **{k: [f"Wx_{k}", f"Uh_{k}", f"b_{k}"] for k in "rz"},
        "n": ["Wx_n", "b_n", "r", "Uh_n"],
        "h": MIX,
    },
    "GRU before": {**{k: [f"Wx_{k}", f"Uh_{k}", f"b_{k}"] for k in "rzn"}, "h": MIX},
}


def assert_numbers(at, want, terms, held=()):
    """Every term, every result, and the results worked out of the terms; but for what is held."""
    run = sent(at)
    assert_laid_out(run)
    assert run.head["equations"].keys() == terms.keys()
    for name, parts in terms.items():
        np.testing.assert_allclose(run.value(name), want[name], rtol=1e-6, atol=1e-6, err_msg=name)
        got = run.terms(name)
        assert len(got) == len(parts)
        for part, values in zip(parts, got, strict=True):
            np.testing.assert_allclose(values, want[part], FLOAT32, FLOAT32, err_msg=f"{part} of {name}")
        if name not in held:
            np.testing.assert_allclose(run.right_hand_side(name), want[name], rtol=2e-5, atol=2e-5)
    return run


X = one_hot(TEXT, sorted(set(TEXT)))
CASES = [
    ("RNN", {}, {}),
    ("RNN", {"cell_activation": "ReLU"}, {"phi": "ReLU"}),
    (
        "RNN",
        {"cell_activation": "identity", "cell_H": 3, "cell_seed": 9},
        {"phi": "identity", "H": 3, "seed": 9},
    ),
    ("LSTM", {}, {}),
    ("LSTM", {"cell_fbias": -2.0, "cell_H": 1}, {"forget_bias": -2.0, "H": 1}),
    ("LSTM", {"cell_fbias": 6.0, "cell_H": 64, "cell_seed": 99}, {"forget_bias": 6.0, "H": 64, "seed": 99}),
    ("GRU", {}, {}),
    ("GRU", {"cell_z": "takes n", "cell_H": 7}, {"takes": True, "H": 7}),
    ("GRU", {"cell_reset": "before U·h"}, {"before": True}),
    ("GRU", {"cell_reset": "before U·h", "cell_z": "takes n"}, {"before": True, "takes": True}),
]


@pytest.mark.parametrize(("cell", "link", "options"), CASES)
def test_every_number_is_torch_s(cell, link, options):
    at = visit(CELL, cell_cell=cell, cell_t=17, cell_unit=1, **link)
    check_whole(at)
    terms = TERMS["GRU before" if options.get("before") else cell]
    run = assert_numbers(at, reference(cell, X, **options), terms)
    assert (run.head["cell"], run.H, run.T) == (cell, options.get("H", 12), len(TEXT))
    assert (run.head["start"]["t"], run.head["start"]["unit"]) == (17, 1)
    assert "".join(run.head["symbols"]) == TEXT


@pytest.mark.parametrize("cell", MODULES)
def test_the_reference_is_the_layer_itself(cell):
    module = drawn(cell, X.shape[1], 12, 4)
    h, _ = module(torch.tensor(X))
    np.testing.assert_allclose(reference(cell, X)["h"], h.detach().numpy(), atol=1e-13)


def test_a_series_arrives_as_it_is_fed():
    at = visit(CELL, cell_cell="GRU", cell_input="Sine", cell_T=40, cell_period=9)
    x = np.sin(2 * np.pi * np.arange(40)[:, None] / 9)
    run = assert_numbers(at, reference("GRU", x), TERMS["GRU"])
    assert run.head["symbols"] == []
    np.testing.assert_allclose(run.arrays["x"], x, atol=1e-7)


def test_the_numbers_follow_the_controls():
    at = visit(CELL)
    options = {}
    for key, name, value in (
        ("cell_seed", "seed", 7),
        ("cell_fbias", "forget_bias", 0.25),
        ("cell_H", "H", 5),
    ):
        set_control(at, key, value)
        options[name] = value
        assert_numbers(at, reference("LSTM", X, **options), TERMS["LSTM"])
    set_control(at, "cell_text", "an end")
    x = one_hot("an end", sorted(set("an end")))
    assert_numbers(at, reference("LSTM", x, **options), TERMS["LSTM"])


@pytest.mark.parametrize("loss", ["the last step", "every step"])
def test_the_gradients_are_autograd_s(loss):
    at = visit(CELL, cell_cell="GRU", cell_loss=loss)
    module, x = drawn("GRU", X.shape[1], 12, 4), torch.tensor(X)
    states = [torch.zeros(1, 12, dtype=torch.float64, requires_grad=True)]
    for x_t in x:
        states.append(module(x_t[None], states[-1])[1])
    read = states[-1:] if loss == "the last step" else states[1:]
    want = torch.autograd.grad(sum(h.sum() for h in read) / math.sqrt(12), states)
    run = sent(at)
    np.testing.assert_allclose(run.arrays["d:h"], torch.cat(want), rtol=1e-5, atol=1e-8)
    assert run.head["loss"] == loss
    assert ("loss:h" in run.arrays) == (loss == "every step")


def test_a_what_if_is_the_run_with_those_values_held_and_the_difference_is_sent():
    at = visit(
        CELL,
        cell_hold="f · forget gate",
        cell_at=0.75,
        cell_units="3, 5-8",
        cell_steps="4–9",
        cell_silent="2",
        cell_edits="3 = s, 24 = ␣",
    )
    check_whole(at)
    text = TEXT[:2] + "s" + TEXT[3:23] + " " + TEXT[24:]

    def hold(name, t, value):
        value = value.copy()
        if name == "f" and 4 <= t <= 9:
            value[[2, 4, 5, 6, 7]] = 0.75
        if name in "hc":
            value[1] = 0
        return value

    changed = reference("LSTM", one_hot(text, sorted(set(TEXT))), hold=hold)
    plain = reference("LSTM", X)
    run = assert_numbers(at, changed, TERMS["LSTM"], held="fhc")
    assert "".join(run.head["symbols"]) == text
    for name in "figoch":
        np.testing.assert_allclose(run.value(f"delta:{name}"), changed[name] - plain[name], atol=1e-6)
    words = "what if: f = 0.75 at units 3, 5–8, steps 4–9; units 2 silenced; input changed at 3, 24"
    assert words in run.head["caption"]


def test_a_run_that_outgrows_float64_is_shown():
    link = {
        "cell_activation": "ReLU",
        "cell_init": "Spectral radius",
        "cell_radius": 3,
        "cell_input": "Noise",
    }
    at = visit(CELL, cell_cell="RNN", cell_T=400, cell_H=3, cell_seed=82, **link)
    assert [error.value for error in at.exception] == []
    assert sent(at).T == 400


def test_the_figures_say_the_same_numbers_in_words():
    at = visit(CELL, cell_t=9, cell_unit=5)
    want = reference("LSTM", X)
    aloud = [part.proto.body for part in at.get("html") if 'class="aloud"' in part.proto.body]
    assert len(aloud) == 2
    for words in aloud:
        pairs = re.findall(r"\b([figoch]) (-?\d+\.\d+)", words.split('class="aloud">')[1])
        assert {name for name, _ in pairs} == set("figoch")
        for name, number in pairs:
            assert math.isclose(float(number), want[name][8, 4], abs_tol=ROUNDING)

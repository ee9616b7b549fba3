"""The numbers in the equations are those of a run that has nothing of this package in it."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from rnnviz.ui.pages import CELL
from tests.pages.visit import check_whole, set_control, visit

TEXT = "the clouds are in the sky"
H, SEED = 12, 4  # the page's defaults
ROUNDING = 5.001e-4  # three decimals are shown
Row = dict[str, NDArray[np.float64]]


def one_hot(text: str) -> torch.Tensor:
    letters = sorted(set(text))
    rows = [[float(letter == other) for other in letters] for letter in text]
    return torch.tensor(rows, dtype=torch.float64)


def sigmoid(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-a))


def blocks(module: nn.RNNBase, names: str, x: NDArray[np.float64], h: NDArray[np.float64]) -> Row:
    """``Wx_k``, ``Uh_k``, ``b_k``, ``bi_k`` and ``bh_k`` of each block."""
    W, U, bi, bh = (p.detach().numpy() for p in module.parameters())
    found = {}
    for k, name in enumerate(names):
        rows = slice(k * H, (k + 1) * H)
        found |= {f"Wx_{name}": W[rows] @ x, f"Uh_{name}": U[rows] @ h}
        found |= {f"b_{name}": bi[rows] + bh[rows], f"bi_{name}": bi[rows], f"bh_{name}": bh[rows]}
    return found


def reference(cell: str, phi: str, forget_bias: float) -> list[Row]:
    """Every step of ``torch.nn`` with the same seed, gates recomputed from its own states in NumPy."""
    x = one_hot(TEXT)
    torch.manual_seed(SEED)
    kind: Callable[..., nn.RNNBase] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}[cell]
    module = kind(x.shape[1], H, dtype=torch.float64, **({"nonlinearity": phi} if cell == "RNN" else {}))
    with torch.no_grad():
        if cell == "LSTM":
            module.bias_ih_l0[H : 2 * H], module.bias_hh_l0[H : 2 * H] = forget_bias, 0.0
        state, rows = None, []
        for x_t in x:
            before = state
            h_all, state = module(x_t[None], state)
            zero = torch.zeros(1, H, dtype=torch.float64)
            h0, c0 = (before if cell == "LSTM" else (before, zero)) if before is not None else (zero, zero)
            row = {"h": h_all[0].numpy(), "h_prev": h0[0].numpy(), "c_prev": c0[0].numpy()}
            if cell == "LSTM":
                row["c"] = state[1][0].numpy()
            names = {"RNN": "h", "LSTM": "ifgo", "GRU": "rzn"}[cell]
            row |= blocks(module, names, x_t.numpy(), row["h_prev"])
            if cell == "LSTM":
                row |= {k: sigmoid(row[f"Wx_{k}"] + row[f"Uh_{k}"] + row[f"b_{k}"]) for k in "ifo"}
                row["g"] = np.tanh(row["Wx_g"] + row["Uh_g"] + row["b_g"])
            if cell == "GRU":
                row |= {k: sigmoid(row[f"Wx_{k}"] + row[f"Uh_{k}"] + row[f"b_{k}"]) for k in "rz"}
                row["b_n"], row["Uh_n"] = row["bi_n"], row["Uh_n"] + row["bh_n"]
                row["n"] = np.tanh(row["Wx_n"] + row["b_n"] + row["r"] * row["Uh_n"])
            rows.append(row)
    return rows


# What stands between the two equal signs, number by number.
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
        "h": ["z", "h_prev", "z", "n"],
    },
}


def shown(markdown: str) -> dict[str, tuple[list[float], float]]:
    """Name -> the numbers on its right-hand side, and its result."""
    found = {}
    body = markdown.split(r"\begin{aligned}")[1].split(r"\end{aligned}")[0]
    for block in body.split(r"\\[0.45em]"):
        symbols, numbers = block.split(r"\\ &=")
        name = re.search(r"\{([a-z])_t", symbols)
        terms, result = re.fullmatch(
            r"(.*) = \\textcolor\{#\w+\}\{\\mathbf\{([^}]*)\}\}", numbers.strip()
        ).groups()
        terms = re.sub(r"([+-]) (?=[\d.])", r"\1", terms)
        terms = terms.replace(r"\max\left(0, ", "").replace(r"\left(1 -", "(").replace(r"\cdot", " ")
        words = re.findall(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", terms)
        found[name[1]] = ([float(word) for word in words], float(result))
    return found


@pytest.mark.parametrize(("t", "unit"), [(1, 1), (2, 12), (17, 3), (25, 7)])
@pytest.mark.parametrize(
    ("cell", "phi", "forget_bias"),
    [("RNN", "tanh", 1.0), ("RNN", "relu", 1.0), ("LSTM", "", 1.0), ("LSTM", "", -2.0), ("GRU", "", 1.0)],
)
def test_every_number_is_torch_s(cell: str, phi: str, forget_bias: float, t: int, unit: int) -> None:
    link = {"cell_activation": {"relu": "ReLU"}.get(phi, phi)} if phi else {}
    link |= {"cell_fbias": forget_bias} if cell == "LSTM" else {}
    at = visit(CELL, cell_cell=cell, cell_t=t, cell_unit=unit, **link)
    check_whole(at)
    (markdown,) = [part.value for part in at.markdown if r"\begin{aligned}" in part.value]
    row = reference(cell, phi, forget_bias)[t - 1]
    found = shown(markdown)
    assert found.keys() == TERMS[cell].keys()
    for name, (numbers, result) in found.items():
        assert result == pytest.approx(row[name][unit - 1], abs=ROUNDING)
        wanted = [row[term][unit - 1] for term in TERMS[cell][name]]
        assert numbers == pytest.approx(wanted, abs=ROUNDING), (name, markdown)
    assert any(f"step {t}, unit {unit}" in part.value for part in at.markdown)


def test_the_numbers_follow_the_sliders() -> None:
    at = visit(CELL)
    rows = reference("LSTM", "", 1.0)
    for t in (1, 25, 12):
        set_control(at, "cell_t", t)
        (markdown,) = [part.value for part in at.markdown if r"\begin{aligned}" in part.value]
        assert shown(markdown)["h"][1] == pytest.approx(rows[t - 1]["h"][2], abs=ROUNDING)


def test_the_picture_says_the_same_numbers_in_words() -> None:
    at = visit(CELL, cell_t=9, cell_unit=5)
    row = reference("LSTM", "", 1.0)[8]
    aloud = [part.proto.body for part in at.get("html") if 'class="aloud"' in part.proto.body]
    assert len(aloud) == 2
    for words in aloud:
        words = words.split('class="aloud">')[1]
        pairs = re.findall(r"\b([figoch]) (-?\d+\.\d+)", words)
        assert {name for name, _ in pairs} == set("figoch")
        for name, number in pairs:
            assert math.isclose(float(number), row[name][4], abs_tol=ROUNDING)

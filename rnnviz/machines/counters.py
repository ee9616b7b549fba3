"""Four cells that count letters a against letters b: two without loss, and two that leak.

Source: Weiss, Goldberg & Yahav 2018, On the practical computational power of finite precision RNNs for
language recognition: in finite precision LSTM and ReLU networks can count, squashing ones and the GRU cannot.
"""

from __future__ import annotations

from math import exp

import torch
from torch import Tensor

from rnnviz.machines.logic import OPEN, RELU, SURE
from rnnviz.machines.machine import Given, Machine, Outputs, Rows, Weights

SHUT, KNOWS = -1000.0, 2000.0  # of a gate that opens once tanh(1) = 0.76 or more is seen
OUTPUTS = ("#a − #b", "a after b")


def lstm_counter() -> Machine:
    """aⁿbⁿ by an LSTM: its cell state counts."""
    none, zero = (0.0, 0.0), (0.0, 0.0, 0.0)
    W_ih: Weights = (
        none,
        none,
        none,
        none,
        none,
        none,
        (SURE, -SURE),
        (0.0, SURE),
        (SURE, 0.0),
        none,
        none,
        none,
    )
    W_hh: Weights = (zero, zero, (0.0, KNOWS, 0.0), *(zero for _ in range(9)))
    bias = (OPEN, OPEN, SHUT, OPEN, OPEN, OPEN, 0.0, 0.0, 0.0, OPEN, OPEN, OPEN)
    return Machine(
        name="lstm-counter",
        title="Counter for aⁿbⁿ, an LSTM",
        sentence="Gates open, candidate +1 for a and −1 for b: c₁ counts, and nothing of the count is lost.",
        cell="lstm",
        options=(),
        W_ih=W_ih,
        W_hh=W_hh,
        bias=bias,
        V=((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
        units=("#a − #b", "#b", "a after b"),
        inputs=("a", "b"),
        outputs=OUTPUTS,
        typed="word",
        latex=r"f = i_1 = 1, \quad g_1 = \tanh(20\,a - 20\,b) = \pm 1, \quad "
        r"c_1 = c'_1 + g_1 = \#a - \#b, \quad i_3 = \sigma(2000\,h'_2 - 1000)",
        plain="f = i₁ = σ(40) = 1, g₁ = tanh(20a − 20b) = ±1, c₁ = c₁′ + g₁; i₃ = σ(2000 h₂′ − 1000); "
        "y = (c₁, c₃), both 0 after aⁿbⁿ",
        specification=balance_and_order,
        answer=_accepted,
        draw=strings,
        reads="c",
    )


def relu_counter() -> Machine:
    """aⁿbⁿ by a ReLU network: two units hold the count's two signs."""
    seen = (0.0, 0.0, 1.0, -1.0, 0.0, 0.0)
    return Machine(
        name="relu-counter",
        title="Counter for aⁿbⁿ, a ReLU RNN",
        sentence="ReLU has no ceiling: one unit holds a count above zero, one below, and nothing leaks.",
        cell="rnn",
        options=RELU,
        W_ih=((1.0, -1.0), (-1.0, 1.0), (0.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)),
        W_hh=(
            (1.0, -1.0, 0.0, 0.0, 0.0, 0.0),
            (-1.0, 1.0, 0.0, 0.0, 0.0, 0.0),
            seen,
            seen,
            seen,
            (0.0, 0.0, 0.0, 0.0, 1.0, 1.0),
        ),
        bias=(0.0, 0.0, 0.0, -1.0, -1.0, 0.0),
        V=((1.0, -1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0, 1.0)),
        units=(
            "more a",
            "more b",
            "b, now or before",
            "b, now and before",
            "a after b, now",
            "a after b, before",
        ),
        inputs=("a", "b"),
        outputs=OUTPUTS,
        typed="word",
        latex=r"h_1 = \max(0,\, d' + a - b), \quad h_2 = \max(0,\, -d' - a + b), \quad "
        r"d = h_1 - h_2 = \#a - \#b",
        plain="h₁ = max(0, d′ + a − b), h₂ = max(0, −d′ − a + b), d = h₁ − h₂; "
        "y = (d, h₅ + h₆), both 0 after aⁿbⁿ",
        specification=balance_and_order,
        answer=_accepted,
        draw=strings,
    )


def tanh_counter(size: float = 0.01) -> Machine:
    """The count by a tanh network, in steps of ``size``: it leaks."""
    return Machine(
        name="tanh-counter",
        title="Counter, a tanh RNN: it leaks",
        sentence="tanh pulls every count towards zero, the more the higher it is: how far is it right?",
        cell="rnn",
        options=(("activation", "tanh"),),
        W_ih=((size, -size),),
        W_hh=((1.0,),),
        bias=(0.0,),
        V=((1 / size,),),
        units=("ε · (#a − #b), about",),
        inputs=("a", "b"),
        outputs=OUTPUTS[:1],
        typed="word",
        latex=r"h = \tanh(h' + \varepsilon\,(a - b)) \approx h' + \varepsilon\,(a - b) - \tfrac13 h^3, \quad "
        r"y = h / \varepsilon",
        plain=f"h = tanh(h′ + ε(a − b)) ≈ h′ + ε(a − b) − h³/3, y = h/ε, ε = {size:g}",
        specification=balance,
        answer=_count_read,
        draw=strings,
        dial=f"ε = {size:g}",
    )


def gru_counter(keep: float = 4.0) -> Machine:
    """The count by a GRU that keeps z = σ(keep) of it: it leaks."""
    return Machine(
        name="gru-counter",
        title="Counter, a GRU: it leaks",
        sentence="One gate does both: what z keeps more of the count, it writes less of the next one.",
        cell="gru",
        options=(("reset", "after"), ("z", "keeps")),
        W_ih=((0.0, 0.0), (0.0, 0.0), (SURE, -SURE)),
        W_hh=((0.0,), (0.0,), (0.0,)),
        bias=(0.0, keep, 0.0),
        V=((1 + exp(keep),),),
        units=("(1 − z) · (#a − #b), about",),
        inputs=("a", "b"),
        outputs=OUTPUTS[:1],
        typed="word",
        latex=r"z = \sigma(b_z), \quad h = z h' + (1 - z)\,(\pm 1), \quad y = h / (1 - z) = z y' \pm 1",
        plain=f"z = σ({keep:g}), h = z·h′ + (1 − z)·(±1), y = h/(1 − z) = z·y′ ± 1",
        specification=balance,
        answer=_count_read,
        draw=strings,
        dial=f"b_z = {keep:g}",
    )


def balance(x: Rows) -> Rows:
    """How many more a than b there are up to each step."""
    rows, count = [], 0
    for a, b in x:
        count += a - b
        rows.append((count,))
    return tuple(rows)


def balance_and_order(x: Rows) -> Rows:
    """The same, and how many a stand after the first b."""
    rows, count, seen, misplaced = [], 0, 0, 0
    for a, b in x:
        count, misplaced, seen = count + a - b, misplaced + a * seen, max(seen, b)
        rows.append((count, misplaced))
    return tuple(rows)


def _accepted(given: Given, y: Outputs) -> str:
    count, misplaced = y[-1]
    if count == 0 and misplaced == 0:
        return f"Accepted: it is aⁿbⁿ with n = {len(given.x) // 2}."
    why = [f"#a − #b is {count:g}"] * (count != 0) + [f"{misplaced:g} a after b"] * (misplaced != 0)
    return f"Rejected: {' and '.join(why)}."


def _count_read(given: Given, y: Outputs) -> str:
    return f"At the end it reads {y[-1][0]:.4g}, nearest to {round(y[-1][0])}.".replace("-", "−")


def strings(T: int, B: int, rng: torch.Generator) -> Tensor:
    """Unit vectors over a and b, (T,B,2): a third aⁿbⁿ, a third aⁿbᵐ, a third in any order."""
    a_first = torch.where(
        torch.arange(B) % 3 == 0, torch.tensor(T // 2), torch.randint(T + 1, (B,), generator=rng)
    )
    ordered = torch.arange(T)[:, None] >= a_first
    mixed = torch.randint(2, (T, B), generator=rng).bool()
    is_b = torch.where(torch.arange(B) % 3 == 2, mixed, ordered)
    return torch.stack([~is_b, is_b], -1).double()

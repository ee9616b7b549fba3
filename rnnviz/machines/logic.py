"""Machines over bits: parity, a remainder, binary addition, and a latch that is set and reset."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.machines.machine import Given, Machine, Outputs, Rows, Weights

RELU = (("activation", "relu"),)
OPEN, FAR = 40.0, -1000.0  # σ(40) is 1 in float64, and σ(-960) is 0, both to the last bit
SURE = 20.0  # tanh(±20) is ±1, to the last bit


def parity() -> Machine:
    """Whether the number of ones so far is odd."""
    return Machine(
        name="parity",
        title="Parity",
        sentence="Two units count to 2, minus twice the second takes that back to 0: every 1 turns p over.",
        cell="rnn",
        options=RELU,
        W_ih=((1.0,), (1.0,)),
        W_hh=((1.0, -2.0), (1.0, -2.0)),
        bias=(0.0, -1.0),
        V=((1.0, -2.0),),
        units=("x + p′", "x + p′ − 1"),
        inputs=("x",),
        outputs=("p",),
        typed="bits",
        latex=r"h_1 = \max(0,\, x_t + p'), \quad h_2 = \max(0,\, x_t + p' - 1), \quad p = h_1 - 2 h_2",
        plain="h₁ = max(0, x + p′), h₂ = max(0, x + p′ − 1), p = h₁ − 2h₂ = the number of ones, mod 2",
        specification=odd_ones,
        answer=_odd_or_even,
        draw=coins,
    )


def odd_ones(x: Rows) -> Rows:
    """The number of ones up to each step, modulo 2."""
    return tuple((sum(bit for (bit,) in x[: t + 1]) % 2,) for t in range(len(x)))


def _odd_or_even(given: Given, y: Outputs) -> str:
    return f"The number of ones is {'odd' if y[-1][0] == 1 else 'even'}."


def remainder() -> Machine:
    """The remainder of a binary number by 3, its first bit first: a finite automaton of three states."""
    # h(r,x) says: it was in state r, and read x. From r it goes to 2r + x, mod 3; state 0 is what is left.
    pairs = [(r, bit) for r in range(3) for bit in (0, 1)]
    to = [(2 * r + bit) % 3 for r, bit in pairs]
    into = {state: tuple(float(end == state) for end in to) for state in (1, 2)}
    in_state_0 = tuple(-float(end != 0) for end in to)
    return Machine(
        name="remainder",
        title="Remainder by 3, a finite automaton",
        sentence="A unit for each arrow of the automaton: it answers when state and bit come together.",
        cell="rnn",
        options=RELU,
        W_ih=tuple((1.0 if bit else -1.0,) for _, bit in pairs),
        W_hh=tuple(into[r] if r else in_state_0 for r, _ in pairs),
        bias=tuple(float((r == 0) - bit) for r, bit in pairs),
        V=(tuple(into[1][k] + 2 * into[2][k] for k in range(6)),),
        units=tuple(f"state {r}, read {bit}" for r, bit in pairs),
        inputs=("x",),
        outputs=("r",),
        typed="bits",
        latex=r"h_{r,b} = \max(0,\, s'_r + [x_t = b] - 1), \quad "
        r"s_q = \sum_{2r+b\,\equiv\,q} h_{r,b}, \quad y = s_1 + 2 s_2",
        plain="h(r,b) = max(0, s′(r) + [x = b] − 1), s(q) = Σ h(r,b) with 2r + b = q mod 3, y = s(1) + 2s(2)",
        specification=remainders,
        answer=_divides,
        draw=coins,
    )


def remainders(x: Rows) -> Rows:
    """What the number read so far leaves when it is divided by 3."""
    text = "".join(str(bit) for (bit,) in x)
    return tuple((int(text[: t + 1], 2) % 3,) for t in range(len(x)))


def _divides(given: Given, y: Outputs) -> str:
    value = int("".join(str(bit) for (bit,) in given.x), 2)
    return f"The number is {value if value < 10**9 else 'large'}; its remainder by 3 is {y[-1][0]:g}."


def addition() -> Machine:
    """The sum of two binary numbers, from their last bit on."""
    carry: Weights = ((0.0, 1.0, -1.0),) * 3
    return Machine(
        name="addition",
        title="Binary addition",
        sentence="Column by column, as on paper: count the ones, write a bit, carry a bit.",
        cell="rnn",
        options=RELU,
        W_ih=((1.0, 1.0),) * 3,
        W_hh=carry,
        bias=(0.0, -1.0, -2.0),
        V=((1.0, -2.0, 2.0),),
        units=("ones in the column", "ones above 1", "ones above 2"),
        inputs=("a", "b"),
        outputs=("sum bit",),
        typed="sum",
        latex=r"s = a_t + b_t + c', \quad h_k = \max(0,\, s - k + 1), \quad "
        r"c = h_2 - h_3, \quad y = h_1 - 2 h_2 + 2 h_3",
        plain="s = a + b + c′, h(k) = max(0, s − k + 1), carry c = h₂ − h₃, sum bit = h₁ − 2h₂ + 2h₃",
        specification=bits_of_sum,
        answer=_spelt_sum,
        draw=two_numbers,
    )


def bits_of_sum(x: Rows) -> Rows:
    """The bits of the sum of two numbers whose bits come from the last one on."""
    a, b = (sum(row[k] << t for t, row in enumerate(x)) for k in (0, 1))
    return tuple(((a + b) >> t & 1,) for t in range(len(x)))


def _spelt_sum(given: Given, y: Outputs) -> str:
    total = sum(round(bit) << t for t, (bit,) in enumerate(y))
    return f"{given.words} = {total:b}, which is {total:,}." if total < 10**12 else ""


def latch() -> Machine:
    """One bit that is set, reset, and held in between, by an LSTM."""
    off, blank = (0.0,), (0.0, 0.0, 0.0)
    return Machine(
        name="latch",
        title="Latch, an LSTM",
        sentence="The forget gate closes at s and r alone; in between c goes round its loop untouched.",
        cell="lstm",
        options=(),
        W_ih=(blank, (FAR, FAR, 0.0), (SURE, 0.0, 0.0), blank),
        W_hh=(off, off, off, off),
        bias=(OPEN, OPEN, 0.0, OPEN),
        V=((1.0,),),
        units=("the bit",),
        inputs=("s", "r", "."),
        outputs=("bit",),
        typed="pulses",
        latex=r"f = \sigma(40 - 1000\,(s + r)), \quad g = \tanh(20\,s), \quad "
        r"i = o = \sigma(40), \quad c = f c' + i g",
        plain="f = σ(40 − 1000(s + r)), g = tanh(20 s), i = o = σ(40), c = f·c′ + i·g; y = c",
        specification=held_bit,
        answer=_on_or_off,
        draw=rare_pulses,
        reads="c",
    )


def held_bit(x: Rows) -> Rows:
    """1 where the last letter that was no dot is an s."""
    rows, bit = [], 0
    for s, r, _ in x:
        bit = 1 if s else 0 if r else bit
        rows.append((bit,))
    return tuple(rows)


def _on_or_off(given: Given, y: Outputs) -> str:
    return f"At the end the bit is {'set' if y[-1][0] == 1 else 'reset'}."


def coins(T: int, B: int, rng: torch.Generator) -> Tensor:
    """Fair bits, (T,B,1)."""
    return torch.randint(2, (T, B, 1), generator=rng).double()


def two_numbers(T: int, B: int, rng: torch.Generator) -> Tensor:
    """The bits of two numbers and, at the last step, none, (T,B,2)."""
    x = torch.randint(2, (T, B, 2), generator=rng).double()
    x[-1] = 0
    return x


def rare_pulses(T: int, B: int, rng: torch.Generator) -> Tensor:
    """At one step of ten an s, at one an r, else a dot: unit vectors, (T,B,3)."""
    kind = torch.randint(10, (T, B), generator=rng).clamp(max=2)
    return torch.eye(3, dtype=torch.float64)[kind]

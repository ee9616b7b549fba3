"""Linear machines, which hand numbers on from unit to unit: a delay line, and the sum of three taps."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from rnnviz.machines.machine import Machine, Rows, Weights, nothing

LINEAR = (("activation", "identity"),)


def delay(k: int = 3) -> Machine:
    """A delay line over k steps, k at least 1."""
    H = k + 1
    return Machine(
        name="delay",
        title="Delay line",
        sentence="Every number moves on by a unit a step and leaves at the last: memory as a row of places.",
        cell="rnn",
        options=LINEAR,
        W_ih=_first(H),
        W_hh=_shift(H),
        bias=(0.0,) * H,
        V=((0.0,) * k + (1.0,),),
        units=_ages(H),
        inputs=("x",),
        outputs=("y",),
        typed="numbers",
        latex=rf"h_1 = x_t, \quad h_j = h'_{{j-1}}, \quad y_t = h_{{{H}}} = x_{{t-{k}}}",
        plain=f"h₁ = x, h₂ = h₁′, h₃ = h₂′, …;  y(t) = x(t−{k})",
        specification=partial(delayed, k=k),
        answer=nothing,
        draw=whole_numbers,
        dial=f"k = {k}",
    )


def three_taps() -> Machine:
    """The lecture's sum of the last three inputs."""
    return Machine(
        name="taps",
        title="Three-tap sum",
        sentence="Two places behind the newest number: no more memory does a sum of the last three need.",
        cell="rnn",
        options=LINEAR,
        W_ih=_first(3),
        W_hh=_shift(3),
        bias=(0.0,) * 3,
        V=((1.0, 1.0, 1.0),),
        units=_ages(3),
        inputs=("x",),
        outputs=("y",),
        typed="numbers",
        latex=r"h_1 = x_t, \quad h_2 = h'_1, \quad h_3 = h'_2, \quad "
        r"y_t = h_1 + h_2 + h_3 = x_t + x_{t-1} + x_{t-2}",
        plain="h₁ = x, h₂ = h₁′, h₃ = h₂′;  y = h₁ + h₂ + h₃ = x(t) + x(t−1) + x(t−2)",
        specification=sums_of_three,
        answer=nothing,
        draw=whole_numbers,
    )


def delayed(x: Rows, k: int) -> Rows:
    """What came in k steps before, 0 before the first."""
    return tuple(x[t - k] if t >= k else (0,) for t in range(len(x)))


def sums_of_three(x: Rows) -> Rows:
    """The sum of the last three, or of as many as there are."""
    return tuple((sum(value for (value,) in x[max(0, t - 2) : t + 1]),) for t in range(len(x)))


def whole_numbers(T: int, B: int, rng: torch.Generator) -> Tensor:
    """Whole numbers from -999 to 999, (T,B,1)."""
    return torch.randint(-999, 1000, (T, B, 1), generator=rng).double()


def _ages(H: int) -> tuple[str, ...]:
    """What each unit holds."""
    return ("x, now", *(f"x, {age} step{'s' * (age > 1)} old" for age in range(1, H)))


def _first(H: int) -> Weights:
    """The input goes into the first unit."""
    return ((1.0,), *((0.0,) for _ in range(H - 1)))


def _shift(H: int) -> Weights:
    """Each unit takes what the one before it had."""
    return tuple(tuple(float(column == row - 1) for column in range(H)) for row in range(H))

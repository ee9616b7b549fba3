"""What a cell can be given: typed text, a series of numbers, or a textbook signal.

Each generator below is printed as it stands in the scripts that reproduce a figure, so it uses
nothing but torch and the standard library.
"""

from __future__ import annotations

import csv
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

MAX_STEPS = 400  # what a strip can show and a link can hold
SUNSPOTS = Path(__file__).resolve().parents[1] / "assets" / "sunspots.csv"


@dataclass(frozen=True)
class Signal:
    """A sequence, ready to be run.

    Attributes:
        x: (T,1,D), float64.
        symbols: what each step is called, T strings; empty for a series.
        caption: the sequence in a few words.
        code: lines of PyTorch that make ``x``.
        features: what each of the D inputs is called; empty where the symbols say it.
    """

    x: Tensor
    symbols: tuple[str, ...]
    caption: str
    code: str
    features: tuple[str, ...] = ()


def one_hot(text: str) -> Tensor:
    """Each character a unit vector over the text's own alphabet, (T,D)."""
    alphabet = sorted(set(text))
    return torch.eye(len(alphabet), dtype=torch.float64)[[alphabet.index(character) for character in text]]


def standardised(values: list[float]) -> Tensor:
    """A series with mean 0 and standard deviation 1, (T,1); a constant one becomes zeros."""
    series = torch.tensor(values, dtype=torch.float64)
    series = series / (series.abs().max().item() or 1.0)  # squares of huge or tiny numbers are no floats
    centred = series - series.mean()
    spread = centred.square().mean().sqrt()
    return (centred / spread if spread > 1e-12 else torch.zeros_like(series)).unsqueeze(1)


def impulse(steps: int) -> Tensor:
    """1 at the first step, then 0, (T,1)."""
    return torch.eye(steps, 1, dtype=torch.float64)


def step(steps: int) -> Tensor:
    """0 for the first quarter, then 1, (T,1)."""
    return (torch.arange(steps) >= steps // 4).double().unsqueeze(1)


def sine(steps: int, period: float) -> Tensor:
    """sin(2πt/period), (T,1)."""
    t = torch.arange(steps, dtype=torch.float64)
    return torch.sin(2 * math.pi * t / period).unsqueeze(1)


def noise(steps: int, seed: int) -> Tensor:
    """Standard normal numbers from their own generator, (T,1)."""
    return torch.randn(steps, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def sunspot_numbers() -> tuple[float, ...]:
    """Yearly mean sunspot numbers from 1700 to 2008."""
    with SUNSPOTS.open(encoding="utf-8", newline="") as file:
        return tuple(float(row["sunspots"]) for row in csv.DictReader(file))


def signal(
    kind: str,
    steps: int,
    text: str = "",
    numbers: tuple[float, ...] = (),
    period: float = 25.0,
    seed: int = 0,
) -> Signal:
    """The first ``steps`` steps of a sequence.

    Args:
        kind: ``text``, ``numbers``, ``sunspots``, ``impulse``, ``step``, ``sine`` or ``noise``.
        steps: 2…MAX_STEPS; a shorter text or series is used whole.
        text: for ``text``.
        numbers: for ``numbers``.
        period: of the sine, in steps, at least 2.
        seed: of the noise.

    Raises:
        ValueError: naming the field, its value and what is allowed.
    """
    if not 2 <= steps <= MAX_STEPS:
        raise ValueError(f"The length is {steps}; allowed: 2 to {MAX_STEPS} steps.")
    if kind == "text":
        shown = text[:steps]
        if len(shown) < 2:
            raise ValueError(f"The text has {len(shown)} characters; allowed: 2 to {MAX_STEPS}.")
        caption = f"“{shown}”, one-hot over its {len(set(shown))} characters"
        return _signal(one_hot, (shown,), caption, tuple(shown))
    if kind in ("numbers", "sunspots"):
        series = list(numbers if kind == "numbers" else sunspot_numbers())[:steps]
        if len(series) < 2:
            raise ValueError(f"The series has {len(series)} numbers; allowed: 2 to {MAX_STEPS}.")
        if not all(map(math.isfinite, series)):
            raise ValueError("The series holds a number that is not finite; allowed: finite numbers.")
        what = f"{len(series)} numbers"
        if kind == "sunspots":
            what = f"yearly sunspot numbers 1700–{1699 + len(series)}"
        return _signal(standardised, (series,), f"{what}, standardised")
    if kind == "sine" and not 2 <= period < math.inf:
        raise ValueError(f"The period is {period:g} steps; allowed: at least 2.")
    makers: dict[str, tuple[Callable[..., Tensor], tuple[object, ...], str]] = {
        "impulse": (impulse, (steps,), "an impulse at the first step"),
        "step": (step, (steps,), f"a step from 0 to 1 after {steps // 4} steps"),
        "sine": (sine, (steps, period), f"a sine of period {period:g}"),
        "noise": (noise, (steps, seed), f"standard normal noise, seed {seed}"),
    }
    if kind not in makers:
        raise ValueError(f"The input is {kind!r}; allowed: text, numbers, sunspots, {', '.join(makers)}.")
    return _signal(*makers[kind])


def _signal(
    make: Callable[..., Tensor], arguments: tuple[object, ...], caption: str, symbols: tuple[str, ...] = ()
) -> Signal:
    call = ", ".join(map(repr, arguments))
    code = f"{inspect.getsource(make)}\n\nx = {make.__name__}({call}).unsqueeze(1)  # (T, B=1, D)"
    return Signal(make(*arguments).unsqueeze(1), symbols, caption, code)

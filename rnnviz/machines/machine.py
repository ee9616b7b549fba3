"""What a machine is: a recurrent network whose weights a person has written, and what it has to compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from rnnviz.engine import CELLS, CellSpec, Trace, unroll

Rows = tuple[tuple[int, ...], ...]  # one row a step, of D inputs or of O outputs
Weights = tuple[tuple[float, ...], ...]
Outputs = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Given:
    """What was typed, as a machine reads it.

    Attributes:
        x: T rows of D whole numbers.
        words: the same in a few words, for a caption.
        symbols: what each step is called, T of them; empty where its numbers say it.
    """

    x: Rows
    words: str
    symbols: tuple[str, ...] = ()

    @property
    def tensor(self) -> Tensor:
        """(T,1,D), float64."""
        return torch.tensor(self.x, dtype=torch.float64).unsqueeze(1)


@dataclass(frozen=True)
class Machine:
    """A recurrent network with readable weights, its read-out y = V s, and its specification.

    Attributes:
        name, title: its key in ``MACHINES``, and what it is called.
        sentence: what to look at.
        cell, options: a name in ``CELLS`` and its conventions.
        W_ih, W_hh, bias: the weights, in PyTorch's layout; the other bias is zero.
        V: the read-out, a row an output.
        units, inputs, outputs: what each stands for.
        typed: the kind of its input, a name in ``rnnviz.machines.typed.TYPED``.
        latex, plain: its formulas and its specification.
        specification: T rows of inputs -> T rows of outputs, by whole numbers alone.
        answer: (input, T rows of outputs) -> what they say, in a sentence; empty where each says it itself.
        draw: (T, B, generator) -> random inputs (T,B,D).
        reads: the state that the read-out sees.
        dial: the number that it was made with, in words.
    """

    name: str
    title: str
    sentence: str
    cell: str
    options: tuple[tuple[str, str], ...]
    W_ih: Weights
    W_hh: Weights
    bias: tuple[float, ...]
    V: Weights
    units: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    typed: str
    latex: str
    plain: str
    specification: Callable[[Rows], Rows] = field(compare=False)
    answer: Callable[[Given, Outputs], str] = field(compare=False)
    draw: Callable[[int, int, torch.Generator], Tensor] = field(compare=False)
    reads: str = "h"
    dial: str = ""

    @cached_property
    def spec(self) -> CellSpec:
        """The cell under its conventions."""
        return CELLS[self.cell].with_options(**dict(self.options))

    @cached_property
    def params(self) -> dict[str, Tensor]:
        """The weights as the engine takes them, float64."""
        bias = torch.tensor(self.bias, dtype=torch.float64)
        return {
            "W_ih": torch.tensor(self.W_ih, dtype=torch.float64),
            "W_hh": torch.tensor(self.W_hh, dtype=torch.float64),
            "b_ih": bias,
            "b_hh": torch.zeros_like(bias),
        }

    @property
    def H(self) -> int:
        """Number of units."""
        return len(self.units)

    @property
    def what(self) -> str:
        """The cell, its conventions, and the number that the machine was made with."""
        options = ", ".join(value for _, value in self.options)
        return ", ".join(filter(None, [self.spec.title + (options and f" ({options})"), self.dial]))

    @property
    def caption(self) -> str:
        """The machine in a few words."""
        return f"{self.title} · {self.what} · weights written by hand · float64"

    def run(self, x: Tensor) -> Trace:
        """The network over inputs (T,B,D)."""
        return unroll(self.spec, self.params, x)

    def read_out(self, trace: Trace) -> Tensor:
        """y = V s of every step, (T,B,O)."""
        return trace.states[self.reads][1:] @ torch.tensor(self.V, dtype=torch.float64).T


@dataclass(frozen=True)
class Comparison:
    """Outputs beside the specification's.

    Attributes:
        count: how many outputs there are.
        wrong: how many are nearer to another whole number than to the specification's, or are no numbers.
        largest: the largest difference.
        first: the first step (from 1) with a wrong output, 0 where there is none.
    """

    count: int
    wrong: int
    largest: float
    first: int


def compare(y: Tensor, wanted: Tensor) -> Comparison:
    """Outputs (T,…) with those of the specification, of the same shape."""
    difference = (y - wanted).abs()
    wrong = ~(difference < 0.5)  # true for what is not a number, too
    steps = wrong.flatten(1).any(1).nonzero()
    return Comparison(
        y.numel(), int(wrong.sum()), float(difference.max()), int(steps[0]) + 1 if len(steps) else 0
    )


def wanted(machine: Machine, x: Tensor) -> Tensor:
    """What the specification says of inputs (T,B,D), sequence by sequence in whole numbers: (T,B,O)."""
    batch = [
        machine.specification(tuple(map(tuple, sequence))) for sequence in x.long().transpose(0, 1).tolist()
    ]
    return torch.tensor(batch, dtype=torch.float64).transpose(0, 1)


def nothing(given: Given, y: Outputs) -> str:
    """Of a machine whose outputs are its answers."""
    return ""

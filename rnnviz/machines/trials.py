"""Machines against their specifications: over many random inputs, and counters over ever longer strings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnviz.machines.counters import balance
from rnnviz.machines.machine import Machine, compare, wanted

BATCH, STEPS, SEED = 1000, 60, 0
EACH = 200  # aⁿbⁿ is tried with every n up to it,
LONG = (10, 100, 1_000, 10_000)  # and with these


@dataclass(frozen=True)
class Trial:
    """Random inputs through the engine in one batch.

    Attributes:
        right: sequences of which every output is nearest to the specification's number.
        sequences, outputs: how many were compared.
        largest: the largest difference.
    """

    right: int
    sequences: int
    outputs: int
    largest: float


def trial(machine: Machine, sequences: int = BATCH, steps: int = STEPS, seed: int = SEED) -> Trial:
    """A machine over random inputs beside its specification."""
    x = machine.draw(steps, sequences, torch.Generator().manual_seed(seed))
    difference = (machine.read_out(machine.run(x)) - wanted(machine, x)).abs()
    right = (difference < 0.5).all(2).all(0)
    return Trial(int(right.sum()), sequences, difference.numel(), float(difference.max()))


@dataclass(frozen=True)
class CountTrial:
    """How well a counter counts over aⁿbⁿ.

    Attributes:
        errors: the largest |y − (#a − #b)| over aⁿbⁿ for each n of ``LONG``.
        wrong_from: the first n of 1…``EACH`` at which an output is nearer to another number; None for none.
    """

    errors: tuple[float, ...]
    wrong_from: int | None


def count_trial(machine: Machine) -> CountTrial:
    """A counter over aⁿbⁿ, every n up to ``EACH`` in one batch, and each of ``LONG`` by itself."""
    errors = []
    for n in LONG:
        x = a_then_b(2 * n, torch.tensor([n]))
        errors.append(compare(_count(machine, x), _balance(x)).largest)
    every = torch.arange(1, EACH + 1)
    x = a_then_b(2 * EACH, every)
    wrong = ~((_count(machine, x) - _balance(x)).abs() < 0.5)
    within = torch.arange(2 * EACH)[:, None] < 2 * every  # behind it come more b
    bad = (wrong & within).any(0).nonzero()
    return CountTrial(tuple(errors), int(every[bad[0]]) if len(bad) else None)


def a_then_b(T: int, n: Tensor) -> Tensor:
    """n times a, and b from there on, as unit vectors: (T,B,2) for n (B,)."""
    a = torch.arange(T)[:, None] < n
    return torch.stack([a, ~a], -1).double()


def _count(machine: Machine, x: Tensor) -> Tensor:
    """The first output, (T,B)."""
    return machine.read_out(machine.run(x))[..., 0]


def _balance(x: Tensor) -> Tensor:
    """#a − #b of every step, in whole numbers, (T,B)."""
    rows = [balance(tuple(map(tuple, sequence))) for sequence in x.long().transpose(0, 1).tolist()]
    return torch.tensor(rows, dtype=torch.float64)[..., 0].T

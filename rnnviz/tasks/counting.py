"""The languages aⁿbⁿ and aⁿbⁿcⁿ: counting what no finite automaton can count."""

from __future__ import annotations

from functools import partial
from math import log

import torch
from torch import Tensor

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import unbroken
from rnnviz.tasks.text import next_symbols


def strings(n: torch.Tensor, letters: int, longest: int) -> Batch:
    """The strings aⁿbⁿ… of so many letters for each of n, (B); x (T,B,1+letters), the next symbol asked.

    Inputs are S, a, b, …; outputs a, b, …, T. After an a either an a or a b may follow; after that all is
    fixed.
    """
    t = torch.arange(letters * longest + 1).unsqueeze(1)
    seen = torch.div(t + n - 1, n, rounding_mode="floor")  # S is 0, a is 1, …
    there = t <= letters * n
    y = torch.div(t, n, rounding_mode="floor")
    legal = torch.nn.functional.one_hot(y.clamp(max=letters), letters + 1).bool()
    legal[..., 0] |= seen == 1
    legal[..., 1] |= seen == 1
    x = torch.nn.functional.one_hot(seen.clamp(max=letters), letters + 1) * there.unsqueeze(-1)
    return Batch(x.float(), y * there, there.float(), legal & there.unsqueeze(-1))


def anbn(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """S aⁿ bⁿ T, n uniform from 1 to ``length``."""
    return strings(torch.randint(1, length + 1, (batch_size,), generator=generator), 2, length)


def anbncn(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """S aⁿ bⁿ cⁿ T, n uniform from 1 to ``length``."""
    return strings(torch.randint(1, length + 1, (batch_size,), generator=generator), 3, length)


def every_n(letters: int, count: int, length: int, generator: torch.Generator) -> Batch:
    """Every n from 1 to twice the longest trained, once, whatever ``count``: there are no other strings."""
    return strings(torch.arange(1, 2 * length + 1), letters, 2 * length)


def number_of_as(x: Tensor) -> Tensor:
    """N of each string (T,…,B,D), (…,B)."""
    return x[..., 1].sum(0)


def baseline(letters: int, length: int) -> Baseline:
    """The symbol just read and no count: after m of a letter on average, the next one comes with p = 1/m."""
    m = (length + 1) / 2
    a_letter = log(m) + (m - 1) * log(m / (m - 1))
    loss = letters * a_letter / (letters * m + 1)
    return Baseline(loss, 0.0, f"knows the last symbol but does not count: {loss:.4f}")


def landmarks(letters: int, length: int) -> tuple[tuple[float, str], ...]:
    """The floor: n itself cannot be known before its end."""
    floor = log(length) / (letters * (length + 1) / 2 + 1)
    return ((floor, f"floor: counts, but n is chance: {floor:.4f}"),)


def example(letters: str, batch: Batch, b: int) -> Example:
    """One string."""
    n = int(number_of_as(batch.x[:, b]))
    rest = " and ".join(f"{n} {letter}" for letter in letters[1:])
    return next_symbols(
        batch, b, f"S{letters}", f"{letters}T", f"After {n} a must follow {rest}, then the end."
    )


METRIC = Metric("longest n solved, of the longest tested", unbroken(number_of_as), True, 1.0, percent=True)
SOURCE = (
    "Gers & Schmidhuber 2001. Here n is uniform, at least 1, and tested up to twice the longest trained: "
    "n is solved when at every step of this and all shorter strings all legal symbols are the most active"
)

ANBN = Task(
    name="anbn",
    title="aⁿbⁿ",
    question="After some number of a, the same number of b: which symbols may come next?",
    source=SOURCE,
    inputs=("S", "a", "b"),
    outputs=("a", "b", "T"),
    lengths=Lengths(4, 200, 10, "times a at most"),
    steps=lambda length: 2 * length + 1,
    draw=anbn,
    loss=cross_entropy,
    metric=METRIC,
    baseline=partial(baseline, 2),
    landmarks=partial(landmarks, 2),
    example=partial(example, "ab"),
    validation=partial(every_n, 2),
)

ANBNCN = Task(
    name="anbncn",
    title="aⁿbⁿcⁿ",
    question="After some number of a, the same number of b and then of c: which symbols may come next?",
    source=SOURCE,
    inputs=("S", "a", "b", "c"),
    outputs=("a", "b", "c", "T"),
    lengths=Lengths(4, 200, 10, "times a at most"),
    steps=lambda length: 3 * length + 1,
    draw=anbncn,
    loss=cross_entropy,
    metric=METRIC,
    baseline=partial(baseline, 3),
    landmarks=partial(landmarks, 3),
    example=partial(example, "abc"),
    validation=partial(every_n, 3),
)

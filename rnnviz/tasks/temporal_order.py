"""The temporal order problem with two relevant symbols."""

from __future__ import annotations

import math

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import accuracy
from rnnviz.tasks.text import asked, symbols

INPUTS = ("a", "b", "c", "d", "X", "Y", "E", "B")
CLASSES = ("XX", "XY", "YX", "YY")


def temporal_order(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """E, then a to d but X or Y at t₁ in [0.1T,0.2T) and t₂ in [0.5T,0.6T), B; the order at the end."""
    seen = torch.randint(4, (length, batch_size), generator=generator)
    seen[0], seen[-1] = 6, 7
    which = torch.randint(2, (2, batch_size), generator=generator)
    each = torch.arange(batch_size)
    for relevant, tenth in zip(which, (1, 5), strict=True):
        low, high = math.ceil(tenth * length / 10), math.ceil((tenth + 1) * length / 10)
        t = torch.randint(low, high, (batch_size,), generator=generator)
        seen[t, each] = 4 + relevant
    y, mask = torch.zeros(length, batch_size, dtype=torch.int64), torch.zeros(length, batch_size)
    y[-1] = 2 * which[0] + which[1]
    mask[-1] = 1
    return Batch(torch.nn.functional.one_hot(seen, 8).float(), y, mask)


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    steps, targets = symbols(batch.x[:, b], INPUTS), asked(batch, b, CLASSES)
    (t1, first), (t2, second) = ((t, step) for t, step in enumerate(steps, 1) if step in "XY")
    sentence = f"{first} at step {t1}, {second} at step {t2}. Answer at the end: {targets[-1]}."
    return Example(steps, targets, sentence)


TEMPORAL_ORDER = Task(
    name="temporal_order",
    title="Temporal order",
    question="Two X or Y stand far apart among other symbols: which came first and which second?",
    source=(
        "Hochreiter & Schmidhuber 1997, experiment 6a, in the form of Pascanu, Mikolov & Bengio 2013: one "
        "length for all sequences, solved with an error below 1 %"
    ),
    inputs=INPUTS,
    outputs=CLASSES,
    lengths=Lengths(10, 1000, 50),
    steps=lambda length: length,
    draw=temporal_order,
    loss=cross_entropy,
    metric=accuracy("sequences right", 0.99),
    baseline=lambda _: Baseline(math.log(4), 1 / 4, f"guesses one of four: ln 4 = {math.log(4):.4f}"),
    landmarks=lambda _: ((math.log(2), f"knows one of the two symbols: ln 2 = {math.log(2):.4f}"),),
    example=example,
)

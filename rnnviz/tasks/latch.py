"""The two-sequence problem, in which a bit must be latched against noise on its own channel."""

from __future__ import annotations

import math

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import accuracy
from rnnviz.tasks.text import asked, number

N = 3  # values that tell the class
VARIANCE = 0.2
CLASSES = ("−1", "+1")


def latch(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """N values of -1 or +1, then noise of mean 0 and the variance; x (T,B,1), the class asked at the end."""
    sign = torch.randint(2, (batch_size,), generator=generator)
    x = math.sqrt(VARIANCE) * torch.randn(length, batch_size, 1, generator=generator)
    x[:N, :, 0] = 2.0 * sign - 1
    y, mask = torch.zeros(length, batch_size, dtype=torch.int64), torch.zeros(length, batch_size)
    y[-1], mask[-1] = sign, 1
    return Batch(x, y, mask)


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    steps = tuple(number(value) for value in batch.x[:, b, 0].tolist())
    targets = asked(batch, b, CLASSES)
    return Example(steps, targets, f"It began with {targets[-1]}; all the rest is noise.")


LATCH = Task(
    name="latch",
    title="Two-sequence latch",
    question="Did the sequence begin with +1 or with −1, whatever noise came afterwards?",
    source=(
        "Bengio, Simard & Frasconi 1994; Hochreiter & Schmidhuber 1997, experiment 3a with N = 3 and noise "
        "of variance 0.2, here with one length for all sequences"
    ),
    inputs=("value",),
    outputs=CLASSES,
    lengths=Lengths(N + 1, 1000, 50),
    steps=lambda length: length,
    draw=latch,
    loss=cross_entropy,
    metric=accuracy("sequences right", 0.99),
    baseline=lambda _: Baseline(math.log(2), 1 / 2, f"guesses: ln 2 = {math.log(2):.4f}"),
    example=example,
    parts=(f"N, VARIANCE = {N}, {VARIANCE}",),
    caution=(
        "Guessing weights at random solves this task, too (Hochreiter & Schmidhuber 1997): success here does "
        "not show that a model learns long dependencies well."
    ),
)

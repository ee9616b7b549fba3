"""Parity of a sequence of bits, temporal XOR: at the end, or all along."""

from __future__ import annotations

from math import log

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import accuracy
from rnnviz.tasks.text import asked

CLASSES = ("even", "odd")


def parity_running(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Random bits, x (T,B,1); asked at every step whether the ones so far are odd in number."""
    bits = torch.randint(2, (length, batch_size), generator=generator)
    return Batch(bits.unsqueeze(-1).float(), bits.cumsum(0) % 2, torch.ones(length, batch_size))


def parity(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """The same, asked at the last step only."""
    running = parity_running(batch_size, length, generator)
    running.mask[:-1] = 0
    return running


def running_baseline(length: int) -> Baseline:
    """The bit itself: right at the first step, and at any later one half the time."""
    right = (length + 1) / (2 * length)
    loss = -right * log(right) - (1 - right) * log(1 - right)
    return Baseline(loss, right, f"answers the last bit, right at the first step only: {loss:.4f}")


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    bits, targets = batch.x[:, b, 0].long().tolist(), asked(batch, b, CLASSES)
    sentence = f"{sum(bits)} of {len(bits)} bits are 1, and that is {targets[-1]}."
    return Example(tuple(str(bit) for bit in bits), targets, sentence)


SOURCE = (
    "Minsky & Papert 1969; as a test of long memory Bengio, Simard & Frasconi 1994. Solved with an "
    "error below 1 %"
)
CAUTION = (
    "Guessing weights at random solves parity, too, in small nets (Hochreiter & Schmidhuber 1997). All bits "
    "matter, so that the gradient says little before nearly all is right."
)

PARITY = Task(
    name="parity",
    title="Parity",
    question="Is the number of ones in the whole sequence odd?",
    source=SOURCE,
    inputs=("bit",),
    outputs=CLASSES,
    lengths=Lengths(2, 500, 10, "bits"),
    steps=lambda length: length,
    draw=parity,
    loss=cross_entropy,
    metric=accuracy("sequences right", 0.99),
    baseline=lambda _: Baseline(log(2), 1 / 2, f"guesses: ln 2 = {log(2):.4f}"),
    example=example,
    caution=CAUTION,
)

PARITY_RUNNING = Task(
    name="parity_running",
    title="Running parity",
    question="Is the number of ones so far odd, asked at every step?",
    source=f"{SOURCE}. Here each step is judged by itself",
    inputs=("bit",),
    outputs=CLASSES,
    lengths=Lengths(2, 500, 20, "bits"),
    steps=lambda length: length,
    draw=parity_running,
    loss=cross_entropy,
    metric=accuracy("steps right", 0.99),
    baseline=running_baseline,
    example=example,
    caution=CAUTION,
)

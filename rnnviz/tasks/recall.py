"""Delayed recall of one symbol."""

from __future__ import annotations

from math import log

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import accuracy
from rnnviz.tasks.text import asked, symbols

A, DISTRACTORS = 8, 4  # symbols to remember, and symbols in between
INPUTS = (*"abcdefgh", *"wxyz", "?")


def recall(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """One of A symbols, ``length`` distractors, a cue; x (T,B,A+DISTRACTORS+1), the symbol at the cue."""
    symbol = torch.randint(A, (batch_size,), generator=generator)
    seen = torch.randint(A, A + DISTRACTORS, (length + 2, batch_size), generator=generator)
    seen[0], seen[-1] = symbol, A + DISTRACTORS
    y, mask = torch.zeros_like(seen), torch.zeros(length + 2, batch_size)
    y[-1], mask[-1] = symbol, 1
    return Batch(torch.nn.functional.one_hot(seen, A + DISTRACTORS + 1).float(), y, mask)


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    steps = symbols(batch.x[:, b], INPUTS)
    sentence = f"Keep the first symbol, {steps[0]}, until the cue {steps[-1]} asks for it."
    return Example(steps, asked(batch, b, INPUTS[:A]), sentence)


RECALL = Task(
    name="recall",
    title="Delayed recall",
    question="Which symbol stood at the beginning, after a wait filled with other symbols?",
    source=(
        "After Hochreiter & Schmidhuber 1997, experiment 2; here 8 symbols, distractors drawn from 4 others, "
        "and a cue that asks"
    ),
    inputs=(*INPUTS[:-1], "cue"),
    outputs=INPUTS[:A],
    lengths=Lengths(1, 1000, 30, "steps to wait"),
    steps=lambda length: length + 2,
    draw=recall,
    loss=cross_entropy,
    metric=accuracy("sequences right", 0.99),
    baseline=lambda _: Baseline(log(A), 1 / A, f"guesses one of {A}: ln {A} = {log(A):.4f}"),
    example=example,
    parts=(f"A, DISTRACTORS = {A}, {DISTRACTORS}",),
)

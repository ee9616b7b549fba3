"""The multiplication problem."""

from __future__ import annotations

from math import log

import torch

from rnnviz.engine.task import Baseline, Batch, Lengths, Metric, Task
from rnnviz.tasks.adding import example_of, lost, marked
from rnnviz.tasks.losses import mse
from rnnviz.tasks.metrics import near

TOLERANCE = 0.04


def multiplication(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Numbers from U[0,1], two of them marked; their product is asked at each sequence's end."""
    x, ends = marked(batch_size, length, generator, 0.0, 1.0)
    answer = torch.where(x[..., 1] == 1, x[..., 0], 1.0).prod(0)
    return Batch(x, (ends * answer).unsqueeze(-1), ends)


def baseline(length: int) -> Baseline:
    """Always the mean, of a product of two (density -ln p) or of one number where a mark was lost."""
    q = lost(length)
    mean = (1 - q) / 4 + q / 2
    loss = (1 - q) / 9 + q / 3 - mean**2
    low, high = mean - TOLERANCE, mean + TOLERANCE
    of_two = high * (1 - log(high)) - low * (1 - log(low))
    right = (1 - q) * of_two + q * (high - low)
    return Baseline(loss, right, f"always answers the mean: {loss:.4f} (7/144, more for lost marks)")


MULTIPLICATION = Task(
    name="multiplication",
    title="Multiplication problem",
    question="Two numbers of a long sequence are marked: what is their product, whenever the sequence ends?",
    source=(
        "Hochreiter & Schmidhuber 1997, experiment 5. A number whose mark falls on the first pair counts "
        "as 1. Solved, as there, with at most 13 of 2,000 sequences wrong"
    ),
    inputs=("number", "marker"),
    outputs=("product",),
    lengths=Lengths(20, 1000, 50, "steps, and up to a tenth more"),
    steps=lambda length: length + length // 10,
    draw=multiplication,
    loss=mse,
    metric=Metric("sequences right within 0.04", near(TOLERANCE), True, 1 - 13 / 2000, percent=True),
    baseline=baseline,
    example=example_of,
)

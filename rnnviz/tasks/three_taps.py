"""The three-tap sum."""

from __future__ import annotations

import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import mse
from rnnviz.tasks.metrics import mse_metric
from rnnviz.tasks.text import number


def three_taps(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Numbers from N(0,1), x (T,B,1); from the third step on the sum of the last three is asked."""
    x = torch.randn(length, batch_size, 1, generator=generator)
    y, mask = torch.zeros_like(x), torch.zeros(length, batch_size)
    y[2:], mask[2:] = x[2:] + x[1:-1] + x[:-2], 1
    return Batch(x, y, mask)


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    steps = tuple(number(value) for value in batch.x[:, b, 0].tolist())
    sums = tuple(number(value) for value in batch.y[2:, b, 0].tolist())
    sentence = f"The answer at the last step: {' + '.join(steps[-3:])} ≈ {sums[-1]}.".replace("+ −", "− ")
    return Example(steps, ("", "", *sums), sentence)


THREE_TAPS = Task(
    name="three_taps",
    title="Three-tap sum",
    question="What is the sum of the last three numbers?",
    source=(
        "The moving sum of signal processing, a finite impulse response of three taps. The first two steps "
        "are not judged; solved at a mean squared error of 0.01"
    ),
    inputs=("x",),
    outputs=("sum of three",),
    lengths=Lengths(3, 500, 20),
    steps=lambda length: length,
    draw=three_taps,
    loss=mse,
    metric=mse_metric(0.01),
    baseline=lambda _: Baseline(2.0, 2.0, "sees the last number only: 2"),
    landmarks=lambda _: ((3.0, "always answers the mean: 3"), (1.0, "remembers one step: 1")),
    example=example,
    caution="A linear network with three units is exact: no gate is needed here.",
)

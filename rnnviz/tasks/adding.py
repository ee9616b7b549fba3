"""The adding problem, in the form of Arjovsky et al. 2016 and in that of Hochreiter & Schmidhuber 1997."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks.losses import mse
from rnnviz.tasks.metrics import mse_metric, near
from rnnviz.tasks.text import number


def adding(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Numbers from U[0,1] of which one in each half is marked; x (T,B,2), the sum asked at the end."""
    x = torch.zeros(length, batch_size, 2)
    x[..., 0] = torch.rand(length, batch_size, generator=generator)
    each = torch.arange(batch_size)
    x[torch.randint(length // 2, (batch_size,), generator=generator), each, 1] = 1
    x[torch.randint(length // 2, length, (batch_size,), generator=generator), each, 1] = 1
    y, mask = torch.zeros(length, batch_size, 1), torch.zeros(length, batch_size)
    y[-1, :, 0] = (x[..., 0] * x[..., 1]).sum(0)
    mask[-1] = 1
    return Batch(x, y, mask)


def marked(
    batch_size: int, length: int, generator: torch.Generator, low: float, neutral: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers from U[low,1] with markers, x (T,B,2), and 1 where each sequence ends, (T,B).

    A sequence has from ``length`` to ``length`` + 10 % pairs. Marked with 1 are one of the first ten pairs,
    then one of the first ``length``/2 - 1 not marked yet; then the first and the last pair get -1. A mark on
    the first pair is lost by that, so its number becomes ``neutral``.
    """
    T, each = length + length // 10, torch.arange(batch_size)
    x, ends = torch.zeros(T, batch_size, 2), torch.zeros(T, batch_size)
    x[..., 0] = low + (1 - low) * torch.rand(T, batch_size, generator=generator)
    first = torch.randint(10, (batch_size,), generator=generator)
    second = torch.randint(length // 2 - 1, (batch_size,), generator=generator)
    second = second + (second >= first)
    last = torch.randint(length - 1, T, (batch_size,), generator=generator)
    x[first, each, 1] = x[second, each, 1] = 1
    x[0, (first == 0) | (second == 0), 0] = neutral
    x[0, :, 1] = x[last, each, 1] = -1
    ends[last, each] = 1
    return x * (torch.arange(T).unsqueeze(1) <= last).unsqueeze(-1), ends


def adding_1997(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Numbers from U[-1,1], two of them marked; 0.5 + their sum/4 is asked at each sequence's end."""
    x, ends = marked(batch_size, length, generator, -1.0, 0.0)
    answer = 0.5 + (x[..., 0] * (x[..., 1] == 1)).sum(0) / 4
    return Batch(x, (ends * answer).unsqueeze(-1), ends)


def lost(length: int) -> float:
    """The probability that one of the two marks of `marked` falls on the first pair, where it is lost."""
    return 1 / 10 + 9 / 10 / (length // 2 - 1)


def baseline_1997(length: int) -> Baseline:
    """Always 0.5, the mean; X₁+X₂ is triangular on [-2,2], or uniform on [-1,1] where a mark was lost."""
    q = lost(length)
    loss = ((1 - q) * 2 / 3 + q / 3) / 16
    s = 4 * 0.04  # the error is below 0.04 where |X₁ + X₂| is below this
    right = (1 - q) * (1 - (1 - s / 2) ** 2) + q * s
    words = f"always answers the mean: {loss:.4f} (1/24, less for lost marks)"
    return Baseline(loss, right, words)


def pairs(batch: Batch, b: int) -> tuple[tuple[str, ...], list[str]]:
    """One sequence's pairs as text, ▲ at a mark and ▽ at the markers of the ends, and the marked numbers."""
    x = batch.x[:, b]
    signs = {1.0: " ▲", -1.0: " ▽", 0.0: ""}
    last = int(batch.mask[:, b].nonzero().max())
    rows: list[tuple[float, float]] = x[: last + 1].tolist()
    steps = tuple(number(value) + signs[marker] for value, marker in rows)
    return steps + ("",) * (len(x) - 1 - last), [number(value) for value, marker in rows if marker == 1]


def example_of(batch: Batch, b: int) -> Example:
    """One sequence; the answer stands where it is asked."""
    steps, found = pairs(batch, b)
    answers: list[Tensor] = list(batch.y[:, b, 0])
    targets = tuple(
        number(answer.item()) if counts else ""
        for answer, counts in zip(answers, batch.mask[:, b].tolist(), strict=True)
    )
    missing = "" if len(found) > 1 else " (the mark on the first pair is lost)"
    answer = next(text for text in targets if text)
    return Example(
        steps, targets, f"Marked: {' and '.join(found)}{missing}. Answer at the end, rounded: {answer}."
    )


ADDING = Task(
    name="adding",
    title="Adding problem",
    question="Two numbers of a long sequence are marked: what is their sum?",
    source="Arjovsky, Shah & Bengio 2016, section 5.2, after Hochreiter & Schmidhuber 1997",
    inputs=("number", "marker"),
    outputs=("sum",),
    lengths=Lengths(2, 1000, 50),
    steps=lambda length: length,
    draw=adding,
    loss=mse,
    metric=mse_metric(0.01),
    baseline=lambda _: Baseline(1 / 6, 1 / 6, "always answers the mean: 1/6"),
    landmarks=lambda _: ((1 / 12, "knows one of the two numbers: 1/12"),),
    example=example_of,
)

ADDING_1997 = Task(
    name="adding_1997",
    title="Adding problem of 1997",
    question="Two numbers of a long sequence are marked: what is their sum, whenever the sequence ends?",
    source=(
        "Hochreiter & Schmidhuber 1997, experiment 4. A number whose mark falls on the first pair counts "
        "as 0, as there for X₁; here also for X₂. Solved there: the last 2,000 sequences right and the "
        "average error below 0.01; here: every sequence judged is right"
    ),
    inputs=("number", "marker"),
    outputs=("0.5 + sum/4",),
    lengths=Lengths(20, 1000, 50, "steps, and up to a tenth more"),
    steps=lambda length: length + length // 10,
    draw=adding_1997,
    loss=mse,
    metric=Metric("sequences right within 0.04", near(0.04), True, success=1.0, percent=True),
    baseline=baseline_1997,
    example=example_of,
)

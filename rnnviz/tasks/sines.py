"""A synthetic series of two sines and noise, to be continued by one step."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Task
from rnnviz.tasks.losses import mse
from rnnviz.tasks.metrics import mse_metric
from rnnviz.tasks.text import number


@cache
def series() -> torch.Tensor:
    """Géron's 10,000 series, (51,10000): the first 7,000 to train on, the next 2,000 to judge by."""
    draw = np.random.RandomState(42)
    f1, f2, o1, o2 = draw.rand(4, 10_000, 1)
    t = np.linspace(0, 1, 51)
    values = 0.5 * np.sin((t - o1) * (f1 * 10 + 10)) + 0.2 * np.sin((t - o2) * (f2 * 20 + 20))
    values += 0.1 * (draw.rand(10_000, 51) - 0.5)
    return torch.from_numpy(values.astype(np.float32)).t().contiguous()


def continued(which: torch.Tensor) -> Batch:
    """The first 50 values of these series, x (50,B,1); the 51st is asked at the end."""
    values = series()[:, which]
    y, mask = torch.zeros(50, len(which), 1), torch.zeros(50, len(which))
    y[-1, :, 0], mask[-1] = values[50], 1
    return Batch(values[:50].unsqueeze(-1), y, mask)


def sines(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Series drawn from the 7,000 to train on."""
    return continued(torch.randint(7000, (batch_size,), generator=generator))


def judged(count: int, length: int, generator: torch.Generator) -> Batch:
    """All 2,000 series of the source's validation part, whatever ``count``, so that figures compare."""
    return continued(torch.arange(7000, 9000))


@cache
def figures() -> tuple[float, float]:
    """Mean squared errors on the validation part: of the last value, and of ordinary least squares."""
    values = series().double().numpy().T
    train, valid = values[:7000], values[7000:9000]
    weights = np.linalg.lstsq(np.c_[train[:, :50], np.ones(7000)], train[:, 50], rcond=None)[0]
    linear = np.c_[valid[:, :50], np.ones(2000)] @ weights
    errors = (valid[:, 49] - valid[:, 50], linear - valid[:, 50])
    return float(np.square(errors[0]).mean()), float(np.square(errors[1]).mean())


def baseline(_: int) -> Baseline:
    """The last value once more."""
    naive = figures()[0]
    return Baseline(naive, naive, f"repeats the last value: {naive:.4f}")


def landmarks(_: int) -> tuple[tuple[float, str], ...]:
    """What a straight regression gets, and the variance of the noise U[-0.05,0.05]."""
    linear, noise = figures()[1], 0.01 / 12
    return (
        (linear, f"ordinary least squares: {linear:.4f}"),
        (noise, f"floor: the noise cannot be known: {noise:.5f}"),
    )


def example(batch: Batch, b: int) -> Example:
    """One series."""
    steps = tuple(number(value) for value in batch.x[:, b, 0].tolist())
    answer = number(batch.y[-1, b, 0].item())
    sentence = f"The series stands at {steps[-1]} and goes on with {answer}."
    return Example(steps, ("",) * (len(steps) - 1) + (answer,), sentence)


SINES = Task(
    name="sines",
    title="Two sines and noise",
    question="Fifty values of two mixed sines and noise are known: what is the next?",
    source=(
        "Géron, Hands-On Machine Learning, 2nd edition 2019, chapter 15: NumPy seed 42, 10,000 series split "
        "7,000, 2,000 and 1,000. Solved at the 0.003 that he reports of deep networks"
    ),
    inputs=("value",),
    outputs=("next value",),
    lengths=Lengths(50, 50, 50),
    steps=lambda length: length,
    draw=sines,
    loss=mse,
    metric=mse_metric(0.003),
    baseline=baseline,
    landmarks=landmarks,
    example=example,
    validation=judged,
    parts=("from functools import cache\n\nimport numpy as np",),
    caution="Ordinary least squares on the fifty values gets 0.0029, as good as a deep recurrent network.",
)

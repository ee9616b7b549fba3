"""How answers are judged: shares of what is right, one figure a model."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor

from rnnviz.engine.task import Batch, Metric
from rnnviz.tasks.losses import mean_of_counted, mse, spread


def answers_right(output: Tensor, batch: Batch) -> Tensor:
    """The share of counted answers whose class is the largest of (T,…,B,O), (…)."""
    right = output.argmax(-1) == spread(batch.y, output.dim() - 1)
    return mean_of_counted(right.to(output.dtype), batch.mask)


def near(tolerance: float) -> Callable[[Tensor, Batch], Tensor]:
    """The share of counted numbers with an error below ``tolerance``."""

    def share(output: Tensor, batch: Batch) -> Tensor:
        close = ((output - spread(batch.y, output.dim())).abs() < tolerance).all(-1)
        return mean_of_counted(close.to(output.dtype), batch.mask)

    return share


def each_right(output: Tensor, batch: Batch) -> Tensor:
    """Whether at every counted step every legal successor is more active than every other, (…,B)."""
    assert batch.legal is not None
    legal = spread(batch.legal, output.dim())
    lowest_legal = output.where(legal, inf).amin(-1)
    highest_other = output.where(~legal, -inf).amax(-1)
    return ((lowest_legal > highest_other) | (spread(batch.mask, output.dim() - 1) == 0)).all(0)


def strings_right(output: Tensor, batch: Batch) -> Tensor:
    """The share of strings with every legal successor most active at every step, (…)."""
    return each_right(output, batch).to(output.dtype).mean(-1)


def unbroken(size: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Batch], Tensor]:
    """How far it goes without one mistake, as a share of the way to the largest string in the batch.

    ``size`` measures the strings x (T,…,B,D) -> (…,B): a string counts as solved when it and all those of
    its size and smaller are right.
    """

    def share(output: Tensor, batch: Batch) -> Tensor:
        right = each_right(output, batch)
        sizes = size(spread(batch.x, output.dim())).to(output.dtype).expand_as(right)
        smallest_wrong = torch.where(right, inf, sizes).amin(-1, keepdim=True)
        return sizes.where(sizes < smallest_wrong, 0.0).amax(-1) / sizes.amax(-1)

    return share


def mse_metric(success: float) -> Metric:
    """The mean squared error itself."""
    return Metric("mean squared error", mse, higher_is_better=False, success=success)


def accuracy(title: str, success: float) -> Metric:
    """Right classes in percent."""
    return Metric(title, answers_right, higher_is_better=True, success=success, percent=True)

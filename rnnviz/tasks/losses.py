"""What the tasks minimise: means over all answers that count, one figure a model."""

from __future__ import annotations

from torch import Tensor

from rnnviz.engine.task import Batch


def spread(value: Tensor, axes: int) -> Tensor:
    """(T,B,…) as (T,1,…,1,B,…) with so many axes: one set of sequences for a whole stack of models."""
    while value.dim() < axes:
        value = value.unsqueeze(1)
    return value


def mean_of_counted(value: Tensor, counts: Tensor) -> Tensor:
    """The mean over steps and sequences of (T,…,B), weighted; all sequences of a batch are one pool."""
    counts = spread(counts.to(value.dtype), value.dim()).expand_as(value)
    return (value * counts).sum((0, -1)) / counts.sum((0, -1))


def mse(output: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of (T,…,B,O), (…)."""
    error = output - spread(batch.y, output.dim())
    return mean_of_counted(error.square().mean(-1), batch.mask)


def cross_entropy(output: Tensor, batch: Batch) -> Tensor:
    """Mean cross-entropy in nats of the unnormalised (T,…,B,O), (…)."""
    y = spread(batch.y, output.dim() - 1).expand(output.shape[:-1])
    of_y = output.gather(-1, y.unsqueeze(-1)).squeeze(-1)
    return mean_of_counted(output.logsumexp(-1) - of_y, batch.mask)

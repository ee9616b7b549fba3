"""What the tests of tasks share: draws, answers that are right, and how far chance may carry."""

import math

import torch
from torch import Tensor

from rnnviz.engine.task import Batch, Task
from rnnviz.tasks import TASKS

MANY = 10_000


def draw(name: str, length: int | None = None, count: int = MANY, seed: int = 1) -> Batch:
    """Straight from the generator, also below the lengths that are offered."""
    task = TASKS[name]
    length = task.lengths.default if length is None else length
    return task.draw(count, length, torch.Generator().manual_seed(seed))


def perfect(batch: Batch, task: Task) -> Tensor:
    """The output of one who knows all answers, (T,B,O)."""
    if batch.legal is not None:
        return batch.legal.float() * 10 - 5
    if batch.y.dtype == torch.int64:
        return torch.nn.functional.one_hot(batch.y, task.output_size).float() * 10
    return batch.y.clone()


def agrees(values: Tensor, expected: float) -> bool:
    """Whether a mean is within five standard errors of what it should be."""
    values = values.double().flatten()
    return abs(values.mean().item() - expected) <= 5 * values.std().item() / math.sqrt(len(values)) + 1e-9


def frequent(happened: Tensor, p: float) -> bool:
    """Whether something happens as often as its probability says, within five standard errors."""
    n = happened.numel()
    return abs(happened.double().mean().item() - p) <= 5 * math.sqrt(p * (1 - p) / n) + 1e-9


def uniform(values: Tensor, low: int, high: int) -> bool:
    """Whether whole numbers take each value of [low, high) equally often, and no other."""
    inside = bool((values >= low).all() and (values < high).all())
    return inside and all(frequent(values == k, 1 / (high - low)) for k in range(low, high))


def spelled(batch: Batch, names: str, b: int) -> str:
    """The symbols of one string's input."""
    steps = int(batch.mask[:, b].sum())
    return "".join(names[k] for k in batch.x[:steps, b].argmax(-1).tolist())

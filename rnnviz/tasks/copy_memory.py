"""The copy memory task."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks.losses import cross_entropy, mean_of_counted, spread
from rnnviz.tasks.text import asked, symbols

K, A = 10, 8  # symbols to remember, of an alphabet of so many
LETTERS = "abcdefgh"
BLANK, DELIMITER = "·", "▸"


def copy_memory(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """K symbols, ``length`` - 1 blanks, a delimiter, K blanks; x (T,B,A+2), the symbols asked at the end."""
    first = torch.randint(A, (K, batch_size), generator=generator)
    seen = torch.full((length + 2 * K, batch_size), A)
    seen[:K], seen[K + length - 1] = first, A + 1
    y = torch.full((length + 2 * K, batch_size), A)
    y[-K:] = first
    x = torch.nn.functional.one_hot(seen, A + 2).float()
    return Batch(x, y, torch.ones(length + 2 * K, batch_size))


def symbols_right(output: Tensor, batch: Batch) -> Tensor:
    """The share of the K symbols that is recalled right, (…); blanks do not count."""
    y = spread(batch.y, output.dim() - 1)
    right = (output.argmax(-1) == y).to(output.dtype)
    return mean_of_counted(right, (y < A) & (spread(batch.mask, y.dim()) != 0))


def baseline(length: int) -> Baseline:
    """Blanks until the delimiter, then any symbol."""
    loss = K * log(A) / (length + 2 * K)
    words = f"blank until the delimiter, then guesses: {K} ln {A}/{length + 2 * K} = {loss:.4f}"
    return Baseline(loss, 1 / A, words)


def example(batch: Batch, b: int) -> Example:
    """One sequence."""
    steps = symbols(batch.x[:, b], (*LETTERS, BLANK, DELIMITER))
    sentence = f"After the {DELIMITER}, repeat what stood at the beginning: {''.join(steps[:K])}."
    return Example(steps, asked(batch, b, (*LETTERS, BLANK)), sentence)


COPY = Task(
    name="copy",
    title="Copy memory",
    question="Which ten symbols stood at the beginning, in their order, after a long wait?",
    source="Arjovsky, Shah & Bengio 2016, section 5.1, after Hochreiter & Schmidhuber 1997",
    inputs=(*LETTERS, "blank", "delimiter"),
    outputs=(*LETTERS, "blank"),
    lengths=Lengths(1, 1000, 20, "steps to wait"),
    steps=lambda length: length + 2 * K,
    draw=copy_memory,
    loss=cross_entropy,
    metric=Metric("symbols recalled", symbols_right, higher_is_better=True, success=0.99, percent=True),
    baseline=baseline,
    example=example,
    parts=(f"K, A = {K}, {A}",),
)

"""The Dyck languages: balanced brackets of one kind or of two."""

from __future__ import annotations

from functools import partial
from math import comb, log

import torch
from torch import Tensor

from rnnviz.engine.task import Baseline, Batch, Example, Lengths, Metric, Task
from rnnviz.tasks.losses import cross_entropy
from rnnviz.tasks.metrics import unbroken
from rnnviz.tasks.text import next_symbols, symbols

BRACKETS = "()[]"


def walks(batch_size: int, pairs: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Steps +1 and -1 of uniformly drawn balanced strings, (2 pairs,B), and how many pairs each has, (B).

    The number of pairs n is uniform. Of n steps up and n + 1 down in any order exactly one rotation is
    balanced up to its last step: the one that starts behind the first lowest point (cycle lemma).
    """
    n = torch.randint(1, pairs + 1, (batch_size,), generator=generator)
    t = torch.arange(2 * pairs + 1).unsqueeze(1)
    beyond = t > 2 * n
    order = torch.rand(2 * pairs + 1, batch_size, generator=generator).masked_fill(beyond, 2.0).argsort(0)
    step = torch.full_like(order, -1).scatter_(0, order, torch.where(t < n, 1, -1))
    lowest = step.cumsum(0).masked_fill(beyond, pairs).argmin(0)
    step = step.gather(0, (lowest + 1 + t) % (2 * n + 1))
    return step.masked_fill(t >= 2 * n, 0)[:-1], n


def dyck(batch_size: int, pairs: int, generator: torch.Generator, kinds: int) -> Batch:
    """Balanced strings of brackets, each pair of a random kind; x (T,B,1+2 kinds), the next symbol asked.

    Inputs are the start and the brackets, outputs the brackets and the end. Legal is what the language
    allows: any opening one always, the closing one of the innermost pair, and the end outside of all.
    """
    step, n = walks(batch_size, pairs, generator)
    fresh = torch.randint(kinds, step.shape, generator=generator)
    depth, each = step.cumsum(0), torch.arange(batch_size)
    level = torch.where(step < 0, depth + 1, depth)  # of the pair that a bracket belongs to
    stack = torch.zeros(pairs + 1, batch_size, dtype=torch.int64)
    kind, inmost = torch.zeros_like(step), torch.zeros_like(step)
    for t in range(2 * pairs):
        kind[t] = torch.where(step[t] > 0, fresh[t], stack[level[t], each])
        stack[level[t], each] = kind[t]
        inmost[t] = stack[depth[t], each]

    y = torch.full((2 * pairs + 1, batch_size), 2 * kinds)
    y[:-1] = torch.where(step == 0, 2 * kinds, 2 * kind + (step < 0))
    there = torch.arange(2 * pairs + 1).unsqueeze(1) <= 2 * n
    legal = torch.zeros(2 * pairs + 1, batch_size, 2 * kinds + 1, dtype=torch.bool)
    legal[1:].scatter_(2, (2 * inmost + 1).unsqueeze(-1), (depth > 0).unsqueeze(-1))
    legal[..., 0:-1:2] = True
    legal[0, :, -1] = False  # the empty string is left out
    legal[1:, :, -1] = depth == 0
    seen = torch.cat([torch.zeros(1, batch_size, dtype=torch.int64), (1 + y[:-1]) * there[1:]])
    x = torch.nn.functional.one_hot(seen, 2 * kinds + 1) * there.unsqueeze(-1)
    return Batch(x.float(), y * there, there.float(), legal & there.unsqueeze(-1))


def dyck1(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """One kind of bracket, 1 to ``length`` pairs."""
    return dyck(batch_size, length, generator, 1)


def dyck2(batch_size: int, length: int, generator: torch.Generator) -> Batch:
    """Two kinds of brackets, 1 to ``length`` pairs."""
    return dyck(batch_size, length, generator, 2)


def depth(x: Tensor) -> Tensor:
    """The deepest nesting of each string (T,…,B,D), (…,B)."""
    return (x[..., 1::2].sum(-1) - x[..., 2::2].sum(-1)).cumsum(0).amax(0)


def baseline(kinds: int, length: int) -> Baseline:
    """The symbol just read and no stack.

    Of n pairs drawn uniformly (n+1)/2 opening brackets are followed by a closing one on average (Narayana),
    hence (n-1)/2 by an opening one; closing ones by (n-1)/2 of each, and one by the end.
    """
    n = (length + 1) / 2
    a, b = (n - 1) / 2, (n + 1) / 2
    opening = a * log(kinds * n / a) + b * log(n / b)
    closing = 2 * a * log(kinds * n / a) + log(n)
    loss = (log(kinds) + opening + closing) / (2 * n + 1)
    return Baseline(loss, 0.0, f"knows the last symbol but not the depth: {loss:.4f}")


def landmarks(kinds: int, length: int) -> tuple[tuple[float, str], ...]:
    """The entropy of a string by the mean number of predictions; there are Catalan(n) for n pairs."""
    catalan = (comb(2 * n, n) // (n + 1) for n in range(1, length + 1))
    entropy = log(length) + sum(log(c) for c in catalan) / length + (length + 1) / 2 * log(kinds)
    floor = entropy / (length + 2)
    return ((floor, f"floor: knows everything that can be known: {floor:.4f}"),)


def example(kinds: int, batch: Batch, b: int) -> Example:
    """One string."""
    inputs, outputs = ("S", *BRACKETS[: 2 * kinds]), (*BRACKETS[: 2 * kinds], "T")
    text = "".join(symbols(batch.x[:, b], inputs))[1:]
    sentence = (
        f"{text} is nested {int(depth(batch.x[:, b]))} deep; each bracket must close the one last opened."
    )
    return next_symbols(batch, b, inputs, outputs, sentence)


METRIC = Metric("deepest nesting solved, of the deepest tested", unbroken(depth), True, 1.0, percent=True)
SOURCE = (
    "Chomsky & Schützenberger 1963; for recurrent networks Suzgun et al. 2019. Here all strings of n pairs "
    "are equally likely, n uniform; a depth is solved when at every step of all strings up to it all legal "
    "symbols are the most active"
)

DYCK1 = Task(
    name="dyck1",
    title="Dyck-1",
    question="Brackets open and close: which may come next, and when may the string end?",
    source=SOURCE,
    inputs=("S", "(", ")"),
    outputs=("(", ")", "T"),
    lengths=Lengths(6, 100, 12, "pairs of brackets at most"),
    steps=lambda length: 2 * length + 1,
    draw=dyck1,
    loss=cross_entropy,
    metric=METRIC,
    baseline=partial(baseline, 1),
    landmarks=partial(landmarks, 1),
    example=partial(example, 1),
    caution="A counter is enough for one kind of bracket; only two kinds need a stack.",
)

DYCK2 = Task(
    name="dyck2",
    title="Dyck-2",
    question="Two kinds of brackets open and close: which one must close next, and when may the string end?",
    source=SOURCE,
    inputs=("S", *BRACKETS),
    outputs=(*BRACKETS, "T"),
    lengths=Lengths(6, 100, 12, "pairs of brackets at most"),
    steps=lambda length: 2 * length + 1,
    draw=dyck2,
    loss=cross_entropy,
    metric=METRIC,
    baseline=partial(baseline, 2),
    landmarks=partial(landmarks, 2),
    example=partial(example, 2),
)

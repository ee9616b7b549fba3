"""What a memory task is: sequences to draw, what is asked of them, and how well one does without memory.

Axes: time first, batch last but one of what has features. Losses and metrics take any axes in between, so
that a stack of K models, each on its own sequences, is measured at once: ``(T, …, B, O)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Generator, Tensor

from rnnviz.engine import check


@dataclass(frozen=True)
class Batch:
    """Sequences and what is asked of them.

    Attributes:
        x: the input, (T,B,D), float32.
        y: the target at each step: classes (T,B), int64, or numbers (T,B,O), float32; anything where the
            mask is 0.
        mask: 1 where an answer counts and 0 elsewhere, (T,B), float32; at least one 1 a batch.
        legal: for next-symbol tasks which symbols may follow, (T,B,O), bool; None elsewhere.
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    legal: Tensor | None = None


@dataclass(frozen=True)
class Lengths:
    """What a task's length can be, and what it counts (``what`` completes "length: …")."""

    low: int
    high: int
    default: int
    what: str = "steps"


@dataclass(frozen=True)
class Metric:
    """How an answer is judged, as the source judges it.

    Attributes:
        title: with its unit, as an axis says it: ``"sequences right"``.
        of: ``(output (T,…,B,O), batch) -> (…)``, the figure for each model.
        higher_is_better: the direction of success.
        success: the figure at which the task counts as solved, the source's own where it has one.
        percent: whether people read it as a percentage of 1.
    """

    title: str
    of: Callable[[Tensor, Batch], Tensor]
    higher_is_better: bool
    success: float
    percent: bool = False

    def reached(self, value: float, goal: float) -> bool:
        """Whether a figure is at or past a goal; NaN never is."""
        return value >= goal if self.higher_is_better else value <= goal


@dataclass(frozen=True)
class Baseline:
    """What a model without memory gets at best.

    Attributes:
        loss, metric: its loss and its metric.
        words: what it does, and the figure as people write it: ``"always answers the mean: 1/6"``.
    """

    loss: float
    metric: float
    words: str


@dataclass(frozen=True)
class Example:
    """One sequence as a person reads it.

    Attributes:
        steps: what stands at each step, T short strings.
        targets: what is asked at each step, T short strings, empty where nothing is.
        sentence: what must be remembered, in one sentence about this very sequence.
    """

    steps: tuple[str, ...]
    targets: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Task:
    """A memory task.

    Attributes:
        name, title: key in ``TASKS`` and what a lecturer calls it.
        question: what has to be remembered and for how long, one sentence.
        source: the paper, and what differs from it.
        inputs, outputs: what each of the D input features and O output values is called.
        lengths: what `batch`'s ``length`` can be.
        steps: ``length -> T``, the number of steps of its longest sequence.
        draw: ``(batch_size, length, generator) -> Batch``; every random number from the generator.
        loss: ``(output (T,…,B,O), batch) -> (…)``, what is minimised.
        metric: how it is judged.
        baseline: ``length -> Baseline``.
        example: ``(batch, b) -> Example``: sequence b of a batch.
        validation: ``(count, length, generator) -> Batch`` where the judge asks for other sequences than
            those trained on, as longer ones; `draw` where None.
        landmarks: ``length -> ((loss, words), …)``: further levels of the loss worth a line, e.g. what one
            gets who knows one of two numbers.
        parts: source lines that ``draw`` counts on beside functions, such as constants.
        caution: what a result on this task does not show, or "".
    """

    name: str
    title: str
    question: str
    source: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    lengths: Lengths
    steps: Callable[[int], int]
    draw: Callable[[int, int, Generator], Batch] = field(compare=False, repr=False)
    loss: Callable[[Tensor, Batch], Tensor] = field(compare=False, repr=False)
    metric: Metric = field(compare=False, repr=False)
    baseline: Callable[[int], Baseline] = field(compare=False, repr=False)
    example: Callable[[Batch, int], Example] = field(compare=False, repr=False)
    validation: Callable[[int, int, Generator], Batch] | None = field(default=None, compare=False, repr=False)
    landmarks: Callable[[int], tuple[tuple[float, str], ...]] = field(
        default=lambda _: (), compare=False, repr=False
    )
    parts: tuple[str, ...] = field(default=(), compare=False, repr=False)
    caution: str = ""

    @property
    def input_size(self) -> int:
        """D."""
        return len(self.inputs)

    @property
    def output_size(self) -> int:
        """O."""
        return len(self.outputs)

    def batch(self, batch_size: int, length: int, generator: Generator) -> Batch:
        """Draw sequences.

        Args:
            batch_size: B, at least 1.
            length: within ``lengths``.
            generator: where every random number comes from.

        Raises:
            ValueError: naming the field, its value and what is allowed.
        """
        self.check(batch_size, length)
        return self.draw(batch_size, length, generator)

    def fixed(self, count: int, length: int, generator: Generator) -> Batch:
        """Sequences to judge by: `validation`'s, else drawn like those trained on; raises as `batch`."""
        self.check(count, length)
        return (self.validation or self.draw)(count, length, generator)

    def check(self, batch_size: int, length: int) -> None:
        """Refuse what `batch` cannot draw, as it does."""
        check.whole("batch_size", batch_size, 1)
        low, high = self.lengths.low, self.lengths.high
        if isinstance(length, bool) or not isinstance(length, int) or not low <= length <= high:
            raise ValueError(f"length is {length!r}; {self.title} allows {low} to {high} {self.lengths.what}")

"""A quantity of a run over training, in few enough points to be drawn, and the figures of its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Columns

if TYPE_CHECKING:
    from rnnviz.engine.learning import Learning
    from rnnviz.engine.train import Divergence

Floats = NDArray[np.float64]
Steps = NDArray[np.int64]

MOST = 160  # points a curve: more cannot be told apart on a slide, and cost the browser


@dataclass(frozen=True)
class Course:
    """One quantity of one run in P points, K seeds.

    Attributes:
        run: whose it is.
        first, last: the training steps whose mean a point is, (P,).
        values: (P,K), at least 0; NaN where a seed has none.
    """

    run: Learning
    first: Steps
    last: Steps
    values: Floats

    @cached_property
    def title(self) -> str:
        """What a lecturer calls the cell; asked once, for it builds the whole spec."""
        return self.run.config.spec.title

    @property
    def x(self) -> Floats:
        """Where its points stand, (P,)."""
        return (self.first + self.last) / 2


def points_of(counts: Sequence[int]) -> int:
    """How many steps a point is the mean of, 1, 2, 5, 10, …, so that no curve has more than `MOST` points."""
    longest, n = max(counts, default=0), 1
    while longest > MOST * n:
        n = n * 5 // 2 if str(n)[0] == "2" else n * 2
    return n


def course(run: Learning, steps: Steps, values: Floats, n: int) -> Course:
    """A quantity (N,K) at steps (N,) in means over n of them; the last mean may be over fewer."""
    starts = np.arange(0, len(steps), n)
    ends = np.minimum(starts + n, len(steps)) - 1
    return Course(run, steps[starts], steps[ends], _means(values, starts))


def averaged(caption: str, n: int, what: str = "steps") -> str:
    """The caption, with how many steps make a point where it is more than one."""
    return f"{caption} · each point: the mean of {n} {what}" if n > 1 else caption


def middle(values: Floats) -> Floats:
    """The median over the seeds that have a value, (P,K) -> (P,); NaN where none has."""
    alive = np.maximum((~np.isnan(values)).sum(1), 1)
    ranked = np.sort(values, axis=1)  # NaN last
    rows = np.arange(len(values))
    below = ranked[rows, (alive - 1) // 2]
    with np.errstate(invalid="ignore"):  # ∞ - ∞
        half = np.where(alive % 2, 0.0, ranked[rows, alive // 2] - below) / 2
    return np.where(np.isinf(below), below, below + half)  # type: ignore[no-any-return]


def long_table(runs: Sequence[Learning], name: str, steps: Sequence[Steps], values: Sequence[Any]) -> Columns:
    """One row a record: cell, seed, step and the value; ``values`` (N,K) a run."""
    seeds = [run.config.seeds for run in runs]
    counts = [len(s) * len(own) for s, own in zip(steps, seeds, strict=True)]
    return {
        "cell": np.repeat(np.array([run.config.cell for run in runs], dtype=str), counts),
        "seed": _joined([np.tile(own, len(s)) for s, own in zip(steps, seeds, strict=True)]),
        "step": _joined([np.repeat(s, len(own)) for s, own in zip(steps, seeds, strict=True)]),
        name: _joined([v.ravel() for v in values]),
    }


def say(value: float, percent: bool = False) -> str:
    """A value as people read it."""
    if value == 0 and not percent:
        return "exactly 0"
    return f"{100 * value:.3g} %" if percent else f"{value:.3g}"


def point_words(c: Course, percent: bool) -> list[str]:
    """What each point with a value is, as a tooltip says it."""
    alive, K = ~np.isnan(c.values).all(1), c.values.shape[1]
    values = c.values[alive]
    figures = [middle(values), np.nanmin(values, axis=1), np.nanmax(values, axis=1)]
    spoken = []
    for a, b, *three in zip(c.first[alive].tolist(), c.last[alive].tolist(), *figures, strict=True):
        m, low, high = (say(value, percent) for value in three)
        when = f"step {a}" if a == b else f"steps {a} to {b}"
        spoken.append(f"{c.title}, {when}: " + (f"median {m}, seeds {low} to {high}" if K > 1 else m))
    return spoken


def last_words(c: Course, percent: bool) -> str:
    """Where a course stands now, in words."""
    there = np.flatnonzero(~np.isnan(c.values).all(1))
    if not len(there):
        return f"{c.title}: nothing yet"
    own = c.values[there[-1]]
    own, K = own[~np.isnan(own)], len(own)
    low, m, high = (say(float(v), percent) for v in (own.min(), middle(own[None])[0], own.max()))
    seeds = f", {len(own)} of {K} seeds from {low} to {high}" if K > 1 else ""
    gone = f", {len(c.run.diverged)} diverged" if c.run.diverged else ""
    return f"{c.title} {m} at step {c.last[there[-1]]}{seeds}{gone}"


def divergence_words(run: Learning, d: Divergence) -> str:
    """Which model went out of bounds, when, and how large its gradient was at the update before."""
    before = f"; gradient norm before it {d.grad_norm_before:.3g}" if d.step > 1 else ""
    return f"{run.config.spec.title}, seed {d.seed}: {d.what} at step {d.step}{before}"


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.array([])


def _means(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Means of the rows from one start to the next over what is not NaN, (N,K) -> (P,K)."""
    if len(starts) == len(values):
        return values
    there = ~np.isnan(values)
    counts = np.add.reduceat(there.astype(np.int64), starts, axis=0)
    weights = np.repeat(1 / np.maximum(counts, 1), np.diff(np.append(starts, len(values))), axis=0)
    # Divided before they are summed: the sum of what is near the end of floats would be infinite.
    means = np.add.reduceat(np.where(there, values, 0) * weights, starts, axis=0)
    return np.where(counts > 0, means, np.nan)

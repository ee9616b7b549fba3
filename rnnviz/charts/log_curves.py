"""Norms over lag on a log axis: what a line is, and how a picture of them is set up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Columns

# How a line is dashed: by the state it shows, or by what else it is.
STYLES = {
    "h": [1, 0],
    "c": [6, 4],
    "full": [1, 0],
    "direct": [3, 4],
    "float64": [4, 3],
    "bound": [2, 3],
    "measured": [9, 3, 2, 3],
}
SMALLEST_NORMAL = float(np.log10(np.finfo(np.float32).tiny))
SMALLEST = float(np.log10(np.finfo(np.float32).smallest_subnormal))
LOST_FLOOR = -75  # of the axis where float64 shows what float32 lost
LIMITS = {
    SMALLEST_NORMAL: "1.2e-38: the smallest float32 of full precision",
    SMALLEST: "1.4e-45: the smallest float32",
}


@dataclass(frozen=True)
class Curve:
    """One line.

    Attributes:
        cell, cell_title: whose it is: key and name.
        state: of what: the state's name.
        steps_back: T - t, (N,).
        log_norm: natural logarithm of the norm, (N,); -inf for an exact zero.
        style: how it is drawn, a name in ``STYLES``; as its state is unless said.
        called: at its end and in words; after cell and state unless said.
        thin: a line that others are held against.
        quiet: whether its end bears no name.
    """

    cell: str
    cell_title: str
    state: str
    steps_back: NDArray[np.int64]
    log_norm: NDArray[np.float64]
    style: str = ""
    called: str = ""
    thin: bool = False
    quiet: bool = False

    @property
    def log10(self) -> NDArray[np.float64]:
        """The norm's logarithm to base 10, (N,)."""
        return self.log_norm / log(10)

    @property
    def name(self) -> str:
        """As it is written at the line's end."""
        return self.called or f"{self.cell_title} {self.state}".strip()

    @property
    def zero_from(self) -> int | None:
        """From how many steps back on all the rest is exactly 0; None where the last is not."""
        order = np.argsort(self.steps_back)
        alive = np.flatnonzero(~np.isneginf(self.log_norm[order]))
        first = alive[-1] + 1 if len(alive) else 0
        return None if first == len(order) else int(self.steps_back[order][first])

    def at(self, steps_back: int) -> float:
        """log₁₀ of the norm so many steps back."""
        return float(self.log10[np.flatnonzero(self.steps_back == steps_back)[0]])


@dataclass(frozen=True)
class Setting:
    """How a picture's axis is set up.

    Attributes:
        one: whether the line at 1, and where it is crossed, are marked.
        floor: the axis ends at 10 to this; what is smaller is a triangle there.
        limits: log₁₀ -> words: lines that name what a kind of number can hold; drawn where it is reached.
        lost: (cell, state) -> the same curve in float64, of which a zero is an underflow.
    """

    one: bool = False
    floor: int = log_axis.FLOOR
    limits: Mapping[float, str] = field(default_factory=dict)
    lost: Mapping[tuple[str, str], Curve] = field(default_factory=dict)


PLAIN = Setting()


def crossings(log_norm: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices k where a curve is on the other side of 1 than at k - 1."""
    return np.flatnonzero(np.diff(log_norm > 0)) + 1


def table_of(curves: Sequence[Curve], **more: str) -> Columns:
    """Every curve's numbers, one below the other; ``more`` are columns that say one thing of all."""
    counts = [len(curve.steps_back) for curve in curves]
    logs = np.concatenate([curve.log_norm for curve in curves])
    with np.errstate(over="ignore"):  # infinite where floats end; the logarithm beside it goes on
        norms = np.exp(logs)
    return {
        "cell": np.repeat([curve.cell for curve in curves], counts),
        "state": np.repeat([curve.state for curve in curves], counts),
        **{name: np.full(sum(counts), value) for name, value in more.items()},
        "steps_back": np.concatenate([curve.steps_back for curve in curves]),
        "norm": norms,
        "log10_norm": logs / log(10),
    }

"""Lyapunov exponents: by how much small changes of the state grow or fade a step, a direction a dot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, isfinite, log
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import CELL, domain

NAMES = ("kind", "cell", "k", "place", "label")
SHAPES = ("circle", "square", "triangle-up")
FORMULA = Formula(
    r"\lambda_k = \frac{1}{T} \sum_{t=1}^{T} \ln \left| (R_t)_{kk} \right|,\quad J_t Q_{t-1} = Q_t R_t",
    "λₖ = (1/T) Σₜ ln |(Rₜ)ₖₖ|, Jₜ Qₜ₋₁ = Qₜ Rₜ",
)


@dataclass(frozen=True)
class Exponents:
    """Of one cell.

    Attributes:
        cell, title: its key and name.
        values: λ_1 … λ_K per step, natural logarithm, (K,), descending; -inf where a direction is lost.
        size: S, how many there are altogether.
    """

    cell: str
    title: str
    values: NDArray[np.float64]
    size: int

    @property
    def first(self) -> float:
        """λ₁."""
        return float(self.values[0])

    @property
    def dimension(self) -> float | None:
        """The Kaplan–Yorke dimension; None where it takes more exponents than there are here.

        0 where λ₁ < 0. Source: Kaplan & Yorke 1979; for recurrent networks Engelken, Wolf & Abbott 2023.
        """
        sums = np.cumsum(self.values)
        below = np.flatnonzero(~(sums >= 0))
        if not len(below):
            return float(self.size) if len(self.values) == self.size else None
        j = int(below[0])
        return 0.0 if j == 0 else j + float(sums[j - 1]) / abs(float(self.values[j]))

    @property
    def meaning(self) -> str:
        """λ₁ in words."""
        value = self.first
        if np.isnan(value):
            return "λ₁ is not a number: the run has left the numbers"
        if value == -inf:
            return "λ₁ = −∞: a small change is gone altogether"
        said = f"λ₁ = {signed(value)} a step"
        if value < 0:
            return f"{said}: small changes vanish, by a factor e every {-1 / value:.3g} steps"
        if value == 0:
            return f"{said}: small changes neither vanish nor grow"
        doubling = f"small changes grow, doubling every {log(2) / value:.3g} steps"
        return f"{said}: {doubling}; where the states stay bounded, chaos"


def exponents(cells: Sequence[Exponents], caption: str) -> Figure:
    """λ_k against k, a shape and colour a cell, with a line at 0.

    Args:
        cells: at most three.
        caption: the configuration and seed.
    """
    finite = [v for one in cells for v in one.values.tolist() if isfinite(v)] or [0.0]
    low, high = min(*finite, 0.0), max(*finite, 0.0)
    span = max(high - low, 0.01)
    lane = low - 0.12 * span
    rows = Rows(NAMES)
    for one in cells:
        places = np.where(np.isneginf(one.values), lane, one.values)
        rows.add(
            len(places),
            kind="dot",
            cell=one.cell,
            k=list(range(1, len(places) + 1)),
            place=places.tolist(),
            label=[f"{one.title}, λ_{k} = {signed(v)} a step" for k, v in enumerate(one.values.tolist(), 1)],
        )
    if any(np.isneginf(one.values).any() for one in cells):
        rows.add(1, kind="lane", place=lane, label="−∞: lost altogether")
    rows.add(1, kind="zero", place=0.0, label="0: as large as before")
    _add_names(rows, cells, gap=1.12 * span / 15)
    title = "Do small changes of the state grow or fade, and in how many directions?"
    said = "; ".join(f"{one.title}: {one.meaning}" for one in cells)
    return Figure(
        stem="lyapunov",
        title=title,
        caption=f"natural logarithm per step (nats) · {caption}",
        description=f"{title} Lyapunov exponents, largest first, with a line at 0. {said}.",
        spec=_skeleton(),
        data=rows.columns,
        table={
            "cell": np.repeat([one.cell for one in cells], [len(one.values) for one in cells]),
            "k": np.concatenate([np.arange(1, len(one.values) + 1) for one in cells]),
            "exponent": np.concatenate([one.values for one in cells]),
        },
        formula=FORMULA,
    )


def _add_names(rows: Rows, cells: Sequence[Exponents], gap: float) -> None:
    """Each cell's name beside its last dot, moved apart where they meet."""
    columns = rows.columns
    dots = [
        (cell, k, place) for cell, k, place in zip(*(columns[n] for n in ("cell", "k", "place")), strict=True)
    ]
    ends = {one.cell: [dot for dot in dots if dot[0] == one.cell][-1] for one in cells}
    known = [one for one in cells if np.isfinite(ends[one.cell][2])]
    moved = log_axis.spread(np.array([ends[one.cell][2] for one in known]), gap).tolist()
    for one, place in zip(known, moved, strict=True):
        rows.add(1, kind="end", cell=one.cell, k=ends[one.cell][1], place=place, label=one.title)


def signed(value: float) -> str:
    """A number with its sign as typeset.

    >>> signed(-0.25), signed(2.0), signed(float("-inf"))
    ('−0.25', '2', '−∞')
    """
    if np.isnan(value):
        return "not a number"
    sign = "−" if value < 0 else ""
    return sign + (f"{abs(value):.3g}" if isfinite(value) else "∞")


@cache
def _skeleton() -> dict[str, Any]:
    cells = list(CELL)
    x = alt.X("k:Q", title="k, largest first").scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = alt.Y("place:Q", title="λₖ per step").scale(zero=False, nice=False).axis(tickCount=6)
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, cells))
    shape = alt.Shape("cell:N", legend=None).scale(domain=cells, range=list(SHAPES))
    text = "label:N"
    layers = [
        of("zero").mark_rule(strokeWidth=2).encode(y=y),
        of("zero").mark_text(align="right", dy=-10).encode(x=alt.value("width"), y=y, text=text),
        of("lane").mark_rule(strokeDash=[2, 3]).encode(y=y),
        of("lane").mark_text(align="left", dx=6, dy=-10).encode(x=alt.value(0), y=y, text=text),
        of("dot")
        .mark_point(filled=True, size=55, opacity=0.85)
        .encode(x=x, y=y, color=color, shape=shape, tooltip=alt.Tooltip(text, title=" ")),
        of("end")
        .mark_text(align="left", dx=12, fontWeight=600, fontSize=15)
        .encode(x=x, y=y, text=text, color=color),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

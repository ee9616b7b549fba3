"""Lines on a log axis, told apart by what was done to a gradient: their rows, and the layers that draw them.

No point is dropped: what lies beyond the axis is a triangle at its end, and an exact zero, which has no place
on a log axis, a cross in a lane below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Columns
from rnnviz.charts.rows import MARKS, Rows, of
from rnnviz.charts.theme import REMEDY, domain

POINTS = ("remedy", "x", "place", "piece", "width")
NAMES = ("kind", "remedy", "x", "place", "beyond", "label")
DASHES = {
    "plain": [1, 0],
    "window": [9, 3],
    "norm": [6, 4],
    "value": [1, 0],
    "residual": [10, 3, 2, 3],
    "forget": [4, 2],
    "chrono": [14, 4],
}
# A line that others are held against is broad, so that it is seen on both sides of one that lies on it.
BROAD, NARROW = 5.0, 2.5


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        remedy: what was done, a name in ``REMEDY``.
        name: as written at its end.
        x: where, (N,), increasing.
        logs: natural logarithm of what is shown there, (N,); -inf for an exact zero.
    """

    remedy: str
    name: str
    x: NDArray[np.float64]
    logs: NDArray[np.float64]

    @property
    def log10(self) -> NDArray[np.float64]:
        """The logarithm to base 10, (N,)."""
        return self.logs / log(10)

    @property
    def numbers(self) -> list[str]:
        """What is shown, as the pointer reads it, (N,)."""
        return [log_axis.number(power) for power in self.log10.tolist()]


def add_lines(marks: Rows, lines: Sequence[Line], also: Sequence[float] = ()) -> Columns:
    """The lines' points; into ``marks`` go their names, the axis with its ticks and what lies beyond.

    Args:
        marks: with the columns ``NAMES`` at least.
        lines: in the order in which they are drawn; one that is ``plain`` is broad.
        also: log₁₀ of further values that the axis must hold.
    """
    points = Rows(POINTS)
    places = [np.clip(line.log10, log_axis.FLOOR, log_axis.CEILING) for line in lines]
    shown = np.concatenate([p[~np.isneginf(line.log10)] for p, line in zip(places, lines, strict=True)])
    finite = [*shown[np.isfinite(shown)].tolist(), *also] or [0.0]
    low, high = min(finite), max(finite)
    pitch = max(high - low, 1.0) / 20
    lanes = _lanes(lines, low, pitch)
    ends = []
    for line, at in zip(lines, places, strict=True):
        zero = np.isneginf(line.log10)
        lane = lanes.get(line.remedy, np.nan)
        at = np.where(zero, lane, at)
        ends.append(_end(at, zero))
        _add_line(points, marks, line, at, zero)
    known = [k for k, end in enumerate(ends) if np.isfinite(end)]
    bottom = min([low, *lanes.values()])
    moved = log_axis.spread(np.array([ends[k] for k in known]), max(high - bottom, 0.01) / 14).tolist()
    for k, place in zip(known, moved, strict=True):
        x = float(lines[k].x[-1])
        marks.add(1, kind="end", remedy=lines[k].remedy, x=x, place=place, label=lines[k].name)
    _add_axis(marks, low, high)
    if lanes:
        marks.add(1, kind="lane", place=max(lanes.values()) + 0.6 * pitch, label="exactly 0")
        marks.add(1, kind="deepest", place=bottom - 0.5 * pitch)
    return points.columns


def _lanes(lines: Sequence[Line], low: float, pitch: float) -> dict[str, float]:
    """Where zeros stand: one lane below the other, but one for all that are 0 at one place alone."""
    lanes: dict[str, float] = {}
    alone, k = None, 0
    for line in lines:
        zeros = int(np.isneginf(line.logs).sum())
        if zeros == 1 and alone is not None:
            lanes[line.remedy] = alone
        elif zeros:
            lanes[line.remedy] = low - (k + 1.8) * pitch
            alone = lanes[line.remedy] if zeros == 1 else alone
            k += 1
    return lanes


def _end(places: NDArray[np.float64], zero: NDArray[np.bool_]) -> float:
    """Where a line's name belongs: at its last number, or in its lane where it ends in several zeros."""
    numbers = np.flatnonzero(np.isfinite(places) & ~zero)
    if len(numbers) and len(places) - 1 - numbers[-1] <= 1:
        return float(places[numbers[-1]])
    seen = np.flatnonzero(np.isfinite(places))
    return float(places[seen[-1]]) if len(seen) else np.nan


def _add_line(
    points: Rows, marks: Rows, line: Line, places: NDArray[np.float64], zero: NDArray[np.bool_]
) -> None:
    """A line, and a mark for each of its points that is none of it: alone, zero, beyond."""
    points.add(
        len(places),
        remedy=line.remedy,
        x=line.x.tolist(),
        place=np.where(zero, np.nan, places).tolist(),
        piece=np.cumsum(zero).tolist(),
        width=BROAD if line.remedy == "plain" else NARROW,
    )
    drawn = np.isfinite(places) & ~zero
    alone = drawn & ~(np.append(False, drawn[:-1]) | np.append(drawn[1:], False))
    side = np.where(zero, "", log_axis.beyond(line.log10))
    for kind, which in (
        ("zero", zero),
        ("alone", alone),
        ("below", side == "below"),
        ("above", side == "above"),
    ):
        marks.add(
            int(which.sum()),
            kind=kind,
            remedy=line.remedy,
            x=line.x[which].tolist(),
            place=places[which].tolist(),
            beyond=kind if kind in ("below", "above") else None,
        )


def _add_axis(marks: Rows, low: float, high: float) -> None:
    edges = {
        "below": (log_axis.FLOOR, f"< 1e{log_axis.FLOOR}"),
        "above": (log_axis.CEILING, f"> 1e{log_axis.CEILING}"),
    }
    for side, (place, label) in edges.items():
        if side in marks.columns["beyond"]:
            marks.add(1, kind="edge", place=float(place), label=label)
    ticks = log_axis.ticks(low, high)
    marks.add(len(ticks), kind="tick", place=list(ticks), label=list(ticks.values()))


def line_layers(x: alt.X, y_title: str) -> list[alt.Chart]:
    """The layers for what `add_lines` adds."""
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    names = list(REMEDY)
    color = alt.Color("remedy:N", legend=None).scale(domain=domain(REMEDY, names))
    dash = alt.StrokeDash("remedy:N", legend=None).scale(domain=names, range=[DASHES[n] for n in names])
    width = alt.StrokeWidth("width:Q", legend=None).scale(None)
    text, left = "label:N", alt.value(0)
    return [
        *log_axis.tick_layers(y_title, y, MARKS),
        of("deepest", MARKS).mark_rule(opacity=0).encode(y=y),
        alt.Chart()
        .mark_line(opacity=0.85)
        .encode(x=x, y=y, color=color, strokeDash=dash, strokeWidth=width, detail="piece:N"),
        of("alone", MARKS).mark_point(filled=True, size=50, opacity=1).encode(x=x, y=y, color=color),
        of("zero", MARKS)
        .mark_point(shape="cross", angle=45, size=26, filled=True, opacity=0.9)
        .encode(x=x, y=y, color=color),
        of("lane", MARKS).mark_rule(strokeWidth=1.5).encode(y=y),
        of("lane", MARKS)
        .mark_text(align="left", dx=6, dy=11, fontSize=13, fontWeight=600)
        .encode(x=left, y=y, text=text),
        of("end", MARKS)
        .mark_text(align="left", dx=8, fontSize=14, fontWeight=600)
        .encode(x=x, y=y, text=text, color=color),
        *log_axis.edge_layers(x, y, color, MARKS),
    ]

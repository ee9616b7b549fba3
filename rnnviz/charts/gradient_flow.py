"""How far gradients reach: their norms, and the norm of each step, against steps back, on a log axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.theme import CELL, domain

BACK = "steps back from the end, T − t"


@dataclass(frozen=True)
class Curve:
    """One state of one cell.

    Attributes:
        cell, cell_title: its key and name.
        state: the state's name.
        steps_back: T - t, (N,).
        log_norm: natural logarithm of the norm, (N,); -inf for an exact zero.
    """

    cell: str
    cell_title: str
    state: str
    steps_back: NDArray[np.int64]
    log_norm: NDArray[np.float64]

    @property
    def log10(self) -> NDArray[np.float64]:
        """The norm's logarithm to base 10, (N,)."""
        return self.log_norm / log(10)

    @property
    def name(self) -> str:
        """As it is written at the line's end."""
        return f"{self.cell_title} {self.state}"


def gradient_norms(curves: Sequence[Curve], caption: str) -> Figure:
    """‖∂L/∂s_t‖ of every state of every cell against steps back."""
    title = "How much of the gradient reaches each earlier step?"
    last = [f"{c.name} {log_axis.number(float(c.log10[np.argmax(c.steps_back)]))}" for c in curves]
    description = f"{title} Log axis. At the first step: {'; '.join(last)}."
    return _figure("gradient-norms", title, caption, description, "‖∂L/∂h‖ and ‖∂L/∂c‖", curves, one=False)


def step_norms(curves: Sequence[Curve], caption: str) -> Figure:
    """‖∂s_t/∂s_{t-1}‖₂ of every state of every cell against steps back, and where it crosses 1."""
    title = "Does one step amplify or shrink a change of the state?"
    above = [f"{c.name} {int((c.log_norm > 0).sum())} of {len(c.log_norm)}" for c in curves]
    caption = f"{caption} · steps above 1: {', '.join(above)}"
    description = f"{title} Log axis with a line at 1. Steps above it: {', '.join(above)}."
    return _figure("step-norms", title, caption, description, "‖∂hₜ/∂hₜ₋₁‖ and ‖∂cₜ/∂cₜ₋₁‖", curves, one=True)


def crossings(log_norm: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices k where a curve is on the other side of 1 than at k - 1."""
    return np.flatnonzero(np.diff(log_norm > 0)) + 1


def _figure(
    stem: str, title: str, caption: str, description: str, y_title: str, curves: Sequence[Curve], one: bool
) -> Figure:
    rows: list[dict[str, Any]] = []
    edges: set[str] = set()
    for curve in curves:
        places, beyond, labels = log_axis.clamp(curve.log10)
        edges |= set(beyond.tolist()) - {""}
        crossed = set(crossings(curve.log_norm).tolist()) if one else set()
        rows += [
            _row(
                curve,
                kind="cross" if k in crossed else "line",
                back=int(back),
                place=float(place),
                beyond=str(off),
                label=f"{curve.name}, {back} steps back: {label}",
            )
            for k, (back, place, off, label) in enumerate(
                zip(curve.steps_back, places, beyond, labels, strict=True)
            )
        ]
    rows += _end_labels(rows, curves)
    edge = {"below": (log_axis.FLOOR, "< 1e-38"), "above": (log_axis.CEILING, "> 1e38")}
    rows += [
        {"kind": "edge", "place": float(edge[side][0]), "label": edge[side][1]} for side in sorted(edges)
    ]
    if one:
        rows.append({"kind": "one", "place": 0.0, "label": "1: neither grows nor shrinks"})
    rows += [
        {"kind": "tick", "place": place, "label": label}
        for place, label in log_axis.ticks(*_span(rows)).items()
    ]
    names = ("kind", "cell", "state", "back", "place", "beyond", "label")
    return Figure(
        stem=stem,
        title=title,
        caption=caption,
        description=description,
        spec=_skeleton(y_title, one),
        data={name: [row.get(name) for row in rows] for name in names},
        table={
            "cell": np.concatenate([np.full(len(c.steps_back), c.cell) for c in curves]),
            "state": np.concatenate([np.full(len(c.steps_back), c.state) for c in curves]),
            "steps_back": np.concatenate([c.steps_back for c in curves]),
            "norm": np.exp(np.concatenate([c.log_norm for c in curves])),
            "log10_norm": np.concatenate([c.log10 for c in curves]),
        },
    )


def _row(curve: Curve, **values: Any) -> dict[str, Any]:
    return {"cell": curve.cell, "state": curve.state, **values}


def _end_labels(rows: list[dict[str, Any]], curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """Each curve's name at its far end, moved apart where ends meet."""
    low, high = _span(rows)
    ends = []
    for curve in curves:
        own = [row for row in rows if row["cell"] == curve.cell and row["state"] == curve.state]
        ends.append(max(own, key=lambda row: row["back"]))
    moved = log_axis.spread(np.array([end["place"] for end in ends]), gap=max(high - low, 0.01) / 14)
    return [
        _row(curve, kind="end", back=end["back"], place=float(place), label=curve.name)
        for curve, end, place in zip(curves, ends, moved, strict=True)
    ]


def _span(rows: list[dict[str, Any]]) -> tuple[float, float]:
    places = [row["place"] for row in rows if np.isfinite(row["place"])] or [0.0]
    return min(places), max(places)


@cache
def _skeleton(y_title: str, one: bool) -> dict[str, Any]:
    x = alt.X("back:Q", title=BACK).scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, list(CELL)))
    dash = alt.StrokeDash("state:N", legend=None).scale(domain=["h", "c"], range=[[1, 0], [6, 4]])
    points = alt.Chart().transform_filter("datum.kind == 'line' || datum.kind == 'cross'")
    layers = [
        *log_axis.tick_layers(y_title, y),
        points.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=color, strokeDash=dash),
        points.mark_point(size=90, opacity=0, filled=True).encode(
            x=x, y=y, tooltip=alt.Tooltip("label:N", title=" ")
        ),
        alt.Chart()
        .transform_filter("datum.kind == 'end'")
        .mark_text(align="left", dx=8, fontSize=14, fontWeight=600)
        .encode(x=x, y=y, text="label:N", color=color),
        *log_axis.edge_layers(x, y, color),
    ]
    if one:
        at_one = alt.Chart().transform_filter("datum.kind == 'one'")
        crossed = alt.Chart().transform_filter("datum.kind == 'cross'")
        layers = [
            *layers,
            at_one.mark_rule(strokeWidth=1.5).encode(y=y),
            at_one.mark_text(align="left", dx=6, dy=-9).encode(x=alt.value(0), y=y, text="label:N"),
            crossed.mark_point(filled=True, size=36).encode(x=x, y=y, color=color),
        ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

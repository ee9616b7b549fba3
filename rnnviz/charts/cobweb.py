"""One unit as a map: from h up to the curve f, across to the diagonal, and up again."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.fixed_marks import add_points, color, count_words, number, point_layers, residual
from rnnviz.charts.rows import Rows, of
from rnnviz.engine import FixedPoints

NAMES = ("kind", "role", "x", "y", "x2", "y2", "n", "shape", "label", "note")
TITLE = "Up to the curve, across to the diagonal"
Floats = NDArray[np.float64]


def cobweb(
    window: tuple[float, float],
    h: Floats,
    f: Floats,
    orbit: Floats,
    fixed: FixedPoints,
    formula: Formula,
    caption: str,
) -> Figure:
    """The curve, the diagonal, the staircase of one orbit, and the points where both lines meet.

    Args:
        window: from where to where both axes go.
        h, f: the curve, (N,) and (N,).
        orbit: h_0 … h_T, (T+1,).
        fixed: the fixed points.
        formula: of f.
        caption: the configuration.
    """
    low, high = window
    rows = Rows(NAMES)
    rows.add(1, kind="diagonal", x=low, y=low, x2=high, y2=high)
    rows.add(len(h), kind="curve", role="map", x=h.tolist(), y=f.tolist())
    left = gone(orbit, window)
    shown = orbit if left is None else orbit[: left + 1]
    _add_staircase(rows, shown, window)
    at = np.repeat(fixed.points.numpy(), 2, 1)
    slopes = fixed.jacobians[:, 0, 0].tolist()
    labels = [
        f"{kind}: h* = {number(p)}, f′(h*) = {number(slope)}, |f(h*) − h*| = {residual(gap)}"
        for kind, p, slope, gap in zip(
            fixed.stability, at[:, 0].tolist(), slopes, fixed.residuals.tolist(), strict=True
        )
    ]
    seen = np.where((at >= low) & (at <= high), at, np.nan)
    add_points(rows, fixed, seen, (low + high) / 2, labels, fixed.stability)
    words = (
        f"after {len(orbit) - 1} steps h = {number(float(orbit[-1]))}"
        if left is None
        else f"h leaves the picture at step {left}"
    )
    if left is not None:
        rows.add(1, kind="gone", role="orbit", label=words)
    return Figure(
        stem="cobweb",
        title=TITLE,
        caption=f"{caption} · {count_words(fixed)} · {words}",
        description=f"{TITLE} From h₀ = {number(float(orbit[0]))}; {words}. "
        + ("; ".join(labels) + "." if labels and len(labels) < 9 else f"{count_words(fixed)}."),
        spec=_skeleton(low, high),
        data=rows.columns,
        table=_table(h, f, orbit, fixed),
        height=430,
        formula=formula,
    )


def gone(orbit: Floats, window: tuple[float, float]) -> int | None:
    """The first step at which an orbit (T+1,) is outside of the picture, if any."""
    low, high = window
    outside = np.flatnonzero(~((orbit >= low) & (orbit <= high)))  # of NaN, too
    return int(outside[0]) if len(outside) else None


def _add_staircase(rows: Rows, orbit: Floats, window: tuple[float, float]) -> None:
    low, high = window
    ends = np.clip(np.nan_to_num(orbit, posinf=high, neginf=low), 2 * low - high, 2 * high - low)
    x = np.repeat(ends, 2)[:-1]
    y = np.concatenate([[low], np.repeat(ends[1:], 2)])
    rows.add(len(x), kind="stair", role="orbit", x=x.tolist(), y=y.tolist(), n=list(range(len(x))))
    steps = range(len(orbit) - 1)
    said = [f"h_{t} = {number(float(orbit[t]))} → h_{t + 1} = {number(float(orbit[t + 1]))}" for t in steps]
    rows.add(len(orbit) - 1, kind="step", role="orbit", x=ends[:-1].tolist(), y=ends[1:].tolist(), label=said)
    rows.add(1, kind="start", role="orbit", x=float(ends[0]), y=low, label="h₀")


def _table(h: Floats, f: Floats, orbit: Floats, fixed: FixedPoints) -> dict[str, Any]:
    points = fixed.points[:, 0].numpy()
    image = points + fixed.gaps[:, 0].numpy()
    T = len(orbit) - 1
    return {
        "what": ["curve"] * len(h) + ["orbit"] * T + ["fixed point"] * len(points),
        "step": [*range(len(h)), *range(T), *range(len(points))],
        "h": np.concatenate([h, orbit[:-1], points]),
        "f": np.concatenate([f, orbit[1:], image]),
        "slope": np.concatenate([np.full(len(h) + T, np.nan), fixed.jacobians[:, 0, 0].numpy()]),
    }


@cache
def _skeleton(low: float, high: float) -> dict[str, Any]:
    scale = alt.Scale(domain=[low, high], nice=False)
    x = alt.X("x:Q", title="hₜ").scale(scale).axis(grid=False)
    y = alt.Y("y:Q", title="hₜ₊₁").scale(scale).axis(grid=False)
    layers = [
        of("diagonal")
        .mark_rule(strokeWidth=1.5, strokeDash=[6, 4], opacity=0.8)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q"),
        of("curve").mark_line(strokeWidth=3, clip=True).encode(x=x, y=y, color=color()),
        of("stair").mark_line(strokeWidth=1.8, clip=True).encode(x=x, y=y, order="n:Q", color=color()),
        of("step")
        .mark_point(filled=True, size=28, opacity=1, clip=True)
        .encode(x=x, y=y, color=color(), tooltip=alt.Tooltip("label:N", title=" ")),
        of("start")
        .mark_point(shape="triangle-up", filled=True, size=110, opacity=1)
        .encode(x=x, y=y, color=color()),
        of("start")
        .mark_text(align="left", dx=10, dy=-8, fontSize=15, fontWeight=600)
        .encode(x=x, y=y, text="label:N", color=color()),
        *point_layers(x, y),
        of("gone")
        .mark_text(align="left", baseline="bottom", dy=-5, fontSize=14, fontWeight=600)
        .encode(x=alt.value(0), y=alt.value(0), text="label:N", color=color()),
    ]
    return layered(layers, padding={"right": 10, "top": 8, "bottom": 4})

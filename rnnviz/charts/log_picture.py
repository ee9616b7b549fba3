"""Norms over lag as a picture: where each point stands, what it is called, and the layers that draw it.

No point is dropped. What lies beyond the axis is a triangle at its end; an exact zero, which has no place
on a log axis, is a cross in a lane of its own below everything that has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Columns, layered
from rnnviz.charts.log_curves import PLAIN, STYLES, Curve, Setting, crossings
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.seed_curves import CROSS
from rnnviz.charts.theme import CELL, domain

BACK = "steps back from the end, T − t"
SHORT = 1e-6  # of a decade: float32 misses a norm of 1 by this, which is to have its tick
NAMES = ("kind", "cell", "style", "piece", "alone", "back", "place", "beyond", "label")


def columns_of(curves: Sequence[Curve], setting: Setting = PLAIN) -> Columns:
    """The rows that `skeleton` draws."""
    rows = Rows(NAMES)
    clipped = [np.clip(curve.log10, setting.floor, log_axis.CEILING) for curve in curves]
    everywhere = np.concatenate(
        [places[~np.isneginf(c.log10)] for c, places in zip(curves, clipped, strict=True)]
    )
    low, high = _span(everywhere)
    limits = {at: words for at, words in setting.limits.items() if _reached(curves, low, at)}
    low = min([low, *limits])
    lanes = _lanes(curves, low, high)
    edges: set[str] = set()
    ends: list[float] = []
    for curve, places in zip(curves, clipped, strict=True):
        own = _add_curve(rows, curve, places, lanes.get((curve.cell, curve.state)), setting)
        edges |= own[0]
        ends.append(own[1])
    _add_ends(rows, curves, np.array(ends), max(high - min([low, *lanes.values()]), 0.01) / 14)
    _add_rules(rows, edges, limits, setting)
    if lanes:
        underflow = any(_underflows(curve, setting).any() for curve in curves)
        top = max(lanes.values()) + 0.6 * _pitch(low, high)
        rows.add(1, kind="lane", place=top, label="0: underflow" if underflow else "exactly 0")
        rows.add(1, kind="deepest", place=min(lanes.values()) - 0.4 * _pitch(low, high))
    ticks = log_axis.ticks(low - SHORT, high + SHORT) if len(everywhere) or limits else {}
    rows.add(len(ticks), kind="tick", place=list(ticks), label=list(ticks.values()))
    return rows.columns


def _span(places: NDArray[np.float64]) -> tuple[float, float]:
    finite = places[np.isfinite(places)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)


def _reached(curves: Sequence[Curve], low: float, at: float) -> bool:
    """Whether a limit matters: numbers come near it, or something is 0."""
    return low < at + 1 or any(np.isneginf(curve.log_norm).any() for curve in curves)


def _pitch(low: float, high: float) -> float:
    """From one lane of zeros to the next."""
    return max(high - low, 1.0) / 22


def _lanes(curves: Sequence[Curve], low: float, high: float) -> dict[tuple[str, str], float]:
    """Where each curve's zeros stand: one below the other, so that none hides another."""
    zero = dict.fromkeys((c.cell, c.state) for c in curves if np.isneginf(c.log_norm).any())
    return {key: low - (k + 2.2) * _pitch(low, high) for k, key in enumerate(zero)}


def _underflows(curve: Curve, setting: Setting) -> NDArray[np.bool_]:
    """Where a curve is 0 and float64 is not, (N,)."""
    zero = np.isneginf(curve.log_norm)
    full = setting.lost.get((curve.cell, curve.state))
    return zero & False if full is None or curve.thin else zero & ~np.isneginf(full.log_norm)


def _add_curve(
    rows: Rows, curve: Curve, places: NDArray[np.float64], lane: float | None, setting: Setting
) -> tuple[set[str], float]:
    """A curve's points; which ends of the axis it goes beyond, and where its name belongs."""
    logs, zero = curve.log10, np.isneginf(curve.log_norm)
    beyond = np.where(zero, "zero", log_axis.beyond(logs, setting.floor))
    crossed = np.zeros(len(logs), dtype=bool)
    if setting.one and not curve.thin:
        crossed[crossings(curve.log_norm)] = True
    kinds = np.where(zero, "zero", "thin" if curve.thin else np.where(crossed, "cross", "line"))
    places = np.where(zero, lane if lane is not None else np.nan, places)
    # A line ends where a zero comes, and where one point is alone it takes a dot to be seen.
    drawn = np.isfinite(places) & ~zero
    gap = np.append(False, np.abs(np.diff(curve.steps_back)) != 1)
    neighbours = (np.append(False, drawn[:-1]) & ~gap) | (
        np.append(drawn[1:], False) & ~np.append(gap[1:], True)
    )
    full = setting.lost.get((curve.cell, curve.state))
    underflow = _underflows(curve, setting)
    labels = [
        f"{curve.name}, {back} steps back: {log_axis.number(value, setting.floor)}"
        + (f", an underflow; float64 has {log_axis.number(exact, setting.floor)}" if lost else "")
        for back, value, lost, exact in zip(
            curve.steps_back.tolist(),
            logs.tolist(),
            underflow.tolist(),
            (curve if full is None or curve.thin else full).log10.tolist(),
            strict=True,
        )
    ]
    rows.add(
        len(logs),
        kind=kinds.tolist(),
        cell=curve.cell,
        style=curve.style or curve.state,
        piece=np.cumsum(zero | gap).tolist(),
        alone=(drawn & ~neighbours).tolist(),
        back=curve.steps_back.tolist(),
        place=places.tolist(),
        beyond=beyond.tolist(),
        label=labels,
    )
    far = np.argsort(-curve.steps_back)
    seen = places[far[drawn[far]][:1]] if drawn[far][:3].any() else places[far[:1]]
    return set(beyond.tolist()) - {"", "zero"}, float(seen[0])


def _add_ends(rows: Rows, curves: Sequence[Curve], ends: NDArray[np.float64], gap: float) -> None:
    """Each curve's name at its far end, moved apart where ends meet."""
    loud = [k for k, curve in enumerate(curves) if not curve.quiet]
    for k, place in zip(loud, log_axis.spread(ends[loud], gap).tolist(), strict=True):
        curve = curves[k]
        rows.add(
            1,
            kind="end",
            cell=curve.cell,
            style=curve.style or curve.state,
            back=int(curve.steps_back.max()),
            place=place,
            label=curve.name,
        )


def _add_rules(rows: Rows, edges: set[str], limits: Mapping[float, str], setting: Setting) -> None:
    ends = {
        "below": (setting.floor, f"< 1e{setting.floor}"),
        "above": (log_axis.CEILING, f"> 1e{log_axis.CEILING}"),
    }
    for side in sorted(edges):
        rows.add(1, kind="edge", place=float(ends[side][0]), label=ends[side][1])
    rows.add(len(limits), kind="limit", place=list(limits), label=list(limits.values()))
    if setting.one:
        rows.add(1, kind="one", place=0.0, label="1: neither grows nor shrinks")


@cache
def skeleton(y_title: str, one: bool = False) -> dict[str, Any]:
    """The specification of every picture of this kind."""
    x = alt.X("back:Q", title=BACK).scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, list(CELL)))
    dash = alt.StrokeDash("style:N", legend=None).scale(domain=list(STYLES), range=list(STYLES.values()))
    points = alt.Chart().transform_filter("datum.kind == 'line' || datum.kind == 'cross'")
    every = alt.Chart().transform_filter("datum.beyond != null")
    line = {"x": x, "y": y, "color": color, "strokeDash": dash, "detail": "piece:N"}
    at_left, text = alt.value(0), "label:N"
    layers = [
        *log_axis.tick_layers(y_title, y),
        of("deepest").mark_rule(opacity=0).encode(y=y),
        of("thin").mark_line(strokeWidth=1.5).encode(**line),
        points.mark_line(strokeWidth=2.5).encode(**line),
        alt.Chart()
        .transform_filter("datum.alone")
        .mark_point(filled=True, size=50, opacity=1)
        .encode(x=x, y=y, color=color),
        of("zero")
        .mark_point(shape=CROSS, size=28, strokeWidth=1.5, filled=False, opacity=1)
        .encode(x=x, y=y, color=color),
        every.mark_point(size=90, opacity=0, filled=True).encode(
            x=x, y=y, tooltip=alt.Tooltip(text, title=" ")
        ),
        of("end")
        .mark_text(align="left", dx=8, fontSize=14, fontWeight=600)
        .encode(x=x, y=y, text=text, color=color),
        *log_axis.edge_layers(x, y, color),
        of("lane").mark_rule(strokeWidth=1.5).encode(y=y),
        of("lane")
        .mark_text(align="left", dx=6, dy=-9, fontSize=13, fontWeight=600)
        .encode(x=at_left, y=y, text=text),
        of("limit").mark_rule(strokeDash=[6, 3]).encode(y=y),
        of("limit").mark_text(align="left", dx=6, dy=-8, fontSize=13).encode(x=at_left, y=y, text=text),
    ]
    if one:
        at_one, crossed = of("one"), of("cross")
        layers += [
            at_one.mark_rule(strokeWidth=1.5).encode(y=y),
            at_one.mark_text(align="left", dx=6, dy=-9).encode(x=at_left, y=y, text=text),
            crossed.mark_point(filled=True, size=36).encode(x=x, y=y, color=color),
        ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

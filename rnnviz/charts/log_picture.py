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
from rnnviz.charts.rows import MARKS, Rows, of
from rnnviz.charts.seed_curves import CROSS
from rnnviz.charts.theme import CELL, domain
from rnnviz.charts.tips import TIPS, strips, table

BACK = "steps back from the end, T − t"
SHORT = 1e-6  # of a decade: float32 misses a norm of 1 by this, which is to have its tick
POINTS = ("cell", "style", "piece", "width", "back", "place")
MARKED = ("kind", "cell", "style", "back", "place", "beyond", "label")
BROAD, THIN = 2.5, 1.5  # pixels
MARKED_AT_MOST = 50  # or little more, of a curve's points that lie beyond one end of the axis


def tables_of(curves: Sequence[Curve], setting: Setting = PLAIN) -> tuple[Columns, dict[str, Columns]]:
    """What `skeleton` draws: the lines' points, and its further tables by name."""
    points, marks = Rows(POINTS), Rows(MARKED)
    clipped = [np.clip(curve.log10, setting.floor, log_axis.CEILING) for curve in curves]
    everywhere = np.concatenate(
        [places[~np.isneginf(c.log10)] for c, places in zip(curves, clipped, strict=True)]
    )
    low, high = _span(everywhere)
    limits = {at: words for at, words in setting.limits.items() if _reached(curves, low, at)}
    low = min([low, *limits])
    lanes = _lanes(curves, low, high)
    places = [
        np.where(np.isneginf(c.log_norm), lanes.get((c.cell, c.state), np.nan), own)
        for c, own in zip(curves, clipped, strict=True)
    ]
    for curve, own in sorted(zip(curves, places, strict=True), key=lambda pair: not pair[0].thin):
        _add_line(points, marks, curve, own)
    ends = np.array([_end(curve, own) for curve, own in zip(curves, places, strict=True)])
    _add_ends(marks, curves, ends, max(high - min([low, *lanes.values()]), 0.01) / 14)
    beyond = [_add_beyond(marks, c, own, setting) for c, own in zip(curves, places, strict=True)]
    _add_rules(marks, set().union(*beyond), limits, setting)
    if lanes:
        underflow = any(_underflows(curve, setting).any() for curve in curves)
        top = max(lanes.values()) + 0.6 * _pitch(low, high)
        marks.add(1, kind="lane", place=top, label="0: underflow" if underflow else "exactly 0")
        marks.add(1, kind="deepest", place=min(lanes.values()) - 0.4 * _pitch(low, high))
    ticks = log_axis.ticks(low - SHORT, high + SHORT) if len(everywhere) or limits else {}
    marks.add(len(ticks), kind="tick", place=list(ticks), label=list(ticks.values()))
    said = [(c.name, c.cell_title, c.steps_back.tolist(), _said(c, setting)) for c in curves]
    return points.columns, {MARKS: marks.columns, TIPS: table(said)}


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


def _add_line(points: Rows, marks: Rows, curve: Curve, places: NDArray[np.float64]) -> None:
    """A line through a curve's points, and a mark for each that is none of it: alone, or zero."""
    zero = np.isneginf(curve.log_norm)
    # A line ends where a zero comes, and where one point is alone it takes a dot to be seen.
    drawn = np.isfinite(places) & ~zero
    gap = np.append(False, np.abs(np.diff(curve.steps_back)) != 1)
    neighbours = (np.append(False, drawn[:-1]) & ~gap) | (
        np.append(drawn[1:], False) & ~np.append(gap[1:], True)
    )
    points.add(
        len(places),
        cell=curve.cell,
        style=curve.style or curve.state,
        piece=np.cumsum(zero | gap).tolist(),
        width=THIN if curve.thin else BROAD,
        back=curve.steps_back.tolist(),
        place=np.where(zero, np.nan, places).tolist(),
    )
    for kind, which in (("alone", drawn & ~neighbours), ("zero", zero)):
        _mark(marks, kind, curve, places, which)


def _add_beyond(marks: Rows, curve: Curve, places: NDArray[np.float64], setting: Setting) -> set[str]:
    """A curve's points beyond the axis, and where it crosses 1; the ends of the axis that they are beyond."""
    sides = np.where(np.isneginf(curve.log_norm), "", log_axis.beyond(curve.log10, setting.floor))
    for side in ("below", "above"):
        _mark(marks, "beyond", curve, places, _some(sides == side), beyond=side)
    if setting.one and not curve.thin:
        crossed = np.zeros(len(places), dtype=bool)
        crossed[crossings(curve.log_norm)] = True
        _mark(marks, "cross", curve, places, crossed & (sides == "") & ~np.isneginf(curve.log_norm))
    return set(sides.tolist()) - {""}


def _some(which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first and last of each stretch, and of the rest as many as can be told apart.

    The line runs on through all of them, and the pointer reads each.
    """
    edge = np.append(True, which[1:] != which[:-1])
    apart = np.arange(len(which)) % max(1, len(which) // MARKED_AT_MOST) == 0
    some: NDArray[np.bool_] = which & (apart | edge | np.append(edge[1:], True))
    return some


def _mark(
    marks: Rows, kind: str, curve: Curve, places: NDArray[np.float64], which: NDArray[np.bool_], **more: str
) -> None:
    marks.add(
        int(which.sum()),
        kind=kind,
        cell=curve.cell,
        style=curve.style or curve.state,
        back=curve.steps_back[which].tolist(),
        place=places[which].tolist(),
        **more,
    )


def _said(curve: Curve, setting: Setting) -> list[str]:
    """What each of a curve's points is called, (N,)."""
    full = setting.lost.get((curve.cell, curve.state))
    exact = (curve if full is None or curve.thin else full).log10
    return [
        log_axis.number(value, setting.floor)
        + (f", an underflow; float64 has {log_axis.number(whole, setting.floor)}" if lost else "")
        for value, lost, whole in zip(
            curve.log10.tolist(), _underflows(curve, setting).tolist(), exact.tolist(), strict=True
        )
    ]


def _end(curve: Curve, places: NDArray[np.float64]) -> float:
    """Where a curve's name belongs: at its furthest point that is drawn, if that is nearly the last."""
    far = np.argsort(-curve.steps_back)
    drawn = (np.isfinite(places) & ~np.isneginf(curve.log_norm))[far]
    return float(places[far[drawn][0] if drawn[:3].any() else far[0]])


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
    width = alt.StrokeWidth("width:Q", legend=None).scale(None)
    at_left, text = alt.value(0), "label:N"
    layers = [
        *log_axis.tick_layers(y_title, y, MARKS),
        _marked("deepest").mark_rule(opacity=0).encode(y=y),
        alt.Chart().mark_line().encode(x, y, color, dash, width, detail="piece:N"),
        _marked("alone").mark_point(filled=True, size=50, opacity=1).encode(x=x, y=y, color=color),
        _marked("zero")
        .mark_point(shape=CROSS, size=28, strokeWidth=1.5, filled=False, opacity=1)
        .encode(x=x, y=y, color=color),
        _marked("end")
        .mark_text(align="left", dx=8, fontSize=14, fontWeight=600)
        .encode(x=x, y=y, text=text, color=color),
        *log_axis.edge_layers(x, y, color, MARKS),
        _marked("lane").mark_rule(strokeWidth=1.5).encode(y=y),
        _marked("lane")
        .mark_text(align="left", dx=6, dy=-9, fontSize=13, fontWeight=600)
        .encode(x=at_left, y=y, text=text),
        _marked("limit").mark_rule(strokeDash=[6, 3]).encode(y=y),
        _marked("limit").mark_text(align="left", dx=6, dy=-8, fontSize=13).encode(x=at_left, y=y, text=text),
    ]
    if one:
        at_one, crossed = _marked("one"), _marked("cross")
        layers += [
            at_one.mark_rule(strokeWidth=1.5).encode(y=y),
            at_one.mark_text(align="left", dx=6, dy=-9).encode(x=at_left, y=y, text=text),
            crossed.mark_point(filled=True, size=36).encode(x=x, y=y, color=color),
        ]
    layers.append(strips())
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})


def _marked(kind: str) -> alt.Chart:
    return of(kind, MARKS)

"""Curves over training, the furniture of several figures: seeds thin, their median bold, a band between.

A poll draws them four times a second: everything that changes, ticks and limits too, travels as rows.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np

from rnnviz.charts import log_axis
from rnnviz.charts.courses import Course, Floats, divergence_words, last_words, middle, point_words
from rnnviz.charts.figure import Columns, Figure, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import CELL, domain
from rnnviz.charts.words_along import spread_within

Rules = Sequence[tuple[float, str]]

GAP = 1 / 14  # between the middles of two words beside a figure, of its height
ROOM = 0.2  # of the width: what a name takes
WIDE = 24  # letters, the longest line beside a figure
CROSS = "M-1,-1L1,1M1,-1L-1,1"
NAMES = ("kind", "run", "cell", "seed", "x", "place", "low", "high", "beyond", "label")


@dataclass(frozen=True)
class Words:
    """A figure's own words; ``percent`` says that its values are shares of 1, drawn from 0 to 100 %."""

    stem: str
    title: str
    caption: str
    y_title: str
    percent: bool = False


def curves(courses: Sequence[Course], words: Words, rules: Rules, table: Columns) -> Figure:
    """Every course with its median and band, and named horizontal lines.

    Args:
        courses: one a run; without points where nothing is recorded yet.
        words: what the figure says.
        rules: value and words of each line.
        table: what the figure shows, in full.
    """
    rules = [rule for rule in rules if words.percent or rule[0] > 0]  # a log axis has no place for 0
    rows = Rows(NAMES)
    drawn = [_add_course(rows, k, c, words) for k, c in enumerate(courses)]
    lines = [_place(np.array([value]), words)[0][0] for value, _ in rules]
    low, high = _limits([*drawn, np.array(lines)], words)
    until = max([10, *(c.run.step for c in courses)])
    rows.add(2, kind="span", x=[0.0, float(until)], place=[low, high])
    ends = [end for k, c in enumerate(courses) if (end := _end(k, c, words))]
    for k, c in enumerate(courses):
        _add_crosses(rows, k, c, words, high)
    rows.add(len(rules), kind="rule", place=lines, label=[text for _, text in rules])
    _add_names(rows, ends, lines, rules, (low, high), until)
    _add_axis(rows, low, high, words)
    return Figure(
        stem=words.stem,
        title=words.title,
        caption=words.caption,
        description=_description(courses, words, rules),
        spec=_skeleton(words.y_title),
        data=rows.columns,
        table=table,
    )


def _place(values: Floats, words: Words) -> tuple[Floats, list[str]]:
    """Where values are drawn, any shape, and which are beyond the axis, in one row."""
    if words.percent:
        return values, [""] * values.size
    with np.errstate(divide="ignore"):
        logs = np.log10(values)
    beyond = np.where(logs < log_axis.FLOOR, "below", np.where(logs > log_axis.CEILING, "above", ""))
    return np.clip(logs, log_axis.FLOOR, log_axis.CEILING), beyond.ravel().tolist()


def _add_course(rows: Rows, k: int, c: Course, words: Words) -> Floats:
    """Rows of one course; where its values stand, (P,K)."""
    places, beyond = _place(c.values, words)
    K = places.shape[1]
    if K > 1:  # of one seed the median is the seed
        seeds = np.repeat(c.run.config.seeds, len(places)).tolist()
        line = {"x": np.tile(c.x, K).tolist(), "place": places.T.ravel().tolist(), "seed": seeds}
        off = np.array(beyond, dtype=object).reshape(-1, K).T.ravel().tolist()
        rows.add(places.size, kind="seed", run=k, cell=c.run.config.cell, beyond=off, **line)
    alive = ~np.isnan(places).all(1)
    at, off = _place(middle(c.values[alive]), words)
    rows.add(
        len(at),
        kind="median",
        run=k,
        cell=c.run.config.cell,
        x=c.x[alive].tolist(),
        place=at.tolist(),
        low=np.nanmin(places[alive], axis=1).tolist(),
        high=np.nanmax(places[alive], axis=1).tolist(),
        beyond=off,
        label=point_words(c, words.percent),
    )
    return places


def _limits(places: Sequence[Floats], words: Words) -> tuple[float, float]:
    """Lowest and highest place, at least half a decade apart."""
    if words.percent:
        return 0.0, 1.0
    there = np.concatenate([p.ravel() for p in places])
    there = there[~np.isnan(there)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (-1.0, 0.0)
    short = max(0.0, 0.5 - (high - low)) / 2
    return low - short, high + short


def _end(k: int, c: Course, words: Words) -> dict[str, Any] | None:
    """Where a course ends, and its name; None while it has no point."""
    alive = ~np.isnan(c.values)
    if not alive.any():
        return None
    p, K = int(np.flatnonzero(alive.any(1))[-1]), alive.shape[1]
    now = int(alive[-1].sum())
    name = c.title if now == K else f"{c.title}, {now} of {K} seeds"
    place = float(_place(middle(c.values[p : p + 1]), words)[0][0])
    return {
        "run": k,
        "cell": c.run.config.cell,
        "x": float(c.x[p]),
        "last": float(c.last[p]),
        "place": place,
        "label": name,
    }


def _add_crosses(rows: Rows, k: int, c: Course, words: Words, high: float) -> None:
    """A cross where a seed's line ends, at the top of the axis where it never began."""
    for gone in c.run.diverged:
        own = c.values[:, c.run.config.seeds.index(gone.seed)]
        there = np.flatnonzero(~np.isnan(own))
        x, place = float(gone.step), high
        if len(there):
            x, place = float(c.x[there[-1]]), float(_place(own[there[-1:]], words)[0][0])
        here = {"x": x, "place": place, "label": divergence_words(c.run, gone)}
        rows.add(1, kind="cross", run=k, cell=c.run.config.cell, seed=gone.seed, **here)


def _add_names(
    rows: Rows,
    ends: list[dict[str, Any]],
    lines: list[float],
    rules: Rules,
    limits: tuple[float, float],
    until: float,
) -> None:
    """Names at the curves' ends and words beside the lines, moved apart where they meet.

    Only those that stand above each other can meet: a curve that ended early has its name to itself.
    """
    notes = [
        {"kind": "note", "place": place, "label": text}
        for place, (_, words) in zip(lines, rules, strict=True)
        for text in reversed(_broken(words))  # of those that meet the last comes to stand on top
    ]
    named = [{"kind": "end", **end} for end in ends]
    column = [row for row in named if row["last"] > (1 - ROOM) * until]
    columns = [[*column, *notes]]
    for row in sorted((row for row in named if row not in column), key=lambda row: row["last"]):
        if len(columns) > 1 and row["last"] - columns[-1][0]["last"] < ROOM * until:
            columns[-1].append(row)
        else:
            columns.append([row])
    low, high = limits
    for every in columns:
        at = np.array([row["place"] for row in every], dtype=float)
        moved = spread_within(at, GAP * (high - low), low, high)
        for row, place in zip(every, moved.tolist(), strict=True):
            if row["kind"] == "end":
                rows.add(1, **{**row, "kind": "dot", "label": None})
            rows.add(1, **{**row, "place": place, "x": row.get("last")})


def _broken(words: str) -> list[str]:
    """Words in as few lines as hold them, about equally long, no sign of its own on a line."""
    words = re.sub(r" (?=%|≈|=)", "\u00a0", words)
    fewest = len(textwrap.wrap(words, WIDE))
    return next(lines for k in range(1, WIDE + 1) if len(lines := textwrap.wrap(words, k)) == fewest)


def _add_axis(rows: Rows, low: float, high: float, words: Words) -> None:
    """Ticks, and the ends of a log axis where something lies beyond."""
    ticks = log_axis.ticks(low, high)
    if words.percent:
        ticks = {k / 5: f"{20 * k} %" for k in range(6)}
    rows.add(len(ticks), kind="tick", place=list(ticks), label=list(ticks.values()))
    for side, place, label in (("below", log_axis.FLOOR, "< 1e-38"), ("above", log_axis.CEILING, "> 1e38")):
        if side in rows.columns["beyond"]:
            rows.add(1, kind="edge", place=float(place), label=label)


def _description(courses: Sequence[Course], words: Words, rules: Rules) -> str:
    standing = "; ".join(last_words(c, words.percent) for c in courses)
    lines = f" Lines: {'; '.join(text for _, text in rules)}." if rules else ""
    return f"{words.title} {words.y_title}. {standing}.{lines}"


@cache
def _skeleton(y_title: str) -> dict[str, Any]:
    x = alt.X("x:Q", title="training step").scale(nice=False, zero=True).axis(grid=False, tickMinStep=1)
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, list(CELL)))
    tip = alt.Tooltip("label:N", title=" ")

    layers = [
        *log_axis.tick_layers(y_title, y),
        of("span").mark_point(opacity=0).encode(x=x, y=y),
        of("median")
        .mark_area(opacity=0.17)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color, detail="run:N"),
        of("seed")
        .mark_line(strokeWidth=1, opacity=0.45)
        .encode(x=x, y=y, color=color, detail=["run:N", "seed:N"]),
        of("rule").mark_rule(strokeDash=[6, 4], strokeWidth=1.5).encode(y=y),
        of("note").mark_text(align="left", dx=10).encode(x=alt.value("width"), y=y, text="label:N"),
        of("median").mark_line(strokeWidth=3).encode(x=x, y=y, color=color, detail="run:N"),
        of("median").mark_point(size=90, opacity=0, filled=True).encode(x=x, y=y, tooltip=tip),
        of("dot").mark_point(size=45, opacity=1, filled=True).encode(x=x, y=y, color=color),
        of("end")
        .mark_text(align="left", dx=10, fontSize=15, fontWeight=600)
        .encode(x=x, y=y, text="label:N", color=color),
        of("cross")
        .mark_point(shape=CROSS, size=90, strokeWidth=3, filled=False, opacity=1)
        .encode(x=x, y=y, stroke=color, tooltip=tip),
        *log_axis.edge_layers(x, y, color),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

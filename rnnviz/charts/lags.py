"""How far back a cell can be asked: the figure that it is judged by against the lag, a line a cell.

A sweep fills it while a room watches: what changes, ticks included, travels as rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import log10
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from rnnviz.charts.courses import say
from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.seed_curves import CROSS
from rnnviz.charts.sweep_table import seeds_words, sweep_table
from rnnviz.charts.theme import CELL, domain
from rnnviz.charts.words_along import spread_within

if TYPE_CHECKING:
    from rnnviz.engine.outcome import Outcome
    from rnnviz.engine.task import Task

DECADE = 10  # lags that span more than this stand on a log axis
BESIDE = 0.014  # of the width: how far crosses of one lag stand from each other
THICK, THICKER = 3.0, 1.5  # pixels: the line on top, and what each one below it has more
EDGE = 0.04  # of the width: on each side of the first and last lag
GAP = 0.065  # of the height: between words beside the figure
GROUND = -0.06  # where a seed is marked that diverged: below 0 %
DASHES = ([1, 0], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [14, 4])
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right")
NAMES = (
    "kind",
    "cell",
    "scheme",
    "line",
    "piece",
    "x",
    "x2",
    "y",
    "y2",
    "low",
    "high",
    "shade",
    "width",
    "size",
    "label",
)


@dataclass(frozen=True)
class Line:
    """One cell, drawn with one kind of first weights.

    Attributes:
        cell, scheme: names.
        outcomes: lag -> what came of its seeds; lags that nobody computed are not in it.
    """

    cell: str
    scheme: str
    outcomes: dict[int, list[Outcome]]

    def metrics(self, lag: int) -> list[float]:
        """Figures of the seeds that did not diverge."""
        return [one.metric for one in self.outcomes.get(lag, []) if not one.diverged]


def lags(
    task: Task,
    lengths: Sequence[int],
    lines: Sequence[tuple[str, str]],
    outcomes: Sequence[Outcome],
    words: dict[str, str],
    caption: str,
) -> Figure:
    """Accuracy against lag: a line a cell and scheme, the range of its seeds as a band, a mark a seed.

    Args:
        task: judged by a share of 1.
        lengths: the lags asked for, increasing.
        lines: cell and scheme of each line, in their order.
        outcomes: what is there so far, of these lags and lines; a lag without one breaks its line.
        words: scheme -> what people call it.
        caption: the configuration and seeds.
    """
    drawn = [Line(cell, scheme, _by_lag(outcomes, cell, scheme)) for cell, scheme in lines]
    schemes = list(dict.fromkeys(scheme for _, scheme in lines))
    at = places(lengths)
    rows = Rows(NAMES)
    for k, line in enumerate(drawn):
        _add_line(rows, k, line, schemes, at, len(drawn))
    chance = {lag: task.baseline(lag).metric for lag in lengths}
    corners = [(-EDGE, chance[lengths[0]]), *((at[lag], chance[lag]) for lag in lengths)]
    for (x, y), (x2, y2) in pairwise([*corners, (1 + EDGE, chance[lengths[-1]])]):
        rows.add(1, kind="chance", x=x, y=float(y), x2=x2, y2=float(y2))
    notes = [(chance[lengths[-1]], f"without memory: {_between(list(chance.values()))}")]
    _add_names(rows, drawn, schemes, words, lengths[-1], notes)
    rows.add(len(lengths), kind="lag", x=[at[lag] for lag in lengths], label=[f"{lag:,}" for lag in lengths])
    rows.add(6, kind="tick", y=[k / 5 for k in range(6)], label=[f"{20 * k} %" for k in range(6)])
    if any(one.diverged for one in outcomes):
        rows.add(1, kind="tick", y=GROUND, label="diverged")
    log = ", log scale" if _is_log(lengths) else ""
    title = "Up to which lag does each cell learn the task?"
    return Figure(
        stem="lags",
        title=title,
        caption=caption,
        description=f"{title} {task.metric.title}, 0 to 100 %, against the lag. "
        + " ".join(_said(line, words, len(schemes) > 1) for line in drawn)
        + f" Line: {notes[0][1]}.",
        spec=_skeleton(task.metric.title, f"lag: {task.lengths.what}{log}"),
        data=rows.columns,
        table=sweep_table(outcomes),
        height=400,
    )


def places(lengths: Sequence[int]) -> dict[int, float]:
    """Where each lag stands, from 0 to 1; in the middle where there is only one."""
    scaled = [log10(lag) if _is_log(lengths) else float(lag) for lag in lengths]
    low, span = min(scaled), max(scaled) - min(scaled)
    return {lag: (v - low) / span if span else 0.5 for lag, v in zip(lengths, scaled, strict=True)}


def _is_log(lengths: Sequence[int]) -> bool:
    return max(lengths) > DECADE * min(lengths)


def _by_lag(outcomes: Sequence[Outcome], cell: str, scheme: str) -> dict[int, list[Outcome]]:
    found: dict[int, list[Outcome]] = {}
    for one in outcomes:
        if (one.config.cell, one.config.scheme) == (cell, scheme):
            found.setdefault(one.config.length, []).append(one)
    return found


def _add_line(
    rows: Rows, k: int, line: Line, schemes: Sequence[str], at: dict[int, float], count: int
) -> None:
    """Rows of one line: its medians in pieces without a gap, its band, its seeds and those that diverged."""
    shown = {"cell": line.cell, "scheme": str(schemes.index(line.scheme)), "line": k}
    # Lines that run together show as stripes, and points as rings: none hides another.
    width = THICK + (count - 1 - k) * min(THICKER, 2 * THICKER / max(1, count - 1))
    beside, piece = BESIDE * (k - (count - 1) / 2), 0
    for lag, x in at.items():
        own, values = line.outcomes.get(lag, []), line.metrics(lag)
        if not values:
            piece += 1  # nothing is drawn across a lag that is not there
        else:
            rows.add(
                1,
                kind="median",
                x=x,
                y=float(np.median(values)),
                low=min(values),
                high=max(values),
                piece=piece,
                shade=0.16 if count <= 4 else 0.07,
                width=width,
                size=(width + 7) ** 2,
                label=f"{own[0].config.spec.title}, lag {lag:,}: {seeds_words(own)}",
                **shown,
            )
        if len(own) > 1:  # of one seed the median is the seed
            rows.add(len(values), kind="seed", x=x, y=values, **shown)
        gone = [one for one in own if one.diverged]
        labels = [f"{one.config.spec.title}, seed {one.seed}, lag {lag:,}: diverged" for one in gone]
        apart = [x + beside + BESIDE / 3 * (n - (len(gone) - 1) / 2) for n in range(len(gone))]
        rows.add(len(gone), kind="cross", x=apart, y=GROUND, label=labels, **shown)


def _add_names(
    rows: Rows,
    drawn: Sequence[Line],
    schemes: Sequence[str],
    words: dict[str, str],
    last: int,
    notes: Sequence[tuple[float, str]],
) -> None:
    """Names beside the figure, at the height of their line's last point, moved apart where they meet."""
    named: list[dict[str, Any]] = []
    for k, line in enumerate(drawn):
        there = [lag for lag in sorted(line.outcomes) if line.metrics(lag)]
        if there:
            own, values = line.outcomes[there[-1]], line.metrics(there[-1])
            some = f", {len(values)} of {len(own)} seeds" if len(values) < len(own) else ""
            place = {"y": float(np.median(values)), "cell": line.cell, "line": k}
            label = _name(line, words, len(schemes) > 1) + some
            named.append({"kind": "name", "scheme": str(schemes.index(line.scheme)), "label": label, **place})
    named += [{"kind": "note", "y": value, "label": text} for value, text in notes]
    # Of those that meet, chance stands lowest, and the others as the menu has them, from above.
    named.sort(key=lambda row: (row["y"], -row.get("line", len(drawn))))
    moved = spread_within(np.array([row["y"] for row in named], dtype=float), GAP, 0.0, 1.0)
    for row, y in zip(named, moved.tolist(), strict=True):
        rows.add(1, **{**row, "y": y})


def _name(line: Line, words: dict[str, str], with_scheme: bool) -> str:
    title = next(iter(line.outcomes.values()))[0].config.spec.title
    return f"{title}, {words.get(line.scheme, line.scheme)}" if with_scheme else title


def _between(values: Sequence[float]) -> str:
    low, high = say(min(values), True), say(max(values), True)
    return low if low == high else f"{low[:-2]} to {high}"


def _said(line: Line, words: dict[str, str], with_scheme: bool) -> str:
    if not line.outcomes:
        return f"{line.cell.upper()}: nothing yet."
    lags = ", ".join(f"{seeds_words(own)} at lag {lag}" for lag, own in sorted(line.outcomes.items()))
    return f"{_name(line, words, with_scheme)}: {lags}."


@cache
def _skeleton(y_title: str, x_title: str) -> dict[str, Any]:
    bare: dict[str, Any] = {"labels": False, "grid": False, "domain": False, "ticks": False}
    x = (
        alt.X("x:Q", title=x_title)
        .scale(domain=[-EDGE, 1 + EDGE], nice=False, zero=False)
        .axis(**bare, titlePadding=30)
    )
    y = (
        alt.Y("y:Q", title=y_title)
        .scale(domain=[-0.09, 1.03], nice=False, zero=False)
        .axis(**bare, titlePadding=64)
    )
    color = alt.Color("cell:N", legend=None).scale(domain=domain(CELL, list(CELL)))
    numbers = [str(k) for k in range(len(SHAPES))]
    dash = alt.StrokeDash("scheme:N", legend=None).scale(domain=numbers, range=list(DASHES))
    shape = alt.Shape("scheme:N", legend=None).scale(domain=numbers, range=list(SHAPES))
    tip = alt.Tooltip("label:N", title=" ")
    piece = ["line:N", "piece:N"]
    right, bottom = alt.value("width"), alt.value("height")
    layers = [
        of("tick").mark_rule(strokeWidth=1, opacity=0.3).encode(y=y),
        of("tick").mark_text(align="right", dx=-10).encode(x=alt.value(0), y=y, text="label:N"),
        of("lag").mark_rule(strokeWidth=1, opacity=0.15).encode(x=x),
        of("lag").mark_text(baseline="top", dy=8).encode(x=x, y=bottom, text="label:N"),
        of("median")
        .mark_area()
        .encode(
            x=x,
            y=alt.Y("low:Q"),
            y2="high:Q",
            color=color,
            detail=piece,
            opacity=alt.Opacity("shade:Q", legend=None).scale(None),
        ),
        of("chance").mark_rule(strokeDash=[6, 4], strokeWidth=1.5).encode(x=x, x2="x2:Q", y=y, y2="y2:Q"),
        of("median")
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=color,
            detail=piece,
            strokeDash=dash,
            strokeWidth=alt.StrokeWidth("width:Q", legend=None).scale(None),
        ),
        of("seed").mark_point(size=40, filled=True, opacity=0.6).encode(x=x, y=y, color=color, shape=shape),
        of("median")
        .mark_point(filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=color,
            shape=shape,
            size=alt.Size("size:Q", legend=None).scale(None),
            tooltip=tip,
        ),
        of("cross")
        .mark_point(shape=CROSS, size=70, strokeWidth=2.5, filled=False, opacity=1)
        .encode(x=x, y=y, stroke=color, tooltip=tip),
        of("name")
        .mark_point(size=80, filled=True, opacity=1, xOffset=12)
        .encode(x=right, y=y, color=color, shape=shape),
        of("name")
        .mark_text(align="left", dx=22, fontSize=15, fontWeight=600)
        .encode(x=right, y=y, text="label:N", color=color),
        of("note").mark_text(align="left", dx=10).encode(x=right, y=y, text="label:N"),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

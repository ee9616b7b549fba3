"""A machine's tape: input, units, outputs and specification under each other, a column a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts.figure import Figure, Formula, layered
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import DIVERGING, QUANTITY, domain, palette

ROOM = 900  # pixels that all steps have on a wide page
WIDE = 0.6  # of a digit, in its height
GAP = 0.45  # between groups of rows, in rows
STEM = "machine-tape"
NAMES = ("kind", "x", "x2", "y", "y2", "tint", "label", "tip", "ink")


@dataclass(frozen=True)
class TapeRow:
    """One row of cells.

    Attributes:
        column: its name in the table.
        name: what stands beside it, as h₂.
        meaning: what it stands for.
        group: rows of one group stand together.
        values: (T,), which colours stand for.
        symbols: what is written instead of the values, T strings, or none.
        wrong: where it is not what it has to be, (T,), of outputs alone.
    """

    column: str
    name: str
    meaning: str
    group: str
    values: NDArray[np.float64]
    symbols: Sequence[str] = ()
    wrong: NDArray[np.bool_] | None = None

    @property
    def limit(self) -> float:
        """The largest size of its finite values, at least 1: what its colours span."""
        return max(1.0, float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0)))

    @property
    def words(self) -> list[str]:
        """What is written in its cells."""
        return list(self.symbols) or [number(value) for value in self.values.tolist()]


def tape(title: str, rows: Sequence[TapeRow], t: int, caption: str, verdict: str, formula: Formula) -> Figure:
    """All rows on one time axis, step t marked, and a sign between an output and what it has to be.

    Args:
        title: what to see.
        rows: from top to bottom, each output straight above its specification.
        t: counted from 1.
        caption: the configuration.
        verdict: how many outputs are right, in a sentence.
        formula: what the machine computes, and how.
    """
    T = len(rows[0].values)
    drawn, top, before = Rows(NAMES), 0.0, rows[0].group
    for row in rows:
        top += GAP * (row.group != before)
        _add_row(drawn, row, top)
        if row.wrong is not None:
            _add_signs(drawn, row.wrong, top + 1 + GAP / 2, T)
        before, top = row.group, top + 1
    drawn.add(1, kind="cursor", x=t - 0.5, x2=t + 0.5, y=-0.12, y2=top + 0.12, ink="h")
    here = ", ".join(f"{row.name} {row.words[t - 1]}" for row in rows)
    return Figure(
        stem=STEM,
        title=title,
        caption=f"{caption} · {verdict.removesuffix('.')} · colours: ± a row's largest value, at least 1",
        description=f"{title} A row of cells each for {', '.join(row.name for row in rows)} over {T} steps. "
        f"{verdict} At step {t}: {here}.",
        spec=_skeleton(T, top),
        data=drawn.columns,
        table={
            "step": np.arange(1, T + 1),
            **{row.column: list(row.symbols) or row.values for row in rows},
        },
        height=round(70 + 34 * top),
        formula=formula,
    )


def number(value: float) -> str:
    """A cell's number: whole ones as they are, others to three digits."""
    if not np.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "?"
    rounded = f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"
    return ("0" if rounded == "-0" else rounded).replace("-", "−")


def _size(T: int) -> float:
    """Of what is written in a cell, in pixels."""
    return float(np.clip(ROOM / T / 2, 8, 16))


def _add_row(drawn: Rows, row: TapeRow, top: float) -> None:
    T, limit = len(row.values), row.limit
    written = max(map(len, row.words)) * _size(T) * WIDE <= ROOM / T
    starts = np.arange(T) + 0.5
    plain = bool(row.symbols)
    tints = np.nan_to_num(row.values / limit, nan=0.0, posinf=1.0, neginf=-1.0)
    cells: dict[str, Any] = {
        "x": starts.tolist(),
        "x2": (starts + 1).tolist(),
        "y": top + 0.04,
        "y2": top + 0.96,
        "tint": tints.tolist(),
    }
    shown = row.words if plain else [f"{value:.10g}" for value in row.values.tolist()]
    tips = [f"{row.name}, {row.meaning}, step {k}: {word}" for k, word in enumerate(shown, 1)]
    drawn.add(T, kind="cell", tip=tips, **cells)
    if written:
        drawn.add(
            T, kind="number", label=row.words, **{**cells, "x": (starts + 0.5).tolist(), "y": top + 0.5}
        )
    drawn.add(1, kind="name", y=top + 0.5, label=row.name)
    drawn.add(1, kind="meaning", y=top + 0.5, label=row.meaning)
    if not plain and (limit > 1 or not written):
        drawn.add(1, kind="range", y=top + 0.5, label=f"±{number(limit)}")


def _add_signs(drawn: Rows, wrong: NDArray[np.bool_], y: float, T: int) -> None:
    """Between an output and its specification: = where they agree, a bold ≠ where they do not."""
    steps = np.arange(1, T + 1)
    for kind, there, sign in (("equal", ~wrong, "="), ("unequal", wrong, "≠")):
        drawn.add(int(there.sum()), kind=kind, x=steps[there].tolist(), y=y, label=sign, ink="f")


@cache
def _skeleton(T: int, bottom: float) -> dict[str, Any]:
    size = _size(T)
    stops = np.linspace(-1, 1, len(DIVERGING)).tolist()
    x = (
        alt.X("x:Q", title="step t")
        .scale(domain=[0.5, T + 0.5], nice=False)
        .axis(grid=False, tickMinStep=1, tickCount=min(T, 20), domain=False)
    )
    y = alt.Y("y:Q", title=None).scale(domain=[bottom + 0.15, -0.15], nice=False).axis(None)
    ink: dict[str, Any] = {"legend": None, "scale": alt.Scale(domain=domain(QUANTITY, ["f", "h"]))}
    tint = alt.Color("tint:Q", legend=None).scale(domain=stops, range=list(DIVERGING), interpolate="rgb")
    light = palette()
    on_cell = alt.condition(
        "abs(datum.tint) > 0.55", alt.value(light["background"]), alt.value(light["text"])
    )
    beside, behind = alt.value(0), alt.value("width")
    layers = [
        of("cell")
        .mark_rect(cornerRadius=2)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=tint, tooltip=alt.Tooltip("tip:N", title=" ")),
        of("number")
        .mark_text(fontSize=size, baseline="middle", tooltip=None)
        .encode(x=x, y=y, text="label:N", color=on_cell),
        of("name")
        .mark_text(align="right", dx=-12, fontSize=17, fontStyle="italic", fontWeight=600)
        .encode(x=beside, y=y, text="label:N"),
        of("meaning").mark_text(align="right", dx=-50, fontSize=13).encode(x=beside, y=y, text="label:N"),
        of("range").mark_text(align="left", dx=8, fontSize=12).encode(x=behind, y=y, text="label:N"),
        of("equal").mark_text(fontSize=min(size, 13), baseline="middle").encode(x=x, y=y, text="label:N"),
        of("unequal")
        .mark_text(fontSize=max(size, 14), fontWeight=900, baseline="middle")
        .encode(x=x, y=y, text="label:N", fill=alt.Fill("ink:N", **ink)),
        of("cursor")
        .mark_rect(fillOpacity=0, strokeWidth=2, cornerRadius=3)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q", stroke=alt.Stroke("ink:N", **ink)),
    ]
    return layered(layers, padding={"right": 40, "top": 4, "bottom": 4})

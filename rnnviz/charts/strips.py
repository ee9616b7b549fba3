"""Every gate and state of every unit over time, as strips under one cursor."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnviz.charts.figure import Columns, Figure, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.theme import DIVERGING, QUANTITY, SEQUENTIAL, domain

GAP = 0.3  # between strips, in strips
HOVER_LIMIT = 4000  # values with a tooltip of their own; more would slow the page


@dataclass(frozen=True)
class Strip:
    """One gate or state.

    Attributes:
        name, title: its symbol and what a lecturer calls it.
        values: (T,H).
        low, high: the range it can take; infinite where nothing bounds it.
    """

    name: str
    title: str
    values: NDArray[np.float64]
    low: float
    high: float

    @property
    def is_gate(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.low == 0 and self.high == 1

    @property
    def limit(self) -> float:
        """Half the width of a signed scale: 1 for what is bounded by it, else the largest value."""
        if np.isfinite(self.low) and np.isfinite(self.high):
            return float(self.high)
        return max(float(np.abs(self.values[np.isfinite(self.values)]).max(initial=0.0)), 1e-12)

    @property
    def range_text(self) -> str:
        """The range that the colours span, as it is printed."""
        return "0 … 1" if self.is_gate else f"±{self.limit:.3g}"

    def picture(self) -> str:
        """The strip as a PNG data address, one pixel a value, unit 1 on top."""
        low, stops = (0.0, SEQUENTIAL) if self.is_gate else (-self.limit, DIVERGING)
        buffer = io.BytesIO()
        Image.fromarray(paint(self.values.T, low, self.limit, stops)).save(buffer, "PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def strips(rows: Sequence[Strip], tables: Mapping[str, Columns], t: int, unit: int, caption: str) -> Figure:
    """All strips on one time axis, the input above them, step t and one unit marked.

    Args:
        rows: from top to bottom.
        tables: what `still_tables` made of the same rows.
        t, unit: counted from 1.
        caption: the configuration and seed.
    """
    T, H = rows[0].values.shape
    here = ", ".join(f"{row.name} {row.values[t - 1, unit - 1]:.3f}" for row in rows)
    units = [_top(k) + (unit - 0.5) / H for k in range(len(rows))]
    names = tuple(row.name for row in rows)
    return Figure(
        stem="strips",
        title="Every unit, every step: what is kept, written and shown?",
        caption=caption,
        description=f"Heat maps of {', '.join(row.title for row in rows)} for {H} units over {T} steps. "
        f"At step {t}, unit {unit}: {here}.",
        spec=_skeleton(names, T, symbols="symbol" in tables["input"], hover="cells" in tables),
        data={
            "kind": ["step", *("unit" for _ in units)],
            "from": [t - 0.5, *(T + 0.5 for _ in units)],
            "to": [t + 0.5, *(T + 0.5 for _ in units)],
            "top": [0.12, *units],
            "bottom": [_bottom(len(rows)), *units],
            "ink": ["h"] * (1 + len(units)),
        },
        table={
            "step": np.repeat(np.arange(1, T + 1), H),
            "unit": np.tile(np.arange(1, H + 1), T),
            **{row.name: row.values.ravel() for row in rows},
        },
        still=tables,
        height=100 + 62 * len(rows),
    )


def still_tables(rows: Sequence[Strip], x: NDArray[np.float64], symbols: Sequence[str]) -> dict[str, Columns]:
    """What stays as it is while time and unit move: the pictures, the input, and the values to hover.

    Args:
        rows: from top to bottom.
        x: the input, (T,D); drawn as a curve where there are no symbols.
        symbols: what each step is called, T of them, or none.
    """
    T, H = rows[0].values.shape
    tables: dict[str, Columns] = {
        "images": {
            "url": [row.picture() for row in rows],
            "x": [T / 2 + 0.5] * len(rows),
            "y": [_top(k) + 0.5 for k in range(len(rows))],
            "name": [row.name for row in rows],
            "title": [row.title for row in rows],
            "range": [row.range_text for row in rows],
        },
        "input": _input(x, symbols),
    }
    if T * H * len(rows) <= HOVER_LIMIT:
        places = [(k, t, u) for k in range(len(rows)) for t in range(T) for u in range(H)]
        tables["cells"] = {
            "a": [t + 0.5 for _, t, _ in places],
            "b": [t + 1.5 for _, t, _ in places],
            "y": [_top(k) + u / H for k, _, u in places],
            "z": [_top(k) + (u + 1) / H for k, _, u in places],
            "label": [
                f"{rows[k].title} {rows[k].name}, unit {u + 1}, step {t + 1}: {rows[k].values[t, u]:.4g}"
                for k, t, u in places
            ],
        }
    return tables


def _input(x: NDArray[np.float64], symbols: Sequence[str]) -> Columns:
    steps = list(range(1, len(x) + 1))
    if symbols:
        letters = ["␣" if symbol == " " else symbol for symbol in symbols]
        return {"x": steps, "y": [0.55] * len(x), "ink": ["h"] * len(x), "symbol": letters}
    series = x[:, 0]
    return {
        "x": steps,
        "y": 0.52 - 0.4 * series / max(float(np.abs(series).max()), 1e-12),
        "ink": ["x"] * len(x),
        "label": [f"input x, step {k}: {v:.4g}" for k, v in zip(steps, series.tolist(), strict=True)],
    }


def _top(k: int) -> float:
    """Where strip k begins, in strips; the input stands in the first place."""
    return 1.0 + k * (1 + GAP)


def _bottom(count: int) -> float:
    return _top(count - 1) + 1 + 0.08


@cache
def _skeleton(names: tuple[str, ...], T: int, symbols: bool, hover: bool) -> dict[str, Any]:
    bottom = _bottom(len(names))
    x = alt.X("x:Q", title="step t").axis(grid=False, tickMinStep=1, tickCount=10)
    y = alt.Y("y:Q", title=None).scale(domain=[bottom, 0], nice=False)
    tip = alt.Tooltip("label:N", title=" ")
    colours = alt.Scale(domain=domain(QUANTITY, ["x", "h"]))
    ink = alt.Stroke("ink:N", legend=None).scale(colours)
    beside = alt.Chart(alt.NamedData("images")).encode(x=alt.value(0), y="y:Q")
    source = alt.Chart(alt.NamedData("input")).encode(x="x:Q", y="y:Q")
    layers: list[alt.Chart] = [
        alt.Chart(alt.NamedData("images"))
        .mark_image(
            aspect=False, smooth=False, width=alt.expr("width"), height=alt.expr(f"height / {bottom}")
        )
        .encode(
            x=x.scale(domain=[0.5, T + 0.5], nice=False),
            y=y.axis(None),
            url="url:N",
        ),
        beside.mark_text(align="right", dx=-12, fontSize=19, fontStyle="italic", fontWeight=600).encode(
            text="name:N", fill=alt.Fill("name:N", legend=None).scale(domain=domain(QUANTITY, names))
        ),
        beside.mark_text(align="right", dx=-34, dy=-8).encode(text="title:N"),
        beside.mark_text(align="right", dx=-34, dy=10, fontSize=12).encode(text="range:N"),
    ]
    if symbols:
        size = float(np.clip(640 / T, 6, 17))
        letters = source.mark_text(fontSize=size, baseline="middle")
        layers += [letters.encode(text="symbol:N", color=alt.Color("ink:N", legend=None).scale(colours))]
    else:
        line = source.mark_line(strokeWidth=1.8).encode(stroke=ink)
        layers += [line, source.mark_point(opacity=0, size=60, filled=True).encode(tooltip=tip)]
    if hover:
        cells = alt.Chart(alt.NamedData("cells")).mark_rect(opacity=0)
        layers += [cells.encode(x="a:Q", x2="b:Q", y="y:Q", y2="z:Q", tooltip=tip)]
    layers += [
        alt.Chart()
        .transform_filter("datum.kind == 'step'")
        .mark_rect(fillOpacity=0, strokeWidth=2, cornerRadius=3)
        .encode(
            x="from:Q",
            x2="to:Q",
            y="top:Q",
            y2="bottom:Q",
            stroke=ink,
        ),
        alt.Chart()
        .transform_filter("datum.kind == 'unit'")
        .mark_point(shape="triangle-left", size=40, xOffset=8, filled=False, opacity=1)
        .encode(x="from:Q", y="top:Q", stroke=ink),
    ]
    return layered(layers, padding={"right": 8, "bottom": 4})

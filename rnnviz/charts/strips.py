"""Every gate and state of every unit over time, as strips under one cursor."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.theme import DIVERGING, QUANTITY, SEQUENTIAL, domain, paint

GAP = 0.3  # between strips, in strips
INK = alt.Scale(domain=domain(QUANTITY, ["x", "h"]))  # the theme's text colour, and the input's
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
    def limit(self) -> float:
        """Half the width of a signed scale: 1 for what is bounded by it, else the largest value."""
        bounded = np.isfinite(self.low) and np.isfinite(self.high)
        return float(self.high) if bounded else max(float(np.nanmax(np.abs(self.values))), 1e-12)

    @property
    def range_text(self) -> str:
        """The range that the colours span, as it is printed."""
        return "0 … 1" if self.low == 0 and self.high == 1 else f"±{self.limit:.3g}"

    def picture(self) -> str:
        """The strip as a PNG data address, one pixel a value, unit 1 on top."""
        gate = self.low == 0 and self.high == 1
        low, stops = (0.0, SEQUENTIAL) if gate else (-self.limit, DIVERGING)
        buffer = io.BytesIO()
        Image.fromarray(paint(self.values.T, low, self.limit, stops)).save(buffer, "PNG")
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def strips(
    rows: Sequence[Strip], x: NDArray[np.float64], symbols: Sequence[str], t: int, unit: int, caption: str
) -> Figure:
    """All strips on one time axis, the input above them, step t and one unit marked.

    Args:
        rows: from top to bottom.
        x: the input, (T,D); drawn as a curve where there are no symbols.
        symbols: what each step is called, T of them, or none.
        t, unit: counted from 1.
        caption: the configuration and seed.
    """
    T, H = rows[0].values.shape
    here = ", ".join(f"{row.name} {row.values[t - 1, unit - 1]:.3f}" for row in rows)
    units = [_top(k) + (unit - 0.5) / H for k in range(len(rows))]
    return Figure(
        stem="strips",
        title="Every unit, every step: what is kept, written and shown?",
        caption=caption,
        description=f"Heat maps of {', '.join(row.title for row in rows)} for {H} units over {T} steps. "
        f"At step {t}, unit {unit}: {here}.",
        spec=_spec(rows, x, symbols),
        data={
            "kind": ["step", *("unit" for _ in units)],
            "from": [t - 0.5, *(T + 0.5 for _ in units)],
            "to": [t + 0.5, *(T + 0.5 for _ in units)],
            "top": [0.12, *units],
            "bottom": [_bottom(rows), *units],
            "ink": ["h"] * (1 + len(units)),
        },
        table={
            "step": np.repeat(np.arange(1, T + 1), H),
            "unit": np.tile(np.arange(1, H + 1), T),
            **{row.name: row.values.ravel() for row in rows},
        },
        height=100 + 62 * len(rows),
    )


def _top(k: int) -> float:
    """Where strip k begins, in strips; the input stands in the first place."""
    return 1.0 + k * (1 + GAP)


def _bottom(rows: Sequence[Strip]) -> float:
    return _top(len(rows) - 1) + 1 + 0.08


def _spec(rows: Sequence[Strip], x: NDArray[np.float64], symbols: Sequence[str]) -> dict[str, Any]:
    T = len(x)
    across = alt.Scale(domain=[0.5, T + 0.5], nice=False)
    names = {
        round(_top(k) + 0.5, 6): [f"{row.name}  {row.title}", row.range_text] for k, row in enumerate(rows)
    }
    label = "".join(f"abs(datum.value - {at}) < 0.01 ? {text!r} : " for at, text in names.items()) + "''"
    y_axis = alt.Axis(
        title=None, values=list(names), labelExpr=label, grid=False, domain=False, labelLimit=220
    )
    images = [{"url": row.picture(), "x": T / 2 + 0.5, "y": _top(k) + 0.5} for k, row in enumerate(rows)]
    layers: list[alt.Chart] = [
        alt.Chart(alt.InlineData(values=images))
        .mark_image(
            aspect=False, smooth=False, width=alt.expr("width"), height=alt.expr(f"height / {_bottom(rows)}")
        )
        .encode(
            x=alt.X("x:Q", title="step t", scale=across).axis(grid=False, tickMinStep=1, tickCount=10),
            y=alt.Y("y:Q", scale=alt.Scale(domain=[_bottom(rows), 0], nice=False), axis=y_axis),
            url="url:N",
        ),
        *_input_layers(x, symbols),
        *_hover_layers(rows),
        alt.Chart()
        .transform_filter("datum.kind == 'step'")
        .mark_rect(fillOpacity=0, strokeWidth=2, cornerRadius=3)
        .encode(
            x="from:Q",
            x2="to:Q",
            y="top:Q",
            y2="bottom:Q",
            stroke=alt.Stroke("ink:N", legend=None).scale(INK),
        ),
        alt.Chart()
        .transform_filter("datum.kind == 'unit'")
        .mark_point(shape="triangle-left", size=50, xOffset=7, strokeWidth=0, opacity=1)
        .encode(x="from:Q", y="top:Q", fill=alt.Fill("ink:N", legend=None).scale(INK)),
    ]
    return layered(layers, padding={"right": 20})


def _input_layers(x: NDArray[np.float64], symbols: Sequence[str]) -> list[alt.Chart]:
    """The input's row: its characters, or its curve."""
    if symbols:
        size = float(np.clip(640 / len(symbols), 6, 17))
        letters = [{"x": k, "y": 0.55, "symbol": "␣" if s == " " else s} for k, s in enumerate(symbols, 1)]
        text = alt.Chart(alt.InlineData(values=letters)).mark_text(fontSize=size, baseline="middle")
        return [text.encode(x="x:Q", y="y:Q", text="symbol:N")]
    series = x[:, 0]
    limit = max(float(np.abs(series).max()), 1e-12)
    points = [
        {"x": k, "y": 0.52 - 0.4 * v / limit, "ink": "x", "label": f"x at step {k}: {v:.4g}"}
        for k, v in enumerate(series.tolist(), 1)
    ]
    curve = alt.Chart(alt.InlineData(values=points)).encode(x="x:Q", y="y:Q")
    return [
        curve.mark_line(strokeWidth=1.8).encode(stroke=alt.Stroke("ink:N", legend=None).scale(INK)),
        curve.mark_point(opacity=0, size=60, filled=True).encode(tooltip=alt.Tooltip("label:N", title=" ")),
    ]


def _hover_layers(rows: Sequence[Strip]) -> list[alt.Chart]:
    """Each value under the pointer, where there are few enough for a browser to hold."""
    T, H = rows[0].values.shape
    if T * H * len(rows) > HOVER_LIMIT:
        return []
    cells = [
        {
            "a": t + 0.5,
            "b": t + 1.5,
            "y": _top(k) + u / H,
            "z": _top(k) + (u + 1) / H,
            "label": f"{row.title} {row.name}, unit {u + 1}, step {t + 1}: {row.values[t, u]:.4g}",
        }
        for k, row in enumerate(rows)
        for t in range(T)
        for u in range(H)
    ]
    chart = alt.Chart(alt.InlineData(values=cells)).mark_rect(opacity=0)
    return [chart.encode(x="a:Q", x2="b:Q", y="y:Q", y2="z:Q", tooltip=alt.Tooltip("label:N", title=" "))]

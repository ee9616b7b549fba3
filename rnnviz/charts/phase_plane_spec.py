"""The phase plane's specification, which stays while its data change."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt

from rnnviz.charts.figure import layered
from rnnviz.charts.fixed_marks import color, point_layers
from rnnviz.charts.rows import of


@cache
def skeleton(
    axes: tuple[str, str], first: tuple[float, float], second: tuple[float, float]
) -> dict[str, Any]:
    """The picture without its data: both axes named, each over its window."""
    x = alt.X("x:Q", title=axes[0]).scale(domain=list(first), nice=False).axis(grid=False)
    y = alt.Y("y:Q", title=axes[1]).scale(domain=list(second), nice=False).axis(grid=False)
    hover = alt.Tooltip("label:N", title=" ")
    arrows = of("arrow").transform_calculate(turn="atan2(datum.right * width, datum.up * height) * 180 / PI")
    bold: dict[str, Any] = {"fontSize": 15, "fontWeight": 600}
    nulls = {role: of("null").transform_filter(f"datum.role == '{role}'") for role in ("map", "second")}
    note: dict[str, Any] = {"x": x, "y": y, "text": "note:N", "color": color()}
    path: dict[str, Any] = {"x": x, "y": y, "order": "n:Q", "detail": "line:N", "color": color()}
    layers = [
        arrows.mark_rule(strokeWidth=1.3, opacity=0.7, clip=True).encode(
            x=x, y=y, x2="x2:Q", y2="y2:Q", color=color()
        ),
        arrows.mark_point(shape="triangle", filled=True, size=26, opacity=0.8, clip=True).encode(
            x=alt.X("x2:Q"), y=alt.Y("y2:Q"), color=color(), angle=alt.Angle("turn:Q").scale(None)
        ),
        of("still").mark_point(filled=True, size=10, opacity=0.75).encode(x=x, y=y, color=color()),
        nulls["map"].mark_line(strokeWidth=2.4, clip=True).encode(**path),
        nulls["second"].mark_line(strokeWidth=2.4, strokeDash=[8, 4], clip=True).encode(**path),
        of("null right").mark_text(align="left", dx=6, **bold).encode(**note),
        of("null top").mark_text(baseline="bottom", dy=-5, **bold).encode(**note),
        of("null bottom").mark_text(align="left", dx=7, dy=-10, **bold).encode(**note),
        of("earlier").mark_line(strokeWidth=1.2, opacity=0.7, clip=True).encode(**path),
        of("earlier")
        .mark_point(filled=True, size=16, opacity=0.8, clip=True)
        .encode(x=x, y=y, color=color(), tooltip=hover),
        of("orbit").mark_line(strokeWidth=1.8, clip=True).encode(**path),
        of("orbit")
        .mark_point(filled=True, size=46, opacity=1, clip=True)
        .encode(x=x, y=y, color=color(), tooltip=hover),
        of("start")
        .mark_point(filled=False, size=150, strokeWidth=2, opacity=1)
        .encode(x=x, y=y, color=color()),
        of("start").mark_text(dx=-16, dy=-10, **bold).encode(x=x, y=y, text="note:N", color=color()),
        *point_layers(x, y),
        of("gone")
        .mark_text(align="left", baseline="bottom", dy=-5, fontSize=14, fontWeight=600)
        .encode(x=alt.value(0), y=alt.value(0), text="label:N", color=color()),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

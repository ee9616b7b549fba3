"""One unit's gates and states as lines over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import numpy as np

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.strips import Strip
from rnnviz.charts.theme import QUANTITY, domain


def unit_lines(rows: Sequence[Strip], t: int, unit: int, caption: str) -> Figure:
    """The lines of one unit through all strips, step t marked.

    Args:
        rows: gates and states.
        t, unit: counted from 1.
        caption: the configuration and seed.
    """
    T = len(rows[0].values)
    lines = {row.name: row.values[:, unit - 1] for row in rows}
    data: list[dict[str, Any]] = [
        {
            "kind": "line",
            "name": row.name,
            "step": k,
            "value": v,
            "label": f"{row.title} {row.name}, step {k}: {v:.4g}",
        }
        for row in rows
        for k, v in enumerate(lines[row.name].tolist(), 1)
    ]
    every = np.concatenate(list(lines.values()))
    finite = every[np.isfinite(every)]
    span = float(finite.max() - finite.min()) if finite.size else 0.0
    last = np.array([line[-1] for line in lines.values()])
    ends = log_axis.spread(np.where(np.isfinite(last), last, np.nan), gap=max(span, 1e-9) / 13)
    data += [
        {"kind": "end", "name": name, "step": T, "value": float(place), "label": name}
        for name, place in zip(lines, ends, strict=True)
    ]
    data.append({"kind": "cursor", "step": t})
    names = ("kind", "name", "step", "value", "label")
    return Figure(
        stem="unit",
        title=f"Unit {unit}: its gates and states through time",
        caption=caption,
        description=f"Lines of {', '.join(row.title for row in rows)} of unit {unit} over {T} steps. "
        f"At step {t}: {', '.join(f'{name} {line[t - 1]:.3f}' for name, line in lines.items())}.",
        spec=_skeleton(tuple(lines)),
        data={name: [row.get(name) for row in data] for name in names},
        table={"step": np.arange(1, T + 1), **lines},
        height=300,
    )


@cache
def _skeleton(names: tuple[str, ...]) -> dict[str, Any]:
    x = alt.X("step:Q", title="step t").scale(nice=False, zero=False).axis(grid=False, tickMinStep=1)
    y = alt.Y("value:Q", title="value").axis(tickCount=5)
    color = alt.Color("name:N", legend=None).scale(domain=domain(QUANTITY, names))
    lines = alt.Chart().transform_filter("datum.kind == 'line'")
    layers = [
        alt.Chart().transform_filter("datum.kind == 'cursor'").mark_rule(strokeWidth=2).encode(x=x),
        lines.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=color),
        lines.mark_point(size=80, opacity=0, filled=True).encode(
            x=x, y=y, tooltip=alt.Tooltip("label:N", title=" ")
        ),
        alt.Chart()
        .transform_filter("datum.kind == 'end'")
        .mark_text(align="left", dx=8, fontSize=15, fontWeight=600)
        .encode(x=x, y=y, text="label:N", color=color),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

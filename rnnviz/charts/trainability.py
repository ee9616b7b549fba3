"""Where one cell can be trained at all: the figure that it is judged by, over lag and learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from rnnviz.charts import pixels
from rnnviz.charts.courses import say
from rnnviz.charts.figure import Figure, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.seed_curves import CROSS
from rnnviz.charts.sweep_table import seeds_words, solved, sweep_table
from rnnviz.charts.theme import DECADES, palette

if TYPE_CHECKING:
    from rnnviz.engine.outcome import Outcome
    from rnnviz.engine.task import Task

SEAM = 0.04  # of a tile: between two
NAMES = ("kind", "x", "x2", "y", "y2", "url", "fill", "ink", "label")


def trainability(
    task: Task,
    cell: str,
    lengths: Sequence[int],
    lrs: Sequence[float],
    outcomes: Sequence[Outcome],
    caption: str,
) -> Figure:
    """One tile a lag and learning rate: the median figure, how many seeds solved it, one scale of colours.

    Args:
        task: judged by a share of 1.
        cell: what a lecturer calls it.
        lengths, lrs: asked for, both increasing.
        outcomes: what is there so far, of these; a tile without one is outlined and empty.
        caption: the configuration and seeds.
    """
    low = min(task.baseline(lag).metric for lag in lengths)
    rows = Rows(NAMES)
    spoken = []
    for i, lag in enumerate(lengths):
        for j, lr in enumerate(lrs):
            own = [one for one in outcomes if (one.config.length, one.config.lr) == (lag, lr)]
            if own:
                spoken.append(f"lag {lag:,}, learning rate {lr:g}: {seeds_words(own)}")
            _add_tile(rows, _box(i, j, len(lengths), len(lrs)), own, low, spoken[-1:])
    columns, lines = len(lengths), len(lrs)
    rows.add(columns, kind="lag", x=[(i + 0.5) / columns for i in range(columns)], label=_said(lengths))
    rows.add(lines, kind="rate", y=[(j + 0.5) / lines for j in range(lines)], label=_said(lrs))
    _add_legend(rows, low, task.metric.title)
    title = f"At which lag and learning rate does the {cell} still learn?"
    gone = " · ×: a seed that diverged" if any(one.diverged for one in outcomes) else ""
    missing = columns * lines - len(spoken)
    return Figure(
        stem="trainability",
        title=title,
        caption=f"{caption} · each tile: the median over the seeds, and how many solved it{gone}",
        description=f"{title} {task.metric.title}, a tile a lag and learning rate. "
        + ("; ".join(spoken) + "." if spoken else "Nothing is computed yet.")
        + (f" {missing} tiles are empty." if spoken and missing else ""),
        spec=_skeleton(f"lag: {task.lengths.what}"),
        data=rows.columns,
        table=sweep_table(outcomes),
        height=70 + 66 * max(3, lines),
    )


def _said(values: Sequence[float]) -> list[str]:
    return [f"{value:,}" if isinstance(value, int) else f"{value:g}" for value in values]


def _box(i: int, j: int, columns: int, lines: int) -> dict[str, float]:
    """A tile's edges: the first lag at the left, the lowest learning rate at the bottom."""
    half = SEAM / 2
    return {
        "x": (i + half) / columns,
        "x2": (i + 1 - half) / columns,
        "y": (j + half) / lines,
        "y2": (j + 1 - half) / lines,
    }


def _add_tile(
    rows: Rows, box: dict[str, float], own: Sequence[Outcome], low: float, words: Sequence[str]
) -> None:
    """A tile: its colour and words, a cross a seed that diverged; without outcomes its outline alone."""
    if not own:
        for edge in ("y", "y2"):
            rows.add(1, kind="level", x=box["x"], x2=box["x2"], y=box[edge])
        for edge in ("x", "x2"):
            rows.add(1, kind="upright", x=box[edge], y=box["y"], y2=box["y2"])
        return
    values = [one.metric for one in own if not one.diverged]
    middle = float(np.median(values)) if values else None
    shade, ink = _colours(middle, low)
    rows.add(1, kind="tile", fill=shade, label=words[0], **box)
    x, y, height = (box["x"] + box["x2"]) / 2, (box["y"] + box["y2"]) / 2, box["y2"] - box["y"]
    figure = "diverged" if middle is None else say(round(middle, 2), True)
    rows.add(1, kind="figure", x=x, y=y + 0.12 * height, ink=ink, label=figure)
    rows.add(1, kind="solved", x=x, y=y - 0.24 * height, ink=ink, label=f"{solved(own)}/{len(own)}")
    width = box["x2"] - box["x"]
    for n in range(len(own) - len(values)):
        at = box["x2"] - width * (0.09 + 0.11 * n)
        rows.add(1, kind="cross", x=at, y=box["y2"] - 0.16 * height, ink=ink)


def _colours(value: float | None, low: float) -> tuple[str, str]:
    """A tile's colour, and the one of two inks that stands out on it; of no figure the scale's low end."""
    shade = paint(np.array([[low if value is None else value]]), low, 1.0, DECADES)[0, 0].tolist()
    light = _luminance(shade)
    inks = [palette(dark)["text"] for dark in (False, True)]
    ink = max(
        inks, key=lambda ink: _contrast(light, _luminance([int(ink[k : k + 2], 16) for k in (1, 3, 5)]))
    )
    return "#" + "".join(f"{part:02x}" for part in shade), ink


def _luminance(colour: Sequence[int]) -> float:
    """Relative luminance of sRGB, as WCAG 2 has it, from 0 to 1."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _add_legend(rows: Rows, low: float, title: str) -> None:
    """The bar of colours over the height of the map, and what its ends and middle say."""
    shades = np.linspace(1.0, low, 128)[:, None]
    rows.add(1, kind="bar", y=0.0, y2=1.0, url=pixels.address(paint(shades, low, 1.0, DECADES)))
    marks = [k / 5 for k in range(1, 6) if k / 5 > low + 0.08]
    at = [(v - low) / (1 - low) for v in marks]
    rows.add(len(marks), kind="share", y=at, label=[say(v, True) for v in marks])
    rows.add(1, kind="unit", y=1.0, label=title)
    rows.add(1, kind="share", y=0.0, label=f"{say(low, True)}, without memory")


@cache
def _skeleton(x_title: str) -> dict[str, Any]:
    bare: dict[str, Any] = {"labels": False, "grid": False, "domain": False, "ticks": False}
    x = alt.X("x:Q", title=x_title).scale(domain=[0, 1], nice=False).axis(**bare, titlePadding=30)
    y = alt.Y("y:Q", title="learning rate").scale(domain=[0, 1], nice=False).axis(**bare, titlePadding=70)
    fill, ink = alt.Fill("fill:N").scale(None).legend(None), alt.Color("ink:N").scale(None).legend(None)
    box = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    beside, text = alt.value(alt.expr("width + 24")), "label:N"
    layers = [
        of("level").mark_rule(opacity=0.6).encode(x=x, x2="x2:Q", y=y),  # of tiles without a figure
        of("upright").mark_rule(opacity=0.6).encode(x=x, y=y, y2="y2:Q"),
        of("tile")
        .mark_rect(opacity=1, cornerRadius=3)
        .encode(**box, fill=fill, tooltip=alt.Tooltip(text, title=" ")),
        of("figure").mark_text(fontSize=22, fontWeight=700).encode(x=x, y=y, text=text, color=ink),
        of("solved").mark_text(fontSize=15, fontWeight=500).encode(x=x, y=y, text=text, color=ink),
        of("cross")
        .mark_point(shape=CROSS, size=60, strokeWidth=2, filled=False, opacity=1)
        .encode(x=x, y=y, stroke=alt.Stroke("ink:N").scale(None).legend(None)),
        of("lag").mark_text(baseline="top", dy=8).encode(x=x, y=alt.value("height"), text=text),
        of("rate").mark_text(align="right", dx=-10).encode(x=alt.value(0), y=y, text=text),
        of("bar")
        .mark_image(aspect=False, smooth=False, width=16)
        .encode(x=beside, y=y, y2="y2:Q", url="url:N"),
        of("unit").mark_text(align="left", dx=-8, dy=-22).encode(x=beside, y=y, text=text),
        of("share").mark_text(align="left", dx=14).encode(x=beside, y=y, text=text),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

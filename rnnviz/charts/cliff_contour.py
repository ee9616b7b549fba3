"""An error surface from above: contour lines, how steep it is, and the ways of gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import altair as alt
import numpy as np

from rnnviz.charts import log_axis, pixels
from rnnviz.charts.cliff import HIGH, LOW
from rnnviz.charts.cliff_labels import Labels
from rnnviz.charts.cliff_levels import levels_of, off_the_wall
from rnnviz.charts.cliff_records import Array, Surface, Wall, Way
from rnnviz.charts.cliff_ways import exits, in_words, name_of, pieces, point, said
from rnnviz.charts.figure import Columns, Figure, Formula, layered
from rnnviz.charts.paint import paint
from rnnviz.charts.rows import Rows, of
from rnnviz.charts.theme import CLIPPED, SEQUENTIAL, UNCLIPPED, domain, palette

NAMES = ("kind", "way", "part", "order", "x", "x2", "y", "y2", "url", "label", "words", "shade")
WAYS = {"unclipped": UNCLIPPED, "clipped": CLIPPED}
SHAPES = ["circle", "diamond"]


def contour(surface: Surface, wall: Wall, ways: Sequence[Way], formula: Formula, caption: str) -> Figure:
    """Contour lines of E over (w, b) on ‖∇E‖ as colours of a log scale, and each way with its updates.

    Args:
        surface, wall: of one unit.
        ways: at most one without clipping and one with.
        formula: of the unit, its error and its updates.
        caption: the configuration.
    """
    rows, labels = Rows(NAMES), Labels(surface.box)
    (left, right), (bottom, top) = surface.box
    rows.add(2, kind="span", x=[left, right], y=[bottom, top])
    with np.errstate(divide="ignore"):
        logs = np.log10(surface.norm)
    url = pixels.address(paint(logs[::-1], LOW, HIGH, SEQUENTIAL))
    half_w, half_b = (right - left) / (2 * len(surface.w) - 2), (top - bottom) / (2 * len(surface.b) - 2)
    edges = {"x": left - half_w, "x2": right + half_w, "y": bottom - half_b, "y2": top + half_b}
    rows.add(1, kind="picture", url=url, **edges)
    for way in ways:
        labels.keep_clear(np.column_stack([way.w, way.b])[way.inside(surface.box)])
    for way in sorted(ways, key=lambda way: way.clip is None):  # the dashed one above
        _add_way(rows, labels, way, surface, apart(ways) if way.clip is None else 0)
    _add_wall(rows, labels, wall, surface)
    _add_levels(rows, labels, surface, wall)
    _add_legend(rows, surface)
    title = "The same from above: where is it steep, and where does each way lead?"
    largest, w, b = surface.steepest()
    return Figure(
        stem="cliff-contour",
        title=title,
        caption=caption,
        description=f"{title} Contour lines of E over w and b. Its gradient is largest at {point(w, b)}, "
        f"with norm {largest:.3g}. {' '.join(in_words(way, surface.box) for way in ways)}",
        spec=_skeleton(),
        data=rows.columns,
        table=_table(ways),
        height=560,
        formula=formula,
    )


def _add_levels(rows: Rows, labels: Labels, surface: Surface, wall: Wall) -> None:
    """Every line, and what it stands for at the best free place of its longest part."""
    part = 0
    for level, whole in levels_of(surface).items():
        lines = [piece for line in whole for piece in off_the_wall(line, surface, wall)]
        for line in lines:
            n, part = len(line), part + 1
            rows.add(n, kind="level", part=part, order=list(range(n)), x=_list(line, 0), y=_list(line, 1))
        place = labels.along(max(lines, key=len)) if lines else None
        if place is not None:
            rows.add(1, kind="value", x=place[0], y=place[1], label=f"{level:g}")


def _add_wall(rows: Rows, labels: Labels, wall: Wall, surface: Surface) -> None:
    """The line where x₀ repels, in the colours of its own gradient, and its name at its far end."""
    if len(wall.w) < 2:
        return
    x, y = wall.w.tolist(), wall.b.tolist()
    with np.errstate(divide="ignore"):
        logs = np.log10(np.where(np.isnan(wall.norm), np.inf, wall.norm))
    shades = ["#" + bytes(shade).hex() for shade in paint(logs[None], LOW, HIGH, SEQUENTIAL)[0]]
    rows.add(len(x) - 1, kind="wall", x=x[:-1], x2=x[1:], y=y[:-1], y2=y[1:], shade=shades[1:])
    labels.keep_clear(np.column_stack([wall.w, wall.b]))
    k = len(wall.w) - 1
    steepest = wall.steepest()
    name = "x₀ repels" if steepest and steepest[0] <= surface.steepest()[0] else "x₀ repels: the wall"
    rows.add(1, kind="wall name", x=float(wall.w[k]), y=float(wall.b[k]), label=name)


def apart(ways: Sequence[Way]) -> int:
    """The first update after which the ways are not all in one place; 0 for one alone, N+1 for never."""
    first, *others = ways
    same = np.logical_and.reduce([(first.w == way.w) & (first.b == way.b) for way in others])
    return int(np.append(same, False).argmin()) if others else 0


def _add_way(rows: Rows, labels: Labels, way: Way, surface: Surface, since: int) -> None:
    """The way as far as it lies in the window, its updates ``since`` one, and where it leaves."""
    kind = "unclipped" if way.clip is None else "clipped"
    for part, piece in enumerate(pieces(way, surface.box)):
        n = len(piece)
        rows.add(
            n, kind="way", way=kind, part=part, order=list(range(n)), x=_list(piece, 0), y=_list(piece, 1)
        )
    here = [k for k in np.flatnonzero(way.inside(surface.box)).tolist() if k >= since]
    words = [_words(way, k) for k in here]
    rows.add(len(here), kind="update", way=kind, x=way.w[here].tolist(), y=way.b[here].tolist(), words=words)
    last = len(way.w) - 1
    for k in sorted(here, key=lambda k: (k not in (0, last), k % 10 != 0, k % 5 != 0, k)):
        if (k in (0, last) or k % 5 == 0) and labels.free(float(way.w[k]), float(way.b[k])):
            what, name = ("number", f"{k}") if k else ("start", "start")
            rows.add(1, kind=what, way=kind, x=float(way.w[k]), y=float(way.b[k]), label=name)
    for one in exits(way, surface.box)[:1]:
        (left, right), _ = surface.box
        side = "right of" if one.at[0] < (left + right) / 2 else "left of"
        rows.add(1, kind="exit", way=kind, x=one.at[0], y=one.at[1], label=one.words, words=side)
    rows.add(1, kind=f"{kind} name", label=name_of(way))


def _words(way: Way, k: int) -> str:
    clipped = f", clipped to {said(way.clip)}" if way.clip is not None and way.clipped[k] else ""
    at = point(float(way.w[k]), float(way.b[k]))
    return f"update {k}: {at}, E = {said(float(way.E[k]))}, ‖∇E‖ = {said(float(way.norm[k]))}{clipped}"


def _list(line: Array, k: int) -> list[float]:
    values: list[float] = line[:, k].tolist()
    return values


def _add_legend(rows: Rows, surface: Surface) -> None:
    """The bar of colours over the height of the picture, and what its decades say."""
    _, (bottom, top) = surface.box
    shades = np.linspace(HIGH, LOW, 128)[:, None]
    rows.add(1, kind="bar", y=bottom, y2=top, url=pixels.address(paint(shades, LOW, HIGH, SEQUENTIAL)))
    rows.add(1, kind="unit", y=top, label="‖∇E‖")
    marks, powers = log_axis.ticks(LOW, HIGH), range(LOW, HIGH + 1)
    at = [bottom + (top - bottom) * (power - LOW) / (HIGH - LOW) for power in powers]
    sign = {LOW: "≤ ", HIGH: "≥ "}
    rows.add(len(powers), kind="decade", y=at, label=[sign.get(k, "") + marks[k] for k in powers])


def _table(ways: Sequence[Way]) -> Columns:
    """A row an update of each way: where it stands, and whether the gradient there was clipped."""
    columns: dict[str, list[Any]] = {name: [] for name in ("way", "update", "w", "b", "E", "norm", "clipped")}
    for way in ways:
        n = len(way.w)
        columns["way"].append(np.full(n, name_of(way)))
        columns["update"].append(np.arange(n))
        for name in ("w", "b", "E", "norm"):
            columns[name].append(getattr(way, name))
        columns["clipped"].append((way.clipped & way.used).astype(int))
    return {name: np.concatenate(parts) for name, parts in columns.items()}


@cache
def _skeleton() -> dict[str, Any]:
    x = alt.X("x:Q", title="w").scale(zero=False, nice=False).axis(grid=False)
    y = alt.Y("y:Q", title="b").scale(zero=False, nice=False).axis(grid=False)
    color = alt.Color("way:N", legend=None).scale(domain=domain(WAYS, list(WAYS)))
    dash = alt.StrokeDash("way:N", legend=None).scale(domain=list(WAYS), range=[[7, 5], [1, 0]])
    shape = alt.Shape("way:N", legend=None).scale(domain=list(WAYS), range=SHAPES)
    shade = alt.Color("shade:N", legend=None).scale(None)
    box: dict[str, Any] = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    # The picture is light in either mode, and so is the ink on it dark.
    ink, paper = palette()["text"], palette()["background"]
    text, at_end = "label:N", alt.value(alt.expr("width + 30"))

    def picture(kind: str, **properties: Any) -> alt.Chart:
        chart: alt.Chart = of(kind).mark_image(aspect=False, **properties)
        return chart

    def lines(kind: str, *detail: str, **properties: Any) -> alt.Chart:
        mark = of(kind).mark_line(clip=True, **properties)
        chart: alt.Chart = mark.encode(x=x, y=y, order="order:Q", detail=list(detail))
        return chart

    def written(kind: str, size: int, **properties: Any) -> list[alt.Chart]:
        """Words with a rim, so that lines beneath them do not cross them."""
        rim = {"stroke": paper, "strokeWidth": 4, "strokeJoin": "round", "fill": paper}
        return [
            of(kind).mark_text(fontSize=size, **properties, **paint).encode(x=x, y=y, text=text)
            for paint in (rim, {"fill": ink})
        ]

    ways = of("way").mark_line(clip=True, strokeWidth=3)
    layers = [
        of("span").mark_point(opacity=0).encode(x=x, y=y),
        picture("picture", clip=True).encode(**box, url="url:N"),
        lines("level", "part:N", strokeWidth=1, stroke=ink, opacity=0.55),
        of("wall").mark_rule(strokeWidth=5, strokeCap="round", opacity=1).encode(**box, color=shade),
        lines("way", "part:N", "way:N", strokeWidth=7, stroke=paper, opacity=0.8),
        ways.encode(x=x, y=y, order="order:Q", detail="part:N", color=color, strokeDash=dash),
        of("update")
        .mark_point(filled=True, size=34, opacity=1)
        .encode(x=x, y=y, color=color, shape=shape, tooltip=alt.Tooltip("words:N", title=" ")),
        *written("value", 13),
        *written("wall name", 14, align="right", dx=-14, dy=16),
        *written("number", 13, dy=-14, fontWeight=600),
        *written("start", 13, align="left", dx=12, dy=4, fontWeight=600),
        of("exit").mark_point(filled=True, size=160, shape="cross", opacity=1).encode(x=x, y=y, color=color),
        *written("exit", 14, align="left", dx=12, dy=16, fontWeight=600),
        *_key(color, dash, shape),
        picture("bar", width=16).encode(x=at_end, y=y, y2="y2:Q", url="url:N"),
        of("unit").mark_text(align="center", dy=-18).encode(x=at_end, y=y, text=text),
        of("decade").mark_text(align="left", dx=14).encode(x=at_end, y=y, text=text),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})


def _key(color: alt.Color, dash: alt.StrokeDash, shape: alt.Shape) -> list[alt.Chart]:
    """Above the picture: a piece of each way, and its name."""
    layers = []
    for k, kind in enumerate(WAYS):
        start, above = 4 + 210 * k, alt.value(-18)
        name = of(f"{kind} name").transform_calculate(way=f"'{kind}'")
        layers += [
            name.mark_rule(strokeWidth=3).encode(
                x=alt.value(start), x2=alt.value(start + 44), y=above, color=color, strokeDash=dash
            ),
            name.mark_point(filled=True, size=60, opacity=1).encode(
                x=alt.value(start + 22), y=above, color=color, shape=shape
            ),
            name.mark_text(align="left", fontSize=15, fontWeight=600).encode(
                x=alt.value(start + 54), y=above, text="label:N", color=color
            ),
        ]
    return layers

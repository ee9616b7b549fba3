"""What clipping does to a gradient: the size of each of its entries, largest first, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log, log10
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from rnnviz.charts import log_axis
from rnnviz.charts.figure import Columns, Figure, Formula, layered
from rnnviz.charts.log_lines import NAMES, Line, add_lines, line_layers
from rnnviz.charts.rows import MARKS, Rows, of
from rnnviz.charts.tips import TIPS, bands

DRAWN = 160  # ranks at most: a line through more looks no different
TITLES = {"plain": "unclipped", "norm": "by norm", "value": "by value"}
FORMULA = Formula(
    r"\text{by norm: } g \leftarrow g \cdot \min\left(1, \frac{\theta}{\lVert g \rVert}\right) \qquad "
    r"\text{by value: } g_{ij} \leftarrow \min\left(\theta, \max\left(-\theta, g_{ij}\right)\right)",
    "by norm: g ← g · min(1, θ/‖g‖); by value: gᵢⱼ ← min(θ, max(−θ, gᵢⱼ))",
)


def clipped_entries(
    sizes: dict[str, NDArray[np.float64]], theta: float, cell_title: str, said: str, caption: str
) -> Figure:
    """|g_ij| of all entries of dL/dW_hh against their rank.

    Args:
        sizes: ``plain``, ``norm``, ``value`` -> all sizes, (N,), descending; nan where not a number.
        theta: the threshold.
        cell_title: whose.
        said: the norms before and after, and the angle between.
        caption: the configuration and seed.
    """
    N = len(sizes["plain"])
    marks = Rows(NAMES)
    largest = sizes["plain"][0]
    near = bool(0 < largest < np.inf and theta <= 10 * largest)  # far above everything it would hide it all
    lines = _lines(sizes)
    points = add_lines(marks, lines, also=[log10(theta)] if near else [])
    if near:
        marks.add(1, kind="theta", place=log10(theta), label=f"θ = {theta:g}")
    decades = [10**k for k in range(len(str(N)))]
    marks.add(len(decades), kind="rank", x=[log10(v) for v in decades], label=[f"{v:,}" for v in decades])
    cut = int((sizes["plain"] > theta).sum())
    title = "What does clipping do to the entries of dL/dW_hh?"
    odd = int((~np.isfinite(sizes["plain"])).sum())
    notes = [said, f"{cut:,} of {N:,} entries above θ"]
    notes += [f"θ = {theta:g} lies far above every entry"] if not near and not odd else []
    notes += [f"{odd:,} entries are no finite number"] if odd else []
    return Figure(
        stem="clipping",
        title=title,
        caption=" · ".join([*notes, caption]),
        description=f"{title} {cell_title}, log axes, {N} entries by size, largest first: "
        + ", ".join(f"{t} {log_axis.number(_power(sizes[r][0]))}" for r, t in TITLES.items())
        + f". {cut} entries are above θ = {theta:g}; {said}.",
        spec=_skeleton(),
        data=points,
        still={MARKS: marks.columns, TIPS: _tips(lines, N)},
        table={
            "rank": np.arange(1, N + 1),
            "size": sizes["plain"],
            "clipped_by_norm": sizes["norm"],
            "clipped_by_value": sizes["value"],
        },
        height=360,
        formula=FORMULA,
    )


def _lines(sizes: dict[str, NDArray[np.float64]]) -> list[Line]:
    N = len(sizes["plain"])
    ranks = ranks_drawn(N)
    with np.errstate(divide="ignore"):
        logs = {remedy: np.log(sizes[remedy][ranks - 1]) for remedy in TITLES}
    return [Line(remedy, title, np.log10(ranks), logs[remedy]) for remedy, title in TITLES.items()]


def _tips(lines: Sequence[Line], N: int) -> Columns:
    """What the pointer reads: a band a rank drawn, half way to the next on either side."""
    at = lines[0].x
    edges = np.concatenate([at[:1], (at[1:] + at[:-1]) / 2, at[-1:]])
    return {
        "first": edges[:-1],
        "last": edges[1:],
        "entry": [f"{rank} of {N}" for rank in ranks_drawn(N).tolist()],
        **{line.name: line.numbers for line in lines},
    }


def ranks_drawn(N: int) -> NDArray[np.int64]:
    """At most ``DRAWN`` of 1…N, evenly spread on a log axis, both ends included.

    >>> ranks_drawn(4).tolist()
    [1, 2, 3, 4]
    """
    if N <= DRAWN:
        return np.arange(1, N + 1)
    return np.unique(np.round(np.geomspace(1, N, DRAWN)).astype(np.int64))


def _power(size: float) -> float:
    return log(size) / log(10) if 0 < size < np.inf else (-np.inf if size == 0 else float(size))


@cache
def _skeleton() -> dict[str, Any]:
    bare: dict[str, Any] = {"labels": False, "grid": False, "domain": False, "ticks": False}
    title = "rank of the entry, largest first, log scale"
    x = alt.X("x:Q", title=title).scale(nice=False, zero=True).axis(**bare, titlePadding=30)
    y = alt.Y("place:Q").scale(zero=False, nice=False)
    layers = [
        of("theta", MARKS).mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=y.axis(None)),
        *line_layers(x, "|gᵢⱼ|"),
        of("theta", MARKS).mark_text(align="left", dx=6, dy=12).encode(x=alt.value(0), y=y, text="label:N"),
        of("rank", MARKS).mark_text(baseline="top", dy=8).encode(x=x, y=alt.value("height"), text="label:N"),
        bands("first", "last", ["entry", *TITLES.values()]),
    ]
    return layered(layers, padding={"right": 8, "top": 8, "bottom": 4})

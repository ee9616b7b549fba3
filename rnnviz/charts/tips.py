"""What a picture of lines says under the pointer: every line's number at one place, as one small table.

One invisible strip a place, however many lines there are: the browser makes every mark anew at each move of a
slider, and a mark a point was most of what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from rnnviz.charts.figure import Columns

TIPS = "tips"  # the name of their table
STEPS_BACK = "steps back"


def strips() -> alt.Chart:
    """The strips of `table`, a step apart; all its columns are said."""
    step = {"expr": "abs(scale('x', 1) - scale('x', 0))"}
    strip: dict[str, Any] = {"opacity": 0, "strokeWidth": step, "tooltip": alt.TooltipContent("data")}
    chart: alt.Chart = alt.Chart(alt.NamedData(TIPS)).mark_rule(**strip).encode(x=f"{STEPS_BACK}:Q")
    return chart


def bands(first: str, last: str, said: Sequence[str]) -> alt.Chart:
    """The same where places are not evenly spread.

    Args:
        first, last: the columns of their edges along x.
        said: the columns that are said.
    """
    tip = [alt.Tooltip(name, type="nominal") for name in said]
    edges = {"x": alt.X(first, type="quantitative"), "x2": alt.X2(last)}
    chart: alt.Chart = alt.Chart(alt.NamedData(TIPS)).mark_rect(opacity=0).encode(**edges, tooltip=tip)
    return chart


def table(lines: Sequence[tuple[str, str, Sequence[int], Sequence[str]]]) -> Columns:
    """The strips' table: a row a place, a column a line.

    Args:
        lines: each with its name, what tells it from another of that name, the places that it has, and
            what is said of it there.
    """
    places = sorted({place for *_, own, _ in lines for place in own}, reverse=True)
    columns: dict[str, Any] = {STEPS_BACK: places}
    for name, more, own, said in lines:
        known = dict(zip(own, said, strict=True))
        name = f"{more} {name}" if name in columns else name
        columns[name] = [known.get(place, "–") for place in places]
    return columns

"""A figure's table while it is made: rows of several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

MARKS = "marks"  # a second table, of all that is no line: what a layer looks through is then short


class Rows:
    """Rows of several kinds, a list a column."""

    def __init__(self, names: Sequence[str]) -> None:
        """None yet."""
        self.columns: dict[str, list[Any]] = {name: [] for name in names}

    def add(self, count: int, **given: Any) -> None:
        """Add rows: lists as they are, anything else in each of them, None where nothing is given."""
        for name, column in self.columns.items():
            value = given.get(name)
            column += value if isinstance(value, list) else [value] * count


def of(kind: str, table: str | None = None) -> alt.Chart:
    """A chart of the rows of one kind, of a figure's own table or of one that it names."""
    chart = alt.Chart(alt.NamedData(table)) if table else alt.Chart()
    return chart.transform_filter(f"datum.kind == '{kind}'")

"""What a picture in three dimensions is; Plotly draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnviz.charts.figure import Columns, Formula

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Scene:
    """A picture in three dimensions; its fields are those of `rnnviz.charts.figure.Figure`."""

    stem: str
    title: str
    caption: str
    description: str
    figure: go.Figure
    table: Columns
    height: int = 520
    formula: Formula | None = None

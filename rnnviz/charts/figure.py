"""What every chart returns: a picture that can be drawn, exported, read aloud and read as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas  # noqa: F401 # altair asks for it by name, and must not find it half loaded by a thread
from numpy.typing import NDArray

ROWS = "rows"  # the name of a figure's own table
Columns = Mapping[str, NDArray[Any] | list[Any]]


class Kept(dict[str, Any]):
    """Columns that stay as they are from run to run.

    Attributes:
        arrow: what the page made of them for the browser, kept as long as they are.
    """

    arrow: Any = None


class Formula(NamedTuple):
    """A formula as LaTeX, for the screen, and as plain characters, for files."""

    latex: str
    plain: str


@dataclass(frozen=True)
class Figure:
    """One picture.

    Attributes:
        stem: start of its files' names.
        title: what to see.
        caption: the configuration and seed that it shows.
        description: the same picture in words, for a screen reader.
        spec: Vega-Lite, without its top-level data. While a slider moves this stays as it is, so that
            the browser repaints the data and builds nothing anew.
        data: columns of the top-level data.
        still: further tables that the specification names, by name: so those that a slider leaves alone.
        table: what the picture shows, one column a quantity, in full precision.
        height: in pixels on screen.
        formula: what the picture draws, as LaTeX and as characters; the first stands under it on screen, the
            second in its files.
        scrubbed: what the parameters that the browser scrubs hold now, by name: files begin there, while the
            specification keeps the values that the browser began with.
        now: of the data, the rows that they choose, where a still picture needs no others.
    """

    stem: str
    title: str
    caption: str
    description: str
    spec: dict[str, Any]
    data: Columns
    table: Columns
    still: Mapping[str, Columns] = field(default_factory=dict)
    height: int = 360
    formula: Formula | None = None
    scrubbed: Mapping[str, Any] = field(default_factory=dict)
    now: Columns | None = None

    def standalone(self, moving: bool = True) -> dict[str, Any]:
        """The whole picture as one Vega-Lite specification: data, title and caption inside.

        Args:
            moving: whether it is to be scrubbed; else it holds only what is shown now.
        """
        tables = self.tables() | ({} if moving or self.now is None else {ROWS: self.now})
        return {
            **self.spec,
            "data": {"name": ROWS},
            "datasets": {name: records(columns) for name, columns in tables.items()},
            "title": {"text": self.title, "subtitle": self.subtitle},
            "description": self.description,
            **self._params(),
        }

    def _params(self) -> dict[str, Any]:
        """The specification's parameters as they are held now."""
        given = self.spec.get("params", [])
        held = self.scrubbed
        now = [{**param, "value": held[param["name"]]} if param["name"] in held else param for param in given]
        return {"params": now} if now else {}

    @property
    def subtitle(self) -> str:
        """What stands under a picture in a file: its formula, and its configuration."""
        return " · ".join(filter(None, [self.formula and self.formula.plain, self.caption]))

    def tables(self) -> dict[str, Columns]:
        """Every named table that the specification draws from."""
        return {ROWS: self.data, **self.still}


def layered(layers: Sequence[alt.Chart], **properties: Any) -> dict[str, Any]:
    """Layers as one Vega-Lite specification; those without data of their own take the figure's."""
    spec: dict[str, Any] = alt.layer(*layers).properties(**properties).to_dict()
    del spec["config"]  # the theme's part
    for layer in spec["layer"]:
        if layer.get("data") == {"name": "empty"}:
            del layer["data"]
    return spec


def records(columns: Columns) -> list[dict[str, Any]]:
    """Columns as rows; what is not finite becomes null, as JSON has no word for it."""
    values = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns.values()]
    rows = zip(*values, strict=True)
    return [dict(zip(columns, map(_json, row), strict=True)) for row in rows]


def _json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_json(part) for part in value.tolist()]
    return None if isinstance(value, float) and not np.isfinite(value) else value

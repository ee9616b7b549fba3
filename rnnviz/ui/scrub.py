"""Sliders inside a figure, which the browser moves alone: what they hold, in session and link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from rnnviz.ui.held import Held
from rnnviz.ui.state import Control, Number

if TYPE_CHECKING:
    from rnnviz.charts.figure import Columns

_ASSETS = Path(__file__).resolve().parents[2] / "assets"

_component = st.components.v2.component(
    "rnnviz_scrub",
    html="<span hidden></span>",
    js=(_ASSETS / "scrub.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class HeldGrid(Held, Number):
    """One of the numbers from ``low`` to ``high`` in steps of ``step``, that a figure's slider holds."""

    def problem(self, raw: str) -> str | None:
        """As in `Control`."""
        refused = Number.problem(self, raw)
        if refused or self._on_grid(float(raw)):
            return refused
        allowed = f"{self.low:g} to {self.high:g} in steps of {self.step:g}"
        return self._refusal(raw, allowed)

    def takes(self, value: Any) -> bool:
        """As in `Held`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.problem(str(value)) is None

    def meant(self, raw: str) -> float:
        """As in `Held`: the float that its decimal stands for."""
        return float(f"{float(raw):g}") + 0.0  # -0 is 0

    def said(self, value: Any) -> str:
        """As in `Control`."""
        return f"{value:g}"

    def _on_grid(self, value: float) -> bool:
        steps = round((value - self.low) / self.step)
        return abs(self.low + steps * self.step - value) < 1e-9


def draw(table: Mapping[str, Control], key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a figure's sliders hold, by their names in the table: where they began, and now.

    The browser keeps its own place; it is told where to begin when it comes to the page, and then no more.

    Args:
        table: the page's controls; those that are `Held` are the figure's.
        key: of the figure on the page.
    """
    now = {name: control.draw() for name, control in table.items() if isinstance(control, Held)}
    begun = f"_{key}_start"
    if _key(key) not in st.session_state or begun not in st.session_state:
        st.session_state[begun] = now
    return st.session_state[begun], now


def listen(table: Mapping[str, Control], key: str) -> None:
    """Hear of the sliders of the figure with this key when they have stood still, and bring back what
    they held where Streamlit builds the figure anew, as in other colours.

    Args:
        table: as for `draw`; a slider's name in the figure is its control's in the link.
    """
    st.html(_ASSETS / "scrub.css")
    names = [control.key for control in table.values() if isinstance(control, Held)]
    _component(
        data={"names": names},
        key=_key(key),
        default={"held": None},
        on_held_change=partial(_moved, table, key),
    )


def sendable(columns: Columns) -> Any:
    """Columns as Streamlit sends them; those that stay are made once."""
    import pyarrow as pa

    from rnnviz.charts.figure import Kept

    if not isinstance(columns, Kept):
        return pa.table(dict(columns))
    if columns.arrow is None:
        columns.arrow = pa.table(dict(columns))
    return columns.arrow


def _key(key: str) -> str:
    return f"{key}_scrub"


def _report(control: Held, said: Any) -> None:
    """Take what a slider says of itself, as a link would say it."""
    if isinstance(said, str) and control.problem(said) is None:
        control.report(control.meant(said))


def _moved(table: Mapping[str, Control], key: str) -> None:
    """Take over where the sliders stand; `draw` then writes the link."""
    held = st.session_state[_key(key)].get("held")
    if not isinstance(held, Mapping):
        return
    for control in table.values():
        if isinstance(control, Held) and control.key in held:
            _report(control, held[control.key])

"""Where a visitor stands in a stepper: in the session, in the link, and in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz.ui.held import Held
from rnnviz.ui.state import Control


@dataclass(frozen=True)
class Place:
    """A moment and a unit, both from 1, and the settings that the stepper began with."""

    t: int
    unit: int
    start: tuple[tuple[str, Any], ...]


def draw(table: Mapping[str, Control], key: str, T: int, H: int, stages: int) -> Place:
    """What the link or session says of the place, within a run's limits.

    Args:
        table: the page's controls.
        key: of the stepper on the page.
        T, H, stages: number of steps, units and sub-steps.
    """
    highest = {"t": T, "unit": H, "stage": stages}
    held = {name: control for name, control in table.items() if isinstance(control, Held)}
    values = {
        name: control.draw(**({"high": highest[name]} if name in highest else {}))
        for name, control in held.items()
    }
    # The browser keeps its own place; it is told where to begin when it comes to the page, and then no more.
    begun = f"_{key}_start"
    if key not in st.session_state or begun not in st.session_state:
        st.session_state[begun] = tuple(values.items())
    return Place(values["t"], values["unit"], st.session_state[begun])


def moved(table: Mapping[str, Control], key: str) -> None:
    """Take over where the visitor went; `draw` then writes the link."""
    cursor = st.session_state[key].get("cursor")
    if not isinstance(cursor, Mapping):
        return
    for name, control in table.items():
        if isinstance(control, Held) and name in cursor:
            control.report(cursor[name])

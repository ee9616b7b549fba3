"""The controls of “What if …”: what is held, silenced and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from rnnviz.engine import CellSpec, Clamp, GateSpec, StateSpec
from rnnviz.signals import Signal
from rnnviz.ui import state
from rnnviz.ui.state import Control
from rnnviz.whatif import WhatIf, edits, places


def choose_whatif(table: dict[str, Control], spec: CellSpec, H: int, signal: Signal) -> WhatIf:
    """Draw what can be held, silenced and changed; what cannot be is noted and left out.

    Args:
        table: the page's controls.
        spec, H: the cell and its number of units.
        signal: what it reads.
    """
    parts: dict[str, GateSpec | StateSpec] = {f"{gate.name} · {gate.title}": gate for gate in spec.gates}
    parts |= {f"{held.name} · {held.title}": held for held in spec.states}
    with st.expander("What if …", icon=":material/experiment:"):
        name = table["hold"].draw(options={"nothing": "", **{label: label for label in parts}})
        clamps: tuple[Clamp, ...] = ()
        if name:
            part = parts[name]
            low, high = max(part.low, -3.0), min(part.high, 3.0)
            value = float(table["held_at"].draw(low=low, high=high))
            units = _parsed(lambda: places(table["units"].draw(), "Held unit", H))
            during = _parsed(lambda: places(table["during"].draw(), "Held step", len(signal.x)))
            if units is not _REFUSED and during is not _REFUSED:
                chosen = None if units is None else tuple(u - 1 for u in units)
                clamps = (Clamp(part.name, value, chosen, during),)
        asked = table["silent"].draw()
        silent = _parsed(lambda: places(asked, "Silenced unit", H)) if asked.strip() else ()
        changed = _parsed(lambda: edits(table["edits"].draw(), signal))
    everyone = tuple(range(1, H + 1))
    silenced = () if silent is _REFUSED else tuple(u - 1 for u in (everyone if silent is None else silent))
    return WhatIf(clamps, silenced, () if changed is _REFUSED else changed)


_REFUSED: Any = object()


def _parsed(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ValueError as problem:
        state.note(f"{problem} It is ignored.")
        return _REFUSED

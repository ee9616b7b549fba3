"""The stepper: a run that is stepped through in the browser, with no server round trip.

Nothing heavier than streamlit is imported here, so that the home page paints before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_ASSETS = Path(__file__).resolve().parents[2] / "assets"
# One module in several files, each after those whose functions it calls while it is read.
_PARTS = (
    "record",
    "draw",
    "diagram",
    "unrolled",
    "panel",
    "strips",
    "picture",
    "export",
    "furniture",
    "main",
)

_component = st.components.v2.component(
    "rnnviz_stepper",
    html='<section class="stepper" role="region"></section>',
    css=(_ASSETS / "stepper.css").read_text(encoding="utf-8"),
    js="\n".join((_ASSETS / "stepper" / f"{part}.js").read_text(encoding="utf-8") for part in _PARTS),
)


def stepper(run: bytes, *, key: str, moved: Callable[[], None] | None = None) -> dict[str, Any] | None:
    """Show a run.

    Args:
        run: from `rnnviz.charts.stepper.pack`; the browser keeps its place while the bytes stay the same.
        key: the element's key on the page.
        moved: called when the visitor has paused at another place.

    Returns:
        Where the visitor stands: ``t`` and ``unit`` from 1, ``stage``, ``back``, ``view``, ``scale``; None
        until they have moved.
    """
    shown = _component(data=run, key=key, default={"cursor": None}, on_cursor_change=moved or (lambda: None))
    cursor: dict[str, Any] | None = shown.cursor
    return cursor

"""A phase plane that starts an orbit where one clicks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from rnnviz.charts.phase_plane import Window, tiles
from rnnviz.ui import layout, state
from rnnviz.ui.dyn_controls import TWO

if TYPE_CHECKING:
    from rnnviz.charts.figure import Figure

MOST = 3  # earlier starts that are kept
TILES = 49  # that a click can hit, along each axis
PICK, SQUARES = "pick", "tiles"


def clickable(fig: Figure, window: Window) -> None:
    """The figure as `layout.picture` shows it, with squares under the pointer that a click can hit.

    They are on the screen alone: files are free of them.
    """
    st.markdown(f"##### {layout.escape(fig.title)}")
    shown = layout.on_screen(fig)
    spec = {
        **shown,
        "layer": [*shown["layer"], _hit(fig.spec["layer"][0]["encoding"])],
        "datasets": {**shown["datasets"], SQUARES: _squares(tuple(window))},
    }
    st.vega_lite_chart(
        spec,
        height=round(fig.height * (layout.PRESENT_SCALE if layout.presenting() else 1)),
        width="stretch",
        key=fig.stem,
        on_select=partial(_picked, fig.stem),
        selection_mode=[PICK],
    )
    layout.words_under(fig)


@lru_cache(maxsize=16)
def _squares(window: Window) -> Any:
    import pandas as pd

    return pd.DataFrame(tiles(window, TILES))


def _hit(encoding: Mapping[str, Any]) -> dict[str, Any]:
    """A layer that is not seen, over the axes of another layer."""
    x, y = encoding["x"], encoding["y"]
    return {
        "name": SQUARES,
        "data": {"name": SQUARES},
        "mark": {"type": "rect", "opacity": 0, "cursor": "crosshair"},
        "params": [
            {
                "name": PICK,
                "select": {"type": "point", "fields": ["s1", "s2"], "toggle": False, "clear": False},
            }
        ],
        "encoding": {
            "x": {**x, "field": "left"},
            "x2": {"field": "right"},
            "y": {**y, "field": "below"},
            "y2": {"field": "above"},
        },
    }


def _picked(key: str) -> None:
    """Start where the click was; the last start joins the earlier ones."""
    chosen = st.session_state[key]["selection"].get(PICK, [])
    if not chosen:
        return
    held = [float(st.session_state[TWO[name].key]) for name in ("s1", "s2")]
    try:
        earlier = read_starts(str(st.session_state.get(TWO["earlier"].key, "")))
    except ValueError:
        earlier = []
    there = [round(float(chosen[0][name]), 2) for name in ("s1", "s2")]
    if there == held:
        return
    kept = [(held[0], held[1]), *(start for start in earlier if list(start) != held)][:MOST]
    state.set_to(TWO["earlier"], "; ".join(f"{a:g}, {b:g}".replace("-", "−") for a, b in kept))
    for name, value in zip(("s1", "s2"), there, strict=True):
        state.set_to(TWO[name], value)


def read_starts(text: str) -> list[tuple[float, float]]:
    """Pairs out of ``0.5, 0.2; −1, 0.3``.

    Raises:
        ValueError: what is no pair, or too many; in a sentence.
    """
    allowed = f"up to {MOST} pairs of numbers from -100 to 100, such as 0.5, 0.2; −1, 0.3"
    parts = [part for part in text.split(";") if part.strip()]
    if len(parts) > MOST:
        raise ValueError(f"Earlier starts: {len(parts)} are typed; allowed: {allowed}.")
    found = []
    for part in parts:
        try:
            a, b = (float(number.replace("−", "-")) for number in part.split(","))
        except ValueError:
            a = b = float("nan")
        if not (abs(a) <= 100 and abs(b) <= 100):  # false for nan, too
            raise ValueError(f"Earlier starts: “{part.strip()[:20]}” is no start; allowed: {allowed}.")
        found.append((a, b))
    return found

"""Every colour, and the type of exported figures; hues come from the app's own theme file.

Screen and export share one list of colours. On screen Streamlit hands it to Vega as the category range,
light or dark; so a chart names places in that list, never a colour.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

# On screen the theme does the rest. The server learns late that a visitor turned the light off, so what
# the theme does not colour has a grey that stands out on white and on black alike.
_GREY = "#7d8694"
SCREEN = {
    # Vega would go on naming an axis's first limits when its data change; a figure's own words do not.
    "axis": {"aria": False, "labelFontSize": 14, "titleFontSize": 14, "titlePadding": 10},
    "text": {"fontSize": 14, "color": _GREY},
    "rule": {"color": _GREY},
    # A mark would be read out as its raw columns; a figure's words and its table say what it shows.
    "mark": {"aria": False},
}

# Places in the category list. What a thing does in a cell decides: what keeps, what writes, what is
# proposed, what reads out, what is carried.
_BLUE, _VERMILLION, _GREEN, _PURPLE, _ORANGE, _SKY, _INK = range(7)
QUANTITY = {
    "c": _BLUE,
    "f": _VERMILLION,
    "z": _VERMILLION,
    "i": _GREEN,
    "r": _GREEN,
    "o": _PURPLE,
    "g": _ORANGE,
    "n": _ORANGE,
    "h": _INK,
    "x": _SKY,
}
# What is done to a gradient, or to a cell, beside the plain run in ink.
REMEDY = {
    "plain": _INK,
    "window": _VERMILLION,
    "norm": _BLUE,
    "value": _ORANGE,
    "residual": _GREEN,
    "forget": _PURPLE,
    "chrono": _SKY,
}
CELL = {"lstm": _BLUE, "rnn": _VERMILLION, "gru": _GREEN}
SIGN = {"+": _BLUE, "−": _VERMILLION, "ink": _INK}
CLIPPED, UNCLIPPED = _BLUE, _VERMILLION  # gradient descent
QUIET = 8  # place of a line that others are held against

# Signed values: orange below zero, light grey at zero, blue above. Gates: light to deep purple.
DIVERGING = ("#a84300", "#e8873a", "#f3c9a5", "#eceef0", "#a9cbe6", "#3f8fc9", "#00507f")
SEQUENTIAL = ("#f4f1f8", "#cdbfe0", "#a287c4", "#7550a3", "#45197a")

# Sizes over many decades, from nothing to much: ever lighter, and no end like a white or a dark ground.
DECADES = ("#37206f", "#63358f", "#94469a", "#c15688", "#e37362", "#f3a23e", "#f7d25c")

# From early to late, seen on white and on black alike.
TIME = ("#c98500", "#b0578d", "#2f7fc0")


@cache
def _theme() -> dict[str, Any]:
    path = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
    theme: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["theme"]
    return theme


def palette(dark: bool = False) -> dict[str, Any]:
    """Colours of one mode: ``text``, ``background``, ``border``, and ``category``, a list."""
    mode = _theme()["dark" if dark else "light"]
    return {
        "text": mode["textColor"],
        "background": mode["backgroundColor"],
        "border": mode["borderColor"],
        "category": mode["chartCategoricalColors"],
    }


def quantity_colour(name: str, dark: bool = False) -> str:
    """The colour of a gate or state, for words and equations."""
    colour: str = palette(dark)["category"][QUANTITY.get(name, _INK)]
    return colour


def css_colour(name: str) -> str:
    """The same as a CSS colour that follows the page's mode."""
    return f"light-dark({quantity_colour(name)}, {quantity_colour(name, dark=True)})"


def domain(places: dict[str, int], names: Sequence[str]) -> list[str]:
    """A scale domain that puts each name at its place in the category list; gaps hold stand-ins."""
    wanted = {places[name]: name for name in names}
    return [wanted.get(k, f"–{k}") for k in range(max(wanted, default=0) + 1)]


def vega_config(dark: bool = False) -> dict[str, Any]:
    """Vega-Lite config of an exported figure: the look that Streamlit gives it on screen."""
    colours = palette(dark)
    quiet = colours["category"][7]
    return {
        "background": colours["background"],
        "range": {"category": colours["category"]},
        "view": {"stroke": None},
        "title": {
            "anchor": "start",
            "color": colours["text"],
            "fontSize": 20,
            "fontWeight": 600,
            "subtitleColor": quiet,
            "subtitleFontSize": 13,
            "offset": 14,
            "subtitlePadding": 6,
        },
        "axis": {
            "domainColor": colours["border"],
            "gridColor": colours["border"],
            "labelColor": colours["text"],
            "labelFontSize": 14,
            "labelPadding": 6,
            "ticks": False,
            "titleColor": colours["text"],
            "titleFontSize": 15,
            "titleFontWeight": 400,
            "titlePadding": 10,
        },
        "text": {"color": colours["text"], "fontSize": 15},
        "rule": {"color": quiet},
    }

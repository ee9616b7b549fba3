"""The living picture: a recorded run of an LSTM, unfolding in the browser with no server round trip.

It imports streamlit and the standard library only, so that the home page paints before torch is loaded.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_ASSETS = Path(__file__).resolve().parents[2] / "assets"

GATES = ("f", "i", "g", "o")
STATES = ("c", "h")
# `signed` and `gate` are comma-joined stops, negative to positive and 0 to 1; h has the text's colour.
COLORS = ("f", "i", "g", "o", "c", "signed", "gate")

# Cloned for every new record. The equations are hidden from screen readers: the slider's text speaks them.
_HTML = """
<figure class="living"></figure>
<template><div class="frame">
  <div class="chart" tabindex="0" role="slider" aria-valuemin="1">
    <div class="side"></div>
    <div class="plot">
      <div class="chars"></div><canvas></canvas>
      <div class="cursor"><b class="tab"></b><div class="column"></div></div>
      <div class="margin"></div>
    </div>
  </div>
  <div class="foot">
    <div class="controls">
      <button type="button" class="play"></button>
      <div class="facts"><div class="step"></div><div class="unit"></div><div class="seed"></div></div>
    </div>
    <div class="equations" aria-hidden="true"></div>
  </div>
</div></template>
"""

_component = st.components.v2.component(
    "rnnviz_living",
    html=_HTML,
    css=(_ASSETS / "living.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "living.js").read_text(encoding="utf-8"),
)


def living_picture(record: Mapping[str, Any], *, colors: Mapping[str, str], key: str) -> None:
    """Show a recorded LSTM run as strips, a moving cursor and one unit's live numbers.

    Args:
        record: `text` (T characters), `cell` ("lstm"), `hidden_size` H, `seed`, `unit` (0-based, followed
            at first), `gates` with f, i, g, o as (T, H) lists in [0, 1] (g in [-1, 1]), and `states` with
            c, h as (T+1, H) lists, index 0 the initial state. Numbers are shown as recorded.
        colors: any CSS colour for each of f, i, g, o, c (`light-dark(#0072B2, #3D9BDC)` follows the
            theme); `signed` and `gate` are scales, comma-joined hex stops, negative to positive and 0 to 1.
        key: the element's key on the page.

    Raises:
        ValueError: naming the field of the record, or the colour, that is missing or malformed.
    """
    # Bytes rather than a dict: Streamlit then neither inspects nor re-parses the payload on every rerun.
    _component(data=payload(record, colors), key=key)


def payload(record: Mapping[str, Any], colors: Mapping[str, str]) -> bytes:
    """Check a record and return what the browser receives: UTF-8 JSON with strips, scales and colours.

    Raises:
        ValueError: as in `living_picture`.
    """
    missing = [name for name in COLORS if name not in colors]
    if missing:
        raise ValueError(f"colors: missing {', '.join(missing)}; needed are {', '.join(COLORS)}")
    if record.get("cell") != "lstm":
        raise ValueError(f"record['cell']: expected 'lstm', got {record.get('cell')!r}")
    text, units, unit = record["text"], record["hidden_size"], record["unit"]
    if not text:
        raise ValueError("record['text']: expected at least one character, got none")
    if not 0 <= unit < units:
        raise ValueError(f"record['unit']: expected 0 to {units - 1}, got {unit}")
    strips = {name: _table(record, "gates", name, len(text), units) for name in GATES}
    strips |= {name: _table(record, "states", name, len(text) + 1, units) for name in STATES}
    return json.dumps(
        {
            "text": text,
            "units": units,
            "unit": unit,
            "seed": record["seed"],
            "values": strips,
            "limits": {name: _limit(strips[name]) for name in ("g", "c", "h")},
            "colors": {name: colors[name] for name in COLORS},
        },
        allow_nan=False,
    ).encode()


def _table(record: Mapping[str, Any], group: str, name: str, steps: int, units: int) -> list[list[float]]:
    """Return one gate or state, (steps, units), once its shape and finiteness are certain."""
    table = record.get(group, {}).get(name)
    where = f"record['{group}']['{name}']"
    if table is None:
        raise ValueError(f"{where}: missing")
    if len(table) != steps or any(len(row) != units for row in table):
        raise ValueError(f"{where}: expected {steps} rows of {units} numbers")
    if not all(math.isfinite(value) for row in table for value in row):
        raise ValueError(f"{where}: expected finite numbers only")
    return [list(row) for row in table]


def _limit(table: list[list[float]]) -> float:
    """Return the symmetric end of a signed scale: the largest magnitude, rounded up to two decimals."""
    largest = max(abs(value) for row in table for value in row)
    return max(math.ceil(largest * 100) / 100, 0.01)

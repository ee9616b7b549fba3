"""The living picture: a recorded run of an LSTM, unfolding in the browser with no server round trip.

Nothing heavier than streamlit is imported here, so that the home page paints before torch is loaded.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from rnnviz.charts import theme

_ASSETS = Path(__file__).resolve().parents[2] / "assets"

COLOURED = ("f", "i", "g", "o", "c")  # h has the text's colour

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


def living_picture(record: Mapping[str, Any], *, key: str) -> None:
    """Show a recorded LSTM run as strips, a moving cursor and one unit's live numbers.

    Args:
        record: what `rnnviz.home_record` wrote: ``text`` (T characters), ``hidden_size`` H, ``seed``,
            ``unit`` (from 0, followed at first), ``gates`` with f, i, g, o as (T,H) lists, ``states`` with
            c, h as (T+1,H) lists, index 0 the initial state. Numbers are shown as recorded.
        key: the element's key on the page.
    """
    # Bytes rather than a dict: Streamlit then neither inspects nor re-parses the payload on every rerun.
    _component(data=payload(record), key=key)


def payload(record: Mapping[str, Any]) -> bytes:
    """What the browser receives: UTF-8 JSON with the strips, the ends of their scales, and colours."""
    values = {**record["gates"], **record["states"]}
    colours = {name: theme.css_colour(name) for name in COLOURED}
    scales = {"signed": ",".join(theme.DIVERGING), "gate": ",".join(theme.SEQUENTIAL)}
    return json.dumps(
        {
            "text": record["text"],
            "units": record["hidden_size"],
            "unit": record["unit"],
            "seed": record["seed"],
            "values": values,
            "limits": {name: _limit(values[name]) for name in ("g", "c", "h")},
            "colors": {**colours, **scales},
        },
        allow_nan=False,
    ).encode()


def _limit(table: list[list[float]]) -> float:
    """The symmetric end of a signed scale: the largest magnitude, rounded up to two decimals."""
    return math.ceil(max(abs(value) for row in table for value in row) * 100) / 100

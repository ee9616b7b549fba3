"""The tab Spectrum of Gradient flow."""

from __future__ import annotations

import streamlit as st

from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Control

CONTROLS: dict[str, Control] = {}  # of this tab alone


def draw(asked: Asked) -> None:
    """What the tab shows."""
    st.caption(asked.said)

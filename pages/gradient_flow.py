"""Gradient flow: how far a gradient reaches back in RNN, LSTM and GRU on the same input and loss, and why."""

import streamlit as st

from rnnviz.ui import flow_far, flow_remedies, flow_spectrum, flow_why, layout, state
from rnnviz.ui.flow_controls import FLOW, choose

TABS = {"How far": flow_far, "Why": flow_why, "Spectrum": flow_spectrum, "Remedies": flow_remedies}

layout.header(
    "Gradient flow",
    "The loss reads the end of the sequence. How much of its gradient is left the further back we look?",
)
chosen = st.container()
asked = choose()
with chosen:
    tab = FLOW["tab"].draw()
TABS[tab].draw(asked)

state.check_link([*FLOW.values(), *(control for part in TABS.values() for control in part.CONTROLS.values())])

"""The stepper alone, with a run as large as its link asks for: ``?T=1000&H=64``; an LSTM reads noise."""

import streamlit as st

from rnnviz.ui.stepper import stepper
from tests.bench.stepper_app.run import packed

st.set_page_config(layout="wide")
stepper(packed(int(st.query_params.get("T", 200)), int(st.query_params.get("H", 32))), key="stepper")

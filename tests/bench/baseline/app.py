"""The least that Streamlit can do: one slider, one line of 100 points."""

import math

import altair as alt
import pandas as pd
import streamlit as st

k = st.slider("k", 1, 100, 10)
x = range(100)
data = pd.DataFrame({"x": x, "y": [math.sin(k * v / 100) for v in x]})
st.altair_chart(alt.Chart(data).mark_line().encode(x="x", y="y"))

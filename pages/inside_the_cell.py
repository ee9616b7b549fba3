"""Inside the cell: every gate and state of one cell while it reads a sequence, step by step."""

from functools import partial

import streamlit as st

from rnnviz.charts import equations
from rnnviz.charts.strips import strips
from rnnviz.charts.unit_lines import unit_lines
from rnnviz.experiment import caption_of
from rnnviz.script import trace_script
from rnnviz.ui import cached, controls, layout, state

TABLE = controls.CELL

state.check_names(TABLE.values())
layout.header(
    "Inside the cell",
    "Move through time: each column is one step. The equations hold the numbers of the marked step and unit.",
)
with st.sidebar:
    cell = TABLE["cell"].draw()
    (model,) = controls.choose_model(TABLE, (cell,))
    source = controls.choose_input(TABLE)

signal = cached.sequence(source)
time, which = st.columns([3, 1])
with time:
    t = TABLE["t"].draw(high=len(signal.x))
with which:
    unit = TABLE["unit"].draw(high=model.hidden_size)

caption = f"{caption_of([model])} · {signal.caption}"
rows = cached.strips_of(model, source)
configuration = {"cell": cell, "T": len(signal.x), "H": model.hidden_size, "seed": model.seed}

picture, words = st.columns([11, 8], gap="medium")
with picture:
    fig = strips(rows, cached.strip_tables(model, source), t, unit, caption)
    layout.figure(fig, configuration, partial(trace_script, model, source, fig.title, caption))
with words:
    st.markdown(f"##### The equations at step {t}, unit {unit}")
    st.latex(
        equations.live(model.spec.equations, cached.live_values(model, source, t, unit), layout.is_dark())
    )
    st.caption(f"{model.spec.source}. {model.spec.pytorch}.")
fig = unit_lines(rows, t, unit, caption)
layout.figure(fig, configuration, partial(trace_script, model, source, fig.title, caption))

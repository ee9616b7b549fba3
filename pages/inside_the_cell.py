"""Inside the cell: every gate and state of one cell while it reads a sequence, step by step."""

from functools import partial

import streamlit as st

from rnnviz.charts import equations
from rnnviz.charts.strips import strips
from rnnviz.charts.unit_lines import unit_lines
from rnnviz.experiment import caption_of
from rnnviz.script import path_script, trace_script
from rnnviz.ui import cached, controls, layout, state

TABLE = controls.CELL

layout.header(
    "Inside the cell",
    "Move through time: each column is one step. The equations hold the numbers of the marked step and unit.",
)
with st.sidebar:
    cell = TABLE["cell"].draw()
    top = st.container()
    (model,) = controls.choose_model(TABLE, (cell,))
with top:
    source = controls.choose_input(TABLE, model.seed)

signal = cached.sequence(source)
T, H = len(signal.x), model.hidden_size
time, which = st.columns([3, 1])
with time:
    t = TABLE["t"].draw(high=T)
with which:
    unit = TABLE["unit"].draw(high=H)

caption = f"{caption_of([model])} · {signal.caption}"
configuration = {"cell": cell, "T": T, "H": H, "seed": model.seed}
rows = cached.strips_of(model, source)

picture, words = st.columns([5, 4], gap="medium")
with picture:
    fig = strips(rows, cached.strip_tables(model, source), t, unit, caption)
    layout.figure(fig, configuration, partial(trace_script, model, source, fig.title, caption))
with words:
    st.markdown(f"##### The equations at step {t}, unit {unit}")
    values = cached.live_values(model, source, t, unit)
    st.markdown(f"$$\n{equations.live(model.spec.equations, values, layout.is_dark())}\n$$")
    st.caption(f"{model.spec.source}. {model.spec.pytorch}.")

fig = unit_lines(rows, t, unit, caption)
layout.figure(fig, configuration, partial(trace_script, model, source, fig.title, caption, unit))

path = TABLE["path"].draw()
if path.open:
    with path:
        if H < 3:
            st.info(f"Hidden units H is {H}; three dimensions need at least 3.")
        else:
            scene = cached.state_scene(model, source, caption)
            layout.scene(scene, configuration, partial(path_script, model, source, scene.title, caption))

state.check_link(TABLE.values())

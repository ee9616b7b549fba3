"""Gradient flow: how far a gradient reaches back in RNN, LSTM and GRU on the same input and loss."""

from functools import partial

import streamlit as st

from rnnviz.charts.gradient_flow import gradient_norms, step_norms
from rnnviz.engine import CELLS
from rnnviz.experiment import caption_of
from rnnviz.script import gradient_script, step_norm_script
from rnnviz.ui import cached, controls, layout, state

TABLE = controls.FLOW

layout.header(
    "Gradient flow",
    "The loss reads the end of the sequence. How much of its gradient is left the further back we look?",
)
with st.sidebar:
    top = st.container()
    models = controls.choose_model(TABLE, tuple(CELLS))
    loss = TABLE["loss"].draw()
with top:
    source = controls.choose_input(TABLE, models[0].seed)

signal = cached.sequence(source)
T, first = len(signal.x), models[0]
read = TABLE["loss"].said(loss)
caption = f"{caption_of(models)} · loss reads {read} · {signal.caption} · T = {T}"
configuration = {"T": T, "H": first.hidden_size, **dict(first.scheme_options), "seed": first.seed}

curves = [curve for model in models for curve in cached.gradient_curves(model, source, loss)]
norms = gradient_norms(curves, caption)
layout.figure(norms, configuration, partial(gradient_script, models, source, loss, norms.title, caption))

curves = [curve for model in models for curve in cached.step_curves(model, source)]
steps = step_norms(curves, caption)
layout.figure(steps, configuration, partial(step_norm_script, models, source, steps.title, caption))

state.check_link(TABLE.values())

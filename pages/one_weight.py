"""One weight: the recursion that every gradient through time is made of, small enough to do by hand."""

from functools import partial

import streamlit as st

from rnnviz.charts.one_weight import QUESTIONS, one_weight
from rnnviz.charts.one_weight_positions import Position
from rnnviz.one_weight_script import one_weight_script
from rnnviz.ui import layout, scrub, state
from rnnviz.ui.one_weight_controls import ONE, choose, computed

layout.header("One weight", "Move w through 1, and watch what is left of the gradient.")
with st.sidebar:
    config = choose()
start, now = scrub.draw(ONE, "one-weight")
shown = Position(**now)
fig = one_weight(*computed(config), Position(**start), shown, config.words)
configuration = {"w": shown.w, "tau": shown.tau, "size": shown.size, "phi": shown.phi, "input": config.shape}
layout.figure(fig, configuration, partial(one_weight_script, config, shown, fig.title, fig.caption))
scrub.listen(ONE, fig.stem)

if not layout.presenting():
    st.markdown("\n".join(f"- **{case}** {answer}" for case, answer in QUESTIONS.items()))

state.check_link(ONE.values())

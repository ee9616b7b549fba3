"""Inside the cell: step through a run and watch every gate, state and gradient of one cell."""

from functools import partial

import streamlit as st

from rnnviz.charts.strips import strips
from rnnviz.charts.unit_lines import unit_lines
from rnnviz.experiment import caption_of
from rnnviz.script import path_script, trace_script
from rnnviz.ui import cached, controls, layout, place, state, stepper, trained
from rnnviz.ui.whatif_controls import choose_whatif

TABLE = controls.CELL

layout.header(
    "Inside the cell",
    "Step through time, and inside the step: every number is this run's own.",
)
with st.sidebar:
    found = trained.choose()
    if found:
        model, source = found
        rest = st.container()
    else:
        cell = TABLE["cell"].draw()
        top = st.container()
        (model,) = controls.choose_model(TABLE, (cell,))
        rest = st.container()
        with top:
            source = controls.choose_input(TABLE, model.seed)
signal = cached.sequence(source)
T, H = len(signal.x), model.hidden_size
with rest:
    whatif = choose_whatif(TABLE, model.spec, H, signal)
    loss = TABLE["loss"].draw()

at = place.draw(TABLE, "stepper", T=T, H=H, stages=len(model.spec.stages))
caption = " · ".join(filter(None, (caption_of([model]), signal.caption, whatif.caption())))
if found:
    caption += trained.answer(model, source)
run = cached.stepper_run(model, source, whatif, loss, caption, at.start)
with st.container(key="stage"):
    stepper.stepper(run, key="stepper", moved=partial(place.moved, TABLE, "stepper"))

if not layout.presenting():
    st.caption(f"{caption}. {model.spec.source}. {model.spec.pytorch}.")
    configuration = {"cell": model.cell, "T": T, "H": H, "seed": model.seed}
    rows = cached.strips_of(model, source, whatif)
    fig = strips(rows, cached.strip_tables(model, source, whatif), at.t, at.unit, caption)
    script = partial(trace_script, model, source, fig.title, caption, whatif=whatif)
    layout.exports(fig, configuration, script)
    fig = unit_lines(rows, at.t, at.unit, caption)
    script = partial(trace_script, model, source, fig.title, caption, at.unit, whatif=whatif)
    layout.figure(fig, configuration, script)

    path = TABLE["path"].draw()
    if path.open:
        with path:
            if H < 3:
                st.info(f"Hidden units H is {H}; three dimensions need at least 3.")
            else:
                scene = cached.state_scene(model, source, caption, whatif)
                script = partial(path_script, model, source, scene.title, caption, whatif=whatif)
                layout.scene(scene, configuration, script)

state.check_link((*TABLE.values(), *trained.TABLE.values()), later=() if found else trained.LATER)

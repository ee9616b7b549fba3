"""The cliff: the error surface of one unit, and gradient descent on it with and without clipping."""

from functools import partial

import streamlit as st

from rnnviz.cliff import Descent
from rnnviz.cliff_script import surface_script, ways_script
from rnnviz.ui import cliff_cached, cliff_controls, cliff_words, layout, state

TABLE = cliff_controls.CLIFF

layout.header(
    "The cliff",
    "One unit has two parameters, so its error is a landscape. Look for the wall in it, and for the "
    "step that meets it.",
)
with st.sidebar:
    asked = cliff_controls.choose()

unit, box, (w, b) = asked.unit, asked.box, asked.start
free, clipped = cliff_cached.ways(asked)

answer = TABLE["answer"].draw()
if answer.open:
    answer.markdown(cliff_words.answer(asked, free, clipped))

view = cliff_cached.scene(asked, layout.is_dark())
layout.scene(view, asked.configuration, partial(surface_script, unit, box, view.title, asked.caption))

ground, wall = cliff_cached.surface(unit, box), cliff_cached.wall(unit, box)
st.markdown(cliff_words.facts(ground, wall, (free, clipped)))

flat = cliff_cached.contour(asked)
descent = Descent(w, b, asked.lr, asked.clip)
layout.figure(
    flat,
    asked.configuration,
    partial(ways_script, unit, descent, asked.updates, flat.title, asked.caption),
)

state.check_link(TABLE.values())

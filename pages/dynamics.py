"""Dynamics: recurrent cells as dynamical systems, from one unit to many, and what they can compute."""

from rnnviz.ui import dyn_machines, dyn_many, dyn_one, dyn_two, layout, state
from rnnviz.ui.dyn_controls import DYN, ONE, TWO, VIEWS

DRAWN = dict(zip(VIEWS, (dyn_one.draw, dyn_two.draw, dyn_many.draw, dyn_machines.draw), strict=True))
TABLES = (DYN, ONE, TWO, dyn_many.MANY, dyn_machines.MACHINES)

layout.header(
    "Dynamics",
    "One map, applied again and again: where does it lead, and what can it hold?",
)
view = DYN["tab"].draw()
DRAWN[view]()

state.check_link(control for table in TABLES for control in table.values())

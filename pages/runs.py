"""Runs: what this machine has trained, to open, to take along, to bring and to throw away."""

from rnnviz.runs import pool
from rnnviz.ui import layout, runs_list, state

layout.header(
    "Runs",
    "Every run is kept under its configuration: open one and it is there at once, without training.",
)
runs = pool()
runs_list.kept(runs)
runs_list.bring(runs)
runs_list.lectures()
state.check_link(runs_list.TABLE.values())

"""The cliff."""

from rnnviz.ui import layout

layout.header("The cliff", "In the making.")

"""One weight."""

from rnnviz.ui import layout

layout.header("One weight", "In the making.")

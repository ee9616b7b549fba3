"""Dynamics."""

from rnnviz.ui import layout

layout.header("Dynamics", "In the making.")

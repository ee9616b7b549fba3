"""Home: a run that is already alive, and links to prepared views."""

from rnnviz.ui import layout

layout.header("rnnviz", "Recurrent networks, from the inside.")

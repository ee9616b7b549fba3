"""The tab How far of Gradient flow."""

from __future__ import annotations

from functools import partial

from rnnviz.charts.gradient_flow import gradient_norms
from rnnviz.script import gradient_script
from rnnviz.ui import flow_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Control

CONTROLS: dict[str, Control] = {}  # of this tab alone


def draw(asked: Asked) -> None:
    """What the tab shows."""
    curves = [c for m in asked.models for c in flow_cached.gradient_curves(m, asked.source, asked.loss)]
    norms = gradient_norms(curves, asked.said)
    code = partial(gradient_script, asked.models, asked.source, asked.loss, norms.title, asked.said)
    layout.figure(norms, asked.configuration, code)

"""The tab Why of Gradient flow."""

from __future__ import annotations

from functools import partial

from rnnviz.charts.gradient_flow import step_norms
from rnnviz.script import step_norm_script
from rnnviz.ui import flow_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Control

CONTROLS: dict[str, Control] = {}  # of this tab alone


def draw(asked: Asked) -> None:
    """What the tab shows."""
    curves = [c for m in asked.models for c in flow_cached.step_curves(m, asked.source)]
    steps = step_norms(curves, asked.said)
    code = partial(step_norm_script, asked.models, asked.source, steps.title, asked.said)
    layout.figure(steps, asked.configuration, code)

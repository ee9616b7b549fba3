"""Gradient flow's tab “Why”: what one step does to a change, and whether the gates alone explain it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from rnnviz.charts.gradient_flow import step_norms
from rnnviz.charts.products import direct_paths, lags_said, ratio
from rnnviz.flow_script import step_norm_script
from rnnviz.product_script import direct_script
from rnnviz.ui import flow_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Control, Fold

CONTROLS: dict[str, Control] = {
    "answer": Fold(
        "flow_gates",
        "Is the gradient of an LSTM the product of its forget gates? Guess, then open.",
        False,
        icon=":material/help:",
    ),
}


def draw(asked: Asked) -> None:
    """The norm of each step, and behind a question the full Jacobian against the direct path."""
    models, source = asked.models, asked.source
    curves = [c for model in models for c in flow_cached.step_curves(model, source)]
    caption = asked.said + flow_cached.overflows(models, source)
    figure = step_norms(curves, caption)
    code = partial(step_norm_script, models, source, figure.title, caption)
    layout.figure(figure, asked.configuration, code)
    answer = CONTROLS["answer"].draw()
    if answer.open:
        with answer:
            _direct(asked, caption)


def _direct(asked: Asked, caption: str) -> None:
    models, source = asked.models, asked.source
    found = [(model.spec.title, flow_cached.direct_curves(model, source)) for model in models]
    pairs = [pair for _, pair in found if pair]
    figure = direct_paths(pairs, [title for title, pair in found if not pair], caption)
    lag = lags_said(asked.T)[-1]
    said = ", ".join(
        f"{ratio(full, direct, lag)} times the direct path for {full.cell_title} {full.state}"
        for full, direct in pairs
    )
    st.markdown(
        "**No.** The product of the gates is the *direct* path alone. The gates themselves read the hidden "
        "state before, and so the change also travels through them: the full Jacobian has these paths too, "
        f"and they do not cancel. Over {lag} step{'s' * (lag > 1)} it is {layout.escape(said)}."
    )
    code = partial(direct_script, models, source, figure.title, caption)
    layout.figure(figure, asked.configuration, code)

"""Gradient flow's tab “How far”: what is left of the gradient at each step, and of the Jacobian products."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from rnnviz.charts.gradient_flow import Curve, gradient_norms
from rnnviz.charts.products import products
from rnnviz.flow_script import gradient_script
from rnnviz.product_script import product_script
from rnnviz.ui import flow_cached, layout
from rnnviz.ui.flow_controls import Asked
from rnnviz.ui.state import Choice, Control

CONTROLS: dict[str, Control] = {
    "subject": Choice(
        "flow_wrt",
        "Gradient of the loss with respect to",
        "states",
        options={"states": "states", "inputs": "inputs", "weights": "weights"},
    ),
    "relative": Choice(
        "flow_scale",
        "Scale",
        "absolute",
        "Relative: each curve divided by its own largest value, which hides how large it is.",
        options={"absolute": False, "relative": True},
    ),
}


def draw(asked: Asked) -> None:
    """The gradient's norms, and beneath them those of the Jacobian products."""
    left, right = st.columns([2, 3])
    with left:
        subject = CONTROLS["subject"].draw()
    with right:
        relative = CONTROLS["relative"].draw()
    _gradients(asked, subject, relative)
    _products(asked)


def _gradients(asked: Asked, subject: str, relative: bool) -> None:
    models, source, loss = asked.models, asked.source, asked.loss

    def curves(dtype: str) -> list[Curve]:
        of = (replace(model, dtype=dtype) for model in models)
        return [c for model in of for c in flow_cached.gradient_curves(model, source, loss, subject)]

    caption = asked.said + flow_cached.overflows(models, source)
    if subject == "weights":
        sums = [(m.spec.title, *flow_cached.summed(m, source, loss)) for m in models]
        said = ", ".join(f"{name} {added:.4g} and {whole:.4g}" for name, added, whole in sums)
        caption += f" · norm of the steps’ sum, and of the gradient of one backward pass: {said}"
    dtype = models[0].dtype
    figure = gradient_norms(
        curves(dtype),
        caption,
        subject=subject,
        loss=loss,
        relative=relative,
        lost=curves("float64") if dtype == "float32" else (),
    )
    code = partial(gradient_script, models, source, loss, figure.title, caption, subject, relative)
    layout.figure(figure, asked.configuration, code)


def _products(asked: Asked) -> None:
    models, source = asked.models, asked.source
    curves = [flow_cached.product_curve(model, source) for model in models]
    bounds = [bound for model in models if (bound := flow_cached.bound(model, source))]
    caption = asked.said + flow_cached.overflows(models, source)
    if models[0].dtype == "float32":
        caption += " · its steps’ Jacobians multiplied in float64, their size kept in logs"
    figure = products(curves, bounds, caption)
    code = partial(product_script, models, source, figure.title, caption)
    layout.figure(figure, asked.configuration, code)

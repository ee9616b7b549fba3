"""The controls of Gradient flow, and what they ask for: beside every tab of the page the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from rnnviz.engine import CELLS
from rnnviz.experiment import DTYPES, Input, Model, caption_of
from rnnviz.ui import cached, controls
from rnnviz.ui.state import Choice, Control

TABS = {name: name for name in ("How far", "Why", "Spectrum", "Remedies")}

FLOW: dict[str, Control] = {
    "tab": Choice("flow_tab", "View", "How far", options=TABS, row=True),
    **controls.option_controls("flow"),
    **controls.input_controls("flow", "Noise", 100),
    **controls.model_controls("flow", H=32, scheme="Spectral radius", forget_bias=1.0),
    "loss": Choice(
        "flow_loss", "Loss reads", "the last step", options={"the last step": "last", "every step": "all"}
    ),
    "dtype": Choice(
        "flow_dtype",
        "Computed in",
        "float64",
        "What is smaller than 1.4e-45 is 0 in float32; float64 goes down to 4.9e-324.",
        options={name: name for name in DTYPES},
    ),
}


@dataclass(frozen=True)
class Asked:
    """What the controls beside every tab ask for.

    Attributes:
        models: one of every cell, in the order of ``CELLS``.
        source: what they read.
        loss: ``last`` or ``all``, as `rnnviz.experiment.loss_on` takes it.
        T: steps.
        said: models, loss and input in words: what every caption starts with.
        configuration: what files are named after.
    """

    models: tuple[Model, ...]
    source: Input
    loss: str
    T: int
    said: str
    configuration: Mapping[str, Any]


def choose() -> Asked:
    """Draw the controls in the sidebar."""
    with st.sidebar:
        top = st.container()
        models = controls.choose_model(FLOW, tuple(CELLS))
        loss = FLOW["loss"].draw()
    with top:
        source = controls.choose_input(FLOW, models[0].seed)
    signal, first = cached.sequence(source), models[0]
    read = FLOW["loss"].said(loss)
    T = len(signal.x)
    return Asked(
        models,
        source,
        loss,
        T,
        f"{caption_of(models)} · loss reads {read} · {signal.caption} · T = {T}",
        {
            "T": T,
            "H": first.hidden_size,
            **dict(first.scheme_options),
            "seed": first.seed,
            **({} if first.dtype == Model.dtype else {"dtype": first.dtype}),
        },
    )

"""Dynamics, the tab Many units: a network's path in three directions, and where its map stands still."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from rnnviz.engine import CELLS
from rnnviz.experiment import caption_of
from rnnviz.signals import MAX_STEPS
from rnnviz.state_space import AHEAD, STARTS, Setting
from rnnviz.state_space_script import listed_script, space_script, spectra_script
from rnnviz.ui import cached as runs
from rnnviz.ui import controls, layout
from rnnviz.ui import dyn_many_cached as cached
from rnnviz.ui.state import Choice, Control, Number

_MODEL = controls.model_controls("dyn_many", H=16, scheme="Spectral radius", forget_bias=1.0)
MOST = 2 * STARTS  # fixed points that can be found: one a start


def _with(name: str, **changes: Any) -> Control:
    return replace(_MODEL[name], **changes)


MANY: dict[str, Control] = {
    "cell": Choice(
        "dyn_many_cell", "Cell", "LSTM", options={spec.title: name for name, spec in CELLS.items()}
    ),
    **controls.option_controls("dyn_many"),
    "driven": Choice(
        "dyn_many_driven",
        "The network",
        "alone",
        "Alone: x = 0, from a random first state. Fed: from the state 0, with an input.",
        options={"alone": False, "fed": True},
    ),
    **controls.input_controls("dyn_many", "Sine", 60),
    **_MODEL,
    "radius": _with("radius", default=2.8),
    "seed": _with("seed", default=9, help="Draws the weights, the first state and the noise."),
    "point": Number("dyn_many_point", "Fixed point", 1, "Whose eigenvalues are drawn.", 1, MOST, 1),
}


def draw() -> None:
    """The whole tab."""
    setting = _choose()
    found, P = cached.space(setting), len(cached.space(setting).fixed)
    with st.sidebar:
        chosen = MANY["point"].draw(high=P) if P > 1 else 1
    model, source = setting.model, setting.source
    given = runs.sequence(source).caption if source else "no input, a random first state"
    caption = " · ".join([caption_of([model]), given, f"T = {found.T}"])
    configuration = {"cell": model.cell, "H": model.hidden_size, "T": found.T, "seed": model.seed}
    if len(found.path) <= found.T:
        st.warning(
            layout.escape(
                f"The state runs away: at step {len(found.path)} a number of it is larger than {AHEAD:.0e}. "
                "The path is drawn up to there."
            ),
            icon=":material/trending_up:",
        )
    fixed = "" if not source else " · fixed points under the input's mean"
    scene = cached.scene(setting, caption + fixed)
    layout.scene(scene, configuration, partial(space_script, setting, scene.title, caption))
    if not P:
        st.info(
            layout.escape(
                f"Newton's method came to no fixed point from {found.fixed.starts} starts. That does not "
                "prove that there is none."
            )
        )
        return
    fig = cached.spectra(setting, chosen, caption + fixed)
    layout.figure(fig, configuration, partial(spectra_script, setting, fig.title, caption))
    title = "Every fixed point that was found"
    missed = f"{found.fixed.missed} of {found.fixed.starts} starts came to none"
    under = (
        f"{caption}{fixed}. Residual: ‖f(s) − s‖₂; distance: from the space drawn above, where the path "
        f"itself goes {found.extent:.3g} from its middle. {missed}; there may be more. Newton's method, "
        "from states along the path (as Sussillo & Barak 2013) and from random ones."
    )
    columns = cached.listed(setting)
    layout.table(
        "fixed-points", title, columns, under, configuration, partial(listed_script, setting, title, caption)
    )


def _choose() -> Setting:
    """Draw the controls in the sidebar."""
    with st.sidebar:
        cell = MANY["cell"].draw()
        top = st.container()
        (model,) = controls.choose_model(MANY, (cell,))
        with top:
            if not MANY["driven"].draw():
                return Setting(model, None, MANY["steps"].draw(high=MAX_STEPS))
            source = controls.choose_input(MANY, model.seed)
    runs.sequence(source)
    return Setting(model, source, source.steps)

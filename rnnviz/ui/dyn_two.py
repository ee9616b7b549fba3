"""The view Two units of Dynamics: a state of two numbers as a plane, and its steps as a graph."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from rnnviz.charts.figure import Formula
from rnnviz.charts.phase_plane import phase_plane
from rnnviz.charts.unrolled_map import unrolled_map
from rnnviz.dynamics_script import orbit_script, plane_script
from rnnviz.engine import CELLS, FixedPoints
from rnnviz.systems import PRESETS, System, drawn, own
from rnnviz.ui import dyn_cached, dyn_words, layout, state
from rnnviz.ui.dyn_click import clickable, read_starts
from rnnviz.ui.dyn_controls import OWN, SEED, TWO

AUTONOMOUS = Formula(
    r"s_{t+1} = f(s_t;\theta) \quad\; \text{nullclines } f_k(s) = s_k \quad\; "
    r"\text{stable: all }\lvert\lambda_i\rvert < 1",
    "sₜ₊₁ = f(sₜ; θ), nullclines fₖ(s) = sₖ, stable where all |λ(∂f/∂s)| < 1",
)
DRIVEN = Formula(
    AUTONOMOUS.latex.replace(r"f(s_t;\theta)", r"f(s_t;\theta, x_{t+1})"),
    AUTONOMOUS.plain.replace("f(sₜ; θ)", "f(sₜ; θ, xₜ₊₁)"),
)
STEP = {
    False: Formula(r"s_{t+1} = f(s_t;\theta)", "sₜ₊₁ = f(sₜ; θ)"),
    True: Formula(r"s_{t+1} = f(s_t;\theta, x_{t+1})", "sₜ₊₁ = f(sₜ; θ, xₜ₊₁)"),
}


def draw() -> None:
    """What the view shows."""
    with st.sidebar:
        system = _choose()
        u = float(TWO["u"].draw())
        start = _start(system)
        T = int(TWO["T"].draw())
        first = int(TWO["from"].draw(high=T))
        starts = (start, *_earlier())
    found = dyn_cached.plane(system, u)
    s = dyn_cached.orbits(system, u, starts, T)
    st.markdown(dyn_words.about(system, u, s[:, 0]))
    about = f"{system.title}, {system.origin}, u = {u:g}"
    configuration = {"": system.stem, "cell": system.cell, "u": u}
    axes: Any = system.axes
    left, right = st.columns([1.25, 1], gap="medium")
    fig = phase_plane(
        system.window,
        axes,
        (found.field, found.change),
        found.nullclines,
        s,
        found.fixed,
        DRIVEN if u else AUTONOMOUS,
        f"{about}, {T} steps",
    )
    with left:
        clickable(fig, system.window)
        layout.files(
            fig,
            configuration,
            layout.file_formats(fig),
            partial(plane_script, system, u, starts, T, fig.title, fig.caption),
        )
    graph = unrolled_map(axes, s[:, 0], u, first, STEP[bool(u)], f"{about}, from step {first} of {T}")
    with right:
        layout.figure(
            graph, configuration, partial(orbit_script, system, u, start, T, graph.title, graph.caption)
        )
    with left:
        _list(found.fixed, system)
    with right:
        st.markdown("###### Its weights")
        st.markdown(dyn_words.matrix(system))


def _choose() -> System:
    """The system."""
    kind = TWO["system"].draw()
    if kind == OWN:
        phi = TWO["activation"].draw()
        a, b, c, d, b1, b2 = (float(TWO[name].draw()) for name in ("w11", "w12", "w21", "w22", "b1", "b2"))
        return own(phi, ((a, b), (c, d)), (b1, b2))
    cell = TWO["cell"].draw()
    if kind == SEED:
        options = tuple((name, TWO[name].draw()) for name in _asked(cell))
        return drawn(cell, options, int(TWO["seed"].draw()), float(TWO["radius"].draw()))
    choices = PRESETS[kind][cell]
    if len(choices) == 1:
        return choices[0]
    phi = TWO["counting"].draw()
    return next(choice for choice in choices if ("activation", phi) in choice.options)


def _asked(cell: str) -> list[str]:
    """Conventions of a cell that are asked for."""
    return [name for name, _ in CELLS[cell].choices if name in TWO]


def _start(system: System) -> tuple[float, float]:
    ends = zip(("s1", "s2"), system.axes, system.window, strict=True)
    s1, s2 = (
        float(TWO[name].draw(label=f"Start {axis}", low=low, high=high)) for name, axis, (low, high) in ends
    )
    return s1, s2


def _earlier() -> list[tuple[float, float]]:
    """The starts that are typed; none, and a note, where they cannot be read."""
    text = str(TWO["earlier"].draw())
    try:
        return read_starts(text)
    except ValueError as problem:
        state.note(f"{problem} None is shown.")
        return []


def _list(fixed: FixedPoints, system: System) -> None:
    """Every fixed point with its eigenvalues, where they can be told apart."""
    st.markdown("###### Where it stays")
    st.markdown("  \n".join(map(layout.escape, dyn_words.points(fixed, system.axes))))

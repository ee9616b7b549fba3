"""The view One unit of Dynamics: a map of one number, its cobweb, and what a weight does to it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from rnnviz.bifurcation_script import bifurcation_script
from rnnviz.charts.bifurcation import bifurcation
from rnnviz.charts.cobweb import cobweb
from rnnviz.charts.figure import Formula
from rnnviz.dynamics_script import cobweb_script
from rnnviz.systems import System, one_gru, one_rnn
from rnnviz.ui import dyn_cached, layout
from rnnviz.ui.dyn_controls import ONE

PLAIN_PHI = {"tanh": "tanh", "relu": "max(0, ·)", "sigmoid": "σ", "identity": "id"}
LATEX_PHI = {"tanh": r"\tanh", "relu": r"\mathrm{ReLU}", "sigmoid": r"\sigma", "identity": r"\mathrm{id}"}


def draw() -> None:
    """What the view shows."""
    with st.sidebar:
        system, w = _choose()
    with st.sidebar:
        u = float(ONE["u"].draw())
        low, high = system.window[0]
        h0 = float(ONE["h0"].draw())
        T = int(ONE["T"].draw())
    st.markdown(
        "Left to itself: **s′ = f(s; θ)**."
        if u == 0
        else f"With a constant input u = {u:g}: **s′ = f(s; θ, u)**."
    )
    left, right = st.columns(2, gap="medium")
    weights = f"w = {w:g}, b = {system.b[-1]:g}, u = {u:g}, h₀ = {h0:g}{_gates(system)}"
    about = f"{system.title} of one unit · {weights}"
    configuration = {"cell": system.cell, "w": w, "b": system.b[-1], "u": u, "h0": h0}
    orbit = dyn_cached.orbits(system, u, ((h0,),), T)[:, 0, 0]
    h, f = dyn_cached.curve(system, u)
    formula = _formula(system)
    web = cobweb((low, high), h, f, orbit, dyn_cached.standing(system, u), formula, f"{about}, {T} steps")
    with left:
        layout.figure(
            web,
            configuration,
            partial(cobweb_script, system, u, h0, T, dyn_cached.CURVE, web.title, web.caption),
        )
    found = dyn_cached.bifurcation(replace(system, U=(*system.U[:-1], (0.0,))), u, h0)  # of every weight
    branch = (found.branch_w, found.branch_h, found.slope, found.piece)
    turned = bifurcation((low, high), found.w, found.last, branch, w, BRANCH, about)
    with right:
        layout.figure(
            turned, configuration, partial(bifurcation_script, system, u, h0, turned.title, turned.caption)
        )


BRANCH = Formula(
    r"h^* = f(h^*; w), \qquad \lvert f'(h^*)\rvert < 1 \Rightarrow \text{stable}",
    "h* = f(h*; w), stable where |f′(h*)| < 1",
)


def _choose() -> tuple[System, float]:
    """The unit, and its weight."""
    return CHOICES[ONE["cell"].draw()]()


def _rnn() -> tuple[System, float]:
    phi = ONE["activation"].draw()
    w, b = float(ONE["w"].draw()), float(ONE["b"].draw())
    return one_rnn(phi, w, b), w


def _gru() -> tuple[System, float]:
    w, b = float(ONE["w"].draw()), float(ONE["b"].draw())
    with ONE["gates"].draw():
        u_r, b_r, u_z, b_z = (float(ONE[name].draw()) for name in ("u_r", "b_r", "u_z", "b_z"))
    return one_gru(w, b, (u_r, b_r), (u_z, b_z)), w


CHOICES = {"rnn": _rnn, "gru": _gru}


def _gates(system: System) -> str:
    """The gates' weights, for a caption."""
    names = system.spec.blocks[:-1]
    rows = zip(names, system.U, system.b, strict=False)
    return "".join(f" · {name} = σ({row[0]:g}h + {b:g})" for name, row, b in rows)


def _formula(system: System) -> Formula:
    phi = dict(system.options).get("activation")
    if phi:
        return Formula(
            rf"h_{{t+1}} = f(h_t) = {LATEX_PHI[phi]}\left(w\,h_t + b + u\right)",
            f"hₜ₊₁ = f(hₜ) = φ(w hₜ + b + u), φ = {PLAIN_PHI[phi]}",
        )
    return Formula(
        r"h_{t+1} = f(h_t) = z\,h_t + (1 - z)\tanh\left(r\,w\,h_t + b + u\right)",
        "hₜ₊₁ = f(hₜ) = z hₜ + (1 − z) tanh(r w hₜ + b + u)",
    )

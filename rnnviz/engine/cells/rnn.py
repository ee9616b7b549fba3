"""The Elman network: h_t = φ(W x_t + U h_{t-1} + b), and the same with a connection that skips φ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor

from rnnviz.engine.graph import AFFINE, ENTER, LEAVE, Edge, Graph, Node, Stage
from rnnviz.engine.kernels.rnn import RNN
from rnnviz.engine.linear import PROJECT_CODE, linear_terms, project_with_both_biases
from rnnviz.engine.spec import CellSpec, Equation, Gates, GateSpec, Params, State, StateSpec

BLOCKS = ("h",)
PLAIN, RESIDUAL = "plain", "residual"  # what φ gives is the state, or is added to it


@dataclass(frozen=True)
class Activation:
    """φ, its slope φ′ written in h = φ(a) so that the trace suffices, and how LaTeX and PyTorch open it."""

    apply: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    opening: str
    code: str
    low: float
    high: float


ACTIVATIONS = {
    "tanh": Activation(torch.tanh, lambda h: 1 - h * h, r"\tanh\left(", "torch.tanh", -1.0, 1.0),
    "relu": Activation(torch.relu, lambda h: (h > 0).to(h.dtype), r"\max\left(0, ", "torch.relu", 0.0, inf),
    "sigmoid": Activation(torch.sigmoid, lambda h: h * (1 - h), r"\sigma\left(", "torch.sigmoid", 0.0, 1.0),
    "identity": Activation(lambda a: a, torch.ones_like, r"\left(", "", -inf, inf),
}


def step(ax: Tensor, state: State, params: Params, activation: str, connection: str) -> tuple[State, Gates]:
    """One step; ``ax`` (B,H) is W x_t + b."""
    value = ACTIVATIONS[activation].apply(torch.addmm(ax, state["h"], params["W_hh"].t()))
    return ({"h": state["h"] + value}, {"g": value}) if connection == RESIDUAL else ({"h": value}, {})


def slope(after: State, gates: Gates, activation: str, connection: str) -> Tensor:
    """φ′ of every step, (…,H)."""
    return ACTIVATIONS[activation].slope(gates["g"] if connection == RESIDUAL else after["h"])


def jacobian(
    params: Params, before: State, after: State, gates: Gates, activation: str, connection: str
) -> Tensor:
    """∂h_t/∂h_{t-1} = diag(φ′) U, (B,H,H), and the identity beside it where the connection is residual."""
    J = slope(after, gates, activation, connection).unsqueeze(-1) * params["W_hh"]
    if connection == RESIDUAL:
        J.diagonal(dim1=-2, dim2=-1).add_(1)
    return J


def terms(x: Tensor, before: State, gates: Gates, params: Params) -> dict[str, Tensor]:
    """The parts of a_t: ``Wx_h``, ``Uh_h``, ``b_h``, (B,H) each."""
    return linear_terms(BLOCKS, x, before["h"], params)


def _graph(activation: str, connection: str) -> Graph:
    skips = connection == RESIDUAL
    squashed = Node("g" if skips else "h", activation, (610, 170), stage=2)
    added = (Node("h", "plus", (745, 170), stage=3),) if skips else ()
    last, out = (3, 840) if skips else (2, 785)
    return Graph(
        nodes=(
            Node("x", ENTER, (400, 400)),
            Node("h_prev", ENTER, (0, 170)),
            Node("Uh", AFFINE, (245, 170), stage=1, like="h", label="U h_{t-1}", block="h"),
            Node(
                "Wx",
                AFFINE,
                (400, 300),
                stage=1,
                like="x",
                label="W x_t + b",
                block="h",
                biases=("b_ih", "b_hh"),
            ),
            Node("a", "plus", (400, 170), stage=1, like="h", label="a_t"),
            squashed,
            *added,
            Node("h_next", LEAVE, (1000, 170), stage=last, like="h"),
            Node("h_out", LEAVE, (out, 0), stage=last, like="h"),
        ),
        edges=(
            Edge("h_prev", "Uh", weight="W_hh"),
            Edge("x", "Wx", weight="W_ih"),
            Edge("Uh", "a"),
            Edge("Wx", "a"),
            Edge("a", squashed.name),
            *((Edge("h_prev", "h", "H150 V70 H745"), Edge("g", "h")) if skips else ()),
            Edge("h", "h_next"),
            Edge("h", "h_out", f"H{out}"),
        ),
    )


SUM = "The same two matrices at every step: one for what comes in, one for what was there."
STAGES = {
    PLAIN: (
        Stage("Sum", SUM, ("h",)),
        Stage("Squash", "One nonlinearity, and the result is at once the output and the memory.", ("h",)),
    ),
    RESIDUAL: (
        Stage("Sum", SUM, ("g",)),
        Stage("Squash", "One nonlinearity makes of it what is to be added.", ("g",)),
        Stage(
            "Add", "What was there goes on as it is, and the new is added: a path without any matrix.", ("h",)
        ),
    ),
}


def _equations(phi: Activation, connection: str) -> tuple[Equation, ...]:
    squashed = "g" if connection == RESIDUAL else "h"
    first = Equation(
        squashed,
        rf"{squashed}_t = {phi.opening}W x_t + U h_{{t-1}} + b\right)",
        phi.opening + r"{Wx_h} {Uh_h:+} {b_h:+}\right)",
    )
    added = Equation("h", "h_t = h_{t-1} + g_t", "{h_prev} {g:+}")
    return (first, added) if connection == RESIDUAL else (first,)


def rnn(activation: str = "tanh", connection: str = PLAIN) -> CellSpec:
    """The Elman network with a choice of φ, plain or with a residual connection h_t = h_{t-1} + φ(…)."""
    phi, skips = ACTIVATIONS[activation], connection == RESIDUAL
    code = f"{phi.code}(torch.addmm(ax[t], h, W_hh.T))"
    how: dict[str, Any] = {"activation": activation, "connection": connection}
    low, high = (-inf, inf) if skips else (phi.low, phi.high)
    return CellSpec(
        name="rnn",
        title="RNN",
        states=(StateSpec("h", "h", "hidden state", low, high),),
        gates=(GateSpec("g", "g", "what is added", phi.low, phi.high),) if skips else (),
        blocks=BLOCKS,
        equations=_equations(phi, connection),
        source="Elman 1990, Finding structure in time"
        + (", with the skip connection of He et al. 2016 through time" if skips else ""),
        pytorch="torch.nn.RNN has tanh and relu",
        project=project_with_both_biases,
        step=partial(step, **how),
        terms=terms,
        graph=_graph(activation, connection),
        stages=STAGES[connection],
        symbols=(("Wx_h", "W x_t"), ("Uh_h", "U h_{t-1}"), ("b_h", "b")),
        code=(PROJECT_CODE, f"g = {code}\nh = h + g" if skips else f"h = {code}"),
        jacobian=partial(jacobian, **how),
        slope=partial(slope, **how),
        direct=_all_of_it if skips else None,
        kernel=partial(RNN, activation, skips),
        build=rnn,
        # A plain connection is left unsaid: runs that are kept are named after their options.
        options=(("activation", activation), *((("connection", connection),) if skips else ())),
        choices=(("activation", tuple(ACTIVATIONS)), ("connection", (PLAIN, RESIDUAL))),
    )


def _all_of_it(gates: Gates) -> tuple[str, Tensor]:
    return "h", torch.ones_like(gates["g"])

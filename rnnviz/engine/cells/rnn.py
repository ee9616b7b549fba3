"""The Elman network: h_t = φ(W x_t + U h_{t-1} + b)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf

import torch
from torch import Tensor

from rnnviz.engine.graph import AFFINE, ENTER, LEAVE, Edge, Graph, Node, Stage
from rnnviz.engine.kernels.rnn import RNN
from rnnviz.engine.linear import PROJECT_CODE, linear_terms, project_with_both_biases
from rnnviz.engine.spec import CellSpec, Equation, Gates, Params, State, StateSpec

BLOCKS = ("h",)


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


def step(ax: Tensor, state: State, params: Params, activation: str) -> tuple[State, Gates]:
    """One step; ``ax`` (B,H) is W x_t + b."""
    a = torch.addmm(ax, state["h"], params["W_hh"].t())
    return {"h": ACTIVATIONS[activation].apply(a)}, {}


def jacobian(params: Params, before: State, after: State, gates: Gates, activation: str) -> Tensor:
    """∂h_t/∂h_{t-1} = diag(φ′) U, (B,H,H)."""
    return ACTIVATIONS[activation].slope(after["h"]).unsqueeze(-1) * params["W_hh"]


def terms(x: Tensor, before: State, gates: Gates, params: Params) -> dict[str, Tensor]:
    """The parts of a_t: ``Wx_h``, ``Uh_h``, ``b_h``, (B,H) each."""
    return linear_terms(BLOCKS, x, before["h"], params)


def _graph(activation: str) -> Graph:
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
            Node("h", activation, (610, 170), stage=2),
            Node("h_next", LEAVE, (1000, 170), stage=2, like="h"),
            Node("h_out", LEAVE, (785, 0), stage=2, like="h"),
        ),
        edges=(
            Edge("h_prev", "Uh", weight="W_hh"),
            Edge("x", "Wx", weight="W_ih"),
            Edge("Uh", "a"),
            Edge("Wx", "a"),
            Edge("a", "h"),
            Edge("h", "h_next"),
            Edge("h", "h_out", "H785"),
        ),
    )


STAGES = (
    Stage(
        "Sum", "The same two matrices at every step: one for what comes in, one for what was there.", ("h",)
    ),
    Stage("Squash", "One nonlinearity, and the result is at once the output and the memory.", ("h",)),
)


def rnn(activation: str = "tanh") -> CellSpec:
    """The Elman network with a choice of φ."""
    phi = ACTIVATIONS[activation]
    return CellSpec(
        name="rnn",
        title="RNN",
        states=(StateSpec("h", "h", "hidden state", phi.low, phi.high),),
        gates=(),
        blocks=BLOCKS,
        equations=(
            Equation(
                "h",
                rf"h_t = {phi.opening}W x_t + U h_{{t-1}} + b\right)",
                phi.opening + r"{Wx_h} {Uh_h:+} {b_h:+}\right)",
            ),
        ),
        source="Elman 1990, Finding structure in time",
        pytorch="torch.nn.RNN has tanh and relu",
        project=project_with_both_biases,
        step=partial(step, activation=activation),
        terms=terms,
        graph=_graph(activation),
        stages=STAGES,
        symbols=(("Wx_h", "W x_t"), ("Uh_h", "U h_{t-1}"), ("b_h", "b")),
        code=(PROJECT_CODE, f"h = {phi.code}(torch.addmm(ax[t], h, W_hh.T))"),
        jacobian=partial(jacobian, activation=activation),
        kernel=partial(RNN, activation),
        build=rnn,
        options=(("activation", activation),),
        choices=(("activation", tuple(ACTIVATIONS)),),
    )

"""Long short-term memory with a forget gate."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import torch
from torch import Tensor

from rnnviz.engine.graph import ENTER, LEAVE, Edge, Graph, Node, Stage, bus, gate
from rnnviz.engine.kernels.lstm import LSTM
from rnnviz.engine.linear import PROJECT_CODE, linear_terms, project_with_both_biases
from rnnviz.engine.spec import CellSpec, Equation, Gates, GateSpec, Params, Pull, State, StateSpec

BLOCKS = ("i", "f", "g", "o")


def step(ax: Tensor, state: State, params: Params) -> tuple[State, Gates]:
    """One step; ``ax`` (B,4H) is W x_t + b."""
    a_i, a_f, a_g, a_o = torch.addmm(ax, state["h"], params["W_hh"].t()).chunk(4, 1)
    i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
    c = torch.addcmul(f * state["c"], i, g)  # f ⊙ c + i ⊙ g
    h = o * c.tanh()
    return {"h": h, "c": c}, {"i": i, "f": f, "g": g, "o": o}


def jacobian(params: Params, before: State, after: State, gates: Gates) -> Tensor:
    """∂(h_t, c_t)/∂(h_{t-1}, c_{t-1}), (B,2H,2H): the direct path diag(f) and the paths through the gates."""
    i, f, g, o = (gates[k] for k in BLOCKS)
    U_i, U_f, U_g, U_o = params["W_hh"].chunk(4)
    tanh_c = after["c"].tanh()
    H = f.shape[-1]
    # by how much c_t moves with the pre-activations a_i, a_f, a_g, and h_t with a_o and with c_t
    C_i, C_f, C_g = g * i * (1 - i), before["c"] * f * (1 - f), i * (1 - g * g)
    C_o, C_c = tanh_c * o * (1 - o), o * (1 - tanh_c * tanh_c)

    J = f.new_empty(*f.shape[:-1], 2 * H, 2 * H)
    dc_dh = torch.mul(C_i.unsqueeze(-1), U_i, out=J[..., H:, :H])
    dc_dh.addcmul_(C_f.unsqueeze(-1), U_f).addcmul_(C_g.unsqueeze(-1), U_g)
    torch.mul(C_c.unsqueeze(-1), dc_dh, out=J[..., :H, :H]).addcmul_(C_o.unsqueeze(-1), U_o)
    J[..., :, H:] = 0
    J[..., :H, H:].diagonal(dim1=-2, dim2=-1).copy_(C_c * f)
    J[..., H:, H:].diagonal(dim1=-2, dim2=-1).copy_(f)
    return J


def pull(params: Params, before: State, after: State, gates: Gates) -> Pull:
    """V_h, V_c through a step's Jacobian by half of it, of n steps (n,B,H): no 2H × 2H is formed.

    With U = [V_h | V_c + V_h ⊙ C_c]: V_h ← U [diag(C_o) U_o; A], V_c ← U_c ⊙ f, A = ∂c_t/∂h_{t-1}.
    """
    i, f, g, o = (gates[k] for k in BLOCKS)
    U_i, U_f, U_g, U_o = params["W_hh"].chunk(4)
    H, tanh_c = f.shape[-1], after["c"].tanh()
    C_c = (o * (1 - tanh_c * tanh_c)).unsqueeze(-2).unbind(0)
    half = f.new_empty(*f.shape[:-1], 2 * H, H)
    torch.mul((tanh_c * o * (1 - o)).unsqueeze(-1), U_o, out=half[..., :H, :])
    A = torch.mul((g * i * (1 - i)).unsqueeze(-1), U_i, out=half[..., H:, :])
    A.addcmul_((before["c"] * f * (1 - f)).unsqueeze(-1), U_f).addcmul_((i * (1 - g * g)).unsqueeze(-1), U_g)
    halves, kept = half.unbind(0), f.unsqueeze(-2).unbind(0)
    U = f.new_empty(f.shape[1], H, 2 * H)
    U_h, U_c = U.chunk(2, -1)

    def back(V: Sequence[Tensor], k: int, out: Sequence[Tensor]) -> None:
        V_h, V_c = V
        U_h.copy_(V_h)
        torch.addcmul(V_c, V_h, C_c[k], out=U_c)
        torch.bmm(U, halves[k], out=out[0])
        torch.mul(U_c, kept[k], out=out[1])

    return back


def direct(gates: Gates) -> tuple[str, Tensor]:
    """The cell state's own path: what is kept of c_{t-1}."""
    return "c", gates["f"]


def terms(x: Tensor, before: State, gates: Gates, params: Params) -> dict[str, Tensor]:
    """The parts of each gate's pre-activation: ``Wx_k``, ``Uh_k``, ``b_k``, (B,H) each."""
    return linear_terms(BLOCKS, x, before["h"], params)


CODE = """\
a_i, a_f, a_g, a_o = torch.addmm(ax[t], h, W_hh.T).chunk(4, 1)
i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
c = torch.addcmul(f * c, i, g)  # f * c + i * g
h = o * c.tanh()"""


GRAPH = Graph(
    nodes=(
        Node("x", ENTER, (165, 400)),
        Node("h_prev", ENTER, (0, 347)),
        Node("c_prev", ENTER, (0, 62)),
        *gate("f", "sigmoid", (225, 266), stage=1),
        *gate("i", "sigmoid", (380, 266), stage=2),
        *gate("g", "tanh", (535, 266), stage=2),
        Node("fc", "times", (225, 62), stage=3, like="c", label=r"f_t \odot c_{t-1}"),
        Node("ig", "times", (535, 152), stage=3, like="c", label=r"i_t \odot g_t"),
        Node("c", "plus", (535, 62), stage=3),
        *gate("o", "sigmoid", (690, 266), stage=4),
        Node("tanh_c", "tanh", (812, 122), stage=4, like="c", label=r"\tanh c_t"),
        Node("h", "times", (812, 205), stage=4),
        Node("c_next", LEAVE, (1000, 62), stage=3, like="c"),
        Node("h_next", LEAVE, (1000, 347), stage=4, like="h"),
        Node("h_out", LEAVE, (884, 0), stage=4, like="h"),
    ),
    edges=(
        *(
            wire
            for k, x in (("f", 225), ("i", 380), ("g", 535), ("o", 690))
            for wire in bus(k, x, "", "V347")
        ),
        Edge("f", "fc"),
        Edge("c_prev", "fc"),
        Edge("i", "ig", "V152"),
        Edge("g", "ig"),
        Edge("fc", "c"),
        Edge("ig", "c"),
        Edge("c", "c_next"),
        Edge("c", "tanh_c", "H812"),
        Edge("o", "h", "V205"),
        Edge("tanh_c", "h"),
        Edge("h", "h_next", "V347"),
        Edge("h", "h_out", "V347 H884"),
    ),
)
STAGES = (
    Stage(
        "Forget gate",
        "The forget gate looks at the input and the last hidden state: at 1 it keeps, at 0 it erases.",
        ("f",),
    ),
    Stage(
        "Input gate and candidate",
        "The candidate is what could be written; the input gate says how much of it.",
        ("i", "g"),
    ),
    Stage(
        "New cell state",
        "Old memory times forget gate, plus candidate times input gate: only × and + on this line.",
        ("c",),
    ),
    Stage(
        "Output gate and hidden state", "The output gate decides how much of the memory is shown.", ("o", "h")
    ),
)


def _gate(name: str, squash: str) -> Equation:
    return Equation(
        name,
        rf"{name}_t = {squash}\left(W_{name} x_t + U_{name} h_{{t-1}} + b_{name}\right)",
        rf"{squash}\left({{Wx_{name}}} {{Uh_{name}:+}} {{b_{name}:+}}\right)",
    )


def lstm() -> CellSpec:
    """The LSTM as it is taught and as PyTorch has it."""
    return CellSpec(
        name="lstm",
        title="LSTM",
        states=(StateSpec("h", "h", "hidden state", -1.0, 1.0), StateSpec("c", "c", "cell state", -inf, inf)),
        gates=(
            GateSpec("i", "i", "input gate", 0.0, 1.0, memory=-1),
            GateSpec("f", "f", "forget gate", 0.0, 1.0, memory=+1),
            GateSpec("g", "g", "candidate", -1.0, 1.0),
            GateSpec("o", "o", "output gate", 0.0, 1.0),
        ),
        blocks=BLOCKS,
        equations=(
            _gate("f", r"\sigma"),
            _gate("i", r"\sigma"),
            _gate("g", r"\tanh"),
            Equation("c", r"c_t = f_t \odot c_{t-1} + i_t \odot g_t", r"{f}\cdot{c_prev} + {i}\cdot{g}"),
            _gate("o", r"\sigma"),
            Equation("h", r"h_t = o_t \odot \tanh\left(c_t\right)", r"{o}\cdot\tanh\left({c}\right)"),
        ),
        source="Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000",
        pytorch="torch.nn.LSTM, block order i f g o",
        project=project_with_both_biases,
        step=step,
        terms=terms,
        graph=GRAPH,
        stages=STAGES,
        code=(PROJECT_CODE, CODE),
        jacobian=jacobian,
        pull=pull,
        direct=direct,
        kernel=LSTM,
        build=lstm,
    )

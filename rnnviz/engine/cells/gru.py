"""The gated recurrent unit, under the conventions that lectures print."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnviz.engine.graph import AFFINE, ENTER, LEAVE, Edge, Graph, Node, Stage, bus, gate
from rnnviz.engine.kernels.gru import After, Before
from rnnviz.engine.linear import linear_terms
from rnnviz.engine.spec import CellSpec, Equation, Gates, GateSpec, Params, State, StateSpec

BLOCKS = ("r", "z", "n")


def project(x: Tensor, params: Params) -> Tensor:
    """W x + b_ih, (...,D) -> (...,3H); b_hh stays with U h, where the reset gate may scale it."""
    return linear(x, params["W_ih"], params["b_ih"])


def step(ax: Tensor, state: State, params: Params, reset: str, z: str) -> tuple[State, Gates]:
    """One step; ``ax`` (B,3H) is W x_t + b_ih."""
    h_prev = state["h"]
    H = h_prev.shape[-1]
    ax_rz, ax_n = ax[:, : 2 * H], ax[:, 2 * H :]
    if reset == "after":
        uh = torch.addmm(params["b_hh"], h_prev, params["W_hh"].t())
        r_t, z_t = (ax_rz + uh[:, : 2 * H]).sigmoid().chunk(2, 1)
        n = torch.addcmul(ax_n, r_t, uh[:, 2 * H :]).tanh()
    else:
        U_rz, U_n = params["W_hh"][: 2 * H], params["W_hh"][2 * H :]
        b_rz, b_n = params["b_hh"][: 2 * H], params["b_hh"][2 * H :]
        r_t, z_t = (ax_rz + torch.addmm(b_rz, h_prev, U_rz.t())).sigmoid().chunk(2, 1)
        n = (ax_n + torch.addmm(b_n, r_t * h_prev, U_n.t())).tanh()
    kept, taken = (h_prev, n) if z == "keeps" else (n, h_prev)
    h = torch.lerp(taken, kept, z_t)  # z ⊙ kept + (1 - z) ⊙ taken
    return {"h": h}, {"r": r_t, "z": z_t, "n": n}


def jacobian(params: Params, before: State, after: State, gates: Gates, reset: str, z: str) -> Tensor:
    """∂h_t/∂h_{t-1}, (B,H,H): what is kept, what the update gate moves, and what the candidate moves."""
    h_prev, (r_t, z_t, n) = before["h"], (gates[k] for k in BLOCKS)
    U_r, U_z, U_n = params["W_hh"].chunk(3)
    b_n = params["b_hh"].chunk(3)[2]
    keep = z_t if z == "keeps" else 1 - z_t
    sign = 1.0 if z == "keeps" else -1.0
    C_z = sign * (h_prev - n) * z_t * (1 - z_t)
    C_n = (1 - keep) * (1 - n * n)

    slope_r = r_t * (1 - r_t)
    if reset == "after":
        C_r = linear(h_prev, U_n, b_n) * slope_r
        dn = r_t.unsqueeze(-1) * U_n + C_r.unsqueeze(-1) * U_r
    else:
        dn = U_n @ (torch.diag_embed(r_t) + (h_prev * slope_r).unsqueeze(-1) * U_r)
    J = C_z.unsqueeze(-1) * U_z + C_n.unsqueeze(-1) * dn
    J.diagonal(dim1=-2, dim2=-1).add_(keep)
    return J


def direct(gates: Gates, z: str) -> tuple[str, Tensor]:
    """What is kept of h_{t-1}."""
    return "h", gates["z"] if z == "keeps" else 1 - gates["z"]


def terms(x: Tensor, before: State, gates: Gates, params: Params, reset: str) -> dict[str, Tensor]:
    """``Wx_k``, ``Uh_k``, ``b_k`` of each block, (B,H) each, and the candidate's own parts.

    Reset after the product: ``b_n`` is the input's bias alone and ``Uh_n`` is U h_{t-1} + b_hn, which r
    multiplies. Reset before it: ``Uh_n`` is U (r ⊙ h_{t-1}).
    """
    parts = linear_terms(BLOCKS, x, before["h"], params)
    U_n = params["W_hh"].chunk(3)[2]
    if reset == "after":
        parts["b_n"] = params["b_ih"].chunk(3)[2].expand_as(parts["Wx_n"])
        parts["Uh_n"] = linear(before["h"], U_n, params["b_hh"].chunk(3)[2])
    else:
        parts["Uh_n"] = linear(gates["r"] * before["h"], U_n)
    return parts


def _equations(reset: str, z: str) -> tuple[Equation, ...]:
    gates = tuple(
        Equation(
            k,
            rf"{k}_t = \sigma\left(W_{k} x_t + U_{k} h_{{t-1}} + b_{k}\right)",
            rf"\sigma\left({{Wx_{k}}} {{Uh_{k}:+}} {{b_{k}:+}}\right)",
        )
        for k in ("r", "z")
    )
    if reset == "after":
        candidate = Equation(
            "n",
            r"n_t = \tanh\left(W_n x_t + b_n + r_t \odot \left(U_n h_{t-1} + b'_n\right)\right)",
            r"\tanh\left({Wx_n} {b_n:+} + {r}\cdot{Uh_n}\right)",
        )
    else:
        candidate = Equation(
            "n",
            r"n_t = \tanh\left(W_n x_t + U_n \left(r_t \odot h_{t-1}\right) + b_n\right)",
            r"\tanh\left({Wx_n} {Uh_n:+} {b_n:+}\right)",
        )
    if z == "keeps":
        mix = Equation(
            "h",
            r"h_t = z_t \odot h_{t-1} + \left(1 - z_t\right) \odot n_t",
            r"{z}\cdot{h_prev} + \left(1 - {z}\right)\cdot{n}",
        )
    else:
        mix = Equation(
            "h",
            r"h_t = \left(1 - z_t\right) \odot h_{t-1} + z_t \odot n_t",
            r"\left(1 - {z}\right)\cdot{h_prev} + {z}\cdot{n}",
        )
    return (*gates, candidate, mix)


def _symbols(reset: str) -> tuple[tuple[str, str], ...]:
    if reset == "after":
        return (("Uh_n", r"\left(U_n h_{t-1} + b'_n\right)"),)
    return (("Uh_n", r"U_n \left(r_t \odot h_{t-1}\right)"),)


def _graph(reset: str, z: str) -> Graph:
    into_line = ("H150 V352", "V352")  # h_{t-1} comes down to the line of x_t
    gates = tuple(node for k, x in (("z", 215), ("r", 360)) for node in gate(k, "sigmoid", (x, 287), stage=1))
    if reset == "after":
        candidate: tuple[Node, ...] = (
            Node("Uh_n", AFFINE, (505, 297), 2, "h", "U_n h_{t-1} + b'_n", "n", ("b_hh",)),
            Node("r_Uh", "times", (505, 215), 2, "n", r"r_t \odot \left(U_n h_{t-1} + b'_n\right)"),
            Node("Wx_n", AFFINE, (640, 297), 2, "x", "W_n x_t + b_n", "n", ("b_ih",)),
            Node("a_n", "plus", (640, 215), 2, "n"),
        )
        wires: tuple[Edge, ...] = (
            Edge("h_prev", "Uh_n", f"{into_line[0]} H505", "W_hh"),
            Edge("r", "r_Uh", "V215"),
            Edge("Uh_n", "r_Uh"),
            Edge("x", "Wx_n", f"{into_line[1]} H640", "W_ih"),
            Edge("Wx_n", "a_n"),
            Edge("r_Uh", "a_n"),
            Edge("a_n", "n"),
        )
    else:
        candidate = (
            Node("rh", "times", (505, 215), 2, "h", r"r_t \odot h_{t-1}"),
            Node("a_n", AFFINE, None, 2, "n", "", "n", ("b_ih", "b_hh")),
        )
        wires = (
            Edge("r", "rh", "V215"),
            Edge("h_prev", "rh", f"{into_line[0]} H505"),
            Edge("x", "a_n", f"{into_line[1]} H800", "W_ih"),
            Edge("rh", "a_n", "", "W_hh"),
            Edge("a_n", "n"),
        )
    # What z opens keeps its line straight, 1 - z goes to the other product.
    keeps = z == "keeps"
    flip_at = (480.0, 125.0) if keeps else (215.0, 112.0)
    z_wires = (
        (Edge("z", "kept"), Edge("z", "z_flip", "V125"), Edge("z_flip", "taken"))
        if keeps
        else (Edge("z", "z_flip"), Edge("z_flip", "kept"), Edge("z", "taken", "V168 H690 V125"))
    )
    old, new = ("z_t", r"\left(1 - z_t\right)") if keeps else (r"\left(1 - z_t\right)", "z_t")
    return Graph(
        nodes=(
            Node("x", ENTER, (175, 400)),
            Node("h_prev", ENTER, (0, 62)),
            *gates,
            *candidate,
            Node("n", "tanh", (800, 215), 2),
            Node("z_flip", "flip", flip_at, 3, "z", "1 - z_t"),
            Node("kept", "times", (215, 62), 3, "h", rf"{old} \odot h_{{t-1}}"),
            Node("taken", "times", (800, 125), 3, "n", rf"{new} \odot n_t"),
            Node("h", "plus", (800, 62), 3),
            Node("h_next", LEAVE, (1000, 62), 3, "h"),
            Node("h_out", LEAVE, (884, 0), 3, "h"),
        ),
        edges=(
            *bus("z", 215, *into_line),
            *bus("r", 360, *into_line),
            *wires,
            *z_wires,
            Edge("h_prev", "kept"),
            Edge("n", "taken"),
            Edge("kept", "h"),
            Edge("taken", "h"),
            Edge("h", "h_next"),
            Edge("h", "h_out", "H884"),
        ),
    )


STAGES = (
    Stage("Reset and update gates", "Two gates look at the input and the last hidden state.", ("r", "z")),
    Stage("Candidate", "What could be new: the reset gate decides how much of the past it may see.", ("n",)),
    Stage("Mix", "The update gate slides between the old state and the candidate.", ("h",)),
)


def _code(reset: str, z: str) -> str:
    if reset == "after":
        gates = """\
uh = torch.addmm(b_hh, h, W_hh.T)
r, z = (ax[t][:, :2 * H] + uh[:, :2 * H]).sigmoid().chunk(2, 1)
n = torch.addcmul(ax[t][:, 2 * H:], r, uh[:, 2 * H:]).tanh()  # W x + b + r * (U h + b')
"""
    else:
        gates = """\
a_rz = ax[t][:, :2 * H] + torch.addmm(b_hh[:2 * H], h, W_hh[:2 * H].T)
r, z = a_rz.sigmoid().chunk(2, 1)
n = (ax[t][:, 2 * H:] + torch.addmm(b_hh[2 * H:], r * h, W_hh[2 * H:].T)).tanh()
"""
    if z == "keeps":
        return gates + "h = torch.lerp(n, h, z)  # z * h + (1 - z) * n"
    return gates + "h = torch.lerp(h, n, z)  # z * n + (1 - z) * h"


def gru(reset: str = "after", z: str = "keeps") -> CellSpec:
    """The GRU; ``reset`` before or after the matrix product, and whether ``z`` keeps h_{t-1} or takes n_t."""
    source = (
        "Cho et al. 2014; reset after the product as in cuDNN"
        if reset == "after"
        else "Cho et al. 2014, reset before the product"
    )
    return CellSpec(
        name="gru",
        title="GRU",
        states=(StateSpec("h", "h", "hidden state", -1.0, 1.0),),
        gates=(
            GateSpec("r", "r", "reset gate", 0.0, 1.0),
            GateSpec("z", "z", "update gate", 0.0, 1.0, memory=+1 if z == "keeps" else -1),
            GateSpec("n", "n", "candidate", -1.0, 1.0),
        ),
        blocks=BLOCKS,
        equations=_equations(reset, z),
        source=source
        + ("; z keeps h as in PyTorch" if z == "keeps" else "; z takes n as in Chung et al. 2014"),
        pytorch="torch.nn.GRU resets after the product, and z keeps h; block order r z n",
        project=project,
        step=partial(step, reset=reset, z=z),
        terms=partial(terms, reset=reset),
        graph=_graph(reset, z),
        stages=STAGES,
        symbols=_symbols(reset),
        code=("ax = torch.nn.functional.linear(x, W_ih, b_ih)", _code(reset, z)),
        jacobian=partial(jacobian, reset=reset, z=z),
        direct=partial(direct, z=z),
        kernel=partial(After if reset == "after" else Before, keeps=z == "keeps"),
        build=gru,
        options=(("reset", reset), ("z", z)),
        choices=(("reset", ("after", "before")), ("z", ("keeps", "takes"))),
    )

"""Small recurrent cells with one or two numbers of state and weights that a person can read.

A gate that is to stay open or shut has a bias of ±40: σ(40) is exactly 1 in float64, and σ(-40) is
4e-18.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp

import torch
from torch import Tensor

from rnnviz.engine import CELLS, CellSpec, init_params

OPEN, SHUT, HALF = 40.0, -40.0, 0.0  # biases of a gate: 1, 0 and 1/2
Row = tuple[float, ...]
Matrix = tuple[Row, ...]
Options = tuple[tuple[str, str], ...]
Window = tuple[tuple[float, float], ...]  # from where to where each axis of a picture goes

BOUNDED, SHARE, FREE = (-1.2, 1.2), (-0.2, 1.2), (-6.0, 6.0)
SAID = {"relu": "ReLU"}
WINDOWS = {"tanh": BOUNDED, "sigmoid": SHARE, "relu": FREE, "identity": FREE}


@dataclass(frozen=True)
class System:
    """A cell that reads one number a step, and its weights.

    Attributes:
        cell, options: a name in ``CELLS``, and conventions that are not the cell's usual ones.
        W: what the input is multiplied with, a number a row; rows are those of PyTorch's W_ih.
        U: W_hh, its rows.
        b, b_hh: the biases, a number a row; none for ``b_hh`` means zeros.
        window: from where to where a picture shows each number of the state.
        words: what it does, in a sentence; empty where that is not known before.
        origin: where the weights come from.
        count: of a counter, which number of the state counts and by how much at each step.
    """

    cell: str
    options: Options
    W: Row
    U: Matrix
    b: Row
    window: Window
    words: str = ""
    origin: str = ""
    b_hh: Row = ()
    count: tuple[int, float] | None = None

    @property
    def spec(self) -> CellSpec:
        """The cell."""
        return CELLS[self.cell].with_options(**dict(self.options))

    @property
    def H(self) -> int:
        """Units."""
        return len(self.U[0])

    @property
    def params(self) -> dict[str, Tensor]:
        """The parameters in PyTorch's layout, float64."""
        b = torch.tensor(self.b, dtype=torch.float64)
        return {
            "W_ih": torch.tensor(self.W, dtype=torch.float64)[:, None],
            "W_hh": torch.tensor(self.U, dtype=torch.float64),
            "b_ih": b,
            "b_hh": torch.tensor(self.b_hh, dtype=torch.float64) if self.b_hh else torch.zeros_like(b),
        }

    @property
    def axes(self) -> tuple[str, ...]:
        """What each number of the state is called: ``h₁``, ``h₂``, or ``h``, ``c``."""
        marks = [""] if self.H == 1 else ["₁", "₂", "₃", "₄"][: self.H]
        return tuple(name + mark for name in self.spec.state_names for mark in marks)

    @property
    def columns(self) -> tuple[str, ...]:
        """The same for a table: ``h_1``."""
        marks = [""] if self.H == 1 else [f"_{k + 1}" for k in range(self.H)]
        return tuple(name + mark for name in self.spec.state_names for mark in marks)

    @property
    def stem(self) -> str:
        """What its files are called."""
        return self.origin.partition(" ")[0] or "unit"

    @property
    def title(self) -> str:
        """The cell with the φ that it has, if any."""
        phi = dict(self.options).get("activation")
        return f"{self.spec.title} ({SAID.get(phi, phi)})" if phi else self.spec.title


def one_rnn(activation: str, w: float, b: float) -> System:
    """h′ = φ(w h + u + b)."""
    return System("rnn", (("activation", activation),), (1.0,), ((w,),), (b,), (WINDOWS[activation],))


def one_gru(w: float, b: float, reset: tuple[float, float], update: tuple[float, float]) -> System:
    """A GRU of one unit: recurrent weight and bias of n, of r and of z; the input goes to n alone."""
    (u_r, b_r), (u_z, b_z) = reset, update
    return System("gru", (), (0.0, 0.0, 1.0), ((u_r,), (u_z,), (w,)), (b_r, b_z, b), (BOUNDED,))


def own(activation: str, U: Matrix, b: Row) -> System:
    """An Elman network of two units whose input goes to the first."""
    window = WINDOWS[activation]
    options = (("activation", activation),)
    return System("rnn", options, (1.0, 0.0), U, b, (window, window), origin="own weights")


def drawn(cell: str, options: Options, seed: int, radius: float) -> System:
    """Two numbers of state; weights as PyTorch draws them, blocks of W_hh scaled to a spectral radius."""
    spec = CELLS[cell].with_options(**dict(options))
    params = init_params(spec, 1, 2 // len(spec.states), seed, "scaled", radius=radius)
    plain = WINDOWS[dict(options).get("activation", "tanh")]
    rows: dict[str, Row] = {name: tuple(params[name].flatten().tolist()) for name in ("W_ih", "b_ih", "b_hh")}
    return System(
        cell,
        options,
        rows["W_ih"],
        tuple(tuple(row) for row in params["W_hh"].tolist()),
        rows["b_ih"],
        tuple(plain if state.low > float("-inf") or options else (-3.0, 3.0) for state in spec.states)
        * (2 // len(spec.states)),
        origin=f"seed {seed}, spectral radius {radius:g}",
        b_hh=rows["b_hh"],
    )


# Presets: a state of two numbers -------------------------------------------------------------------------

_HOLD: Matrix = ((1.5, -1.0), (-1.0, 1.5))  # each unit holds itself up and the other down
_TURN: Matrix = ((1.0, -1.0), (1.0, 1.0))  # a turn by 45°, times √2
_KEEP: Matrix = ((1.0, 0.0), (0.0, 1.0))
_NONE: Matrix = ((0.0, 0.0), (0.0, 0.0))
_SQUARE: Window = (BOUNDED, BOUNDED)
_TANH: Options = (("activation", "tanh"),)
_RELU: Options = (("activation", "relu"),)
SMALL = 0.01  # what the tanh counter takes one unit of input for
KEEPS = 4.0  # bias of the counting GRU's z


def _rnn(options: Options, W: Row, U: Matrix, window: Window, words: str, unit: float = 0.0) -> System:
    return System("rnn", options, W, U, (0.0, 0.0), window, words, "", (), (0, unit) if unit else None)


def _gru(W: Row, U: Matrix, b_z: float, words: str, unit: float = 0.0) -> System:
    """r = 1; z from its bias alone; the candidate n = tanh(U h + W u)."""
    rows, b = (*_NONE, *_NONE, *U), (OPEN, OPEN, b_z, b_z, 0.0, 0.0)
    count = (0, unit) if unit else None
    return System("gru", (), (0.0,) * 4 + W, rows, b, _SQUARE, words, "", (), count)


def _lstm(f: float, w_g: float, u_g: float, low: float, high: float, words: str, unit: float = 0.0) -> System:
    """i = o = 1; f from its bias alone; the candidate g = tanh(u_g h + w_g u)."""
    W, U, b = (0.0, 0.0, w_g, 0.0), ((0.0,), (0.0,), (u_g,), (0.0,)), (OPEN, f, 0.0, OPEN)
    count = (1, unit) if unit else None
    return System("lstm", (), W, U, b, (BOUNDED, (low, high)), words, "", (), count)


_PRESETS: dict[str, dict[str, tuple[System, ...]]] = {
    "latch": {
        "rnn": (_rnn(_TANH, (2.0, -2.0), _HOLD, _SQUARE, "Each unit holds itself up and the other down."),),
        "lstm": (
            _lstm(HALF, 2.0, 2.0, -3.0, 3.0, "Half of c is lost at each step, and tanh(2h + 2u) is written."),
        ),
        "gru": (
            _gru(
                (2.0, -2.0),
                _HOLD,
                HALF,
                "Each unit holds itself up and the other down; with z = ½ a step goes half the way.",
            ),
        ),
    },
    "counter": {
        "rnn": (
            _rnn(
                _RELU,
                (1.0, -1.0),
                _KEEP,
                ((-1.0, 12.0), (-1.0, 12.0)),
                "h₁ adds u at each step and h₂ subtracts it, neither goes below 0: u = 1 is counted exactly.",
                1.0,
            ),
            _rnn(
                _TANH,
                (SMALL, -SMALL),
                _KEEP,
                _SQUARE,
                "h₁ adds about u/100 at each step; tanh bounds it, so the count falls behind.",
                SMALL,
            ),
        ),
        "lstm": (
            _lstm(
                OPEN,
                20.0,
                0.0,
                -3.0,
                12.0,
                "i = f = 1 and g = tanh(20u): at u = 1 the cell state c adds exactly 1 at each step.",
                1.0,
            ),
        ),
        "gru": (
            _gru(
                (20.0, -20.0),
                _NONE,
                KEEPS,
                "At u = 1 each step takes h₁ 1.8 % of what is left to 1, so the count falls behind.",
                1 - 1 / (1 + exp(-KEEPS)),
            ),
        ),
    },
    "oscillator": {
        "rnn": (
            _rnn(
                _TANH,
                (1.0, 0.0),
                _TURN,
                _SQUARE,
                "A turn by 45° and times √2, squashed: everything but 0 winds onto a cycle of eight steps.",
            ),
        ),
        "lstm": (
            _lstm(
                SHUT, 1.0, -4.0, -1.2, 1.2, "f = 0, g = tanh(−4h): c becomes the opposite of h, each step."
            ),
        ),
        "gru": (_gru((1.0, 0.0), _TURN, SHUT, "z = 0 and r = 1: what is left of the GRU is the RNN."),),
    },
}
PRESETS = {
    kind: {cell: tuple(replace(system, origin=kind) for system in systems) for cell, systems in cells.items()}
    for kind, cells in _PRESETS.items()
}

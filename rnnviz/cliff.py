"""The error surface of one unit over its two parameters, and gradient descent on it.

The unit is x_t = w φ(x_{t-1}) + b without input, and E = (φ(x_T) - y)². With h = φ(x) it is the Elman
network h_t = φ(w h_{t-1} + b) of one unit, from h_0 = φ(x_0).

Source: Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, section 2.3,
equation 8 and figure 6: φ = σ, 50 steps, x_0 = 0.5, y = 0.7. Those numbers, the formulas and the figure's
subject were checked against the paper's text; the window and the paths of their drawing are not given there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from torch import Tensor

from rnnviz.charts.cliff_records import Array, Box, Surface, Wall, Way
from rnnviz.engine import CELLS
from rnnviz.engine.cells.rnn import ACTIVATIONS
from rnnviz.engine.kernels import kernel_of

POINTS = 101  # of the grid, a side
CELL = "rnn"
SLOPES = {"sigmoid": torch.ops.aten.sigmoid_backward, "tanh": torch.ops.aten.tanh_backward}  # φ′ out of φ


@dataclass(frozen=True)
class Unit:
    """What is trained.

    Attributes:
        activation: φ, by its name in the cell.
        steps: T.
        target: y, what φ(x_T) shall be.
        x0: where the state starts.
    """

    activation: str = "sigmoid"
    steps: int = 50
    target: float = 0.7
    x0: float = 0.5

    @property
    def h0(self) -> Tensor:
        """φ(x_0), a scalar."""
        return ACTIVATIONS[self.activation].apply(torch.tensor(self.x0, dtype=torch.float64))


@dataclass(frozen=True)
class Descent:
    """How it is trained: w ← w - η ∂E/∂w, b likewise.

    Attributes:
        w, b: where it starts.
        lr: η.
        clip: θ: a gradient g with ‖g‖ > θ becomes θ g/‖g‖; None without.
    """

    w: float
    b: float
    lr: float
    clip: float | None = None


@dataclass(frozen=True)
class Ends:
    """Where the state ends, and how that depends on the parameters: h_T, ∂h_T/∂w and ∂h_T/∂b, (K,) each."""

    h: Tensor
    dw: Tensor
    db: Tensor

    def error(self, target: float) -> tuple[Tensor, Tensor, Tensor]:
        """E, ∂E/∂w and ∂E/∂b by the chain rule, (K,) each."""
        d_h = 2 * (self.h - target)
        return (self.h - target) ** 2, d_h * self.dw, d_h * self.db


def ends(unit: Unit, w: Tensor, b: Tensor) -> Ends:
    """Forward and back through time at these parameters, (K,) each, float64; one model a point.

    Elementwise, as one unit allows: over a whole grid four times as fast as the engine's kernel.
    """
    phi = ACTIVATIONS[unit.activation].apply
    h = [unit.h0.expand_as(w)]
    for t in range(unit.steps):
        h.append(phi(w * h[t] + b))
    states = torch.stack(h[1:])
    slopes = SLOPES[unit.activation](torch.ones_like(states), states).unbind(0)
    d_h, dw, db = torch.ones_like(w), torch.zeros_like(w), torch.zeros_like(w)
    for t in range(unit.steps, 0, -1):
        delta = slopes[t - 1] * d_h
        dw += h[t - 1] * delta
        db += delta
        d_h = delta * w
    return Ends(h[-1], dw, db)


class Runner:
    """The same by the engine's kernel, in buffers that are used again, a few parameters at a time.

    Its bits do not depend on how many run at once, as those of PyTorch's vector operations do: on a wall, one
    bit decides where a way leads.
    """

    def __init__(self, unit: Unit) -> None:
        """For this unit, whatever its target."""
        self._unit = unit
        self._kernel = kernel_of(CELLS[CELL].with_options(activation=unit.activation))

    def ends(self, w: Tensor, b: Tensor) -> Ends:
        """As the function `ends`."""
        K, T = len(w), self._unit.steps
        params = {
            "W_ih": w.new_zeros(K, 1, 1),
            "W_hh": w.reshape(K, 1, 1),
            "b_ih": b.reshape(K, 1),
            "b_hh": b.new_zeros(K, 1),
        }
        start = {"h": self._unit.h0.expand(K, 1, 1)}
        h = self._kernel.forward(params, w.new_zeros(T, K, 1, 1), start)["h"][-1].flatten().clone()
        asked = w.new_zeros(T, K, 1, 1)
        asked[-1] = 1
        found = self._kernel.backward(asked).d_params
        return Ends(h, found["W_hh"].flatten().clone(), found["b_ih"].flatten().clone())


def grid(box: Box) -> tuple[Tensor, Tensor]:
    """Values of w and of b over a window, (POINTS,) each."""
    w, b = (torch.linspace(low, high, POINTS, dtype=torch.float64) for low, high in box)
    return w, b


def ends_on(unit: Unit, box: Box) -> Ends:
    """Where the state ends at every point of the grid, w changing fastest, (POINTS²,) each."""
    w, b = torch.meshgrid(*grid(box), indexing="xy")
    return ends(unit, w.flatten(), b.flatten())


def surface(found: Ends, target: float, box: Box) -> Surface:
    """The error surface over a window, from `ends_on` it."""
    w, b = grid(box)
    E, dw, db = (value.reshape(POINTS, POINTS).numpy() for value in found.error(target))
    return Surface(w.numpy(), b.numpy(), E, dw, db)


def wall(unit: Unit, box: Box) -> Wall:
    """The part of the line b = x_0 - w φ(x_0) in a window where |w φ′(x_0)| > 1.

    There the state stays on x_0, which repels: a change of w or b grows by |w φ′(x_0)| at every step.
    """
    h0 = unit.h0
    slope = ACTIVATIONS[unit.activation].slope(h0).item()
    w, _ = grid(box)
    b = unit.x0 - w * h0
    (_, _), (bottom, top) = box
    here = (bottom <= b) & (b <= top) & ((w * slope).abs() > 1)
    w, b = w[here], b[here]
    if not len(w):
        return Wall(*(np.empty(0) for _ in range(3)))
    found = ends(unit, w, b)
    _, dw, db = found.error(unit.target)
    # Rounding of b grows as everything does; where it has moved the state, this is no longer the wall.
    held = (found.h - h0).abs() < 1e-3 * min(abs(unit.target - h0.item()), 1.0)
    return Wall(w.numpy(), b.numpy(), torch.where(held, torch.hypot(dw, db), torch.nan).numpy())


@dataclass(frozen=True)
class Leg:
    """Some updates of many descents: w, b, E, ∂E/∂w and ∂E/∂b before each, (n,K) each, and w, b after."""

    record: tuple[Array, ...]
    w: Tensor
    b: Tensor


def leg(unit: Unit, w: Tensor, b: Tensor, lrs: Tensor, clips: Tensor, updates: int) -> Leg:
    """So many updates of K descents at once.

    Args:
        unit: what is trained.
        w, b: where they stand, (K,).
        lrs, clips: η and θ, (K,); inf for no clipping.
        updates: how many.
    """
    runner, rows = Runner(unit), []
    for _ in range(updates):
        E, dw, db = runner.ends(w, b).error(unit.target)
        rows.append((w, b, E, dw, db))
        norm = torch.hypot(dw, db)
        scale = torch.where(norm > clips, clips / norm, 1.0)
        w, b = w - lrs * (dw * scale), b - lrs * (db * scale)
    return Leg(tuple(torch.stack(column).numpy() for column in zip(*rows, strict=True)), w, b)


def descend(unit: Unit, descents: Sequence[Descent], updates: int) -> tuple[Way, ...]:
    """Some descents at once, from before the first update to after the last.

    Raises:
        ValueError: without a descent or an update.
    """
    if not descents or updates < 1:
        raise ValueError(f"descents, updates are {len(descents)}, {updates}; allowed: at least 1 of each")
    columns = [(d.w, d.b, d.lr, inf if d.clip is None else d.clip) for d in descents]
    w, b, lrs, clips = torch.tensor(columns, dtype=torch.float64).unbind(1)
    found = leg(unit, w, b, lrs, clips, updates + 1).record
    return tuple(way(found, k, d.clip) for k, d in enumerate(descents))


def way(record: Sequence[Array], k: int, clip: float | None) -> Way:
    """The k-th descent of a `Leg`'s record."""
    w, b, E, dw, db = (column[:, k] for column in record)
    return Way(w, b, E, dw, db, clip)

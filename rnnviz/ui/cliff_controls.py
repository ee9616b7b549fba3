"""The controls of “The cliff”, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from rnnviz.charts.cliff_records import Box
from rnnviz.charts.figure import Formula
from rnnviz.cliff import Unit
from rnnviz.ui.state import Choice, Control, Fold, Number
from rnnviz.ui.stops import Stops

LRS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
CLIPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ACTIVATIONS = {"sigmoid": "sigmoid", "tanh": "tanh"}
# φ -> name of a window -> (from, to) of w and of b.
WINDOWS: dict[str, dict[str, Box]] = {
    "sigmoid": {
        "close": ((4.0, 4.75), (-2.25, -1.5)),
        "usual": ((3.5, 5.5), (-3.25, -1.25)),
        "wide": ((-2.0, 12.0), (-8.0, 4.0)),
    },
    "tanh": {
        "close": ((1.0, 1.75), (-1.0, -0.25)),
        "usual": ((0.5, 2.5), (-1.5, 0.5)),
        "wide": ((-4.0, 4.0), (-4.0, 4.0)),
    },
}
STARTS = {"sigmoid": (4.75, -1.5), "tanh": (1.75, -0.85)}
STEP = 0.05


def _start(activation: str, k: int) -> Number:
    name = "wb"[k]
    low, high = WINDOWS[activation]["usual"][k]
    key = f"cliff_{name}" if activation == "sigmoid" else f"cliff_{activation}_{name}"
    return Number(key, f"Start at {name}", STARTS[activation][k], "Where both ways begin.", low, high, STEP)


CLIFF: dict[str, Control] = {
    "lr": Stops("cliff_lr", "Learning rate η", "0.5", options={f"{lr:g}": lr for lr in LRS}),
    "clip": Stops(
        "cliff_clip",
        "Clipping threshold θ",
        "1",
        "A gradient g whose norm is above θ becomes θ g/‖g‖.",
        options={f"{clip:g}": clip for clip in CLIPS},
    ),
    "updates": Number("cliff_updates", "Updates", 60, "How far both ways are followed.", 1, 200, 1),
    # Each φ has a start of its own, and keeps it while the other is looked at.
    **{f"{name} of {phi}": _start(phi, k) for phi in WINDOWS for k, name in enumerate("wb")},
    "steps": Number("cliff_T", "Steps T", 50, "After so many the state is read.", 2, 100, 1),
    "target": Number("cliff_target", "Target y", 0.7, "What φ(x_T) shall be.", 0.05, 0.95, 0.05),
    "activation": Choice("cliff_activation", "Activation φ", "sigmoid", options=ACTIVATIONS),
    "window": Choice(
        "cliff_window",
        "Window",
        "usual",
        "How much of the plane of w and b is shown.",
        options={name: name for name in WINDOWS["sigmoid"]},
    ),
    "answer": Fold(
        "cliff_answer", "What does one step do at the foot of the wall?", False, icon=":material/help:"
    ),
}


@dataclass(frozen=True)
class Asked:
    """What the controls ask for.

    Attributes:
        unit: what is trained.
        box: the window.
        start: w and b where both ways begin.
        lr, clip: η, and θ of the way that is clipped.
        updates: of each.
    """

    unit: Unit
    box: Box
    start: tuple[float, float]
    lr: float
    clip: float
    updates: int

    @property
    def caption(self) -> str:
        """The whole configuration in a line."""
        unit, (w, b) = self.unit, self.start
        parts = (
            f"One unit, φ = {unit.activation}, x₀ = {unit.x0:g}, no input",
            f"T = {unit.steps}, y = {unit.target:g}",
            f"from w = {w:g}, b = {b:g}",
            f"η = {self.lr:g}, θ = {self.clip:g}, {self.updates} updates",
            "nothing is drawn at random: no seed",
        )
        return " · ".join(parts).replace("-", "−")

    @property
    def configuration(self) -> dict[str, object]:
        """What its files are named after."""
        unit, (w, b) = self.unit, self.start
        about = {"": unit.activation, "T": unit.steps, "y": unit.target, "w": w, "b": b}
        return {**about, "lr": self.lr, "clip": self.clip, "updates": self.updates}

    @property
    def formula(self) -> Formula:
        """The unit, its error and its updates."""
        phi, plain = (r"\sigma", "σ") if self.unit.activation == "sigmoid" else (r"\tanh", "tanh")
        return Formula(
            rf"x_t = w\,{phi}(x_{{t-1}}) + b \qquad E = \left({phi}(x_T) - y\right)^2 \qquad "
            r"(w, b) \leftarrow (w, b) - \eta\, g, \quad g = \nabla E \ \text{ or, clipped, } \ "
            r"g = \min\left(1, \tfrac{\theta}{\lVert\nabla E\rVert}\right) \nabla E",
            f"xₜ = w {plain}(xₜ₋₁) + b, E = ({plain}(x_T) − y)², "
            "(w, b) ← (w, b) − η g, g = ∇E or min(1, θ/‖∇E‖) ∇E",
        )


def choose() -> Asked:
    """Draw the controls, and say what they ask for."""
    lr, clip = CLIFF["lr"].draw(), CLIFF["clip"].draw()
    updates = int(CLIFF["updates"].draw())
    start = st.container()
    steps, target = int(CLIFF["steps"].draw()), float(CLIFF["target"].draw())
    activation = CLIFF["activation"].draw()
    box = WINDOWS[activation][CLIFF["window"].draw()]
    with start:
        w, b = (
            float(CLIFF[f"{name} of {activation}"].draw(low=low, high=high))
            for name, (low, high) in zip("wb", box, strict=True)
        )
    return Asked(Unit(activation, steps, target), box, (w, b), lr, clip, updates)

"""The controls of *One weight*: those beside the figure, and those in it."""

from __future__ import annotations

from functools import lru_cache

from rnnviz.charts.one_weight import Tables, tables
from rnnviz.charts.one_weight_positions import (
    AXES,
    LONGEST,
    PHIS,
    SIZES,
    TAUS,
    WEIGHT_STEP,
    WEIGHTS,
    Position,
    Positions,
)
from rnnviz.one_weight import SHAPES, OneWeight, positions
from rnnviz.ui.held import HeldChoice, HeldNumber
from rnnviz.ui.scrub import HeldGrid
from rnnviz.ui.state import Choice, Control, Number

START = Position()

ONE: dict[str, Control] = {
    "input": Choice(
        "one_input",
        "Input x",
        "Constant",
        "At size 1; its size is in the figure.",
        options={name.capitalize(): name for name in SHAPES},
    ),
    "seed": Number("one_seed", "Seed", 4, "Draws the noise.", 0, 99, 1),
    "y": Number("one_y", "Target y", -1.0, "L = ½(h_τ − y)²", -5.0, 5.0, 0.25),
    "w": HeldGrid("one_w", "w", START.w, None, WEIGHTS[0], WEIGHTS[-1], WEIGHT_STEP),
    "tau": HeldNumber("one_tau", "τ", START.tau, None, TAUS[0], TAUS[-1], 1),
    "back": HeldNumber("one_back", "Steps back", START.back, None, 0, LONGEST - 1, 1),
    "size": HeldChoice("one_size", "Size of x", f"{START.size:g}", options={f"{s:g}": s for s in SIZES}),
    "phi": HeldChoice("one_phi", "φ", START.phi, options={phi: phi for phi in PHIS}),
    "axis": HeldChoice("one_axis", "Axis", START.axis, options={axis: axis for axis in AXES}),
}


def choose() -> OneWeight:
    """Draw what stands beside the figure."""
    shape = ONE["input"].draw()
    seed = ONE["seed"].draw() if shape == "noise" else 0
    return OneWeight(shape, float(ONE["y"].draw()), seed)


@lru_cache(maxsize=16)
def computed(config: OneWeight) -> tuple[Positions, Tables]:
    """Every position of the figure's sliders, and what the browser looks up."""
    found = positions(config)
    return found, tables(found, config.words)

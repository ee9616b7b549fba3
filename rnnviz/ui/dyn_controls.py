"""The controls of Dynamics: which view, and those of its first two."""

from __future__ import annotations

from rnnviz.systems import PRESETS
from rnnviz.ui.state import Choice, Control, Fold, Number, Text

VIEWS = {name: name for name in ("One unit", "Two units", "Many units", "Machines")}
PHI = {"tanh": "tanh", "ReLU": "relu", "sigmoid": "sigmoid", "identity": "identity"}
SEED, OWN = "Drawn from a seed", "Own weights"

DYN: dict[str, Control] = {"tab": Choice("dyn_tab", "View", "One unit", options=VIEWS, row=True)}


def _weight(key: str, label: str, default: float, help: str | None = None, high: float = 5.0) -> Number:
    return Number(key, label, default, help, -high, high, 0.05)


ONE: dict[str, Control] = {
    "cell": Choice("dyn_one_cell", "Cell", "RNN", options={"RNN": "rnn", "GRU": "gru"}),
    "activation": Choice("dyn_one_phi", "Activation φ", "tanh", options=PHI),
    "w": _weight("dyn_w", "Weight w", 2.0, "From h to itself; in the GRU that of its candidate n."),
    "b": _weight("dyn_b", "Bias b", 0.0, high=3.0),
    "u": _weight("dyn_u", "Constant input u", 0.0, "At 0 the unit is left to itself.", high=3.0),
    "h0": _weight("dyn_h0", "Start h₀", 0.3, high=1.5),
    "T": Number("dyn_T", "Steps", 30, None, 1, 200, 1),
    "gates": Fold("dyn_gates", "Gates", False, icon=":material/tune:"),
    "u_r": _weight("dyn_u_r", "r: weight", 0.0, "Reset gate r = σ(weight · h + bias).", high=10.0),
    "b_r": _weight("dyn_b_r", "r: bias", 10.0, high=10.0),
    "u_z": _weight(
        "dyn_u_z", "z: weight", 0.0, "Update gate z = σ(weight · h + bias); at 1 it keeps h.", high=10.0
    ),
    "b_z": _weight("dyn_b_z", "z: bias", 0.0, high=10.0),
}

SYSTEMS = {**{kind.capitalize(): kind for kind in PRESETS}, SEED: SEED, OWN: OWN}
TWO: dict[str, Control] = {
    "system": Choice("dyn_system", "System", "Latch", options=SYSTEMS),
    "cell": Choice("dyn_cell", "Cell", "RNN", options={"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}),
    "activation": Choice("dyn_phi", "Activation φ", "tanh", options=PHI),
    "counting": Choice("dyn_counting", "Activation φ", "ReLU", options={"ReLU": "relu", "tanh": "tanh"}),
    "seed": Number("dyn_seed", "Seed", 4, "Draws the weights.", 0, 99, 1),
    "radius": Number("dyn_radius", "Spectral radius ρ", 1.5, "Of each block of W_hh.", 0.0, 5.0, 0.05),
    "w11": _weight("dyn_w_aa", "w₁₁: from h₁ to h₁", 1.5),
    "w12": _weight("dyn_w_ab", "w₁₂: from h₂ to h₁", -1.0),
    "w21": _weight("dyn_w_ba", "w₂₁: from h₁ to h₂", 1.0),
    "w22": _weight("dyn_w_bb", "w₂₂: from h₂ to h₂", 1.5),
    "b1": _weight("dyn_b_a", "b₁", 0.0, high=3.0),
    "b2": _weight("dyn_b_b", "b₂", 0.0, high=3.0),
    "u": _weight("dyn_input", "Constant input u", 0.0, "At 0 the system is left to itself.", high=3.0),
    "s1": Number("dyn_s_a", "Start", 0.1, "Or click in the picture.", -12.0, 12.0, 0.01),
    "s2": Number("dyn_s_b", "Start", 0.2, "Or click in the picture.", -12.0, 12.0, 0.01),
    "earlier": Text(
        "dyn_earlier",
        "Earlier starts",
        "",
        "Up to three pairs, as 0.5, 0.2; −1, 0.3. A click adds the last start.",
        max_chars=100,
    ),
    "T": Number("dyn_steps", "Steps", 40, None, 1, 200, 1),
    "from": Number("dyn_from", "Unrolled from step", 0, None, 0, 200, 1),
}

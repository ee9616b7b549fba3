"""The run that the home page shows before torch is loaded: ``python -m rnnviz.home_record`` writes it anew.

It is the first view of *Inside the cell*, number for number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rnnviz.engine import unroll
from rnnviz.experiment import Input, Model

PATH = Path(__file__).resolve().parents[1] / "assets" / "home.json"
DIGITS = 6

MODEL = Model(
    "lstm", hidden_size=12, seed=4, scheme="scaled", scheme_options=(("radius", 1.5),), forget_bias=1.0
)
TEXT = "the clouds are in the sky"
UNIT = 2  # from 0


def record() -> dict[str, Any]:
    """Run the model over the text and keep every gate and state, rounded to `DIGITS` decimals."""
    x = Input("text", len(TEXT), text=TEXT).signal().x
    trace = unroll(MODEL.spec, MODEL.params(x.shape[2]), x)
    return {
        "text": TEXT,
        "hidden_size": MODEL.hidden_size,
        "seed": MODEL.seed,
        "unit": UNIT,
        "gates": {name: _rounded(values) for name, values in trace.gates.items()},
        "states": {name: _rounded(values) for name, values in trace.states.items()},
    }


def _rounded(values: Any) -> list[list[float]]:
    return [[round(value, DIGITS) for value in row] for row in values[:, 0].tolist()]


if __name__ == "__main__":
    PATH.write_text(json.dumps(record()) + "\n", encoding="utf-8")

"""The run that the home page shows before torch is loaded: ``python -m rnnviz.home_record`` writes it anew.

It is what the first card on that page leads to, byte for byte but for where it starts.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rnnviz.charts.stepper import Run, pack
from rnnviz.engine import bptt, unroll, wires
from rnnviz.experiment import Input, Model, caption_of, loss_on

PATH = Path(__file__).resolve().parents[1] / "assets" / "home.bin"

MODEL = Model(
    "lstm", hidden_size=12, seed=4, scheme="scaled", scheme_options=(("radius", 1.5),), forget_bias=1.0
)
TEXT = "the clouds are in the sky"
START = {"t": 1, "unit": 3, "playing": True, "silent": True, "compact": True}


def record() -> bytes:
    """Run the model over the text, forward and backward, as the stepper takes it."""
    signal = Input("text", len(TEXT), text=TEXT).signal()
    x, params = signal.x, MODEL.params(signal.x.shape[2])
    trace = unroll(MODEL.spec, params, x)
    gradients = bptt(MODEL.spec, params, x, partial(loss_on, "last"))
    caption = f"{caption_of([MODEL])} · {signal.caption}"
    run = Run(
        MODEL.spec,
        params,
        trace,
        gradients,
        wires(MODEL.spec, params, trace, gradients),
        signal.symbols,
        sorted(set(signal.symbols)),
        caption,
        "the last step",
    )
    return pack(run, START)


if __name__ == "__main__":
    PATH.write_bytes(record())

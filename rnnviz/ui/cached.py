"""Engine calls behind a cache keyed on plain values; its records are frozen, so sessions share them.

Python's own cache: its keys are hashed in microseconds, where Streamlit's walks every field of a model at
every call, which is felt under a slider.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from torch import Tensor

from rnnviz.charts import stepper
from rnnviz.charts.figure import Columns
from rnnviz.charts.scene import Scene
from rnnviz.charts.state_path import state_path
from rnnviz.charts.strips import Strip, still_tables
from rnnviz.engine import GradTrace, Trace, WireTrace, bptt, principal_components, unroll, wires
from rnnviz.experiment import Model, Source, loss_on
from rnnviz.signals import Signal
from rnnviz.whatif import WhatIf

NOTHING = WhatIf()
_keep = lru_cache(maxsize=128)


@_keep
def sequence(source: Source) -> Signal:
    """The input."""
    return source.signal()


@_keep
def params(model: Model, input_size: int) -> dict[str, Tensor]:
    """A model's parameters."""
    return model.params(input_size)


@_keep
def trace(model: Model, source: Source, whatif: WhatIf = NOTHING) -> Trace:
    """A cell's run over an input."""
    x = model.reads(whatif.input(sequence(source).x))
    return unroll(model.spec, params(model, x.shape[2]), x, clamp=whatif.held(model.spec))


@_keep
def strips_of(model: Model, source: Source, whatif: WhatIf = NOTHING) -> tuple[Strip, ...]:
    """Every gate and state of a run, in the order of the cell's equations."""
    return stepper.strips_of(model.spec, trace(model, source, whatif))


@_keep
def strip_tables(model: Model, source: Source, whatif: WhatIf = NOTHING) -> dict[str, Columns]:
    """What the strips' figure shows at every step alike."""
    x, symbols = trace(model, source, whatif).x, sequence(source).symbols
    return still_tables(strips_of(model, source, whatif), x[:, 0].numpy(), symbols)


@lru_cache(maxsize=16)
def flow(model: Model, source: Source, whatif: WhatIf, loss: str) -> tuple[GradTrace, WireTrace]:
    """A run's backward pass, and what flows on every wire."""
    spec, run = model.spec, trace(model, source, whatif)
    weights, held = params(model, run.x.shape[2]), whatif.held(spec)
    gradients = bptt(spec, weights, run.x, partial(loss_on, loss), clamp=held)
    return gradients, wires(spec, weights, run, gradients, held)


@lru_cache(maxsize=16)  # megabytes each where runs are long
def stepper_run(
    model: Model, source: Source, whatif: WhatIf, loss: str, caption: str, start: tuple[tuple[str, Any], ...]
) -> bytes:
    """The whole run, forward and backward, as the stepper takes it."""
    spec, signal, run = model.spec, sequence(source), trace(model, source, whatif)
    weights = params(model, run.x.shape[2])
    gradients, flowing = flow(model, source, whatif, loss)
    # A text's symbols are its features, and change with what-if; a task names both.
    alphabet = list(signal.features) or sorted(set(signal.symbols))
    spelt = signal.symbols and not signal.features
    symbols = [alphabet[k] for k in run.x[:, 0].argmax(1).tolist()] if spelt else signal.symbols
    return stepper.pack(
        stepper.Run(
            spec,
            weights,
            run,
            gradients,
            flowing,
            symbols,
            alphabet,
            caption,
            {"last": "the last step", "all": "every step"}[loss],
            trace(model, source) if whatif else None,
            whatif.held(spec),
        ),
        dict(start),
    )


@_keep
def state_scene(model: Model, source: Source, caption: str, whatif: WhatIf = NOTHING) -> Scene:
    """The hidden state's path in three dimensions; needs three units and two steps."""
    h = trace(model, source, whatif).states["h"][:, 0]
    scores, shares = principal_components(h, 3)
    return state_path(scores.numpy(), shares.numpy(), sequence(source).symbols, caption)


def warm(model: Model, source: Source) -> None:
    """Call everything once: the first call of an operation costs tens of milliseconds."""
    strip_tables(model, source)
    stepper_run(model, source, NOTHING, "last", "", ())

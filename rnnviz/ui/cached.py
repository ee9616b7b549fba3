"""Engine calls behind a cache keyed on plain values; its records are frozen, so sessions share them.

Python's own cache: its keys are hashed in microseconds, where Streamlit's walks every field of a model at
every call, which is felt under a slider.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from rnnviz.charts.figure import Columns
from rnnviz.charts.gradient_flow import Curve
from rnnviz.charts.state_path import Scene, state_path
from rnnviz.charts.strips import Strip, still_tables
from rnnviz.engine import GateSpec, StateSpec, Trace, bptt, principal_components, unroll
from rnnviz.engine.jacobians import step_jacobians
from rnnviz.engine.norms import log_spectral_norm
from rnnviz.engine.trace import block
from rnnviz.experiment import Input, Model, loss_on
from rnnviz.signals import Signal

_keep = lru_cache(maxsize=128)


@_keep
def sequence(source: Input) -> Signal:
    """The input."""
    return source.signal()


@_keep
def params(model: Model, input_size: int) -> dict[str, Tensor]:
    """A model's parameters."""
    return model.params(input_size)


@_keep
def trace(model: Model, source: Input) -> Trace:
    """A cell's run over an input."""
    x = sequence(source).x
    return unroll(model.spec, params(model, x.shape[2]), x)


@_keep
def strips_of(model: Model, source: Input) -> tuple[Strip, ...]:
    """Every gate and state of a run, in the order of the cell's equations."""
    spec, run = model.spec, trace(model, source)
    values = {**run.gates, **{name: state[1:] for name, state in run.states.items()}}
    parts: dict[str, GateSpec | StateSpec] = {gate.name: gate for gate in spec.gates}
    parts |= {state.name: state for state in spec.states}
    return tuple(
        Strip(part.name, part.title, values[part.name][:, 0].numpy(), part.low, part.high)
        for part in (parts[equation.name] for equation in spec.equations)
    )


@_keep
def strip_tables(model: Model, source: Input) -> dict[str, Columns]:
    """What the strips' figure shows at every step alike."""
    signal = sequence(source)
    return still_tables(strips_of(model, source), signal.x[:, 0].numpy(), signal.symbols)


@_keep
def live_values(model: Model, source: Input, t: int, unit: int) -> dict[str, float]:
    """Every number in the equations of one unit at one step, both counted from 1."""
    spec, run = model.spec, trace(model, source)
    before = {name: values[t - 1] for name, values in run.states.items()}
    after = {name: values[t] for name, values in run.states.items()}
    gates = {name: values[t - 1] for name, values in run.gates.items()}
    with torch.no_grad():
        terms = spec.terms(run.x[t - 1], before, gates, params(model, run.x.shape[2]))
    values = {**terms, **gates, **after, **{f"{name}_prev": value for name, value in before.items()}}
    return {name: float(value[0, unit - 1]) for name, value in values.items()}


@_keep
def state_scene(model: Model, source: Input, caption: str) -> Scene:
    """The hidden state's path in three dimensions; needs three units and two steps."""
    h = trace(model, source).states["h"][:, 0]
    scores, shares = principal_components(h, 3)
    return state_path(scores.numpy(), shares.numpy(), sequence(source).symbols, caption)


@_keep
def gradient_curves(model: Model, source: Input, loss: str) -> tuple[Curve, ...]:
    """‖∂L/∂s_t‖ of every state, t = 0…T."""
    spec, x = model.spec, sequence(source).x
    gradients = bptt(spec, params(model, x.shape[2]), x, partial(loss_on, loss))
    back = np.arange(len(x), -1, -1)
    return tuple(
        Curve(spec.name, spec.title, name, back, gradients.log_norms(name).numpy())
        for name in spec.state_names
    )


@_keep
def step_curves(model: Model, source: Input) -> tuple[Curve, ...]:
    """‖∂s_t/∂s_{t-1}‖₂ of every state with the others held fixed, t = 1…T."""
    spec, run = model.spec, trace(model, source)
    with torch.no_grad():
        jacobian = step_jacobians(spec, params(model, run.x.shape[2]), run)[:, 0]
    back, names = np.arange(run.T - 1, -1, -1), spec.state_names
    norms = {name: log_spectral_norm(block(jacobian, names, name, name)).numpy() for name in names}
    return tuple(Curve(spec.name, spec.title, name, back, norm) for name, norm in norms.items())


def warm(model: Model, source: Input) -> None:
    """Call everything once: the first call of an operation costs tens of milliseconds."""
    gradient_curves(model, source, "last")
    step_curves(model, source)
    strip_tables(model, source)
    live_values(model, source, 1, 1)

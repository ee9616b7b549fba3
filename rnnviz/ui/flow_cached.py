"""Gradient flow's engine calls behind a cache, as `rnnviz.ui.cached` keeps its own."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
import torch

from rnnviz.charts.gradient_flow import Curve
from rnnviz.engine import GradTrace, bptt
from rnnviz.engine.jacobians import step_jacobians
from rnnviz.engine.norms import log_spectral_norm
from rnnviz.engine.trace import block
from rnnviz.experiment import Model, Source, loss_on
from rnnviz.ui.cached import params, sequence, trace

_keep = lru_cache(maxsize=64)


@_keep
def gradients(model: Model, source: Source, loss: str) -> GradTrace:
    """A run's backward pass."""
    x = model.reads(sequence(source).x)
    return bptt(model.spec, params(model, x.shape[2]), x, partial(loss_on, loss))


@_keep
def gradient_curves(model: Model, source: Source, loss: str) -> tuple[Curve, ...]:
    """‖∂L/∂s_t‖ of every state, t = 0…T."""
    spec, found = model.spec, gradients(model, source, loss)
    back = np.arange(len(found.d_loss), -1, -1)
    return tuple(
        Curve(spec.name, spec.title, name, back, found.log_norms(name).numpy()) for name in spec.state_names
    )


@_keep
def step_curves(model: Model, source: Source) -> tuple[Curve, ...]:
    """‖∂s_t/∂s_{t-1}‖₂ of every state with the others held fixed, t = 1…T."""
    spec, run = model.spec, trace(model, source)
    with torch.no_grad():
        jacobian = step_jacobians(spec, params(model, run.x.shape[2]), run)[:, 0]
    back, names = np.arange(run.T - 1, -1, -1), spec.state_names
    norms = {name: log_spectral_norm(block(jacobian, names, name, name)).numpy() for name in names}
    return tuple(Curve(spec.name, spec.title, name, back, norm) for name, norm in norms.items())


def warm(model: Model, source: Source) -> None:
    """Call everything once, as `rnnviz.ui.cached.warm`."""
    gradient_curves(model, source, "last")
    step_curves(model, source)

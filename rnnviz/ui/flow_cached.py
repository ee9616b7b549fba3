"""Gradient flow's engine calls behind a cache, as `rnnviz.ui.cached` keeps its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from math import nan

import numpy as np
import torch
from numpy.typing import NDArray

from rnnviz.charts.gradient_flow import Curve
from rnnviz.charts.products import Bound, steepest
from rnnviz.engine import GradTrace, bptt
from rnnviz.engine.jacobians import step_jacobians
from rnnviz.engine.norms import log_norm, log_spectral_norm
from rnnviz.engine.products import direct_log_norms, end_products
from rnnviz.engine.trace import block
from rnnviz.experiment import Model, Source, loss_on
from rnnviz.ui.cached import params, sequence, trace

_keep = lru_cache(maxsize=128)


@_keep
def gradients(model: Model, source: Source, loss: str) -> GradTrace:
    """A run's backward pass."""
    x = model.reads(sequence(source).x)
    run = trace(model, source)
    return bptt(model.spec, params(model, x.shape[2]), x, partial(loss_on, loss), trace=run)


@_keep
def gradient_curves(model: Model, source: Source, loss: str, subject: str = "states") -> tuple[Curve, ...]:
    """‖∂L/∂s_t‖ of every state, t = 0…T; of the input or of W_hh, t = 1…T, if that is the subject."""
    spec, found = model.spec, gradients(model, source, loss)
    T = len(found.d_loss)
    if subject == "states":
        back = np.arange(T, -1, -1)
        return tuple(
            Curve(spec.name, spec.title, name, back, found.log_norms(name).numpy())
            for name in spec.state_names
        )
    name = {"inputs": "x", "weights": "W_hh"}[subject]
    norms = log_norm(found.d_x) if subject == "inputs" else found.contribution_log_norms(name)
    return (Curve(spec.name, spec.title, name, np.arange(T - 1, -1, -1), norms.numpy(), called=spec.title),)


@_keep
def summed(model: Model, source: Source, loss: str) -> tuple[float, float]:
    """‖Σ_t (∂L/∂W_hh)_t‖ of what each step adds, and the norm of the whole gradient that training takes."""
    found = gradients(model, source, loss)
    both = torch.stack([found.contributions("W_hh").sum(0), found.d_params["W_hh"]])
    added, whole = log_norm(both).exp().tolist()
    return added, whole


@_keep
def overflow(model: Model, source: Source) -> tuple[str, int] | None:
    """The first state or gate that is no number any more, and its step; None where a run stays finite.

    What a step does to a change of such a state is no number either, whatever φ′ makes of it.
    """
    return trace(model, source).first_nonfinite()


def overflows(models: Sequence[Model], source: Source) -> str:
    """The same of several models, as the end of a caption."""
    found = [(model.spec.title, overflow(model, source)) for model in models]
    said = [f"{title}: {bad[0]} is not finite from step {bad[1]} on" for title, bad in found if bad]
    return "".join(f" · {words}" for words in said)


@_keep
def step_curves(model: Model, source: Source) -> tuple[Curve, ...]:
    """‖∂s_t/∂s_{t-1}‖₂ of every state with the others held fixed, t = 1…T."""
    spec, run = model.spec, trace(model, source)
    with torch.no_grad():
        jacobian = step_jacobians(spec, params(model, run.x.shape[2]), run)[:, 0]
    back, names = np.arange(run.T - 1, -1, -1), spec.state_names
    norms = {name: log_spectral_norm(block(jacobian, names, name, name)).numpy() for name in names}
    if bad := overflow(model, source):
        for values in norms.values():
            values[bad[1] - 1 :] = np.nan
    return tuple(Curve(spec.name, spec.title, name, back, norm) for name, norm in norms.items())


@_keep
def product(model: Model, source: Source, of: str = "h") -> NDArray[np.float64]:
    """ln ‖∂of_T/∂of_t‖₂ for t = 0…T, (T+1,)."""
    run = trace(model, source)
    found = end_products(model.spec, params(model, run.x.shape[2]), run, of)
    logs = found.log_norms(of)[:, 0].numpy()
    return logs if overflow(model, source) is None else np.append(np.full(run.T, np.nan), 0.0)


@_keep
def product_curve(model: Model, source: Source) -> Curve:
    """‖∂h_T/∂h_t‖₂ over lag."""
    logs, spec = product(model, source), model.spec
    return Curve(spec.name, spec.title, "h", np.arange(len(logs) - 1, -1, -1), logs, called=spec.title)


@_keep
def bound(model: Model, source: Source) -> Bound | None:
    """What bounds the products of a cell with one nonlinearity; None for the others."""
    spec, run = model.spec, trace(model, source)
    if spec.slope is None:
        return None
    sigma = torch.linalg.matrix_norm(params(model, run.x.shape[2])["W_hh"].double(), 2).item()
    after = {name: value[1:] for name, value in run.states.items()}
    slope = spec.slope(after, run.gates).double().mean().item()
    slope = slope if overflow(model, source) is None else nan
    return Bound(spec.name, spec.title, sigma, steepest(spec), slope, spec.direct is not None)


@_keep
def direct_curves(model: Model, source: Source) -> tuple[Curve, Curve] | None:
    """‖∂s_T/∂s_t‖₂ of the state that has a direct path, and that path alone; None where there is none."""
    spec, run = model.spec, trace(model, source)
    if spec.direct is None:
        return None
    name, _ = spec.direct(run.gates)
    back, title = np.arange(run.T, -1, -1), spec.title
    full = Curve(spec.name, title, name, back, product(model, source, name), "full", f"{title} {name}: full")
    logs = direct_log_norms(spec, run)[:, 0].numpy()
    if overflow(model, source):
        logs[:-1] = np.nan
    return full, Curve(spec.name, title, "direct", back, logs, "direct", f"{title} {name}: direct")


def warm(model: Model, source: Source) -> None:
    """Call everything once, as `rnnviz.ui.cached.warm`."""
    gradient_curves(model, source, "last")
    step_curves(model, source)
    product_curve(model, source)
    bound(model, source)
    direct_curves(model, source)

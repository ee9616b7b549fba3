"""Gradient flow's remedies behind a cache, as `rnnviz.ui.cached` keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnviz.engine import bptt
from rnnviz.engine.clipping import Clip, global_norm
from rnnviz.experiment import Model, Source, loss_on
from rnnviz.ui.cached import params, sequence
from rnnviz.ui.flow_cached import gradients

_keep = lru_cache(maxsize=64)


@dataclass(frozen=True)
class Clipped:
    """A gradient before and after clipping.

    Attributes:
        sizes: ``plain``, ``norm``, ``value`` -> |g_ij| of dL/dW_hh, (N,), descending.
        norms: the same -> ‖g‖ over all parameters.
        cosines: ``norm``, ``value`` -> of the angle to the unclipped gradient; nan where there is none.
        scale: what clipping by norm multiplied everything with.
    """

    sizes: Mapping[str, NDArray[np.float64]]
    norms: Mapping[str, float]
    cosines: Mapping[str, float]
    scale: float


@_keep
def shares(model: Model, source: Source, loss: str, window: int | None = None) -> NDArray[np.float64]:
    """ln ‖(∂L/∂W_hh)_t‖ for t = 1…T, (T,), of BPTT as it is or truncated."""
    if window is None:
        return gradients(model, source, loss).contribution_log_norms("W_hh").numpy()
    return _of(model, params(model, sequence(source).x.shape[2]), source, loss, window)


@_keep
def chrono_shares(model: Model, source: Source, loss: str, t_max: float) -> NDArray[np.float64]:
    """The same for the model's matrices with the gate biases that chrono initialisation draws."""
    D, spec = sequence(source).x.shape[2], model.spec
    own = params(model, D)
    drawn = params(replace(model, scheme="chrono", scheme_options=(("t_max", t_max),), forget_bias=None), D)
    mixed = {name: own[name].clone() for name in ("b_ih", "b_hh")}
    for gate in (gate for gate in spec.gates if gate.memory):
        k = spec.blocks.index(gate.name)
        for name, bias in mixed.items():
            bias.chunk(len(spec.blocks))[k].copy_(drawn[name].chunk(len(spec.blocks))[k])
    return _of(model, {**own, **mixed}, source, loss, None)


def _of(
    model: Model, weights: Mapping[str, Tensor], source: Source, loss: str, window: int | None
) -> NDArray[np.float64]:
    x = model.reads(sequence(source).x)
    found = bptt(model.spec, weights, x, partial(loss_on, loss), truncate=window)
    return found.contribution_log_norms("W_hh").numpy()


@_keep
def clipped(model: Model, source: Source, loss: str, theta: float) -> Clipped:
    """The gradient of all parameters, clipped at θ in both ways."""
    plain = gradients(model, source, loss).d_params
    by_norm, scale = Clip("norm", theta).apply(plain)
    by_value, _ = Clip("value", theta).apply(plain)
    each = {"plain": plain, "norm": by_norm, "value": by_value}
    sizes = {name: _sizes(found["W_hh"]) for name, found in each.items()}
    norms = {name: global_norm(found).item() for name, found in each.items()}
    cosines = {name: _cosine(plain, each[name]) for name in ("norm", "value")}
    return Clipped(MappingProxyType(sizes), MappingProxyType(norms), MappingProxyType(cosines), scale)


def _sizes(gradient: Tensor) -> NDArray[np.float64]:
    return gradient.double().abs().flatten().sort(descending=True).values.numpy()


def _cosine(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Of the angle between two gradients; each is scaled first, so that no square under- or overflows."""
    a, b = (torch.cat([g.flatten().double() for g in found.values()]) for found in (one, other))
    a, b = a / a.abs().max(), b / b.abs().max()
    return float((a @ b / (a.norm() * b.norm())).item())


def warm(model: Model, source: Source) -> None:
    """Call everything once, as `rnnviz.ui.cached.warm`."""
    shares(model, source, "last", 2)
    clipped(model, source, "last", 1.0)

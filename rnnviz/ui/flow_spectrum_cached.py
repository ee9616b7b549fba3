"""Spectra of Gradient flow's models behind a cache, as `rnnviz.ui.cached` keeps its own."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from rnnviz.charts.eigenvalues import Matrix
from rnnviz.charts.exponents import Exponents
from rnnviz.charts.singular_values import Spectra
from rnnviz.engine import lyapunov
from rnnviz.engine.jacobians import step_jacobians
from rnnviz.engine.products import end_products
from rnnviz.experiment import Model, Source
from rnnviz.ui.cached import params, sequence, trace

LAGS = 40  # at most so many beside lag 0
EVERY = 2  # steps between two orthonormalisations: the least exponents keep seven digits

_keep = lru_cache(maxsize=64)


@_keep
def matrix(model: Model, source: Source, block: int) -> Matrix:
    """One block of W_hh, counted from 0."""
    spec = model.spec
    W = params(model, sequence(source).x.shape[2])["W_hh"].double().chunk(len(spec.blocks))[block]
    found = sorted(torch.linalg.eigvals(W).tolist(), key=lambda v: (-abs(v), -v.imag))
    named = spec.blocks[block] if len(spec.blocks) > 1 else ""
    return Matrix(spec.name, spec.title, named, np.array(found), torch.linalg.svdvals(W).numpy())


@_keep
def spectra(model: Model, source: Source) -> Spectra:
    """The singular values of ∂h_T/∂h_t at lags from 0 to T."""
    spec, run = model.spec, trace(model, source)
    lags = lags_of(run.T)
    found = end_products(spec, params(model, run.x.shape[2]), run).singular_logs(lags)[:, 0].numpy()
    return Spectra(spec.name, spec.title, np.array(lags), found, model.hidden_size * len(spec.states))


def lags_of(T: int) -> tuple[int, ...]:
    """Lags from 0 to T, evenly spread.

    >>> lags_of(3)
    (0, 1, 2, 3)
    """
    return tuple(np.unique(np.round(np.linspace(0, T, min(T, LAGS) + 1)).astype(int)).tolist())


@_keep
def exponents(model: Model, source: Source) -> Exponents:
    """The H largest Lyapunov exponents along the run; -∞ from where a step leaves no direction.

    A step whose Jacobian has n rows of zeros, as a ReLU's has for units that are off, has at most rank S - n,
    and so has every product with it: where QR has only its own rounding left, this is what is known.
    """
    spec, run, H = model.spec, trace(model, source), model.hidden_size
    weights = params(model, run.x.shape[2])
    found = lyapunov(spec, weights, run.x, H, every=EVERY)[0]
    with torch.no_grad():
        left = int((step_jacobians(spec, weights, run)[:, 0] != 0).any(-1).sum(-1).min())
    found[left:] = -torch.inf
    return Exponents(spec.name, spec.title, found.numpy(), H * len(spec.states))


def warm(model: Model, source: Source) -> None:
    """Call everything once, as `rnnviz.ui.cached.warm`."""
    matrix(model, source, 0)
    spectra(model, source)
    exponents(model, source)

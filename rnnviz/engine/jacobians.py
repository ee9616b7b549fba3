"""Step Jacobians, their products over time with the norm kept in logs, and Lyapunov exponents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.norms import log_spectral_norm
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.trace import JacobianTrace, Trace
from rnnviz.engine.unroll import unroll

# Steps multiplied before the product is rescaled. Each factor's largest entry is 1 by then, so that
# the product of n of them is at most S^n, and in float64 never vanishes unless a step shrinks by 1e-38.
RESCALE_EVERY = 8


def jacobians(
    spec: CellSpec, params: Params, trace: Trace, state0: Mapping[str, Tensor] | None = None
) -> JacobianTrace:
    """∂s_t/∂s_{t-1} for every step, and ln ‖∂s_T/∂s_t‖₂ for every t.

    Args:
        spec: the cell.
        params: its parameters.
        trace: what `unroll` returned for them.
        state0: run ``trace.x`` again from this state instead of the trace's own.

    Returns:
        `JacobianTrace`. S is all states stacked in the spec's order.

    Raises:
        ValueError: as in `unroll`.
    """
    if state0 is not None:
        trace = unroll(spec, params, trace.x, state0)
    with torch.no_grad():
        step = step_jacobians(spec, params, trace)
        return JacobianTrace(spec.state_names, step, _log_norms_of_products(step))


def step_jacobians(
    spec: CellSpec, params: Params, trace: Trace, start: int = 0, stop: int | None = None
) -> Tensor:
    """∂s_t/∂s_{t-1} for steps start+1…stop, (stop-start,B,S,S): closed form where the cell has one."""
    part = slice(start, trace.T if stop is None else stop)
    before = {name: value[:-1][part] for name, value in trace.states.items()}
    after = {name: value[1:][part] for name, value in trace.states.items()}
    if spec.jacobian is not None:
        return spec.jacobian(
            params, before, after, {name: value[part] for name, value in trace.gates.items()}
        )
    return derived_jacobian(spec, params, trace.x[part], before)


def derived_jacobian(spec: CellSpec, params: Params, x: Tensor, before: Mapping[str, Tensor]) -> Tensor:
    """∂s_t/∂s_{t-1} by automatic differentiation of ``spec.step``, (T,B,S,S): where no closed form is.

    Args:
        x: (T,B,D).
        before: name -> (T,B,H): the states that the steps start from.
    """
    names = spec.state_names
    T, B = x.shape[:2]

    def stacked_step(s: Tensor, ax_t: Tensor) -> Tensor:
        state = {name: part.unsqueeze(0) for name, part in zip(names, s.chunk(len(names)), strict=True)}
        after, _ = spec.step(ax_t.unsqueeze(0), state, params)
        return torch.cat([after[name][0] for name in names])

    s = torch.cat([before[name] for name in names], -1).flatten(0, 1)
    ax = spec.project(x, params).flatten(0, 1)
    jacobian: Tensor = torch.func.vmap(torch.func.jacrev(stacked_step))(s, ax)
    return jacobian.view(T, B, *jacobian.shape[1:])


def _log_norms_of_products(step: Tensor) -> Tensor:
    """ln ‖J_T … J_{t+1}‖₂ for t = 0…T, (T+1,B), from the step Jacobians (T,B,S,S)."""
    T, B, S, _ = step.shape
    log_norms = step.new_zeros(T + 1, B, dtype=torch.float64)
    product = torch.eye(S, dtype=torch.float64, device=step.device).repeat(B, 1, 1)
    log_scale = step.new_zeros(B, dtype=torch.float64)
    for stop in range(T, 0, -RESCALE_EVERY):
        start = max(stop - RESCALE_EVERY, 0)
        factors, log_factors = _rescaled(step[start:stop].double())
        products = torch.empty_like(factors)
        for k in range(stop - start - 1, -1, -1):
            product = torch.bmm(product, factors[k], out=products[k])
        log_scales = log_scale + log_factors.flip(0).cumsum(0).flip(0)
        log_norms[start:stop] = log_scales + log_spectral_norm(products)
        product, log_product = _rescaled(product)
        log_scale = log_scales[0] + log_product
    return log_norms


def _rescaled(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Matrices (…,S,S) with their largest entry brought to 1, and the log of what was taken out, (…)."""
    scale = matrices.abs().amax((-2, -1), keepdim=True)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return matrices / scale, scale[..., 0, 0].log()


def lyapunov(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    k: int,
    state0: Mapping[str, Tensor] | None = None,
    every: int = 1,
) -> Tensor:
    """The k largest Lyapunov exponents along the run over ``x``.

    Args:
        spec: the cell.
        params: its parameters.
        x: (T,B,D).
        k: 1…S, how many.
        state0: name -> (B,H); what it does not name starts at zero.
        every: 1…32, steps between two orthonormalisations: quicker, but the smallest exponents suffer, whose
            directions all turn to the largest one's meanwhile.

    Returns:
        (B,k), natural logarithm per step: λ₁ < 0 where small changes vanish, > 0 where they explode.
        Where a direction is lost altogether, -inf or what rounding leaves of it.

    Raises:
        ValueError: k out of range, or as in `unroll`.

    Source: QR along the step Jacobians, Benettin et al. 1980; for recurrent networks Vogt et al. 2022
    and Engelken, Wolf & Abbott 2023.
    """
    _, H = check.sizes(spec, params)
    S = H * len(spec.states)
    check.whole("k", k, 1, S)
    check.whole("every", every, 1, 32)
    trace = unroll(spec, params, x, state0)
    T, B = trace.x.shape[:2]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(B, S, k, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        Q = torch.linalg.qr(start.to(trace.x.dtype))[0]
        logs = torch.zeros(B, k, dtype=torch.float64)
        for first in range(0, T, RESCALE_EVERY):  # a few at a time: all of (T,B,S,S) need not be held
            steps = step_jacobians(spec, params, trace, first, min(first + RESCALE_EVERY, T))
            for t, J in enumerate(steps, first + 1):
                Q = J @ Q
                if t % every == 0 or t == T:
                    Q, R = torch.linalg.qr(Q)
                    logs += R.diagonal(dim1=-2, dim2=-1).abs().double().log()
    return (logs / T).sort(-1, descending=True).values

"""Backward through time, for any cell and any loss on its hidden states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.clamp import Clamp, Hold, holds
from rnnviz.engine.clipping import Clip
from rnnviz.engine.contributions import derived_contributions
from rnnviz.engine.kernels.stacked import Stacked
from rnnviz.engine.spec import CellSpec, Gates, Params, State
from rnnviz.engine.trace import GradTrace, Trace
from rnnviz.engine.unroll import holding, record, recorder, run

Loss = Callable[[Tensor], Tensor]


def bptt(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    loss: Loss,
    state0: Mapping[str, Tensor] | None = None,
    clamp: Sequence[Clamp] = (),
    truncate: int | None = None,
    clip: Clip | None = None,
    trace: Trace | None = None,
) -> GradTrace:
    """Back-propagation through time: one forward and one backward pass.

    Args:
        spec: the cell.
        params: its parameters.
        x: (T,B,D).
        loss: h (T,B,H) -> scalar.
        state0: name -> (B,H); what it does not name starts at zero.
        clamp: what is held, as in `unroll`; nothing flows back through what is held.
        truncate: cut the way back into windows of so many steps, at least 1: nothing flows back across an s_t
            whose t is a multiple of this. The run itself goes on as it is.
        clip: what is done to the parameters' gradient at the end; None leaves it.
        trace: what `unroll` returned for all this, where it is at hand: it is then not run again.

    Returns:
        `GradTrace`: dL/ds_t for every state and t = 0…T, dL/dx_t, the gradient of every parameter, and what
        each step adds to it.

    Raises:
        ValueError: bad input, as in `unroll`, or a loss that is not a scalar.

    Source: Werbos 1990, Backpropagation through time: what it does and how to do it; truncated: Williams &
    Peng 1990.
    """
    window = None if truncate is None else check.whole("truncate", truncate, 1)
    first = check.inputs(spec, params, x, state0)
    x = x.detach()
    held = holds(spec, clamp, len(x), first["h"])
    kernel = recorder(spec)
    if kernel is None or any(holding(held, len(x))):
        grads = _by_autograd(spec, params, x, loss, first, held, window)
    else:
        states, gates = (trace.states, trace.gates) if trace else record(spec, params, x, first, kernel, {})
        grads = _by_kernel(params, x, loss, states, gates, kernel, window)
    if clip is None:
        return grads
    d_params, scale = clip.apply(grads.d_params)
    return replace(grads, d_params=d_params, clip_scale=scale)


def _by_kernel(
    params: Params, x: Tensor, loss: Loss, states: State, gates: Gates, kernel: Stacked, window: int | None
) -> GradTrace:
    """Autograd takes the loss to the hidden states, the cell's own kernel takes it from there."""
    with torch.enable_grad():
        read = states["h"][1:].detach().requires_grad_().clone()  # what the loss does to it stays there
        value = _scalar(loss(read))
        (d_loss,) = _gradients(value, [read])
    kernel.adopt(params, x, states, gates, window)
    found = kernel.backward(d_loss.unsqueeze(1))
    d_states = {name: d.squeeze(1) for name, d in found.d_states.items()}
    d_params = {name: found.d_params[name].squeeze(0) for name in params}
    factors = kernel.factors()
    with torch.no_grad():
        d_x = sum(factor.delta @ params["W_ih"][factor.rows] for factor in factors["W_ih"])
    return GradTrace(value.item(), d_states, d_loss, d_params, torch.as_tensor(d_x), factors)


def _by_autograd(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    loss: Loss,
    first: State,
    held: Mapping[str, Hold],
    window: int | None,
) -> GradTrace:
    """The plain definition, differentiated."""
    T = len(x)
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        first = {name: value.detach().requires_grad_() for name, value in first.items()}
        given = x.detach().requires_grad_()
        ax, states, gates = spec.project(given, leaves), [first], []
        for start in range(0, T, window or T):
            part = slice(start, min(start + (window or T), T))
            begun = {name: value.detach() if start else value for name, value in states[-1].items()}
            now = {name: (where[part], what[part]) for name, (where, what) in held.items()}
            for state, gate in run(spec, leaves, ax[part], begun, given[part], now):
                states.append(state)
                gates.append(gate)
        read = torch.stack([state["h"] for state in states[1:]])
        value = _scalar(loss(read))
        wanted = [state[name] for name in spec.state_names for state in states]
        *found, d_x, d_loss = _gradients(value, [*wanted, *leaves.values(), given, read])
    n = len(states)
    d_states = {name: torch.stack(found[k * n : (k + 1) * n]) for k, name in enumerate(spec.state_names)}
    # Cloned: autograd hands the two biases, whose sum is all that counts, one and the same tensor.
    d_params = {name: d.clone() for name, d in zip(leaves, found[len(wanted) :], strict=True)}
    parts: Mapping[str, Tensor] = {}
    if not any(holding(held, T)):
        trace = Trace(x, _stacked(states), _stacked(gates))
        parts = derived_contributions(spec, params, trace, d_loss, window)
    return GradTrace(value.item(), d_states, d_loss, d_params, d_x, parts)


def _stacked(steps: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([step[name].detach() for step in steps]) for name in steps[0]}


def _scalar(value: object) -> Tensor:
    """What a loss returned, if it can be a loss."""
    if not isinstance(value, Tensor) or value.dim() != 0:
        what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise ValueError(f"loss returned {what}; allowed: a scalar tensor")
    return value


def _gradients(value: Tensor, asked: list[Tensor]) -> tuple[Tensor, ...]:
    """Zero where the loss does not depend on what is asked for; autograd would refuse that."""
    if not value.requires_grad:
        return tuple(torch.zeros_like(v) for v in asked)
    return torch.autograd.grad(value, asked, materialize_grads=True)

"""Backward through time, for any cell and any loss on its hidden states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.clamp import Clamp, Hold, holds
from rnnviz.engine.kernels.stacked import Stacked
from rnnviz.engine.spec import CellSpec, Params, State
from rnnviz.engine.trace import GradTrace
from rnnviz.engine.unroll import holding, record, recorder, run

Loss = Callable[[Tensor], Tensor]


def bptt(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    loss: Loss,
    state0: Mapping[str, Tensor] | None = None,
    clamp: Sequence[Clamp] = (),
) -> GradTrace:
    """Back-propagation through time: one forward and one backward pass.

    Args:
        spec: the cell.
        params: its parameters.
        x: (T,B,D).
        loss: h (T,B,H) -> scalar.
        state0: name -> (B,H); what it does not name starts at zero.
        clamp: what is held, as in `unroll`; nothing flows back through what is held.

    Returns:
        `GradTrace`: dL/ds_t for every state and t = 0…T, and the gradient of every parameter.

    Raises:
        ValueError: bad input, as in `unroll`, or a loss that is not a scalar.

    Source: Werbos 1990, Backpropagation through time: what it does and how to do it.
    """
    first = check.inputs(spec, params, x, state0)
    x = x.detach()
    held = holds(spec, clamp, len(x), first["h"])
    kernel = recorder(spec)
    if kernel is None or any(holding(held, len(x))):
        return _by_autograd(spec, params, x, loss, first, held)
    return _by_kernel(spec, params, x, loss, first, kernel)


def _by_kernel(
    spec: CellSpec, params: Params, x: Tensor, loss: Loss, first: State, kernel: Stacked
) -> GradTrace:
    """Autograd takes the loss to the hidden states, the cell's own kernel takes it from there."""
    states, gates = record(spec, params, x, first, kernel, {})
    with torch.enable_grad():
        read = states["h"][1:].detach().requires_grad_().clone()  # what the loss does to it stays there
        value = _scalar(loss(read))
        (d_loss,) = _gradients(value, [read])
    kernel.adopt(params, x, states, gates)
    found = kernel.backward(d_loss.unsqueeze(1))
    d_states = {name: d.squeeze(1) for name, d in found.d_states.items()}
    d_params = {name: found.d_params[name].squeeze(0) for name in params}
    return GradTrace(value.item(), d_states, d_loss, d_params)


def _by_autograd(
    spec: CellSpec, params: Params, x: Tensor, loss: Loss, first: State, held: Mapping[str, Hold]
) -> GradTrace:
    """The plain definition, differentiated."""
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        first = {name: value.detach().requires_grad_() for name, value in first.items()}
        states = [first, *(state for state, _ in run(spec, leaves, spec.project(x, leaves), first, x, held))]
        read = torch.stack([state["h"] for state in states[1:]])
        value = _scalar(loss(read))
        wanted = [state[name] for name in spec.state_names for state in states]
        found = _gradients(value, [*wanted, *leaves.values(), read])
    n = len(states)
    d_states = {name: torch.stack(found[k * n : (k + 1) * n]) for k, name in enumerate(spec.state_names)}
    # Cloned: autograd hands the two biases, whose sum is all that counts, one and the same tensor.
    d_params = {name: d.clone() for name, d in zip(leaves, found[len(wanted) : -1], strict=True)}
    return GradTrace(value.item(), d_states, found[-1], d_params)


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

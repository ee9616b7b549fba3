"""Backward through time, for any cell and any loss on its hidden states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.clamp import Clamp, holds
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.trace import GradTrace
from rnnviz.engine.unroll import run


def bptt(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
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
    with torch.enable_grad():
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        first = {name: value.detach().requires_grad_() for name, value in first.items()}
        states = [first, *(state for state, _ in run(spec, leaves, spec.project(x, leaves), first, x, held))]
        read = torch.stack([state["h"] for state in states[1:]])
        value = loss(read)
        if not isinstance(value, Tensor) or value.dim() != 0:
            what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
            raise ValueError(f"loss returned {what}; allowed: a scalar tensor")
        wanted = [state[name] for name in spec.state_names for state in states]
        asked = [*wanted, *leaves.values(), read]
        # A loss that does not depend on the states has zero gradients; autograd would refuse it.
        found = (
            torch.autograd.grad(value, asked, materialize_grads=True)
            if value.requires_grad
            else [torch.zeros_like(v) for v in asked]
        )
    n = len(states)
    d_states = {name: torch.stack(found[k * n : (k + 1) * n]) for k, name in enumerate(spec.state_names)}
    # Cloned: autograd hands the two biases, whose sum is all that counts, one and the same tensor.
    d_params = {name: d.clone() for name, d in zip(leaves, found[len(wanted) : -1], strict=True)}
    return GradTrace(value.item(), d_states, found[-1], d_params)

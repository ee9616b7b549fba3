"""What each step adds to the gradient of the parameters that all steps share, for any cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import grad, vmap

from rnnviz.engine.jacobians import step_jacobians
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.trace import Trace


def derived_contributions(
    spec: CellSpec, params: Params, trace: Trace, d_loss: Tensor, truncate: int | None = None
) -> dict[str, Tensor]:
    """What each step adds to dL/dθ, by automatic differentiation of the cell's ``step``: for any cell.

    Args:
        spec, params: the cell.
        trace: its run.
        d_loss: (T,B,H): what the loss itself asks of h_t, as in `GradTrace`.
        truncate: as in `bptt`.

    Returns:
        name -> (T,*shape); the sum over t is dL/dθ.
    """
    T, H = trace.T, d_loss.shape[2]
    J, n = step_jacobians(spec, params, trace), len(spec.states)
    # What step t is asked for, (T,B,S): by the loss, and by the step after it. Not the total derivative,
    # in which what c_t does through h_t within its own step would count twice.
    asked = d_loss.new_zeros(T, d_loss.shape[1], n * H)
    k = spec.state_names.index("h")
    asked[..., k * H : (k + 1) * H] = d_loss
    for t in range(T - 1, 0, -1):
        if truncate is None or t % truncate:
            asked[t - 1] += (asked[t].unsqueeze(1) @ J[t]).squeeze(1)

    def answered(weights: dict[str, Tensor], x: Tensor, before: dict[str, Tensor], ask: Tensor) -> Tensor:
        after, _ = spec.step(spec.project(x, weights), before, weights)
        return (torch.cat([after[name] for name in spec.state_names], -1) * ask).sum()

    before = {name: value[:-1] for name, value in trace.states.items()}
    found: dict[str, Tensor] = vmap(grad(answered), in_dims=(None, 0, 0, 0))(
        dict(params), trace.x, before, asked
    )
    return found

"""Forward through time, for any cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.spec import CellSpec, Gates, Params, State
from rnnviz.engine.trace import Trace


def run(spec: CellSpec, params: Params, ax: Tensor, state: State) -> Iterator[tuple[State, Gates]]:
    """Step after step; ``ax`` (T,B,G·H) from ``spec.project``. The one loop through time."""
    for ax_t in ax.unbind(0):
        state, gates = spec.step(ax_t, state, params)
        yield state, gates


def unroll(spec: CellSpec, params: Params, x: Tensor, state0: Mapping[str, Tensor] | None = None) -> Trace:
    """Run a cell over a sequence and record every state and gate.

    Args:
        spec: the cell.
        params: its parameters, float32 or float64.
        x: (T,B,D), of the same type, finite.
        state0: name -> (B,H); what it does not name starts at zero.

    Returns:
        `Trace`, with nothing attached to autograd.

    Raises:
        ValueError: naming the field, its value and what is allowed.

    >>> from rnnviz.engine import CELLS, init_params
    >>> spec = CELLS["lstm"]
    >>> trace = unroll(spec, init_params(spec, 3, 8, seed=0), torch.zeros(5, 2, 3, dtype=torch.float64))
    >>> trace.states["c"].shape, trace.gates["f"].shape
    (torch.Size([6, 2, 8]), torch.Size([5, 2, 8]))
    """
    x = x.detach()
    first = check.inputs(spec, params, x, state0)
    # Inference mode spares the loop autograd's bookkeeping; stacking outside of it gives ordinary tensors.
    with torch.inference_mode():
        ax = spec.project(x, params)
        steps = list(run(spec, params, ax, first))
    with torch.no_grad():
        states = {name: torch.stack([first[name], *(s[name] for s, _ in steps)]) for name in spec.state_names}
        gates = {name: torch.stack([g[name] for _, g in steps]) for name in spec.gate_names}
    return Trace(x.clone(), states, gates)  # cloned: a record does not change with the caller's x

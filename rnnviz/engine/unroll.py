"""Forward through time, for any cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.clamp import Clamp, Hold, changing, holds
from rnnviz.engine.spec import CellSpec, Gates, Params, State
from rnnviz.engine.trace import Trace

# Steps gathered before they are written into the record: few enough to be still in the cache by then.
RECORD_EVERY = 32
# Bytes of projected input held at once: all of a lecture's run, and of a large batch what a cache holds.
PROJECT_BYTES = 2**22


def run(
    spec: CellSpec,
    params: Params,
    ax: Tensor,
    state: State,
    x: Tensor | None = None,
    held: Mapping[str, Hold] | None = None,
) -> Iterator[tuple[State, Gates]]:
    """Step after step. The one loop through time.

    Args:
        spec, params: the cell.
        ax: (T,B,G·H) from ``spec.project``.
        state: the initial one.
        x, held: the input (T,B,D) and what is held, from `holds`. Steps at which nothing is held are the
            cell's own, so that a run does not differ before its first clamp.
    """
    active = [False] * len(ax)
    if held:
        active = torch.stack([where.flatten(1).any(1) for where, _ in held.values()]).any(0).tolist()
    for t, ax_t in enumerate(ax.unbind(0)):
        if x is not None and held and active[t]:
            given = {"x": x[t], **{f"{name}_prev": value for name, value in state.items()}}
            values = spec.graph.evaluate(given, params, spec.blocks, changing(held, t))
            state = {name: values[name] for name in spec.state_names}
            gates = {name: values[name] for name in spec.gate_names}
        else:
            state, gates = spec.step(ax_t, state, params)
        yield state, gates


def unroll(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    state0: Mapping[str, Tensor] | None = None,
    clamp: Sequence[Clamp] = (),
) -> Trace:
    """Run a cell over a sequence and record every state and gate.

    Args:
        spec: the cell.
        params: its parameters, float32 or float64.
        x: (T,B,D), of the same type, finite.
        state0: name -> (B,H); what it does not name starts at zero.
        clamp: what to hold at which units and steps; see `Clamp`.

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
    first = check.inputs(spec, params, x, state0)
    x = x.detach()
    (T, B, _), H = x.shape, first["h"].shape[1]
    held = holds(spec, clamp, T, x.new_empty(H))
    states = {name: x.new_empty(T + 1, B, H) for name in spec.state_names}
    gates = {name: x.new_empty(T, B, H) for name in spec.gate_names}
    # Inference mode spares the loop autograd's bookkeeping; what was made outside of it stays ordinary.
    with torch.inference_mode():
        for name, value in first.items():
            states[name][0] = value
        state = first
        together = _steps_to_project(B * params["W_ih"].shape[0] * x.element_size())
        for start in range(0, T, RECORD_EVERY):
            if start % together == 0:
                ax = spec.project(x[start : start + together], params)
            part = ax[start % together : start % together + RECORD_EVERY]
            now = {name: (where[start:], what[start:]) for name, (where, what) in held.items()}
            steps = list(run(spec, params, part, state, x[start:], now))
            stop, state = start + len(steps), steps[-1][0]
            for name, whole in states.items():
                torch.stack([s[name] for s, _ in steps], out=whole[start + 1 : stop + 1])
            for name, whole in gates.items():
                torch.stack([g[name] for _, g in steps], out=whole[start:stop])
    return Trace(x.clone(), states, gates)  # cloned: a record does not change with the caller's x


def _steps_to_project(bytes_a_step: int) -> int:
    """A multiple of `RECORD_EVERY` steps whose projection is about `PROJECT_BYTES`."""
    return RECORD_EVERY * max(1, PROJECT_BYTES // (bytes_a_step * RECORD_EVERY))

"""Forward through time, for any cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from rnnviz.engine import check
from rnnviz.engine.clamp import Clamp, Hold, changing, holds
from rnnviz.engine.kernels.stacked import Stacked
from rnnviz.engine.kernels.tape import borrowed
from rnnviz.engine.memory import empty
from rnnviz.engine.spec import CellSpec, Gates, Params, State
from rnnviz.engine.trace import Trace

# Steps gathered before they are written into the record: few enough to be still in the cache by then.
RECORD_EVERY = 32
# Bytes of projected input that may be held at once, as those of all of a lecture's run are; of a larger one
# what a cache holds, which is faster: larger blocks come from the system, a page fault at a time.
PROJECT_BYTES = 2**22
PART_BYTES = 2**19


def run(
    spec: CellSpec,
    params: Params,
    ax: Tensor,
    state: State,
    x: Tensor | None = None,
    held: Mapping[str, Hold] | None = None,
) -> Iterator[tuple[State, Gates]]:
    """Step after step, by the cell's plain definition.

    Args:
        spec, params: the cell.
        ax: (T,B,G·H) from ``spec.project``.
        state: the initial one.
        x, held: the input (T,B,D) and what is held, from `holds`. Steps at which nothing is held are the
            cell's own, so that a run does not differ before its first clamp.
    """
    active = holding(held or {}, len(ax))
    for t, ax_t in enumerate(ax.unbind(0)):
        if x is not None and held and active[t]:
            given = {"x": x[t], **{f"{name}_prev": value for name, value in state.items()}}
            values = spec.graph.evaluate(given, params, spec.blocks, changing(held, t))
            state = {name: values[name] for name in spec.state_names}
            gates = {name: values[name] for name in spec.gate_names}
        else:
            state, gates = spec.step(ax_t, state, params)
        yield state, gates


def holding(held: Mapping[str, Hold], T: int) -> list[bool]:
    """At which of T steps anything is held."""
    if not held:
        return [False] * T
    found: list[bool] = torch.stack([where.flatten(1).any(1) for where, _ in held.values()]).any(0).tolist()
    return found


def recorder(spec: CellSpec) -> Stacked | None:
    """A kernel of this cell, if it has one that can record."""
    kernel = spec.kernel() if spec.kernel else None
    return kernel if isinstance(kernel, Stacked) else None


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
    held = holds(spec, clamp, len(x), x.new_empty(first["h"].shape[1]))
    states, gates = record(spec, params, x, first, recorder(spec), held)
    return Trace(empty(x, *x.shape).copy_(x), states, gates)  # does not change with the caller's x


def record(
    spec: CellSpec, params: Params, x: Tensor, first: State, kernel: Stacked | None, held: Mapping[str, Hold]
) -> tuple[State, Gates]:
    """States (T+1,B,H) and gates (T,B,H) of a run from the state ``first``.

    By the kernel, if any, up to the first step at which something is held; step by step from there on.
    """
    (T, B, _), H = x.shape, first["h"].shape[1]
    states = {name: empty(x, T + 1, B, H) for name in spec.state_names}
    gates = {name: empty(x, T, B, H) for name in spec.gate_names}
    alone = [*holding(held, T), True].index(True) if kernel else 0
    together = _steps_to_project(T, B * params["W_ih"].shape[0] * x.element_size())
    # Inference mode spares the loop autograd's bookkeeping; what was made outside of it stays ordinary.
    with torch.inference_mode():
        for name, value in first.items():
            states[name][0] = value
        for start in range(0, T, together):
            part = slice(start, min(start + together, T))
            if kernel and start < alone:
                # All of the part, also behind a first clamp, so that it cannot matter where that is.
                ax, ends = spec.project(x[part], params), slice(start, part.stop + 1)
                with borrowed(*kernel.tape) as tape:
                    tape.record(params, x[part], ax, _at(states, ends), _at(gates, part))
            if part.stop > alone:
                _record_plainly(
                    spec, params, x, held, states, gates, slice(max(start, alone), part.stop), part
                )
    return states, gates


def _record_plainly(
    spec: CellSpec,
    params: Params,
    x: Tensor,
    held: Mapping[str, Hold],
    states: State,
    gates: Gates,
    steps: slice,
    part: slice,
) -> None:
    """These steps by the plain definition, their input projected as all of the part is."""
    ax = spec.project(x[part], params)[steps.start - part.start :]
    state = {name: value[steps.start] for name, value in states.items()}
    for start in range(steps.start, steps.stop, RECORD_EVERY):
        now = {name: (where[start:], what[start:]) for name, (where, what) in held.items()}
        block = ax[start - steps.start :][:RECORD_EVERY]
        done = list(run(spec, params, block, state, x[start:], now))
        stop, state = start + len(done), done[-1][0]
        for name, whole in states.items():
            torch.stack([s[name] for s, _ in done], out=whole[start + 1 : stop + 1])
        for name, whole in gates.items():
            torch.stack([g[name] for _, g in done], out=whole[start:stop])


def _at(record: State, steps: slice) -> State:
    return {name: value[steps] for name, value in record.items()}


def _steps_to_project(T: int, bytes_a_step: int) -> int:
    """How many of T steps to project the input of at once."""
    return T if T * bytes_a_step <= PROJECT_BYTES else max(1, PART_BYTES // bytes_a_step)

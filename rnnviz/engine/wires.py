"""What every wire of a cell carries at every step: its value forward, its gradient backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnnviz.engine.clamp import Clamp, changing, holds
from rnnviz.engine.graph import AFFINE, ENTER, LEAVE, Edge
from rnnviz.engine.spec import CellSpec, Params
from rnnviz.engine.trace import GradTrace, Trace

Gradients = dict[Any, Tensor]


@dataclass(frozen=True)
class WireTrace:
    """One step's graph, evaluated at all steps.

    Attributes:
        values: node -> (T,B,H), for every node that the cell computes; index t-1 belongs to step t.
        d_nodes: node -> (T,B,H): dL/dnode, total over its readers, the next step included.
        d_edges: (source, target) -> (T,B,H): what flows back along one wire, into its source: out of
            ``h_next`` what step t+1 sends back, out of any other exit what the loss asks. Wires into an
            affine node are left out: along them flows a whole vector.
        direct: state -> (T,B,H): the part of dL/ds_{t-1} that comes straight along the state's line, past
            every matrix; zero where a cell has no such line. The rest comes through the gates.
    """

    values: dict[str, Tensor]
    d_nodes: dict[str, Tensor]
    d_edges: dict[tuple[str, str], Tensor]
    direct: dict[str, Tensor]


def wires(
    spec: CellSpec, params: Params, trace: Trace, gradients: GradTrace, clamp: Sequence[Clamp] = ()
) -> WireTrace:
    """Values and gradients on all wires, from a run and its one backward pass.

    Each step's graph is seeded with the dL/ds_t of `bptt` and differentiated once, all steps as a batch.

    Args:
        spec, params: the cell.
        trace: its run.
        gradients: `bptt` of the same run.
        clamp: what was held in both.
    """
    given = {"x": trace.x, **{f"{name}_prev": value[:-1] for name, value in trace.states.items()}}
    change = changing(holds(spec, clamp, trace.T, trace.states["h"]))
    kinds = {node.name: node.op for node in spec.graph.nodes}
    arriving = {name: gradients.d_states[name][1:] for name in spec.state_names}

    def backward(through_matrices: bool) -> tuple[dict[str, Tensor], Gradients, Gradients]:
        """The graph's values, and what flows back into its nodes and along its wires."""
        ends: dict[str, Tensor] = {}
        taps: dict[tuple[str, str], Tensor] = {}

        def cut(name: str, value: Tensor) -> Tensor:
            value = change(name, value)
            if name not in arriving:
                return value
            # dL/ds_t is the total already; what reads the state within its step must not add to it.
            ends[name] = value
            return value.detach().requires_grad_()

        def tap(edge: Edge, value: Tensor) -> Tensor:
            if kinds[edge.target] == AFFINE:
                return value if through_matrices else value.detach().requires_grad_()
            taps[edge.source, edge.target] = carried = value.clone()
            return carried

        with torch.enable_grad():
            leaves = {name: value.detach().requires_grad_() for name, value in given.items()}
            fixed = {name: value.detach() for name, value in params.items()}
            values = spec.graph.evaluate(leaves, fixed, spec.blocks, cut, tap)
        asked = {**{(name, ""): value for name, value in values.items()}, **taps}
        found = torch.autograd.grad(
            list(ends.values()),
            list(asked.values()),
            [arriving[name] for name in ends],
            materialize_grads=True,
        )
        flowing = dict(zip(asked, found, strict=True))
        return values, {name: flowing[name, ""] for name in values}, {edge: flowing[edge] for edge in taps}

    values, d_nodes, d_edges = backward(through_matrices=True)
    for edge in spec.graph.edges:
        if kinds[edge.target] == LEAVE:
            onwards = edge.target.endswith("_next")
            d_edges[edge.source, edge.target] = (
                _one_later(d_nodes[f"{edge.source}_prev"]) if onwards else gradients.d_loss
            )
    _, straight, _ = backward(through_matrices=False)
    computed = [name for name, op in kinds.items() if op not in (ENTER, LEAVE)]
    return WireTrace(
        {name: values[name].detach() for name in computed},
        {name: arriving.get(name, d_nodes[name]) for name in computed},
        d_edges,
        {name: straight[f"{name}_prev"] for name in arriving},
    )


def _one_later(value: Tensor) -> Tensor:
    """(T,B,H) moved one step earlier: what step t+1 sends back to step t, nothing to the last."""
    return torch.cat([value[1:], torch.zeros_like(value[:1])])

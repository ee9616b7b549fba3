"""A whole run as bytes for the stepper: what its picture is drawn from, in the order in which it is drawn.

The layout: 4 bytes with the length of a header, the header as JSON, and after it the arrays that the
header lists, each at a multiple of 8 bytes, equal ones once. Numbers travel as float32 (``f4``): it holds
every digit shown. An array that float32 cannot hold, as of gradients below 1e-38, travels as float32 and a
float64 power of two for each of its rows, behind it (``s4``), or, where a row itself spans too much, as
float64 (``f8``).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rnnviz.charts.notation import plain_symbols, tokens
from rnnviz.charts.strips import Strip
from rnnviz.charts.theme import DIVERGING, QUANTITY, SEQUENTIAL, css_colour
from rnnviz.engine import CellSpec, Clamp, GateSpec, GradTrace, StateSpec, Trace, WireTrace
from rnnviz.engine.clamp import holds
from rnnviz.engine.graph import AFFINE, Graph

Array = NDArray[np.floating[Any]]

DECADES = 12  # that a logarithmic scale shows at most; what is smaller is drawn at its end


@dataclass(frozen=True)
class Run:
    """Everything that the stepper shows of one sequence.

    Attributes:
        spec, params, trace, gradients, wires: the cell, its run and its backward pass.
        symbols: what each step is called, or none.
        features: what each of the D inputs is called.
        caption: the configuration and seed.
        loss: which steps the loss reads, in words.
        before: the run that a what-if is compared with, or None.
        clamps: what is held.
    """

    spec: CellSpec
    params: Mapping[str, Any]
    trace: Trace
    gradients: GradTrace
    wires: WireTrace
    symbols: Sequence[str]
    features: Sequence[str]
    caption: str
    loss: str
    before: Trace | None = None
    clamps: Sequence[Clamp] = ()


def pack(run: Run, start: Mapping[str, Any]) -> bytes:
    """The run as bytes.

    Args:
        run: a batch of one; of a larger one the first sequence is shown.
        start: where the stepper stands at first: ``t``, ``unit``, both from 1, and its other settings.
    """
    arrays = _arrays(run)
    head = {**_head(run, arrays), "start": dict(start), "arrays": {}}
    places: dict[tuple[str, bytes], int] = {}  # what is the same on two wires travels once
    offset = 0
    for name, values in arrays.items():
        kind, data = _narrow(values)
        if (kind, data) not in places:
            places[kind, data] = offset
            offset += len(data)
        head["arrays"][name] = [kind, list(values.shape), places[kind, data]]
    text = json.dumps(head, allow_nan=False, ensure_ascii=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return b"".join([struct.pack("<I", len(text)), text, *(data for _, data in places)])


def _narrow(values: Array) -> tuple[str, bytes]:
    """Numbers to seven digits in as few bytes as hold them, and how: ``f4``, ``s4`` or ``f8``."""
    size = np.abs(np.where(np.isfinite(values), values, 0.0))
    if _fits(size):
        return "f4", _padded(values.astype(np.float32))
    scales = np.ldexp(1.0, np.frexp(size.max(axis=-1, keepdims=True))[1] - 1)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        rows = values / scales
    if values.ndim == 2 and scales.all() and _fits(np.abs(np.where(np.isfinite(rows), rows, 0.0))):
        return "s4", _padded(rows.astype(np.float32)) + scales.tobytes()
    return "f8", values.astype(np.float64).tobytes()


def _fits(size: Array) -> bool:
    """Whether float32 holds numbers of these sizes: none overflows, none but 0 comes near its smallest."""
    return bool(size.max(initial=0) < 3.4e38 and size[size > 0].min(initial=1.0) > 1.2e-38)


def _padded(values: NDArray[np.float32]) -> bytes:
    data = values.tobytes()
    return data + bytes(-len(data) % 8)


def _arrays(run: Run) -> dict[str, Array]:
    """name -> (T,H), (T+1,H) for states, or a parameter; gradients as ``d:``, wires as ``d:from>to``."""
    trace, wires = run.trace, run.wires
    found: dict[str, Any] = {"x": trace.x, **trace.states}
    found |= {name: value for name, value in wires.values.items() if name not in trace.states}
    found |= {f"d:{name}": value for name, value in wires.d_nodes.items() if name not in trace.states}
    found |= {f"d:{name}": value for name, value in run.gradients.d_states.items()}
    found |= {f"d:{a}>{b}": value for (a, b), value in wires.d_edges.items()}
    # Back at s_{t-1}: what came straight along its line, what through the gates, what the loss asks there.
    asked = torch.cat([torch.zeros_like(run.gradients.d_loss[:1]), run.gradients.d_loss[:-1]])
    for name, straight in wires.direct.items():
        rest = run.gradients.d_states[name][:-1] - straight
        found[f"direct:{name}"] = straight
        found[f"gates:{name}"] = rest - asked if name == "h" else rest
    if asked.any():
        found["loss:h"] = asked
    if run.before is not None:
        now, then = _recorded(trace), _recorded(run.before)
        found |= {f"delta:{name}": now[name] - then[name] for name in now}
    held = holds(run.spec, run.clamps, trace.T, trace.x.new_empty(trace.states["h"].shape[2]))
    found |= {f"held:{name}": where.to(trace.x.dtype) for name, (where, _) in held.items()}
    found = {name: value[:, 0] for name, value in found.items()}
    return {name: value.numpy() for name, value in {**found, **run.params}.items()}


def _recorded(trace: Trace) -> dict[str, Any]:
    return {**trace.gates, **{name: value[1:] for name, value in trace.states.items()}}


def strips_of(spec: CellSpec, trace: Trace) -> tuple[Strip, ...]:
    """Every gate and state of a run, in the order of the cell's equations."""
    parts: dict[str, GateSpec | StateSpec] = {gate.name: gate for gate in spec.gates}
    parts |= {state.name: state for state in spec.states}
    values = _recorded(trace)
    return tuple(
        Strip(part.name, part.title, values[part.name][:, 0].numpy(), part.low, part.high)
        for part in (parts[equation.name] for equation in spec.equations)
    )


def _head(run: Run, arrays: Mapping[str, Array]) -> dict[str, Any]:
    spec, graph = run.spec, run.spec.graph
    T, _, D = run.trace.x.shape
    strips = {strip.name: strip for strip in strips_of(spec, run.trace)}
    # Gates have 0…1, a signed quantity ± its limit; what stands between them shares the scale it is like.
    limits = {name: 0.0 if strip.is_gate else strip.limit for name, strip in strips.items()}
    limits["x"] = _largest(arrays["x"])
    for node in graph.nodes:
        if node.name in arrays and node.name not in limits:
            like = limits.get(node.like, 1.0)
            fits = node.op in ("times", "flip", "tanh") and _largest(arrays[node.name]) <= (like or 1.0)
            limits[node.name] = like if fits else max(_largest(arrays[node.name]), 1e-12)
    flowing = [values for name, values in arrays.items() if name.startswith("d:")]
    top = max((_largest(values) for values in flowing), default=0.0)
    sizes = [np.abs(values[np.isfinite(values) & (values != 0)]).min(initial=np.inf) for values in flowing]
    floor = max(min(sizes, default=top), top * 10.0**-DECADES) if top else 0.0
    return {
        "cell": spec.title,
        "T": T,
        "H": run.trace.states["h"].shape[2],
        "D": D,
        "symbols": list(run.symbols),
        "features": list(run.features),
        "caption": run.caption,
        "loss": run.loss,
        "blocks": list(spec.blocks),
        "states": list(spec.state_names),
        "strips": [
            {
                "name": s.name,
                "symbol": f"{s.name}_t",
                "title": s.title,
                "gate": s.is_gate,
                "range": s.range_text,
            }
            for s in strips.values()
        ],
        "limits": limits,
        "flow": {"top": top, "floor": floor, "clipped": bool(min(sizes, default=top) < floor)},
        "delta": {name[6:]: _largest(values) for name, values in arrays.items() if name.startswith("delta:")},
        "stages": [
            {"title": stage.title, "sentence": stage.sentence, "equations": list(stage.equations)}
            for stage in spec.stages
        ],
        "equations": {equation.name: tokens(spec, equation) for equation in spec.equations},
        "graph": _drawing(graph, spec.state_names),
        "colours": {
            **{name: css_colour(name) for name in QUANTITY},
            "signed": list(DIVERGING),
            "gate": list(SEQUENTIAL),
        },
    }


def _largest(values: Array) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0))


def _drawing(graph: Graph, states: Sequence[str]) -> dict[str, Any]:
    straight = {edge for state in states for edge in direct_wires(graph, state)}
    return {
        "size": graph.size,
        "body": graph.body,
        "nodes": [
            {
                "name": node.name,
                "op": node.op,
                "at": node.at,
                "stage": node.stage,
                "like": node.like or node.name.removesuffix("_prev"),
                "label": plain_symbols(node.label),
                "block": node.block,
                "biases": node.biases,
            }
            for node in graph.nodes
        ],
        "edges": [
            {
                "source": edge.source,
                "target": edge.target,
                "route": edge.route,
                "weight": edge.weight,
                "direct": (edge.source, edge.target) in straight,
            }
            for edge in graph.edges
        ],
    }


def direct_wires(graph: Graph, state: str) -> set[tuple[str, str]]:
    """The wires from a state's entrance to its exit along which it passes no matrix."""
    ops = {node.name: node.op for node in graph.nodes}

    def ahead(name: str) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for edge in graph.edges:
            if edge.source != name or ops[edge.target] == AFFINE:
                continue
            beyond = ahead(edge.target)
            if edge.target == f"{state}_next" or beyond:
                found |= {(edge.source, edge.target), *beyond}
        return found

    return ahead(f"{state}_prev")

"""A cell's dataflow as a small graph: its picture is drawn from it, and it can be evaluated.

That it computes what the cell's ``step`` computes is held by a test, so that the picture cannot lie.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor
from torch.nn.functional import linear

ENTER = "enter"  # at the border: the input, or a state of the step before
LEAVE = "leave"  # at the border: onwards to the next step, or upwards as the output
AFFINE = "affine"  # a sum of matrices times vectors, and biases

# What a node does with the values that its edges bring, in their order.
OPS: dict[str, Callable[..., Tensor]] = {
    "times": lambda *values: reduce(torch.mul, values),
    "plus": lambda *values: reduce(torch.add, values),
    "flip": lambda value: 1 - value,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda value: value,
    LEAVE: lambda value: value,
}


@dataclass(frozen=True)
class Node:
    """A value inside a cell.

    Attributes:
        name: ``x``, a state of the step before as ``h_prev``, of this step on its way to the next as
            ``h_next``, a gate's or state's own name, or any other.
        op: ``enter``, ``affine`` or a key of `OPS`.
        at: a hint of its place, (right, down) in the units of `Graph.size`; None draws it inside its reader.
        stage: the sub-step that computes it, 0 for what is there before the first.
        like: the gate, state or input whose colour and scale it shares; its own name where empty.
        label: how a lecture would write it, LaTeX; empty where symbol and operation say it.
        block: of an affine node: the block of its matrices and biases.
        biases: of an affine node: the names of the biases that it adds.
    """

    name: str
    op: str
    at: tuple[float, float] | None
    stage: int = 0
    like: str = ""
    label: str = ""
    block: str = ""
    biases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """A wire.

    Attributes:
        source, target: names of nodes; a node's operands come in the order of the edges into it.
        route: a hint of its course from source to target, as corners: ``V`` down or up to, ``H`` along to,
            e.g. ``"V60 H200"``; the last leg follows by itself.
        weight: into an affine node: the matrix that the vector is multiplied by.
    """

    source: str
    target: str
    route: str = ""
    weight: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes, each after those that it reads, and edges.

    Attributes:
        size: of the drawing, (width, height); the hints of place are in its units.
        body: the cell's outline, (left, top, right, bottom).
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    size: tuple[float, float] = (1000, 400)
    body: tuple[float, float, float, float] = (110, 14, 912, 380)

    def into(self, name: str) -> tuple[Edge, ...]:
        """The edges that bring a node its operands, in order."""
        return tuple(edge for edge in self.edges if edge.target == name)

    def evaluate(
        self,
        given: Mapping[str, Tensor],
        params: Mapping[str, Tensor],
        blocks: tuple[str, ...],
        change: Callable[[str, Tensor], Tensor] = lambda name, value: value,
        carry: Callable[[Edge, Tensor], Tensor] = lambda edge, value: value,
    ) -> dict[str, Tensor]:
        """Every node's value.

        Args:
            given: the values of the nodes that enter: ``x`` (…,D), ``h_prev`` (…,H), …
            params: the cell's parameters.
            blocks: of its matrices, in order.
            change: replaces a node's value as soon as it is there, for what-if questions.
            carry: replaces what an edge brings; so that autograd can tell edges apart.

        Returns:
            name -> (…,H), in the order of the nodes.
        """
        values: dict[str, Tensor] = {}
        for node in self.nodes:
            operands = [carry(edge, values[edge.source]) for edge in self.into(node.name)]
            if node.op == ENTER:
                value = given[node.name]
            elif node.op == AFFINE:
                value = self._affine(node, operands, params, blocks)
            else:
                value = OPS[node.op](*operands)
            values[node.name] = change(node.name, value)
        return values

    def _affine(
        self, node: Node, operands: list[Tensor], params: Mapping[str, Tensor], blocks: tuple[str, ...]
    ) -> Tensor:
        k, n = blocks.index(node.block), len(blocks)
        parts = [
            linear(operand, params[edge.weight].chunk(n)[k])
            for edge, operand in zip(self.into(node.name), operands, strict=True)
        ]
        return reduce(torch.add, [*parts, *(params[bias].chunk(n)[k] for bias in node.biases)])


@dataclass(frozen=True)
class Stage:
    """A sub-step, in the order of the lectures.

    Attributes:
        title: what a lecturer calls it.
        sentence: what to look at.
        equations: the names of the equations that it computes; the first is opened.
    """

    title: str
    sentence: str
    equations: tuple[str, ...]


def gate(name: str, op: str, at: tuple[float, float], stage: int) -> tuple[Node, Node]:
    """A gate block: the pre-activation ``a_k`` of a block whose two biases add, drawn inside its squash."""
    inside = Node(f"a_{name}", AFFINE, None, stage, like=name, block=name, biases=("b_ih", "b_hh"))
    return inside, Node(name, op, at, stage)


def bus(name: str, x: float, h_route: str, x_route: str) -> tuple[Edge, Edge, Edge]:
    """The wires of a gate block at ``x``: h_{t-1} and x_t, along the line that their routes lead to."""
    return (
        Edge("h_prev", f"a_{name}", f"{h_route} H{x:g}".strip(), "W_hh"),
        Edge("x", f"a_{name}", f"{x_route} H{x:g}", "W_ih"),
        Edge(f"a_{name}", name),
    )

"""The picture cannot lie: a cell's graph computes what its step computes, and can be drawn."""

import math
import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise, product

import pytest
import torch
from hypothesis import given

from rnnviz.engine.graph import AFFINE, ENTER, LEAVE, OPS, Edge, Graph, Node
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


def by_name(spec):
    return {node.name: node for node in spec.graph.nodes}


def readers(spec, name):
    return [edge.target for edge in spec.graph.edges if edge.source == name]


def known(spec):
    return (*spec.gate_names, *spec.state_names)


def both(spec, graph, shape, seed, **more):
    """One step's gates and states: by ``graph``, and by the cell itself."""
    _, B, D, H = shape
    params, x, state = random_params(spec, D, H, seed), draw(seed, B, D), random_state(spec, B, H, seed)
    given = {"x": x, **{f"{name}_prev": value for name, value in state.items()}}
    got = graph.evaluate(given, params, spec.blocks, **more)
    states, gates = spec.step(spec.project(x, params), state, params)
    return got, {**gates, **states}


@every_variant
@given(oracle.shapes, oracle.seeds)
@quick
def test_the_graph_computes_what_the_step_computes(spec, shape, seed):
    got, want = both(spec, spec.graph, shape, seed)
    assert list(got) == list(by_name(spec))
    assert want.keys() == set(known(spec))
    for name, value in want.items():
        assert_close(got[name], value)
    for edge in spec.graph.edges:
        if by_name(spec)[edge.target].op == LEAVE:
            assert torch.equal(got[edge.target], got[edge.source])


def disagrees(spec, graph):
    got, want = both(spec, graph, (1, 2, 3, 4), 0)
    return any((got[name] - value).abs().max() > 1e-3 for name, value in want.items())


@every_variant
def test_a_wrong_graph_would_be_seen(spec):
    """Operations exchanged, blocks and biases misplaced, operands lost: each changes a number."""
    graph, wrong = spec.graph, []
    assert not disagrees(spec, graph)
    for k, node in enumerate(graph.nodes):
        other = {"times": "plus", "plus": "times", "flip": "identity", "tanh": "sigmoid", "sigmoid": "tanh"}
        other |= {"relu": "tanh", "identity": "tanh"}
        changes = [{"op": other[node.op]}] if node.op in other else []
        if node.op == AFFINE:
            changes += [{"block": block} for block in spec.blocks if block != node.block]
            changes += [{"biases": node.biases[1:]}] if node.biases else [{"biases": ("b_ih",)}]
        for change in changes:
            wrong.append(
                replace(graph, nodes=(*graph.nodes[:k], replace(node, **change), *graph.nodes[k + 1 :]))
            )
    for k, edge in enumerate(graph.edges):
        kind = by_name(spec)[edge.target].op
        if kind in ("times", "plus"):  # an operand lost
            wrong.append(replace(graph, edges=(*graph.edges[:k], *graph.edges[k + 1 :])))
    assert len(wrong) >= 3
    assert all(disagrees(spec, each) for each in wrong)


@pytest.mark.parametrize("spec", [s for s in VARIANTS if s.name == "gru"], ids=name_of)
def test_a_gru_whose_update_gate_is_wired_the_other_way_round_would_be_seen(spec):
    swap = {"kept": "taken", "taken": "kept"}
    edges = tuple(
        replace(edge, target=swap[edge.target])
        if edge.source in ("z", "z_flip") and edge.target in swap
        else edge
        for edge in spec.graph.edges
    )
    assert edges != spec.graph.edges
    assert disagrees(spec, replace(spec.graph, edges=edges))


@every_variant
def test_nodes_come_after_those_they_read(spec):
    names = [node.name for node in spec.graph.nodes]
    assert len(set(names)) == len(names)
    assert len({(edge.source, edge.target) for edge in spec.graph.edges}) == len(spec.graph.edges)
    for edge in spec.graph.edges:
        assert names.index(edge.source) < names.index(edge.target)


@every_variant
def test_what_enters_is_the_input_and_the_states_before(spec):
    entering = [node.name for node in spec.graph.nodes if node.op == ENTER]
    assert sorted(entering) == sorted(["x", *(f"{name}_prev" for name in spec.state_names)])
    assert all(not spec.graph.into(name) for name in entering)
    assert all(spec.graph.into(node.name) for node in spec.graph.nodes if node.op != ENTER)


@every_variant
def test_every_gate_and_state_is_there_and_what_leaves_are_states(spec):
    nodes = by_name(spec)
    assert set(known(spec)) <= nodes.keys()
    for name, node in nodes.items():
        assert bool(readers(spec, name)) == (node.op != LEAVE)
        if node.op == LEAVE:
            (wire,) = spec.graph.into(name)
            assert wire.source in spec.state_names
            assert name == f"{wire.source}_{'out' if name.endswith('_out') else 'next'}"
    leaving = {name for name, node in nodes.items() if node.op == LEAVE}
    assert leaving == {"h_out", *(f"{name}_next" for name in spec.state_names)}


@every_variant
def test_every_operation_colour_and_place_in_the_matrices_is_known(spec):
    for node in spec.graph.nodes:
        assert node.op in {ENTER, AFFINE, *OPS}
        assert (node.like or node.name.removesuffix("_prev")) in {"x", *known(spec)}
        assert (node.block in spec.blocks) if node.op == AFFINE else (node.block, node.biases) == ("", ())
        if node.op in ("flip", "sigmoid", "tanh", "relu", "identity", LEAVE):
            assert len(spec.graph.into(node.name)) == 1
        if node.op in ("times", "plus"):
            assert len(spec.graph.into(node.name)) >= 2
    for edge in spec.graph.edges:
        assert bool(edge.weight) == (by_name(spec)[edge.target].op == AFFINE)


@every_variant
def test_every_parameter_is_used_exactly_once(spec):
    nodes = by_name(spec)
    used = Counter((edge.weight, nodes[edge.target].block) for edge in spec.graph.edges if edge.weight)
    used += Counter((bias, node.block) for node in spec.graph.nodes for bias in node.biases)
    assert used == Counter(product(("W_ih", "W_hh", "b_ih", "b_hh"), spec.blocks))
    assert all((edge.weight == "W_ih") == (edge.source == "x") for edge in spec.graph.edges if edge.weight)


@every_variant
def test_stages_go_with_the_equations(spec):
    nodes, names = by_name(spec), {equation.name for equation in spec.equations}
    assert {node.stage for node in nodes.values()} == set(range(len(spec.stages) + 1))
    assert {node.op == ENTER for node in nodes.values() if node.stage == 0} == {True}
    assert all(node.stage > 0 for node in nodes.values() if node.op != ENTER)
    for edge in spec.graph.edges:
        assert nodes[edge.source].stage <= nodes[edge.target].stage
    for name in names:  # where two stages share an equation, the last one yields its value
        naming = [k for k, stage in enumerate(spec.stages, 1) if name in stage.equations]
        assert nodes[name].stage == naming[-1]
    assert {name for stage in spec.stages for name in stage.equations} == names
    if spec.name == "rnn":
        residual = [("g",), ("g",), ("h",)]
        skips = ("connection", "residual") in spec.options
        assert [stage.equations for stage in spec.stages] == (residual if skips else [("h",), ("h",)])
    for stage in spec.stages:
        assert stage.title.strip()
        assert not stage.title.endswith(".")
        assert re.fullmatch(r"[A-Z].*\w\.", stage.sentence)
        assert stage.equations


@every_variant
def test_symbols_are_of_terms_that_exist(spec):
    params, state = random_params(spec, 2, 3, 0), random_state(spec, 2, 3, 1)
    x = draw(2, 2, 2)
    _, gates = spec.step(spec.project(x, params), state, params)
    assert dict(spec.symbols).keys() <= spec.terms(x, state, gates, params).keys()
    assert len(dict(spec.symbols)) == len(spec.symbols)
    assert all(latex for _, latex in spec.symbols)
    if spec.name != "lstm":
        assert spec.symbols


def test_operands_are_taken_in_the_order_of_the_edges():
    def added(*order):
        nodes = (*(Node(name, ENTER, (0, 0)) for name in ("a", "b", "c")), Node("sum", "plus", (0, 0)))
        graph = Graph(nodes, tuple(Edge(name, "sum") for name in order))
        assert [edge.source for edge in graph.into("sum")] == list(order)
        values = {"a": 1e16, "b": 1.0, "c": -1e16}
        given = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
        return graph.evaluate(given, {}, ())["sum"].item()

    assert added("a", "b", "c") == 0.0  # 1e16 + 1 is 1e16
    assert added("a", "c", "b") == 1.0


@pytest.mark.parametrize(
    ("cell", "options", "orders"),
    [
        ("lstm", {}, {"fc": "f c_prev", "ig": "i g", "c": "fc ig", "h": "o tanh_c"}),
        ("gru", {"z": "keeps"}, {"kept": "z h_prev", "taken": "z_flip n", "h": "kept taken"}),
        ("gru", {"z": "takes"}, {"kept": "z_flip h_prev", "taken": "z n", "h": "kept taken"}),
        ("gru", {"reset": "after"}, {"r_Uh": "r Uh_n", "a_n": "Wx_n r_Uh"}),
        ("gru", {"reset": "before"}, {"rh": "r h_prev", "a_n": "x rh"}),
    ],
)
def test_operands_stand_as_the_equations_write_them(cell, options, orders):
    for spec in VARIANTS:
        if spec.name == cell and options.items() <= dict(spec.options).items():
            got = {name: " ".join(edge.source for edge in spec.graph.into(name)) for name in orders}
            assert got == orders


@every_variant
def test_a_changed_value_reaches_its_readers_and_a_changed_wire_only_its_end(spec):
    plain, _ = both(spec, spec.graph, (1, 2, 3, 4), 0)
    doubled = lambda name, value: 2 * value if name == "h" else value
    got, _ = both(spec, spec.graph, (1, 2, 3, 4), 0, change=doubled)
    for name, value in plain.items():
        assert_close(got[name], 2 * value if name in ("h", "h_next", "h_out") else value, 0)
    one = lambda edge, value: 2 * value if edge.target == "h_out" else value
    got, _ = both(spec, spec.graph, (1, 2, 3, 4), 0, carry=one)
    for name, value in plain.items():
        assert_close(got[name], 2 * value if name == "h_out" else value, 0)


def place(spec, name):
    """Where a node stands; one without a place stands in its only reader."""
    node = by_name(spec)[name]
    return node.at or place(spec, readers(spec, name)[0])


def corners(spec, edge):
    """A wire's points: its source, the corners of its route, its target."""
    points = [place(spec, edge.source)]
    for word in edge.route.split():
        (x, y), value = points[-1], float(word[1:])
        points.append((value, y) if word[0] == "H" else (x, value))
    return [*points, place(spec, edge.target)]


@every_variant
def test_every_place_is_on_the_drawing_and_none_on_another(spec):
    width, height = spec.graph.size
    left, top, right, bottom = spec.graph.body
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    placed = [node for node in spec.graph.nodes if node.at]
    for node in placed:
        assert 0 <= node.at[0] <= width
        assert 0 <= node.at[1] <= height
        inside = left < node.at[0] < right and top < node.at[1] < bottom
        assert inside == (node.op not in (ENTER, LEAVE))
    for one, two in combinations(placed, 2):
        assert math.dist(one.at, two.at) >= 40, (one.name, two.name)
    for node in spec.graph.nodes:
        if node.at is None:
            (reader,) = readers(spec, node.name)
            assert by_name(spec)[reader].at


@every_variant
def test_every_wire_runs_straight_along_an_axis_and_through_no_other_node(spec):
    width, height = spec.graph.size
    for edge in spec.graph.edges:
        words = edge.route.split()
        assert all(re.fullmatch(r"[VH]\d+(\.\d+)?", word) for word in words), edge
        assert all(one[0] != two[0] for one, two in pairwise(words)), edge
        points = corners(spec, edge)
        for (x1, y1), (x2, y2) in pairwise(points):
            assert x1 == x2 or y1 == y2, (edge, points)
            assert 0 <= x2 <= width
            assert 0 <= y2 <= height
            for name, node in by_name(spec).items():
                if node.at and node.at not in (points[0], points[-1]):
                    x, y = node.at
                    on = min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2)
                    assert not on, (edge, name)
        assert len(points) == 2 or points[-2] != points[-1], edge

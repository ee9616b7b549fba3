"""What every wire carries, forward and backward: equal to a plain loop that keeps all that autograd has."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz.engine import CELLS, Clamp, bptt, unroll, wires
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
PHI = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda a: a}


class Loop:
    """A cell in plain torch, one scalar formula a value, that keeps every value and every use of one.

    ``put`` names a value, ``use`` takes it to a reader over a wire of its own, ``W``, ``U`` and ``b`` are
    the parameters' blocks.
    """

    def __init__(self, spec, params, x, state0, loss, clamps=()):
        self.clamps, self.blocks = clamps, spec.blocks
        self.leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
        self.first = {name: value.clone().requires_grad_() for name, value in state0.items()}
        self.nodes, self.edges, shown = [], [], []
        carried = self.first
        for self.t, x_t in enumerate(x, 1):
            given = {"x": x_t, **{f"{name}_prev": value for name, value in carried.items()}}
            self.now, self.wires = dict(given), {}
            CELL[spec.name](self, **dict(spec.options))
            self.nodes.append({name: self.now[name] for name in self.now.keys() - given.keys()})
            carried = {name: self.use(name, f"{name}_next") for name in state0}
            shown.append(self.use("h", "h_out"))
            self.edges.append(self.wires)
        loss(torch.stack(shown)).backward()

    def put(self, name, value):
        for clamp in self.clamps:
            if clamp.name == name and (clamp.steps is None or self.t in clamp.steps):
                where = torch.tensor([clamp.units is None or u in clamp.units for u in range(value.shape[1])])
                value = torch.where(where, torch.full_like(value, clamp.value), value)
        value = value + 0  # a tensor of its own
        value.retain_grad()
        self.now[name] = value

    def use(self, name, reader):
        wire = self.now[name] + 0
        wire.retain_grad()
        self.wires[name, reader] = wire
        return wire

    def block(self, name, k):
        H, n = self.leaves["W_hh"].shape[1], self.blocks.index(k)
        return self.leaves[name][n * H : (n + 1) * H]

    def W(self, k):
        return self.now["x"] @ self.block("W_ih", k).T

    def U(self, k, name="h_prev"):
        return self.now[name] @ self.block("W_hh", k).T

    def b(self, k):
        return self.block("b_ih", k) + self.block("b_hh", k)


def stacked(steps):
    """name -> (T,B,H)."""
    return {name: torch.stack([step[name] for step in steps]).detach() for name in steps[0]}


def gradients(steps):
    d = lambda value: torch.zeros_like(value) if value.grad is None else value.grad
    return {name: torch.stack([d(step[name]) for step in steps]) for name in steps[0]}


def rnn(at, activation, connection="plain"):
    at.put("Uh", at.U("h"))
    at.put("Wx", at.W("h") + at.b("h"))
    at.put("a", at.use("Uh", "a") + at.use("Wx", "a"))
    if connection == "plain":
        at.put("h", PHI[activation](at.use("a", "h")))
    else:
        at.put("g", PHI[activation](at.use("a", "g")))
        at.put("h", at.use("h_prev", "h") + at.use("g", "h"))


def lstm(at):
    for k, squash in (("i", torch.sigmoid), ("f", torch.sigmoid), ("g", torch.tanh), ("o", torch.sigmoid)):
        at.put(f"a_{k}", at.W(k) + at.U(k) + at.b(k))
        at.put(k, squash(at.use(f"a_{k}", k)))
    at.put("fc", at.use("f", "fc") * at.use("c_prev", "fc"))
    at.put("ig", at.use("i", "ig") * at.use("g", "ig"))
    at.put("c", at.use("fc", "c") + at.use("ig", "c"))
    at.put("tanh_c", torch.tanh(at.use("c", "tanh_c")))
    at.put("h", at.use("o", "h") * at.use("tanh_c", "h"))


def gru(at, reset, z):
    for k in "rz":
        at.put(f"a_{k}", at.W(k) + at.U(k) + at.b(k))
        at.put(k, torch.sigmoid(at.use(f"a_{k}", k)))
    if reset == "after":
        at.put("Uh_n", at.U("n") + at.block("b_hh", "n"))
        at.put("r_Uh", at.use("r", "r_Uh") * at.use("Uh_n", "r_Uh"))
        at.put("Wx_n", at.W("n") + at.block("b_ih", "n"))
        at.put("a_n", at.use("Wx_n", "a_n") + at.use("r_Uh", "a_n"))
    else:
        at.put("rh", at.use("r", "rh") * at.use("h_prev", "rh"))
        at.put("a_n", at.W("n") + at.U("n", "rh") + at.b("n"))
    at.put("n", torch.tanh(at.use("a_n", "n")))
    at.put("z_flip", 1 - at.use("z", "z_flip"))
    old, new = ("z", "z_flip") if z == "keeps" else ("z_flip", "z")
    at.put("kept", at.use(old, "kept") * at.use("h_prev", "kept"))
    at.put("taken", at.use(new, "taken") * at.use("n", "taken"))
    at.put("h", at.use("kept", "h") + at.use("taken", "h"))


def skips(spec):
    return ("connection", "residual") in spec.options


CELL = {"rnn": rnn, "lstm": lstm, "gru": gru}
LINE = {("lstm", "c"): ("c_prev", "fc"), ("gru", "h"): ("h_prev", "kept")}  # past the matrices, in one wire


def case(spec, shape, seed):
    T, B, D, H = shape
    loss = oracle.some_loss(draw(seed + 9, T, B, H))
    return random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed), loss


def run(spec, params, x, state0, loss, clamps=()):
    trace = unroll(spec, params, x, state0, clamps)
    grads = bptt(spec, params, x, loss, state0, clamps)
    return trace, grads, wires(spec, params, trace, grads, clamps)


def last_step(seed, B, H):
    weights = draw(seed, B, H)
    return lambda h: (weights * h[-1]).sum()


def assert_same(got, want):
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert_close(got[name], value)


def assert_wires_equal_the_loop(spec, shape, seed, clamps=()):
    arguments = (spec, *case(spec, shape, seed), clamps)
    loop, (trace, grads, got) = Loop(*arguments), run(*arguments)
    assert_same(got.values, stacked(loop.nodes))
    assert_same(got.d_nodes, gradients(loop.nodes))
    d_edges = gradients(loop.edges)
    assert_same(got.d_edges, d_edges)
    assert_close(grads.d_loss, d_edges["h", "h_out"])
    assert_same(grads.d_params, {name: value.grad for name, value in loop.leaves.items()})
    for name in spec.gate_names:
        assert_close(got.values[name], trace.gates[name])
    for name in spec.state_names:
        assert_close(got.values[name], trace.states[name][1:])
        assert torch.equal(got.d_nodes[name], grads.d_states[name][1:])
        assert_close(grads.d_states[name][0], loop.first[name].grad)
        line = ("h_prev", "h") if skips(spec) else LINE.get((spec.name, name))
        assert_close(got.direct[name], d_edges[line] if line else 0 * grads.d_loss)


@every_variant
@given(oracle.shapes, oracle.seeds)
@quick
def test_every_value_and_gradient_equals_a_loop_that_keeps_them_all(spec, shape, seed):
    assert_wires_equal_the_loop(spec, shape, seed)


@every_variant
@given(seed=oracle.seeds, value=st.floats(-2, 2))
@settings(quick, max_examples=8)
def test_the_same_where_something_is_held(spec, seed, value):
    for name in (*spec.gate_names, *spec.state_names):
        clamps = [
            Clamp(name, value, (1, 3), (2, 4, 5)),
            Clamp(name, 0.5, (0, 1), (4,)),
            Clamp("h", 0.1, (2,)),
        ]
        assert_wires_equal_the_loop(spec, (5, 2, 2, 4), seed, clamps)


@every_variant
def test_every_node_and_every_wire_past_the_matrices_is_there_in_its_shape(spec):
    *_, got = run(spec, *case(spec, (6, 3, 2, 4), 0))
    ops = {node.name: node.op for node in spec.graph.nodes}
    assert (
        got.values.keys()
        == got.d_nodes.keys()
        == {n for n, op in ops.items() if op not in ("enter", "leave")}
    )
    assert got.d_edges.keys() == {
        (edge.source, edge.target) for edge in spec.graph.edges if ops[edge.target] != "affine"
    }
    assert got.direct.keys() == set(spec.state_names)
    for part in (got.values, got.d_nodes, got.d_edges, got.direct):
        assert {tuple(value.shape) for value in part.values()} == {(6, 3, 4)}
        assert not any(value.requires_grad for value in part.values())


@every_variant
def test_pre_activations_are_what_the_gates_squash(spec):
    trace, _, got = run(spec, *case(spec, (6, 3, 2, 4), 1))
    for name in spec.gate_names:
        if spec.name == "rnn":
            assert_close(PHI[spec.option("activation")](got.values["a"]), trace.gates[name])
            continue
        undo = torch.atanh if name in "gn" else torch.logit
        assert_close(got.values[f"a_{name}"], undo(trace.gates[name]), 1e-9)
    if spec.options == (("activation", "tanh"),):
        assert_close(got.values["a"], torch.atanh(trace.states["h"][1:]), 1e-9)


@every_variant
def test_what_flows_back_along_a_nodes_wires_adds_up_to_its_gradient(spec):
    *_, got = run(spec, *case(spec, (6, 3, 2, 4), 2))
    readers = {}
    for source, target in got.d_edges:
        readers.setdefault(source, []).append(target)
    whole = [n for n in got.d_nodes if n != "rh"]  # which a matrix reads
    assert set(whole) == set(got.d_nodes) & set(readers)
    for name in whole:
        assert_close(sum(got.d_edges[name, reader] for reader in readers[name]), got.d_nodes[name])
        assert got.d_nodes[name].any()


@every_variant
def test_past_the_matrices_goes_what_the_gate_on_the_line_keeps(spec):
    trace, grads, got = run(spec, *case(spec, (9, 2, 3, 4), 3))
    z = trace.gates.get("z")
    want = {name: torch.zeros_like(d[1:]) for name, d in grads.d_states.items()}
    if spec.name == "lstm":
        want["c"] = trace.gates["f"] * grads.d_states["c"][1:]
    elif spec.name == "gru":
        want["h"] = (z if spec.option("z") == "keeps" else 1 - z) * grads.d_states["h"][1:]
    elif skips(spec):
        want["h"] = grads.d_states["h"][1:]
    assert_same(got.direct, want)
    assert not any(got.direct[name].any() for name, value in want.items() if not value.any())


def test_along_the_cell_states_line_each_step_hands_over_what_the_next_sends_back():
    _, grads, got = run(CELLS["lstm"], *case(CELLS["lstm"], (9, 2, 3, 4), 3))
    onwards = got.d_edges["c", "c_next"]
    assert torch.equal(onwards[:-1], got.direct["c"][1:])
    assert not onwards[-1].any()
    assert_close(onwards + got.d_edges["c", "tanh_c"], grads.d_states["c"][1:])
    assert_close(got.direct["c"][0], grads.d_states["c"][0])


@every_variant
def test_direct_line_and_matrices_together_are_the_whole_gradient_of_the_step_before(spec):
    params, x, state0, _ = case(spec, (9, 2, 3, 4), 4)
    trace, grads, got = run(spec, params, x, state0, last_step(5, 2, 4))
    U = dict(zip(spec.blocks, params["W_hh"].chunk(len(spec.blocks)), strict=True))
    d, back = got.d_nodes, got.direct["h"]
    if spec.name == "rnn":
        back = back + d["Uh"] @ U["h"]
    elif spec.name == "lstm":
        back = back + sum(d[f"a_{k}"] @ U[k] for k in spec.blocks)
    else:
        back = back + d["a_r"] @ U["r"] + d["a_z"] @ U["z"]
        r = trace.gates["r"]
        back = back + (
            (r * d["a_n"]) @ U["n"] if spec.option("reset") == "after" else r * (d["a_n"] @ U["n"])
        )
    assert_close(back, grads.d_states["h"][:-1])
    onwards = got.d_edges["h", "h_next"]
    assert_close(onwards, torch.cat([back[1:], 0 * back[:1]]))
    assert not got.d_edges["h", "h_out"][:-1].any()
    assert_close(got.d_edges["h", "h_out"][-1], draw(5, 2, 4))


@every_variant
def test_nothing_flows_behind_what_is_held(spec):
    behind = {"h": {"rnn": "a", "lstm": "tanh_c", "gru": "kept"}[spec.name], "c": "fc"}
    behind |= {"g": "a"} if skips(spec) else {}
    for name in (*spec.gate_names, *spec.state_names):
        *_, got = run(spec, *case(spec, (6, 3, 2, 4), 6), [Clamp(name, 0.4, (1, 2), (3, 5))])
        d = got.d_nodes[behind.get(name, f"a_{name}")]
        held = torch.zeros(6, 1, 4, dtype=torch.bool)
        held[[2, 4], :, 1:3] = True
        assert not d[held.expand_as(d)].any()
        if ("activation", "relu") not in spec.options:
            assert d[~held.expand_as(d)].all()
        if name in spec.state_names:
            assert not got.direct[name][held.expand_as(d)].any()
        assert got.d_nodes[name][held.expand_as(d)].any()


def test_neither_the_records_nor_the_parameters_are_changed():
    spec = CELLS["lstm"]
    params, x, state0, loss = case(spec, (6, 3, 2, 4), 0)
    learned = {name: torch.nn.Parameter(value.clone()) for name, value in params.items()}
    trace, grads = unroll(spec, learned, x, state0), bptt(spec, learned, x, loss, state0)
    records = [trace.x, *trace.states.values(), *trace.gates.values(), grads.d_loss, *grads.d_states.values()]
    before = [value.clone() for value in records]
    with torch.no_grad():
        assert_same(wires(spec, learned, trace, grads).d_nodes, wires(spec, params, trace, grads).d_nodes)
    assert all(torch.equal(a, b) for a, b in zip(records, before, strict=True))
    assert all(value.grad is None for value in learned.values())
    assert not any(value.requires_grad for value in records)

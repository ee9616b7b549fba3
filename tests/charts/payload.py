"""Reads what the stepper is sent, as the browser would: written from the format's description alone.

After the reader: runs to send, what must be in them, and the equations term by term, by hand.
"""

import json
import struct
from functools import partial

import numpy as np

from rnnviz.charts.stepper import Run, pack
from rnnviz.engine import bptt, unroll, wires
from rnnviz.experiment import loss_on
from tests.engine.oracle import draw, random_params

TINY, HUGE = np.finfo(np.float32).tiny, np.finfo(np.float32).max


def _refuse(word):
    raise AssertionError(f"the header says {word}, which is no JSON")


class Payload:
    """The header as ``head``, the arrays by name as ``arrays``, and where each lies as ``spans``.

    Everything read by name comes as (T,H): ``h_prev`` is what step t finds, ``h`` what it leaves.
    """

    def __init__(self, data):
        (self.size,) = struct.unpack_from("<I", data)
        self.head = json.loads(data[4 : 4 + self.size].decode(), parse_constant=_refuse)
        self.data, self.start = data, 4 + self.size
        self.arrays, self.spans, self.kinds = {}, {}, {}
        for name, (kind, shape, offset) in self.head["arrays"].items():
            assert kind in ("f4", "s4", "f8")
            count, first = int(np.prod(shape)), self.start + offset
            self.kinds[name] = kind
            values = np.frombuffer(data, "<f8" if kind == "f8" else "<f4", count, first).reshape(shape)
            last = first + values.nbytes
            if kind == "s4":  # a power of two for each row
                scales = np.frombuffer(data, "<f8", shape[0], last + -last % 8)
                assert set(np.abs(np.frexp(scales)[0])) <= {0.5}
                values, last = values.astype(float) * scales[:, None], last + -last % 8 + scales.nbytes
            self.arrays[name], self.spans[name] = values, (first, last)
        self.T, self.H = self.head["T"], self.head["H"]
        self.nodes = {node["name"]: node for node in self.head["graph"]["nodes"]}

    def value(self, name):
        """(T,H): what step t has under this name, ``_prev`` and ``_next`` as well."""
        base, _, when = name.partition("_")
        if when in ("prev", "next") and base in self.head["states"]:
            whole = self.arrays[base]
            return (whole[:-1] if when == "prev" else whole[1:]).astype(float)
        values = self.arrays[name]
        assert len(values) == self.T + (name in self.head["states"])
        return values[-self.T :].astype(float)

    def rows(self, node):
        """Where a node's block lies in the stacked matrices."""
        k = self.head["blocks"].index(self.nodes[node]["block"])
        return slice(k * self.H, (k + 1) * self.H)

    def term(self, of):
        """(T,H): a term by its ``of``, as `tokens` documents it."""
        if isinstance(of, str):
            return self.value(of)
        node, part = of
        rows, total = self.rows(node), np.zeros((self.T, self.H))
        if part == "bias":
            return total + sum(self.arrays[bias][rows].astype(float) for bias in self.nodes[node]["biases"])
        wires = [e for e in self.head["graph"]["edges"] if e["target"] == node and e["weight"] == part]
        assert wires
        return total + sum(self.value(e["source"]) @ self.arrays[part][rows].astype(float).T for e in wires)

    def terms(self, name):
        """The terms on an equation's right-hand side, in order, (T,H) each."""
        result, equals, *rest = self.head["equations"][name]
        assert result["of"] == name
        assert equals == {"op": "="}
        return [self.term(token["of"]) for token in rest if "of" in token]

    def right_hand_side(self, name):
        """An equation computed as it is written: its operators between its terms' numbers, (T,H)."""
        words, terms = [], iter(self.terms(name))
        numbers = {}
        for token in self.head["equations"][name][2:]:
            if "op" in token:
                words.append(token["op"])
            else:
                numbers[f"v{len(numbers)}"] = next(terms)
                words.append(("+ " if token.get("signed") else "") + f"v{len(numbers) - 1}")
        formula = (
            " ".join(words).replace("·", "*").replace("⊙", "*").replace("−", "-").replace("σ(", "sigma(")
        )
        functions = {"sigma": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh, "max": np.maximum}
        return eval(formula, {"__builtins__": {}}, {**functions, **numbers})

    def written(self, name):
        """An equation's symbols in one line, without the spaces between them."""
        signs = (
            ("+" if token.get("signed") else "") + token.get("op", token.get("symbol"))
            for token in self.head["equations"][name]
        )
        return "".join("".join(signs).split())


def run_of(spec, params, x, loss="all", clamps=(), before=None, symbols=(), features=()):
    trace = unroll(spec, params, x, clamp=clamps)
    gradients = bptt(spec, params, x, partial(loss_on, loss), clamp=clamps)
    wired = wires(spec, params, trace, gradients, clamps)
    words = "caption", "every step"
    return Run(spec, params, trace, gradients, wired, symbols, features, *words, before, clamps)


def a_run(spec, T=7, B=1, D=3, H=4, seed=1, **more):
    return run_of(spec, random_params(spec, D, H, seed), draw(seed, T, B, D), **more)


def model_run(model, source, **more):
    x = source.signal().x
    return run_of(model.spec, model.params(x.shape[2]), x, **more)


def read(run, **start):
    return Payload(pack(run, start))


def arrays_of(run):
    """Every array that must be there, from the engine's records."""
    trace, flow = run.trace, run.wires
    asked = np.concatenate([np.zeros_like(run.gradients.d_loss[:1]), run.gradients.d_loss[:-1]])
    want = {"x": trace.x, **flow.values, **trace.gates, **trace.states}
    want |= {f"d:{k}": v for k, v in {**flow.d_nodes, **run.gradients.d_states}.items()}
    want |= {f"d:{a}>{b}": v for (a, b), v in flow.d_edges.items()}
    want |= {f"direct:{k}": v for k, v in flow.direct.items()}
    for name in run.spec.state_names:
        rest = (run.gradients.d_states[name][:-1] - flow.direct[name]).numpy()
        want[f"gates:{name}"] = rest - asked if name == "h" else rest
    if asked.any():
        want["loss:h"] = asked
    if run.before is not None:
        want |= {f"delta:{k}": v - run.before.gates[k] for k, v in trace.gates.items()}
        want |= {f"delta:{k}": v[1:] - run.before.states[k][1:] for k, v in trace.states.items()}
    for clamp in run.clamps:  # 1 where it is held
        held = want.setdefault(f"held:{clamp.name}", np.zeros(trace.states["h"][1:].shape))
        for t in clamp.steps or range(1, trace.T + 1):
            held[t - 1, :, list(clamp.units or range(held.shape[2]))] = 1
    return {k: np.asarray(v)[:, 0] for k, v in want.items()} | {k: v.numpy() for k, v in run.params.items()}


def assert_same_arrays(got, want):
    assert got.keys() == want.keys()
    for name, values in want.items():
        np.testing.assert_array_equal(got[name], values.astype(got[name].dtype), name)


def assert_laid_out(sent):
    """Every array at a multiple of 8 bytes from the file's start, one after another, none beyond its end."""
    assert sent.start % 8 == 0
    end = sent.start
    for first, last in sorted(set(sent.spans.values())):  # equal arrays lie in one place
        assert first % 8 == 0
        assert 0 <= first - end < 8
        assert not any(sent.data[end:first])
        end = last
    assert end <= len(sent.data) == -(-end // 8) * 8


def assert_nothing_lost(sent, want):
    """Another way where float32 has no normal number, and only there; what is not zero stays so."""
    for name, values in want.items():
        got = sent.arrays[name]
        size = np.abs(values[np.isfinite(values) & (values != 0)])
        if size.size and (size.min() < TINY or size.max() > HUGE):
            assert sent.kinds[name] in ("s4", "f8"), name
        elif not size.size or (size.min() > 1.03 * TINY and size.max() < 0.99 * HUGE):
            assert got.dtype == np.float32, name
        np.testing.assert_array_equal(got == 0, values == 0, name)
        np.testing.assert_array_equal(np.isfinite(got), np.isfinite(values), name)
        with np.errstate(over="ignore", under="ignore"):
            if sent.kinds[name] == "s4":  # seven digits, as float32 has them
                np.testing.assert_allclose(got, values, rtol=2**-24, atol=0, err_msg=name)
            else:
                np.testing.assert_array_equal(got, values.astype(got.dtype), name)


# Term by term, by hand: what stands on each right-hand side.
AFFINE = lambda names: {k: [f"Wx_{k}", f"Uh_{k}", f"b_{k}"] for k in names}
MIX = ["z", "h_prev", "z", "n"]
TERMS = {
    "rnn": AFFINE("h"),
    "rnn-residual": {"g": ["Wx_h", "Uh_h", "b_h"], "h": ["h_prev", "g"]},
    "lstm": {**AFFINE("figo"), "c": ["f", "c_prev", "i", "g"], "h": ["o", "c"]},
    "gru-after": {**AFFINE("rz"), "n": ["Wx_n", "b_n", "r", "Uh_n"], "h": MIX},
    "gru-before": {**AFFINE("rzn"), "h": MIX},
}


SQUASHED = lambda k, squash: f"{k}_t={squash}(W_{k}x_t+U_{k}h_{{t−1}}+b_{k})"
KEEPS, TAKES = "h_t=z_t⊙h_{t−1}+(1−z_t)⊙n_t", "h_t=(1−z_t)⊙h_{t−1}+z_t⊙n_t"
AFTER = "n_t=tanh(W_nx_t+b_n+r_t⊙(U_nh_{t−1}+b'_n))"
BEFORE = "n_t=tanh(W_nx_t+U_n(r_t⊙h_{t−1})+b_n)"
R, Z = SQUASHED("r", "σ"), SQUASHED("z", "σ")
ADDED = "h_t=h_{t−1}+g_t"
WRITTEN = {
    "rnn-tanh": ["h_t=tanh(Wx_t+Uh_{t−1}+b)"],
    "rnn-relu": ["h_t=max(0,Wx_t+Uh_{t−1}+b)"],
    "rnn-sigmoid": ["h_t=σ(Wx_t+Uh_{t−1}+b)"],
    "rnn-identity": ["h_t=(Wx_t+Uh_{t−1}+b)"],
    "rnn-tanh-residual": ["g_t=tanh(Wx_t+Uh_{t−1}+b)", ADDED],
    "rnn-relu-residual": ["g_t=max(0,Wx_t+Uh_{t−1}+b)", ADDED],
    "rnn-sigmoid-residual": ["g_t=σ(Wx_t+Uh_{t−1}+b)", ADDED],
    "rnn-identity-residual": ["g_t=(Wx_t+Uh_{t−1}+b)", ADDED],
    "lstm": [
        SQUASHED("f", "σ"),
        SQUASHED("i", "σ"),
        SQUASHED("g", "tanh"),
        "c_t=f_t⊙c_{t−1}+i_t⊙g_t",
        SQUASHED("o", "σ"),
        "h_t=o_t⊙tanh(c_t)",
    ],
    "gru-after-keeps": [R, Z, AFTER, KEEPS],
    "gru-after-takes": [R, Z, AFTER, TAKES],
    "gru-before-keeps": [R, Z, BEFORE, KEEPS],
    "gru-before-takes": [R, Z, BEFORE, TAKES],
}


LINES = {
    "lstm": {("c_prev", "fc"), ("fc", "c"), ("c", "c_next")},
    "gru": {("h_prev", "kept"), ("kept", "h"), ("h", "h_next")},
    "rnn": set(),
    "rnn-residual": {("h_prev", "h"), ("h", "h_next")},
}


def kind_of(spec):
    """A cell's name, and its connection where that is another than usual."""
    return f"{spec.name}-residual" if ("connection", "residual") in spec.options else spec.name


def terms_of(spec, run):
    """name -> (T,H): whatever an equation may name, from the engine."""
    before = {name: value[:-1, 0] for name, value in run.trace.states.items()}
    gates = {name: value[:, 0] for name, value in run.trace.gates.items()}
    after = {name: value[1:, 0] for name, value in run.trace.states.items()}
    named = {**gates, **after, **{f"{name}_prev": value for name, value in before.items()}}
    return {**named, **spec.terms(run.trace.x[:, 0], before, gates, run.params)}

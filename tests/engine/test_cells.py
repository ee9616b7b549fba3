"""What holds for every cell: pinned names, pure steps, and equations whose numbers come out."""

import math
import pickle
import re

import numpy as np
import pytest
import torch

from rnnviz.engine import CELLS, bptt, jacobians, lyapunov, unroll
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, random_params, random_state

D, H, B, T = 2, 3, 2, 4
every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


@pytest.mark.parametrize(
    ("cell", "states", "gates", "blocks"),
    [
        ("rnn", ("h",), (), ("h",)),
        ("lstm", ("h", "c"), ("i", "f", "g", "o"), ("i", "f", "g", "o")),
        ("gru", ("h",), ("r", "z", "n"), ("r", "z", "n")),
    ],
)
def test_names_are_pinned(cell, states, gates, blocks):
    for spec in (spec for spec in VARIANTS if spec.name == cell):
        # What a residual network adds is recorded: its state does not tell it any more.
        kept = ("g",) if ("connection", "residual") in spec.options else gates
        assert (spec.state_names, spec.gate_names, spec.blocks) == (states, kept, blocks)
        trace = unroll(spec, random_params(spec, D, H, 0), draw(1, T, B, D))
        assert (tuple(trace.states), tuple(trace.gates)) == (states, kept)


def test_no_cell_goes_untested():
    assert list(CELLS) == ["rnn", "lstm", "gru"]
    assert [name_of(spec) for spec in VARIANTS] == [
        *("rnn-tanh", "rnn-tanh-residual", "rnn-relu", "rnn-relu-residual"),
        *("rnn-sigmoid", "rnn-sigmoid-residual", "rnn-identity", "rnn-identity-residual", "lstm"),
        *("gru-after-keeps", "gru-after-takes", "gru-before-keeps", "gru-before-takes"),
    ]


@every_variant
def test_values_keep_to_the_ranges_declared(spec):
    params = {name: 5 * value for name, value in random_params(spec, D, H, 0).items()}
    trace = unroll(spec, params, draw(1, 50, B, D))
    for declared, recorded in ((spec.states, trace.states), (spec.gates, trace.gates)):
        for item in declared:
            assert recorded[item.name].min() >= item.low
            assert recorded[item.name].max() <= item.high
            if math.isfinite(item.high):  # and the range is no wider than what strong weights reach
                assert recorded[item.name].max() > item.high - 0.2
                assert recorded[item.name].min() < item.low + 0.2


@every_variant
def test_nothing_given_is_changed(spec):
    params, x, state0 = random_params(spec, D, H, 0), draw(1, T, B, D), random_state(spec, B, H, 2)
    given = [x, *params.values(), *state0.values()]
    before = [value.clone() for value in given]
    trace = unroll(spec, params, x, state0)
    recorded = [*trace.states.values(), *trace.gates.values()]
    kept = [value.clone() for value in recorded]
    bptt(spec, params, x, lambda h: h.square().sum(), state0)
    jacobians(spec, params, trace)
    lyapunov(spec, params, x, 2, state0)
    spec.terms(x[0], state0, {name: value[0] for name, value in trace.gates.items()}, params)
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(recorded, kept, strict=True))
    assert not any(value.requires_grad for value in given)


@every_variant
def test_a_step_is_a_pure_function(spec):
    params, ax, state = (
        random_params(spec, D, H, 0),
        draw(1, B, len(spec.blocks) * H),
        random_state(spec, B, H, 2),
    )
    one, two = spec.step(ax, state, params), spec.step(ax, state, params)
    for a, b in zip(one, two, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in b)
    assert set(state) == set(spec.state_names)


@every_variant
def test_a_spec_survives_pickling(spec):
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    params, x = random_params(spec, D, H, 0), draw(1, T, B, D)
    assert torch.equal(unroll(again, params, x).states["h"], unroll(spec, params, x).states["h"])


# Just enough LaTeX to do the sums that the templates write.
LATEX = {
    r"\sigma\left(": "sigmoid(",
    r"\tanh\left(": "tanh(",
    r"\max\left(": "maximum(",
    r"\left(": "(",
    r"\right)": ")",
    r"\cdot": "*",
}
MATHS = {"sigmoid": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh, "maximum": np.maximum}


def evaluate(numbers, values):
    text = numbers.format(**values)
    for latex, python in LATEX.items():
        text = text.replace(latex, python)
    text = re.sub(r"(?<=[\d)]) (?=\d|\()", "", text)
    assert not re.search(r"[\\{}]", text), text
    return eval(text, {"__builtins__": {}}, MATHS)  # the text is ours


@every_variant
def test_the_equations_numbers_give_what_was_recorded(spec):
    params, x, state0 = random_params(spec, D, H, 0), draw(1, T, B, D), random_state(spec, B, H, 2)
    trace = unroll(spec, params, x, state0)
    recorded = {**trace.states, **trace.gates}
    assert {equation.name for equation in spec.equations} == set(recorded)
    for t in range(1, T + 1):
        before = {name: value[t - 1] for name, value in trace.states.items()}
        gates = {name: value[t - 1] for name, value in trace.gates.items()}
        after = {name: value[t] for name, value in trace.states.items()}
        known = spec.terms(x[t - 1], before, gates, params)
        assert all(value.shape == (B, H) for value in known.values())
        known |= gates | after | {f"{name}_prev": value for name, value in before.items()}
        for equation in spec.equations:
            # a gate's or state's own value is not among the numbers that give it
            given = {name: value for name, value in known.items() if name != equation.name}
            for b in range(B):
                for unit in range(H):
                    got = evaluate(equation.numbers, {k: v[b, unit].item() for k, v in given.items()})
                    assert_close(got, {**gates, **after}[equation.name][b, unit])


@every_variant
def test_equations_come_after_what_they_use(spec):
    seen = {f"{name}_prev" for name in spec.state_names}
    for equation in spec.equations:
        names = set(re.findall(r"{(\w+)(?::\+)?}", equation.numbers))
        assert {name for name in names if name in spec.gate_names or name in spec.state_names} <= seen
        seen.add(equation.name)


@every_variant
def test_the_code_shown_computes_the_trace_to_the_bit(spec):
    params, x, state0 = random_params(spec, D, H, 0), draw(1, T, B, D), random_state(spec, B, H, 2)
    trace = unroll(spec, params, x, state0)
    project, step = spec.code
    scope = {"torch": torch, "x": x, "H": H, **params, **state0}
    exec(project, scope)
    for t in range(T):
        scope["t"] = t
        exec(step, scope)
        assert all(torch.equal(scope[name], trace.gates[name][t]) for name in spec.gate_names)
        assert all(torch.equal(scope[name], trace.states[name][t + 1]) for name in spec.state_names)

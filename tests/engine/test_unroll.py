"""Forward through time: equal to torch.nn and to the papers' equations in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given

from rnnviz.engine import unroll
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state


@pytest.mark.parametrize("spec", oracle.IN_TORCH, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_states_equal_torch_nn(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    first = tuple(state0[name].unsqueeze(0) for name in spec.state_names)
    with torch.no_grad():
        h, last = oracle.torch_module(spec, params)(x, first if len(first) > 1 else first[0])
    trace = unroll(spec, params, x, state0)
    assert_close(trace.states["h"][1:], h)
    for name, value in zip(spec.state_names, last if len(first) > 1 else (last,), strict=True):
        assert_close(trace.states[name][-1], value[0])
        assert torch.equal(trace.states[name][0], state0[name])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_every_state_and_gate_equals_the_equations(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    states, gates = oracle.run(spec, params, x, state0)
    trace = unroll(spec, params, x, state0)
    assert trace.states.keys() == states.keys()
    assert trace.gates.keys() == gates.keys()
    for got, want in ((trace.states, states), (trace.gates, gates)):
        for name, value in want.items():
            assert_close(got[name], value)


@pytest.mark.parametrize("T", [31, 32, 33, 64, 100])
@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_long_runs_equal_the_equations(spec, T):
    params, x, state0 = random_params(spec, 2, 3, 5), draw(6, T, 2, 2), random_state(spec, 2, 3, 7)
    params["W_hh"] = params["W_hh"] / 4  # contracting, or rounding grows with the state
    states, gates = oracle.run(spec, params, x, state0)
    trace = unroll(spec, params, x, state0)
    for got, want in ((trace.states, states), (trace.gates, gates)):
        for name, value in want.items():
            assert_close(got[name], value)


@pytest.mark.parametrize("spec", oracle.IN_TORCH, ids=name_of)
def test_float32_equals_torch_nn(spec):
    params = random_params(spec, 3, 8, 0, torch.float32)
    x = draw(1, 6, 4, 3, dtype=torch.float32)
    trace = unroll(spec, params, x)
    assert {value.dtype for value in (*trace.states.values(), *trace.gates.values())} <= {torch.float32}
    with torch.no_grad():
        assert_close(trace.states["h"][1:], oracle.torch_module(spec, params)(x)[0], 1e-5)


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_states_not_named_start_at_zero(spec):
    params, x = random_params(spec, 2, 3, 0), draw(1, 4, 2, 2)
    trace = unroll(spec, params, x)
    assert all(not value[0].any() for value in trace.states.values())
    last = spec.state_names[-1]
    some = {last: draw(2, 2, 3)}
    states, _ = oracle.run(spec, params, x, some)
    assert_close(unroll(spec, params, x, some).states["h"], states["h"])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_a_run_continues_where_another_ended(spec):
    params, x = random_params(spec, 2, 3, 3), draw(4, 99, 2, 2)
    params["W_hh"] = params["W_hh"] / 3
    whole, head = unroll(spec, params, x), unroll(spec, params, x[:45])
    tail = unroll(spec, params, x[45:], {name: value[-1] for name, value in head.states.items()})
    for name in spec.state_names:
        assert_close(tail.states[name], whole.states[name][45:])


def test_parameters_of_a_module_are_taken_as_they_are():
    spec = oracle.IN_TORCH[0]
    params = random_params(spec, 2, 3, 0)
    learned = {name: torch.nn.Parameter(value) for name, value in params.items()}
    x = draw(0, 3, 1, 2).requires_grad_()
    trace = unroll(spec, learned, x, {"h": torch.ones(1, 3, dtype=torch.float64, requires_grad=True)})
    assert not any(v.requires_grad or v.is_inference() for v in (trace.x, *trace.states.values()))
    want, _ = oracle.run(spec, params, x.detach(), {"h": np.ones((1, 3))})
    assert_close(trace.states["h"], want["h"])

"""Drawing parameters: shapes, seeds, types, and what is refused."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given

from rnnviz.engine import (
    CELLS,
    SCHEMES,
    bptt,
    count_params,
    from_torch,
    init_params,
    jacobians,
    lyapunov,
    to_torch,
    unroll,
)
from tests.engine.oracle import IN_TORCH, VARIANTS, draw, name_of, quick, seeds, small

LSTM = CELLS["lstm"]


@pytest.mark.parametrize("spec", IN_TORCH, ids=name_of)
@given(small, small, seeds)
@quick
def test_shapes_and_count_are_those_of_torch_nn(spec, D, H, seed):
    params = init_params(spec, D, H, seed)
    module = to_torch(spec, params)
    assert count_params(params) == sum(p.numel() for p in module.parameters())
    assert count_params(params) == len(spec.blocks) * (D * H + H * H + 2 * H)


@pytest.mark.parametrize(("cell", "count"), [("rnn", 1152), ("gru", 3456), ("lstm", 4608)])
def test_counts_of_the_lecture(cell, count):
    assert count_params(init_params(CELLS[cell], 2, 32)) == count


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_seed_is_its_numbers(scheme):
    one, same, other = (init_params(LSTM, 3, 5, seed, scheme) for seed in (7, 7, 8))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("spec", CELLS.values(), ids=name_of)
@given(small, small, seeds)
@quick
def test_float32_is_float64_rounded(spec, D, H, seed):
    for scheme in ("torch", "scaled", "orthogonal", "glorot"):
        wide, narrow = (
            init_params(spec, D, H, seed, scheme, dtype=dtype) for dtype in (torch.float64, torch.float32)
        )
        for name, value in wide.items():
            assert value.dtype == torch.float64
            assert torch.equal(narrow[name], value.to(torch.float32))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_forget_bias_is_the_forget_gates_alone(scheme):
    plain = init_params(LSTM, 2, 3, 0, scheme)
    biased = init_params(LSTM, 2, 3, 0, scheme, forget_bias=1.5)
    f, others = slice(3, 6), [0, 1, 2, *range(6, 12)]
    assert (biased["b_ih"][f] == 1.5).all()
    assert not biased["b_hh"][f].any()
    for name in ("b_ih", "b_hh"):
        assert torch.equal(biased[name][others], plain[name][others])
    assert torch.equal(biased["W_ih"], plain["W_ih"])
    assert torch.equal(biased["W_hh"], plain["W_hh"])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_nothing_touches_the_global_generators(spec):
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    for scheme in SCHEMES:
        if scheme != "chrono" or any(gate.memory for gate in spec.gates):
            init_params(spec, 2, 3, 1, scheme)
    params, x = init_params(spec, 2, 3, 1), draw(0, 4, 1, 2)
    trace = unroll(spec, params, x)
    bptt(spec, params, x, lambda h: h.sum())
    jacobians(spec, params, trace)
    lyapunov(spec, params, x, 2)
    try:
        from_torch(to_torch(spec, params))
    except ValueError:
        assert spec.name in ("rnn", "gru")
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()


def test_a_seeded_run_has_the_same_bits_twice():
    def everything():
        params, x = init_params(LSTM, 2, 8, 3), draw(1, 20, 2, 2)
        trace = unroll(LSTM, params, x)
        jac = jacobians(LSTM, params, trace)
        return [trace.states["c"], jac.log_norms, lyapunov(LSTM, params, x, 4)]

    assert all(torch.equal(a, b) for a, b in zip(everything(), everything(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size is 0; allowed: a whole number from 1 up"),
        ({"hidden_size": -2}, "hidden_size is -2; allowed: a whole number from 1 up"),
        ({"hidden_size": 2.0}, "hidden_size is 2.0; allowed"),
        ({"hidden_size": True}, "hidden_size is True; allowed"),
        ({"seed": -1}, "seed is -1; allowed: a whole number from 0 to 9223372036854775807"),
        ({"seed": 2**63}, "seed is 9223372036854775808; allowed"),
        ({"seed": "0"}, "seed is '0'; allowed"),
        ({"scheme": "magic"}, "scheme is 'magic'; allowed: 'torch', 'orthogonal', 'identity'"),
        ({"dtype": torch.float16}, "dtype is torch.float16; allowed: torch.float32 and torch.float64"),
        ({"radius": 2.0}, "scheme 'torch' has no option 'radius'; its options: none"),
        ({"scheme": "scaled", "gain": 2.0}, "scheme 'scaled' has no option 'gain'; its options: radius"),
        ({"scheme": "scaled", "radius": 11}, "radius is 11; allowed: a number from 0 to 10"),
        ({"scheme": "scaled", "radius": math.nan}, "radius is nan; allowed"),
        ({"scheme": "orthogonal", "gain": -0.1}, "gain is -0.1; allowed"),
        ({"scheme": "identity", "gain": math.inf}, "gain is inf; allowed"),
        ({"scheme": "identity", "std": "wide"}, "std is 'wide'; allowed"),
        ({"scheme": "chrono", "t_max": 1.9}, "t_max is 1.9; allowed: a number from 2 to 1e"),
        ({"forget_bias": 101}, "forget_bias is 101; allowed: a number from -100 to 100"),
        ({"forget_bias": math.nan}, "forget_bias is nan; allowed"),
        ({"spec": CELLS["gru"], "forget_bias": 1.0}, "forget_bias is 1.0; gru has no forget gate"),
        ({"spec": CELLS["rnn"], "forget_bias": 0.0}, "forget_bias is 0.0; rnn has no forget gate"),
    ],
    ids=lambda value: value.split(";")[0] if isinstance(value, str) else "",
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole sentence is compared below
        init_params(**{"spec": LSTM, "input_size": 2, "hidden_size": 3, **arguments})
    assert str(caught.value).startswith(message)


def test_scheme_options_are_those_documented():
    options = {o for scheme in SCHEMES.values() for o in list(inspect.signature(scheme).parameters)[3:]}
    assert all(f"``{option}``" in init_params.__doc__ for option in options)

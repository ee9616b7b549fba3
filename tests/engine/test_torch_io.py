"""Into and out of torch.nn: every layer, direction and module, and the sentences for what does not fit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rnnviz.engine import CELLS, from_torch, to_torch, unroll
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, small, steps

SEQUENCE = {"tanh": nn.RNN, "relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELL = {"tanh": nn.RNNCell, "relu": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def make(kinds, name, D, H, seed=0, dtype=torch.float64, **options):
    if name in ("tanh", "relu"):
        options["nonlinearity"] = name
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kinds[name](D, H, dtype=dtype, **options)


@pytest.mark.parametrize("name", SEQUENCE)
@given(
    st.integers(1, 3),
    st.booleans(),
    st.booleans(),
    steps,
    small,
    small,
    small,
)
@quick
def test_every_layer_and_direction_is_a_cell(name, layers, both, bias, T, B, D, H):
    module = make(SEQUENCE, name, D, H, num_layers=layers, bidirectional=both, bias=bias)
    x = draw(1, T, B, D)
    with torch.no_grad():
        want = module(x)[0]
    for layer in range(layers):
        forward = unroll(*from_torch(module, layer=layer), x).states["h"][1:]
        if both:
            spec, params = from_torch(module, layer=layer, direction="backward")
            backward = unroll(spec, params, x.flip(0)).states["h"][1:].flip(0)
            assert all(
                torch.equal(params[k], v) for k, v in from_torch(module, layer, direction=1)[1].items()
            )
        x = torch.cat([forward, backward], -1) if both else forward
    assert_close(x, want)


@pytest.mark.parametrize("name", CELL)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_single_cell_modules(name, bias, dtype):
    module = make(CELL, name, 3, 4, bias=bias, dtype=dtype)
    spec, params = from_torch(module)
    assert params["b_hh"].shape == (len(spec.blocks) * 4,)
    assert bool(params["b_ih"].any()) is bias
    x, state = draw(1, 5, 2, 3, dtype=dtype), None
    with torch.no_grad():
        for t, h in enumerate(unroll(spec, params, x).states["h"][1:]):
            state = module(x[t], state)
            assert_close(state[0] if name == "lstm" else state, h, 1e-6 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("name", SEQUENCE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back_is_the_same_module(name, dtype):
    module = make(SEQUENCE, name, 3, 4, dtype=dtype)
    again = to_torch(*from_torch(module))
    assert torch.equal(again(draw(1, 6, 2, 3, dtype=dtype))[0], module(draw(1, 6, 2, 3, dtype=dtype))[0])
    assert type(again) is type(module)
    assert all(p.requires_grad and p.is_leaf for p in again.parameters())
    assert to_torch(from_torch(module)).state_dict().keys() == module.state_dict().keys()
    again(draw(1, 6, 2, 3, dtype=dtype))[0].sum().backward()  # it can be trained on


def test_a_module_survives_a_backward_layer():
    module = make(SEQUENCE, "gru", 3, 4, bidirectional=True, bias=False)
    x = draw(1, 6, 2, 3)
    again = to_torch(from_torch(module, direction="backward"))
    assert_close(again(x.flip(0))[0].flip(0).detach(), module(x)[0][..., 4:].detach())


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_to_torch_computes_the_cell_or_refuses(spec):
    params, x = random_params(spec, 3, 4, 0), draw(1, 6, 2, 3)
    before = {name: value.clone() for name, value in params.items()}
    options = dict(spec.options)
    if spec not in oracle.IN_TORCH and options.get("reset") != "after":
        messages = {
            "sigmoid": "activation is 'sigmoid'; torch.nn.RNN allows 'tanh' and 'relu'",
            "identity": "activation is 'identity'; torch.nn.RNN allows 'tanh' and 'relu'",
            "residual": "connection is 'residual'; torch.nn.RNN allows 'plain'",
            "before": "reset is 'before'; torch.nn.GRU allows 'after'",
        }
        with pytest.raises(ValueError, match=next(messages[v] for v in options.values() if v in messages)):
            to_torch(spec, params)
        return
    with torch.no_grad():
        got = to_torch(spec, params)(x)[0]
    states, _ = oracle.run(spec, params, x)
    assert_close(got, states["h"][1:])
    assert all(torch.equal(params[name], value) for name, value in before.items())


def test_parameters_are_copied_out_and_in():
    module = make(SEQUENCE, "lstm", 2, 3)
    spec, params = from_torch(module)
    kept = {name: value.clone() for name, value in params.items()}
    assert not any(value.requires_grad for value in params.values())
    out = to_torch(spec, params)
    for source in (module, out):
        for p in source.parameters():
            p.data.zero_()
    assert all(torch.equal(params[name], value) for name, value in kept.items())


def test_a_batch_first_module_has_the_same_cell():
    module = make(SEQUENCE, "lstm", 2, 3, batch_first=True, dropout=0.0)
    x = draw(1, 5, 2, 2)
    h = unroll(*from_torch(module), x).states["h"][1:]
    assert_close(h, np.swapaxes(module(x.transpose(0, 1))[0].detach(), 0, 1))


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (nn.Linear(2, 3), {}, "module is a Linear; allowed: RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell"),
        (nn.LSTM(2, 3, proj_size=2), {}, "proj_size is 2; allowed: 0"),
        (nn.GRU(2, 3), {"layer": 1}, "layer is 1; allowed: a whole number from 0 to 0"),
        (nn.GRU(2, 3, num_layers=2), {"layer": -1}, "layer is -1; allowed: a whole number from 0 to 1"),
        (nn.GRUCell(2, 3), {"layer": 1}, "layer is 1; allowed: a whole number from 0 to 0"),
        (
            nn.RNN(2, 3),
            {"direction": "backward"},
            "direction is 'backward'; this module is not bidirectional",
        ),
        (nn.RNNCell(2, 3), {"direction": 1}, "direction is 1; this module is not bidirectional"),
        (nn.RNN(2, 3), {"direction": "up"}, "direction is 'up'; allowed: 'forward' and 'backward'"),
    ],
    ids=lambda value: value.split(";")[0] if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named(module, arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole sentence is compared below
        from_torch(module, **arguments)
    assert str(caught.value).startswith(message)


def test_to_torch_needs_parameters_that_fit():
    with pytest.raises(ValueError, match="params is None; needed"):
        to_torch(CELLS["lstm"])
    with pytest.raises(ValueError, match=r"W_ih has shape \(9, 2\); lstm with H=3 needs \(12, 2\)"):
        to_torch(CELLS["lstm"], random_params(CELLS["gru"], 2, 3, 0))

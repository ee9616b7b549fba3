"""Backward through time: equal to torch.nn, to the complex step of the NumPy loop, and to the closed form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine import CELLS, bptt
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

IDENTITY = CELLS["rnn"].with_options(activation="identity")


@pytest.mark.parametrize("spec", oracle.IN_TORCH, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_gradients_equal_torch_nn(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    loss = oracle.some_loss(draw(seed + 9, T, B, H))
    module = oracle.torch_module(spec, params)
    first = tuple(state0[name].unsqueeze(0).requires_grad_() for name in spec.state_names)
    value = loss(module(x, first if len(first) > 1 else first[0])[0])
    value.backward()
    grads = bptt(spec, params, x, loss, state0)
    assert grads.loss == pytest.approx(value.item(), rel=1e-12, abs=1e-12)
    for kind in ("ih", "hh"):
        assert_close(grads.d_params[f"W_{kind}"], getattr(module, f"weight_{kind}_l0").grad)
        assert_close(grads.d_params[f"b_{kind}"], getattr(module, f"bias_{kind}_l0").grad)
    for name, leaf in zip(spec.state_names, first, strict=True):
        assert_close(grads.d_states[name][0], leaf.grad[0])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_every_gradient_equals_the_complex_step(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    weights = draw(seed + 9, T, B, H)
    d_params, d_states = oracle.gradients(spec, params, x, state0, oracle.some_loss(weights.numpy()))
    grads = bptt(spec, params, x, oracle.some_loss(weights), state0)
    assert grads.d_params.keys() == d_params.keys()
    assert grads.d_states.keys() == d_states.keys()
    for got, want in ((grads.d_params, d_params), (grads.d_states, d_states)):
        for name, value in want.items():
            assert_close(got[name], value)


@given(
    st.floats(-1.5, 1.5),
    st.lists(st.floats(-2, 2), min_size=1, max_size=20),
    st.floats(-3, 3),
    st.floats(-3, 3),
)
@quick
def test_the_scalar_linear_rnn_has_its_closed_form(w, inputs, target, h0):
    T = len(inputs)
    one = torch.ones(1, 1, dtype=torch.float64)
    params = {"W_ih": one, "W_hh": w * one, "b_ih": 0 * one[0], "b_hh": 0 * one[0]}
    x = torch.tensor(inputs, dtype=torch.float64).view(T, 1, 1)
    grads = bptt(IDENTITY, params, x, lambda h: 0.5 * (h[-1] - target).square().sum(), {"h": h0 * one})

    h = [w**t * h0 + sum(w ** (t - k) * inputs[k - 1] for k in range(1, t + 1)) for t in range(T + 1)]
    error = h[-1] - target  # p_{t-1} = w p_t, dL/dw = (∂L/∂ŷ) Σ_t w^{T-t} h_{t-1}
    scale = 1e-12 * max(1, max(map(abs, h))) * max(1, abs(w) ** T) * T * max(1, abs(error))
    assert grads.d_states["h"].flatten().tolist() == pytest.approx(
        [error * w ** (T - t) for t in range(T + 1)], abs=scale
    )
    assert grads.d_params["W_hh"].item() == pytest.approx(
        error * sum(w ** (T - t) * h[t - 1] for t in range(1, T + 1)), abs=scale
    )
    if h0 == 0:
        slope = sum((T - t) * w ** (T - t - 1) * inputs[t - 1] for t in range(1, T))
        assert grads.d_params["W_hh"].item() == pytest.approx(error * slope, abs=scale)


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_a_loss_on_nothing_has_no_gradient(spec):
    params, x = random_params(spec, 2, 3, 0), draw(1, 4, 2, 2)
    for loss in (lambda h: torch.tensor(2.5), lambda h: 2.5 + 0 * h.sum(), lambda h: h[0].sum()):
        grads = bptt(spec, params, x, loss)
        assert not any(d[2:].any() for d in grads.d_states.values())
    assert bptt(spec, params, x, lambda h: torch.tensor(2.5)).loss == 2.5


def test_float32_gradients_are_float32_and_near():
    spec = CELLS["lstm"]
    params, x = random_params(spec, 3, 8, 0), draw(1, 10, 2, 3)
    loss = lambda h: h[-1].square().sum()
    exact = bptt(spec, params, x, loss)
    rounded = bptt(spec, {k: v.float() for k, v in params.items()}, x.float(), loss)
    for name, value in exact.d_params.items():
        assert rounded.d_params[name].dtype == torch.float32
        assert_close(rounded.d_params[name], value, 1e-5)


def test_the_two_biases_gradients_are_two_arrays():
    spec = CELLS["lstm"]
    grads = bptt(spec, random_params(spec, 2, 3, 0), draw(1, 4, 2, 2), lambda h: h.sum())
    before = grads.d_params["b_hh"].clone()
    grads.d_params["b_ih"].zero_()
    assert torch.equal(grads.d_params["b_hh"], before)
    assert before.any()


@pytest.mark.parametrize(("dtype", "w", "T"), [(torch.float64, 1e-3, 100), (torch.float32, 1e-3, 12)])
def test_norms_live_where_their_squares_are_zero(dtype, w, T):
    one = torch.ones(1, 1, dtype=dtype)
    params = {"W_ih": one, "W_hh": w * one, "b_ih": 0 * one[0], "b_hh": 0 * one[0]}
    grads = bptt(IDENTITY, params, torch.zeros(T, 1, 1, dtype=dtype), lambda h: h[-1].sum())
    lags = torch.arange(T, -1, -1, dtype=torch.float64)
    want = lags * math.log(torch.tensor(w, dtype=dtype).item())
    assert_close(grads.log_norms("h"), want, 1e-6 if dtype == torch.float32 else 1e-12)
    assert_close(grads.norms("h")[-5:], want[-5:].exp(), 1e-6)
    assert grads.norms("h")[0] > 0


def test_norms_take_batch_and_units_together():
    spec = CELLS["gru"]
    grads = bptt(spec, random_params(spec, 2, 3, 0), draw(1, 4, 5, 2), lambda h: h.square().sum())
    assert_close(grads.norms("h"), [torch.linalg.vector_norm(d) for d in grads.d_states["h"]])

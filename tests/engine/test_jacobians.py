"""Step Jacobians, norms of their products and Lyapunov exponents, against autograd, mpmath and algebra."""

import math
import sys

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from torch.autograd.functional import jacobian as autograd_jacobian

from rnnviz.engine import CELLS, init_params, jacobians, lyapunov, unroll
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

derived_jacobian = sys.modules[
    "rnnviz.engine.jacobians"
].derived_jacobian  # the package has a function of that name
IDENTITY = CELLS["rnn"].with_options(activation="identity")


def linear_rnn(W, dtype=torch.float64):
    W = torch.as_tensor(W, dtype=dtype)
    H = len(W)
    return {
        "W_ih": W.new_zeros(H, 1),
        "W_hh": W,
        "b_ih": W.new_zeros(H),
        "b_hh": W.new_zeros(H),
    }


def exact_log_norms(steps):
    """ln of the spectral norms of J_T … J_{t+1}, t = 0…T, in 60 digits: steps (T,S,S)."""
    with mpmath.workdps(60):
        product, logs = mpmath.eye(steps.shape[-1]), [0.0]
        for J in reversed(steps.tolist()):
            product = product * mpmath.matrix(J)
            logs.append(float(mpmath.log(mpmath.svd_r(product, compute_uv=False)[0])))
        return np.array(logs[::-1])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_steps_equal_autograd_and_the_complex_step(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    trace = unroll(spec, params, x, state0)
    step = jacobians(spec, params, trace).step
    n = len(spec.states)
    for t in range(T):
        before = {name: value[t] for name, value in trace.states.items()}
        assert_close(step[t], oracle.step_jacobian(spec, params, x[t], before))
        for b in range(B):

            def stacked(s, x_t=x[t, b : b + 1]):
                state = dict(zip(spec.state_names, s.view(n, 1, H).unbind(0), strict=True))
                after, _ = spec.step(spec.project(x_t, params), state, params)
                return torch.cat([after[name][0] for name in spec.state_names])

            s = torch.cat([value[b] for value in before.values()])
            assert_close(step[t, b], autograd_jacobian(stacked, s))


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_the_closed_form_equals_the_derived_one(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    trace = unroll(spec, params, x)
    before = {name: value[:-1] for name, value in trace.states.items()}
    assert spec.jacobian is not None
    assert_close(jacobians(spec, params, trace).step, derived_jacobian(spec, params, x, before))
    from_there = jacobians(spec, params, trace, state0)
    assert_close(from_there.step, jacobians(spec, params, unroll(spec, params, x, state0)).step)


def test_blocks_of_the_lstm_are_named():
    spec, H = CELLS["lstm"], 3
    params, x = random_params(spec, 2, H, 0), draw(1, 5, 2, 2)
    trace = unroll(spec, params, x)
    jac = jacobians(spec, params, trace)
    assert_close(jac.block("c", "c"), torch.diag_embed(trace.gates["f"]))  # the direct path of FIELD.md
    assert_close(torch.cat([jac.block("h", "h"), jac.block("h", "c")], -1), jac.step[..., :H, :])
    for of, wrt in (("c", "h"), ("h", "c")):
        want = torch.linalg.matrix_norm(jac.block(of, wrt), ord=2).log()
        assert_close(jac.step_log_norms(of, wrt), want)
    assert_close(jac.step_log_norms("c"), trace.gates["f"].amax(-1).log())


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_log_norms_equal_exact_products(spec, shape, seed):
    T, B, D, H = shape
    params, x = random_params(spec, D, H, seed), draw(seed, 3 * T, B, D)  # across several rescalings
    jac = jacobians(spec, params, unroll(spec, params, x))
    assert jac.log_norms.shape == (3 * T + 1, B)
    for b in range(B):
        got, want = jac.log_norms[:, b].numpy(), exact_log_norms(jac.step[:, b])
        zero = np.isneginf(want)
        assert (np.isneginf(got) == zero).all()
        # Rounding is relative to the factors; a product that cancels has fewer digits than they have.
        norms = torch.linalg.matrix_norm(jac.step[:, b]).log().flip(0).cumsum(0).flip(0).numpy()
        cancelled = np.append(norms, 0.0)[~zero] - want[~zero]
        assert (np.abs(got[~zero] - want[~zero]) <= 1e-12 + 1e-15 * np.exp(cancelled)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("radius", [0.2, 3.0])
def test_a_thousand_steps_neither_under_nor_overflow(radius, dtype):
    W = init_params(IDENTITY, 1, 4, seed=3, scheme="scaled", radius=radius, dtype=dtype)["W_hh"]
    T = 1000
    trace = unroll(IDENTITY, linear_rnn(W, dtype), torch.zeros(T, 1, 1, dtype=dtype))
    log_norms = jacobians(IDENTITY, linear_rnn(W, dtype), trace).log_norms[:, 0]
    plain = torch.linalg.matrix_power(W, T)
    assert plain.abs().max() == 0 or not plain.isfinite().all() or dtype == torch.float64
    lags = [0, 1, 7, 8, 9, 100, 999, 1000]
    with mpmath.workdps(60):
        power = mpmath.matrix(W.tolist())
        want = [float(mpmath.log(mpmath.svd_r(power**k, compute_uv=False)[0])) if k else 0.0 for k in lags]
    assert log_norms[T - torch.tensor(lags)].tolist() == pytest.approx(want, rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@pytest.mark.parametrize("radius", [0.2, 3.0])
def test_every_cell_stays_finite_over_a_thousand_float32_steps(spec, radius):
    params = init_params(spec, 2, 6, seed=1, scheme="scaled", radius=radius, dtype=torch.float32)
    params |= {name: 0 * params[name] for name in ("b_ih", "b_hh")}
    x = torch.zeros(1000, 1, 2)  # quiet, so that the identity's state does not overflow before its Jacobian
    jac = jacobians(spec, params, unroll(spec, params, x))
    dead = spec.options == (("activation", "relu"),)  # relu(0) has slope 0: the product is exactly zero
    assert jac.log_norms[-1, 0] == 0
    assert (jac.log_norms[:-1] == -torch.inf).all() if dead else jac.log_norms.isfinite().all()


def test_a_nearly_nilpotent_step_does_not_vanish_in_float32():
    W = torch.tensor([[1e-7, 1.0], [0.0, 1e-7]], dtype=torch.float32)
    trace = unroll(IDENTITY, linear_rnn(W, torch.float32), torch.zeros(1000, 1, 1))
    log_norms = jacobians(IDENTITY, linear_rnn(W, torch.float32), trace).log_norms[:, 0]
    e = W[0, 0].item()  # W^k = [[e^k, k e^{k-1}], [0, e^k]]
    want = [math.log(k) + (k - 1) * math.log(e) for k in range(1000, 0, -1)]
    assert log_norms[:-1].tolist() == pytest.approx(want, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_of_many_equal_entries_do_not_overflow(dtype):
    W = torch.full((8, 8), 0.5, dtype=dtype)  # W^k = 4^{k-1} W: rescaling each factor to 1 leaves 8^k
    trace = unroll(IDENTITY, linear_rnn(W, dtype), torch.zeros(1000, 1, 1, dtype=dtype))
    log_norms = jacobians(IDENTITY, linear_rnn(W, dtype), trace).log_norms[:, 0]
    assert_close(log_norms, np.arange(1000, -1, -1) * math.log(4.0))


def test_non_finite_steps_show_as_nan():
    params = linear_rnn([[math.nan]])
    jac = jacobians(IDENTITY, params, unroll(IDENTITY, params, torch.zeros(3, 1, 1, dtype=torch.float64)))
    assert jac.log_norms[:, 0].isnan().tolist() == [True, True, True, False]


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@given(oracle.shapes, oracle.seeds)
@quick
def test_all_exponents_sum_to_the_mean_log_determinant(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = (
        random_params(spec, D, H, seed),
        draw(seed, 4 * T, B, D),
        random_state(spec, B, H, seed),
    )
    if dict(spec.options).get("activation") == "relu":
        params["b_ih"] += 50  # alive throughout: a dead unit's determinant is zero
        params["W_hh"] = params["W_hh"].abs()
    step = jacobians(spec, params, unroll(spec, params, x), state0).step
    S = step.shape[-1]
    want = torch.linalg.slogdet(step).logabsdet.mean(0)
    got = lyapunov(spec, params, x, S, state0)
    assert got.shape == (B, S)
    assert (got.diff(dim=-1) <= 0).all()
    assert_close(got.sum(-1), want, 1e-8)  # the determinant of a nearly singular J loses digits either way


def test_the_linear_rnn_has_its_eigenvalues_as_exponents():
    W = draw(5, 5, 5)
    moduli = np.sort(np.log(np.abs(np.linalg.eigvals(W.numpy()))))[::-1]
    T = 4000
    got = lyapunov(IDENTITY, linear_rnn(W), torch.zeros(T, 2, 1, dtype=torch.float64), 5)
    assert_close(got, np.stack([moduli, moduli]), 10 / T)  # the transient weighs 1/T
    first = lyapunov(IDENTITY, linear_rnn(W), torch.zeros(T, 2, 1, dtype=torch.float64), 2)
    assert_close(first, got[:, :2], 10 / T)


def test_a_lost_direction_has_exponent_minus_infinity():
    x = torch.zeros(10, 1, 1, dtype=torch.float64)
    assert lyapunov(IDENTITY, linear_rnn([[2.0, 0.0], [0.0, 0.0]]), x, 2).tolist() == [
        [pytest.approx(math.log(2), abs=0.1), -math.inf]
    ]


@pytest.mark.parametrize("k", [0, -1, 17, 1.0, True, "2"])
def test_k_outside_the_state_is_refused(k):
    spec = CELLS["lstm"]
    with pytest.raises(ValueError, match=rf"k is {k!r}; allowed: a whole number from 1 to 16"):
        lyapunov(spec, random_params(spec, 2, 8, 0), draw(0, 3, 1, 2), k)

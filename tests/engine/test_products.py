"""∂s_T/∂s_t for all t, against autograd, exact products and closed forms."""

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given

from rnnviz.engine import CELLS, direct_log_norms, end_products, init_params, jacobians, lyapunov, unroll
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


def by_autograd(spec, params, x, state0, of):
    """∂of_T/∂s_t as one backward pass a unit gives it: name -> (T+1,B,H,H)."""
    # Nudged as one vector, after the step that made it: h_t does not feel what is added to c_t then.
    nudges = [
        {name: torch.zeros_like(v).requires_grad_() for name, v in state0.items()} for _ in range(len(x) + 1)
    ]
    state = {name: v + nudges[0][name] for name, v in state0.items()}
    for x_t, nudge in zip(x, nudges[1:], strict=True):
        state, _ = spec.step(spec.project(x_t, params), state, params)
        state = {name: v + nudge[name] for name, v in state.items()}
    asked = [nudge[name] for name in spec.state_names for nudge in nudges]
    rows = []
    for unit in range(state[of].shape[1]):
        d = torch.autograd.grad(state[of][:, unit].sum(), asked, retain_graph=True, materialize_grads=True)
        rows.append(torch.stack(d).view(len(spec.states), len(nudges), *d[0].shape))
    found = torch.stack(rows, 3)  # (n,T+1,B,H,H): a row a unit of the end
    return {name: found[k] for k, name in enumerate(spec.state_names)}


@every_variant
@given(oracle.shapes, oracle.seeds)
@quick
def test_every_product_equals_autograd(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = (
        random_params(spec, D, H, seed),
        draw(seed, 3 * T, B, D),
        random_state(spec, B, H, seed),
    )
    trace = unroll(spec, params, x, state0)
    for of in spec.state_names:
        products = end_products(spec, params, trace, of)
        for wrt, want in by_autograd(spec, params, x, state0, of).items():
            got = products.mantissa[wrt] * products.log_scale.exp()[..., None, None]
            assert_close(got, want)
            size = want.flatten(2).norm(dim=2)
            norms = torch.linalg.matrix_norm(want, ord=2)
            close = size > 1e-9  # of what cancelled, rounding is all that is left
            assert_close(products.log_norms(wrt).exp()[close], norms[close], 1e-10)


def exact(steps, rows):
    """ln of the singular values of these rows of J_T … J_{t+1} for t = 0…T, in 60 digits."""
    with mpmath.workdps(60):
        product, found = mpmath.eye(steps.shape[-1])[rows, :], []
        found.append([0.0] * product.rows)
        for J in reversed(steps.tolist()):
            product = product * mpmath.matrix(J)
            values = mpmath.svd_r(product, compute_uv=False)
            found.append([float(mpmath.log(v)) if v else -math.inf for v in values])
        return np.array(found[::-1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("radius", [0.05, 4.0])
def test_a_thousand_steps_of_a_linear_rnn_neither_under_nor_overflow(radius, dtype):
    spec = CELLS["rnn"].with_options(activation="identity")
    params = init_params(spec, 1, 3, seed=1, scheme="scaled", radius=radius, dtype=dtype)
    params |= {name: 0 * params[name] for name in ("b_ih", "b_hh")}
    trace = unroll(spec, params, torch.zeros(400, 1, 1, dtype=dtype))
    products = end_products(spec, params, trace)
    with mpmath.workdps(60):
        W = mpmath.matrix(params["W_hh"].double().tolist())
        lags = [1, 7, 8, 9, 100, 399, 400]
        values = [mpmath.svd_r(W**lag, compute_uv=False) for lag in lags]
        want = [float(mpmath.log(v[0])) for v in values]
    assert products.log_norms()[[400 - lag for lag in lags], 0].tolist() == pytest.approx(want, rel=1e-12)
    assert products.singular_logs(lags)[:, 0, 0].tolist() == pytest.approx(want, rel=1e-12)


@every_variant
def test_singular_values_above_rounding_are_exact(spec):
    params, x = random_params(spec, 2, 3, 5), draw(6, 12, 2, 2)
    trace = unroll(spec, params, x)
    steps = jacobians(spec, params, trace).step
    H, k = 3, spec.state_names.index("h")
    got = end_products(spec, params, trace).singular_logs(range(13))
    if len(spec.states) == 1:
        for b in range(2):
            want = exact(steps[:, b], slice(k * H, (k + 1) * H))[::-1]
            for lag in range(13):
                clear = want[lag] > want[lag, 0] - 20  # e^-20: seven digits left
                np.testing.assert_allclose(got[lag, b].numpy()[clear], want[lag][clear], rtol=0, atol=1e-6)
    assert (got.diff(dim=-1) <= 0).logical_or(got.isnan()[..., 1:]).all() or torch.isneginf(got).any()
    assert_close(got[0], torch.zeros(2, 3))


def test_the_full_jacobian_agrees_where_there_is_one_state():
    spec = CELLS["gru"]
    params, x = random_params(spec, 2, 4, 0), draw(1, 30, 2, 2)
    trace = unroll(spec, params, x)
    assert_close(
        end_products(spec, params, trace).log_norms(), jacobians(spec, params, trace).log_norms, 1e-9
    )


def test_the_direct_path_is_the_product_of_forget_gates_and_not_the_jacobian():
    spec = CELLS["lstm"]
    params, x = init_params(spec, 2, 8, seed=0), draw(1, 20, 2, 2)
    trace = unroll(spec, params, x)
    f = trace.gates["f"].numpy()
    want = [[np.log(np.prod(f[t:, b], 0).max()) for b in range(2)] for t in range(21)]
    got = direct_log_norms(spec, trace)
    assert_close(got, want)
    full = end_products(spec, params, trace, "c").log_norms("c")
    assert (full[0] - got[0]).abs().min() > 0.1
    silent = {**params, "W_hh": 0 * params["W_hh"]}  # no path through the gates: then they are the same
    trace = unroll(spec, silent, x)
    assert_close(end_products(spec, silent, trace, "c").log_norms("c"), direct_log_norms(spec, trace))


@pytest.mark.parametrize("z", ["keeps", "takes"])
def test_a_gru_s_direct_path_is_what_it_keeps(z):
    spec = CELLS["gru"].with_options(z=z)
    params, x = random_params(spec, 2, 3, 0), draw(1, 9, 1, 2)
    trace = unroll(spec, params, x)
    gate = trace.gates["z"].numpy()
    kept = gate if z == "keeps" else 1 - gate
    want = [[np.log(kept[t:, 0].prod(0).max())] for t in range(10)]
    assert_close(direct_log_norms(spec, trace), want)


def test_a_residual_network_passes_on_all_of_it_and_a_plain_one_has_no_such_path():
    spec = CELLS["rnn"].with_options(connection="residual")
    params, x = random_params(spec, 2, 3, 0), draw(1, 9, 1, 2)
    assert (direct_log_norms(spec, unroll(spec, params, x)) == 0).all()
    plain = CELLS["rnn"]
    with pytest.raises(ValueError, match="rnn has no state with a direct path"):
        direct_log_norms(plain, unroll(plain, params, x))


def test_a_dead_step_is_exactly_zero_and_nan_is_said():
    spec = CELLS["rnn"].with_options(activation="relu")
    params = {name: -v.abs() for name, v in random_params(spec, 1, 3, 0).items()}
    trace = unroll(spec, params, torch.ones(5, 1, 1, dtype=torch.float64))
    products = end_products(spec, params, trace)
    assert torch.isneginf(products.log_norms()[:5]).all()
    assert torch.isneginf(products.singular_logs([1, 5])).all()
    params["W_hh"] = params["W_hh"].clone()
    params["W_hh"][0, 0] = math.nan
    broken = end_products(spec, params, trace)
    assert broken.log_norms()[:5].isnan().all()
    assert broken.singular_logs([3]).isnan().all()


def test_what_cannot_be_asked_is_refused():
    spec = CELLS["gru"]
    params, x = random_params(spec, 1, 2, 0), draw(1, 4, 1, 1)
    trace = unroll(spec, params, x)
    with pytest.raises(ValueError, match="of is 'c'; allowed: 'h'"):
        end_products(spec, params, trace, "c")
    with pytest.raises(ValueError, match="lag is 5; allowed: a whole number from 0 to 4"):
        end_products(spec, params, trace).singular_logs([5])


@every_variant
@pytest.mark.parametrize("every", [2, 5, 32])
def test_exponents_with_fewer_orthonormalisations(spec, every):
    params, x = random_params(spec, 2, 3, 0), draw(1, 41, 2, 2)
    if dict(spec.options).get("activation") == "relu":
        params["b_ih"] += 50
        params["W_hh"] = params["W_hh"].abs()
    k = 2
    want = lyapunov(spec, params, x, k)
    clear = want > want[:, :1] - 0.5  # others lose their digits while all turn to the first
    got = lyapunov(spec, params, x, k, every=every)
    assert_close(got[clear], want[clear], 1e-6)


@pytest.mark.parametrize("every", [0, 33, 1.0, True])
def test_how_often_is_checked(every):
    spec = CELLS["rnn"]
    with pytest.raises(ValueError, match=f"every is {every!r}; allowed: a whole number from 1 to 32"):
        lyapunov(spec, random_params(spec, 2, 3, 0), draw(0, 3, 1, 2), 1, every=every)

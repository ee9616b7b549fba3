"""What each step adds to a gradient, saliency, truncation, clipping: against autograd and torch.nn.utils."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import linear
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from rnnviz.engine import CELLS, Clamp, Clip, bptt, unroll
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

NAMES = ("W_ih", "W_hh", "b_ih", "b_hh")
every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


def setting(spec, shape, seed):
    T, B, D, H = shape
    params, x = random_params(spec, D, H, seed), draw(seed, 3 * T, B, D)
    return params, x, random_state(spec, B, H, seed), oracle.some_loss(draw(seed + 9, 3 * T, B, H))


def copies(spec, params, x, state0, loss, window=None):
    """Autograd with a copy of every parameter for each step, and of every state where a window begins."""
    leaves = [{name: v.clone().requires_grad_() for name, v in params.items()} for _ in x]
    given = x.clone().requires_grad_()
    state, kept = {name: v.clone().requires_grad_() for name, v in state0.items()}, []
    states = [state]
    for t, (x_t, own) in enumerate(zip(given, leaves, strict=True)):
        if window and t and t % window == 0:
            state = {name: v.detach() for name, v in state.items()}
        state, _ = spec.step(spec.project(x_t, own), state, own)
        states.append(state)
        kept.append(state["h"])
    wanted = [v for own in leaves for v in own.values()]
    asked = [s[name] for name in spec.state_names for s in states]
    d = torch.autograd.grad(loss(torch.stack(kept)), [*wanted, given, *asked], materialize_grads=True)
    n, m = len(wanted), len(states)
    each = {name: torch.stack(d[k:n:4]) for k, name in enumerate(params)}
    d_states = {
        name: torch.stack(d[n + 1 + k * m : n + 1 + (k + 1) * m]) for k, name in enumerate(spec.state_names)
    }
    return each, d[n], d_states


@every_variant
@pytest.mark.parametrize("window", [None, 1, 2, 5])
@given(oracle.shapes, oracle.seeds)
@quick
def test_every_step_s_share_equals_autograd_with_a_copy_for_each_step(spec, window, shape, seed):
    params, x, state0, loss = setting(spec, shape, seed)
    each, d_x, d_states = copies(spec, params, x, state0, loss, window)
    by_kernel = bptt(spec, params, x, loss, state0, truncate=window)
    by_autograd = bptt(replace(spec, kernel=None), params, x, loss, state0, truncate=window)
    for grads in (by_kernel, by_autograd):
        assert_close(grads.d_x, d_x)
        for name in NAMES:
            assert_close(grads.contributions(name), each[name])
            assert_close(grads.d_params[name], each[name].sum(0))
            want = each[name].flatten(1).norm(dim=1)
            assert_close(grads.contribution_log_norms(name).exp(), want)
        for name in spec.state_names:
            assert_close(grads.d_states[name], d_states[name])


@every_variant
def test_a_run_that_is_at_hand_is_taken_to_the_bit_and_used(spec):
    params, x, state0, loss = setting(spec, (4, 2, 2, 3), 7)
    run = unroll(spec, params, x, state0)
    anew, taken = bptt(spec, params, x, loss, state0), bptt(spec, params, x, loss, state0, trace=run)
    assert taken.loss == anew.loss
    assert all(torch.equal(taken.d_params[name], anew.d_params[name]) for name in NAMES)
    assert all(torch.equal(taken.d_states[name], anew.d_states[name]) for name in spec.state_names)
    other = replace(run, states={name: 0.5 * value for name, value in run.states.items()})
    assert bptt(spec, params, x, loss, state0, trace=other).loss != anew.loss


def test_truncation_is_that_of_the_trainer_s_windows():
    spec, (T, B, D, H) = CELLS["lstm"], (7, 2, 2, 3)
    params, x = random_params(spec, D, H, 0), draw(1, T, B, D)
    grads = bptt(spec, params, x, lambda h: h[-1].sum(), truncate=3)
    assert (grads.d_states["h"][:6] == 0).all()  # step 7 is a window of its own: s_6 is cut off
    assert grads.contributions("W_hh")[:6].abs().max() == 0
    assert grads.contributions("W_hh")[6].abs().max() > 0


def test_the_scalar_recurrence_has_its_lecture_s_terms():
    spec = CELLS["rnn"].with_options(activation="identity")
    w, T = -1.1, 12
    params = {name: torch.zeros(1, dtype=torch.float64) for name in ("b_ih", "b_hh")}
    params |= {"W_ih": torch.ones(1, 1, dtype=torch.float64), "W_hh": torch.full((1, 1), w).double()}
    w = params["W_hh"].item()
    x = draw(3, T, 1, 1)
    h = [0.0]
    for value in x.flatten().tolist():
        h.append(w * h[-1] + value)
    grads = bptt(spec, params, x, lambda h: h[-1].sum())
    assert_close(grads.contributions("W_hh").flatten(), [w ** (T - t) * h[t - 1] for t in range(1, T + 1)])
    assert_close(grads.d_x.flatten(), [w ** (T - t) for t in range(1, T + 1)])


@pytest.mark.parametrize("by", ["norm", "value"])
@pytest.mark.parametrize("threshold", [1e-3, 0.3, 5.0, 1e6])
@every_variant
def test_clipping_is_torch_s(spec, by, threshold):
    params, x, state0, loss = setting(spec, (3, 2, 2, 3), 5)
    plain = bptt(spec, params, x, loss, state0)
    clipped = bptt(spec, params, x, loss, state0, clip=Clip(by, threshold))
    leaves = [torch.zeros_like(v).requires_grad_() for v in params.values()]
    for leaf, name in zip(leaves, params, strict=True):
        leaf.grad = plain.d_params[name].clone()
    (clip_grad_norm_ if by == "norm" else clip_grad_value_)(leaves, threshold)
    for leaf, name in zip(leaves, params, strict=True):
        assert_close(clipped.d_params[name], leaf.grad)
    if by == "norm":
        norm = torch.cat([g.flatten() for g in plain.d_params.values()]).norm().item()
        assert clipped.clip_scale == pytest.approx(min(1.0, threshold / (norm + 1e-6)), rel=1e-12)
    else:
        assert clipped.clip_scale == 1.0
    assert_close(clipped.contributions("W_hh").sum(0), plain.d_params["W_hh"])  # of what was not clipped


@given(st.floats(-300, 300))
@quick
def test_no_square_spoils_a_norm(power):
    size = 10.0**power
    g = {"W": torch.tensor([3.0, 4.0], dtype=torch.float64) * size}
    clipped, scale = Clip("norm", 1e-20).apply(g)
    assert scale == pytest.approx(min(1.0, 1e-20 / (5 * size + 1e-6)), rel=1e-12)
    assert clipped["W"].tolist() == pytest.approx([3 * size * scale, 4 * size * scale], rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Clip("size", 1.0), r"clip is by 'size'; allowed: 'norm', 'value'"),
        (lambda: Clip("norm", 0.0), r"clip threshold is 0.0; allowed: a number from 1e-30 to 1e\+30"),
        (lambda: Clip("value", float("nan")), r"clip threshold is nan"),
    ],
)
def test_what_cannot_be_a_clip_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_where_something_is_held_there_are_no_shares():
    spec = CELLS["lstm"]
    params, x = random_params(spec, 2, 3, 0), draw(1, 4, 1, 2)
    grads = bptt(spec, params, x, lambda h: h.sum(), clamp=[Clamp("f", 1.0)])
    with pytest.raises(ValueError, match="contributions are asked for of 'W_hh'; there are: none"):
        grads.contributions("W_hh")
    with pytest.raises(ValueError, match=r"of 'V'; there are: W_hh, W_ih, b_hh, b_ih"):
        bptt(spec, params, x, lambda h: h.sum()).contributions("V")


@pytest.mark.parametrize("window", [0, -1, 1.5, True])
def test_a_window_is_a_whole_number_of_steps(window):
    spec = CELLS["rnn"]
    with pytest.raises(ValueError, match=f"truncate is {window!r}; allowed: a whole number from 1 up"):
        bptt(spec, random_params(spec, 2, 3, 0), draw(1, 4, 1, 2), lambda h: h.sum(), truncate=window)


def test_saliency_reaches_the_input_through_every_block():
    spec = CELLS["gru"]
    params, x = random_params(spec, 2, 3, 0), draw(1, 5, 2, 2)
    given = x.clone().requires_grad_()
    hs, state = [], spec.zero_state(x, 3)
    for ax in linear(given, params["W_ih"], params["b_ih"]):
        state, _ = spec.step(ax, state, params)
        hs.append(state["h"])
    torch.stack(hs).square().sum().backward()
    assert_close(bptt(spec, params, x, lambda h: h.square().sum()).d_x, given.grad)

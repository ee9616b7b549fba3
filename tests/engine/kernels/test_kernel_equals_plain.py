"""The cells' own kernels: equal to the plain definition, to torch.nn, and to loops that keep every state."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz.engine import Clamp, bptt, unroll
from rnnviz.engine.kernels import Plain, kernel_of
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 3), *[st.integers(1, 4)] * 3)  # T, K, B, D, H
few = settings(quick, max_examples=12)


def case(spec, shape, seed, dtype=torch.float64, gain=1.0):
    """Parameters, input, first state and what a loss asks, K models in each."""
    T, K, B, D, H = shape
    models = [random_params(spec, D, H, seed + 11 * k, dtype) for k in range(K)]
    params = {name: torch.stack([model[name] for model in models]) for name in models[0]}
    params["W_hh"] = params["W_hh"] * gain
    firsts = [random_state(spec, B, H, seed + 7 * k, dtype) for k in range(K)]
    state0 = {name: torch.stack([first[name] for first in firsts]) for name in firsts[0]}
    x, d_h = draw(seed + 3, T, K, B, D, dtype=dtype), draw(seed + 4, T, K, B, H, dtype=dtype)
    return params, x, state0, d_h


def results(kernel, params, x, state0, d_h, truncate=None):
    """All that a kernel gives, copied out of its buffers."""
    states = kernel.forward(params, x, state0, truncate)
    found = kernel.backward(d_h)
    parts = {"state": states, "gate": kernel.gates(), "d": found.d_states, "p": found.d_params}
    return {(part, name): value.clone() for part, each in parts.items() for name, value in each.items()}


def assert_same(got, want, tolerance=1e-12):
    assert got.keys() == want.keys()
    for key, value in want.items():
        assert got[key].dtype == value.dtype
        assert_close(got[key], value, tolerance)


@every_variant
@given(shape=shapes, seed=oracle.seeds, truncate=st.none() | st.integers(1, 9), given_first=st.booleans())
@quick
def test_forward_and_backward_equal_the_plain_kernel(spec, shape, seed, truncate, given_first):
    params, x, state0, d_h = case(spec, shape, seed)
    arguments = (params, x, state0 if given_first else None, d_h, truncate)
    assert_same(results(kernel_of(spec), *arguments), results(Plain(spec), *arguments))


@every_variant
@pytest.mark.parametrize("shape", [(130, 2, 3, 2, 5), (70, 1, 40, 3, 33)], ids=str)
def test_long_runs_over_several_chunks_equal_the_plain_kernel(spec, shape, monkeypatch):
    monkeypatch.setattr("rnnviz.engine.kernels.stacked.CHUNK_BYTES", 20_000)
    arguments = (*case(spec, shape, 5, gain=0.2), 32)
    assert_same(results(kernel_of(spec), *arguments), results(Plain(spec), *arguments))


@every_variant
@given(shape=shapes, seed=oracle.seeds, truncate=st.none() | st.integers(1, 9))
@few
def test_in_float32_they_are_float32_and_near(spec, shape, seed, truncate):
    # The plain kernel in float64 on the same numbers, so that the reference does not round as well.
    params, x, state0, d_h = case(spec, shape, seed, torch.float32, gain=0.25)
    got = results(kernel_of(spec), params, x, state0, d_h, truncate)
    assert {value.dtype for value in got.values()} == {torch.float32}
    exact = [{k: v.double() for k, v in each.items()} for each in (params, state0)]
    want = results(Plain(spec), exact[0], x.double(), exact[1], d_h.double(), truncate)
    for key, value in want.items():
        assert_close(got[key], value, 1e-5)


@pytest.mark.parametrize("spec", oracle.IN_TORCH, ids=name_of)
@given(shape=shapes, seed=oracle.seeds)
@few
def test_gradients_equal_torch_nn(spec, shape, seed):
    params, x, state0, d_h = case(spec, shape, seed)
    got = results(kernel_of(spec), params, x, state0, d_h)
    for k in range(shape[1]):
        module = oracle.torch_module(spec, {name: value[k] for name, value in params.items()})
        first = tuple(state0[name][k : k + 1].clone().requires_grad_() for name in spec.state_names)
        h, _ = module(x[:, k], first if len(first) > 1 else first[0])
        (d_h[:, k] * h).sum().backward()
        assert_close(got["state", "h"][1:, k], h.detach())
        for kind in ("ih", "hh"):
            assert_close(got["p", f"W_{kind}"][k], getattr(module, f"weight_{kind}_l0").grad)
            assert_close(got["p", f"b_{kind}"][k], getattr(module, f"bias_{kind}_l0").grad)
        for name, leaf in zip(spec.state_names, first, strict=True):
            assert_close(got["d", name][0, k], leaf.grad[0])


def kept(spec, params, x, state0, d_h, window):
    """One model's loop with ``retain_grad`` on every state, cut by hand every ``window`` steps."""
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    state = {name: value.clone().requires_grad_() for name, value in state0.items()}
    states, loss, ax = [state], 0.0, spec.project(x, leaves)
    for t in range(len(x)):
        if t and window and t % window == 0:
            state = {name: value.detach() for name, value in state.items()}
        state, _ = spec.step(ax[t], state, leaves)
        for value in state.values():
            value.retain_grad()
        states.append(state)
        loss = loss + (d_h[t] * state["h"]).sum()
    loss.backward()
    zero = lambda value: torch.zeros_like(value) if value.grad is None else value.grad
    d_states = {name: torch.stack([zero(state[name]) for state in states]) for name in state0}
    return d_states, {name: zero(leaf) for name, leaf in leaves.items()}


@every_variant
@pytest.mark.parametrize("window", [None, 1, 2, 3, 5, 10, 11, 40])
def test_every_states_gradient_is_what_autograd_keeps_in_whole_runs_and_in_windows(spec, window):
    params, x, state0, d_h = case(spec, (11, 2, 3, 2, 4), 8)
    got = results(kernel_of(spec), params, x, state0, d_h, window)
    for k in range(2):
        one = [{name: value[k] for name, value in each.items()} for each in (params, state0)]
        d_states, d_params = kept(spec, one[0], x[:, k], one[1], d_h[:, k], window)
        for name, value in d_states.items():
            assert_close(got["d", name][:, k], value)
        for name, value in d_params.items():
            assert_close(got["p", name][k], value)


@every_variant
def test_a_window_as_long_as_the_run_cuts_nothing(spec):
    arguments = case(spec, (6, 2, 3, 2, 4), 8)
    whole = results(kernel_of(spec), *arguments)
    for window in (6, 7, 100):
        assert_same(results(kernel_of(spec), *arguments, window), whole, 0)
    assert not torch.equal(results(kernel_of(spec), *arguments, 5)["d", "h"], whole["d", "h"])


@every_variant
def test_models_in_one_stack_are_as_alone(spec):
    params, x, state0, d_h = case(spec, (9, 5, 3, 2, 4), 1)
    stack = results(kernel_of(spec), params, x, state0, d_h, 4)
    for k in range(5):
        one = slice(k, k + 1)
        alone = results(
            kernel_of(spec),
            {name: value[one] for name, value in params.items()},
            x[:, one],
            {name: value[one] for name, value in state0.items()},
            d_h[:, one],
            4,
        )
        for (part, name), value in alone.items():
            mine = stack[part, name]
            assert_close(mine[one] if part == "p" else mine[:, one], value)


@every_variant
def test_buffers_fit_what_comes_and_remember_nothing(spec):
    kernel = kernel_of(spec)
    # Each axis changes alone once, and the type between the last and the first.
    sizes = [(5, 2, 3, 2, 4), (9, 2, 3, 2, 4), (5, 2, 3, 2, 4), (5, 2, 7, 2, 4), (5, 2, 7, 2, 3)]
    sizes += [(5, 2, 7, 1, 3), (5, 1, 7, 1, 3), (1, 1, 1, 1, 1), (5, 2, 3, 2, 4)]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5), (torch.float64, 1e-12)):
        for n, shape in enumerate(sizes):
            arguments = case(spec, shape, n, dtype, gain=0.3)
            window = (None, 2, 3)[n % 3]
            assert_same(
                results(kernel, *arguments, window), results(Plain(spec), *arguments, window), tolerance
            )


@every_variant
def test_states_left_out_start_at_zero_even_after_a_run_that_named_them(spec):
    kernel, (params, x, state0, d_h) = kernel_of(spec), case(spec, (4, 2, 3, 2, 4), 2)
    results(kernel, params, x, state0, d_h)
    assert_same(results(kernel, params, x, None, d_h), results(Plain(spec), params, x, None, d_h))
    last = {spec.state_names[-1]: state0[spec.state_names[-1]]}
    assert_same(results(kernel, params, x, last, d_h), results(Plain(spec), params, x, last, d_h))


@every_variant
def test_backward_can_be_asked_twice_and_forward_again_afterwards(spec):
    kernel, (params, x, state0, d_h) = kernel_of(spec), case(spec, (7, 2, 3, 2, 4), 2)
    first = results(kernel, params, x, state0, d_h)
    kernel.backward(3 * d_h)
    again = {("d", name): d.clone() for name, d in kernel.backward(d_h).d_states.items()}
    assert all(torch.equal(first[key], value) for key, value in again.items())
    assert_same(results(kernel, params, x, state0, d_h), first, 0)


@every_variant
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_nothing_given_is_changed_and_what_is_returned_can_enter_autograd(spec, dtype):
    params, x, state0, d_h = case(spec, (7, 2, 3, 2, 4), 2, dtype)
    learned = {name: torch.nn.Parameter(value.clone()) for name, value in params.items()}
    given = [x, d_h, *state0.values()]
    before = [value.clone() for value in given]
    kernel = kernel_of(spec)
    states = kernel.forward(learned, x, state0)
    last = states["h"][-1].detach().requires_grad_()
    (torch.ones(2, 4, 1, dtype=dtype, requires_grad=True) * last.mT).square().sum().backward()
    found = kernel.backward(d_h)
    assert all(torch.equal(value, kept) for value, kept in zip(given, before, strict=True))
    assert all(torch.equal(learned[name], value) for name, value in params.items())
    returned = (*states.values(), *found.d_states.values(), *found.d_params.values())
    assert not any(value.requires_grad or value.is_inference() for value in returned)
    for name, d in found.d_params.items():
        assert d.shape == learned[name].shape
        assert d.is_contiguous()  # a fused optimizer walks through both in one order
    assert found.d_params["b_ih"].data_ptr() != found.d_params["b_hh"].data_ptr()


def plain_loop(spec, params, x, state):
    states, gates, ax = [state], [], spec.project(x, params)
    for ax_t in ax:
        state, now = spec.step(ax_t, state, params)
        states.append(state)
        gates.append(now)
    return {
        **{name: torch.stack([s[name] for s in states]) for name in spec.state_names},
        **{name: torch.stack([g[name] for g in gates]) for name in spec.gate_names},
    }


def recorded(trace):
    return {**trace.states, **trace.gates}


@every_variant
@pytest.mark.parametrize(
    "shape", [(70, 1, 3, 5), (200, 1, 2, 32), (40, 3, 2, 5), (33, 8, 3, 16), (300, 2, 1, 7)]
)
def test_a_float64_trace_has_all_the_bits_of_the_steps(spec, shape):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, 1), draw(2, T, B, D), random_state(spec, B, H, 3)
    params["W_hh"] = params["W_hh"] / H**0.5
    trace = recorded(unroll(spec, params, x, state0))
    for name, value in plain_loop(spec, params, x, state0).items():
        assert torch.equal(trace[name], value), name


@every_variant
@given(shape=st.tuples(st.integers(1, 90), *[st.integers(1, 4)] * 3), seed=oracle.seeds, first=st.booleans())
@few
def test_float32_traces_and_gradients_are_near(spec, shape, seed, first):
    T, B, D, H = shape
    params, x = random_params(spec, D, H, seed, torch.float32), draw(seed, T, B, D, dtype=torch.float32)
    params["W_hh"] = params["W_hh"] / 4
    state0 = random_state(spec, B, H, seed, torch.float32) if first else {}
    exact = [{k: v.double() for k, v in each.items()} for each in (params, state0)]
    want = plain_loop(spec, exact[0], x.double(), {**spec.zero_state(x.double(), H), **exact[1]})
    trace = unroll(spec, params, x, state0)
    for name, value in recorded(trace).items():
        assert value.dtype == torch.float32
        assert_close(value, want[name], 1e-5)
    d_h = draw(seed + 5, T, B, H)
    d_states, d_params = kept(
        spec, exact[0], x.double(), {**spec.zero_state(x.double(), H), **exact[1]}, d_h, None
    )
    near = bptt(spec, params, x, lambda h: (d_h.float() * h).sum(), state0)
    for got, of in ((near.d_states, d_states), (near.d_params, d_params)):
        for name, value in of.items():
            assert_close(got[name], value, 1e-5)


@every_variant
@given(shape=st.tuples(st.integers(1, 90), *[st.integers(1, 4)] * 3), seed=oracle.seeds)
@few
def test_bptt_equals_a_loop_that_keeps_every_gradient(spec, shape, seed):
    T, B, D, H = shape
    params, x, state0 = random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)
    params["W_hh"] = params["W_hh"] / 4
    d_h = draw(seed + 5, T, B, H)
    d_states, d_params = kept(spec, params, x, state0, d_h, None)
    found = bptt(spec, params, x, lambda h: (d_h * h).sum(), state0)
    assert torch.equal(found.d_loss, d_h)
    for got, of in ((found.d_states, d_states), (found.d_params, d_params)):
        assert got.keys() == of.keys()
        for name, value in of.items():
            assert_close(got[name], value)


@every_variant
def test_a_trace_handed_out_never_changes(spec):
    params, x = random_params(spec, 2, 4, 0), draw(1, 50, 2, 2)
    traces = [unroll(spec, params, x), unroll(spec, params, x[:7]), bptt(spec, params, x, lambda h: h.sum())]
    values = [*recorded(traces[0]).values(), *recorded(traces[1]).values(), *traces[2].d_states.values()]
    before = [value.clone() for value in values]
    other = random_params(spec, 2, 4, 9)
    unroll(spec, other, -x)
    bptt(spec, other, -x, lambda h: -h.square().sum())
    assert all(torch.equal(a, b) for a, b in zip(values, before, strict=True))


@every_variant
def test_threads_do_not_share_buffers(spec):
    inputs = [(random_params(spec, 2, 8, seed), draw(seed, 120, 2, 2)) for seed in range(6)]
    loss = lambda h: h.square().sum()
    want = [(recorded(unroll(spec, *each)), bptt(spec, *each, loss).d_params) for each in inputs]
    wrong = []

    def work(n):
        for _ in range(4):
            for mine, true in zip(
                (recorded(unroll(spec, *inputs[n])), bptt(spec, *inputs[n], loss).d_params),
                want[n],
                strict=True,
            ):
                wrong.extend(name for name, value in true.items() if not torch.equal(mine[name], value))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@every_variant
def test_a_float32_run_holds_its_bits_until_something_is_held(spec):
    params, x = random_params(spec, 2, 5, 0, torch.float32), draw(1, 90, 3, 2, dtype=torch.float32)
    free = recorded(unroll(spec, params, x))
    for first in (1, 2, 40, 90):
        held = recorded(unroll(spec, params, x, clamp=[Clamp("h", 0.25, (1,), (first,))]))
        for name, value in free.items():
            before = first if name in spec.state_names else first - 1
            bits = held[name][:before].view(torch.int32)  # of what has overflowed, too
            assert torch.equal(bits, value[:before].view(torch.int32))
        assert (held["h"][first, :, 1] == 0.25).all()

"""What if: runs in which gates and states are held, against the equations with the same values held."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine import CELLS, Clamp, bptt, lesion, unroll, wires
from tests.engine import oracle
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, quick, random_params, random_state

LSTM, GRU = CELLS["lstm"], CELLS["gru"]
every_variant = pytest.mark.parametrize("spec", VARIANTS, ids=name_of)


def known(spec):
    return (*spec.gate_names, *spec.state_names)


def holding(clamps):
    """The clamps as `oracle.run` takes them."""

    def hold(name, t, value):
        value = value.copy()
        for clamp in clamps:
            if clamp.name == name and (clamp.steps is None or t in clamp.steps):
                value[..., slice(None) if clamp.units is None else list(clamp.units)] = clamp.value
        return value

    return hold


def some_of(low, high):
    """None for all, or some of the whole numbers from low to high, in any order."""
    return st.none() | st.lists(st.integers(low, high), max_size=3).map(tuple)


@st.composite
def clamped(draw_from, spec):
    """A shape, a seed, and one to four clamps on it."""
    T, B, D, H = draw_from(oracle.shapes)
    clamp = st.builds(Clamp, st.sampled_from(known(spec)), st.floats(-2, 2), some_of(0, H - 1), some_of(1, T))
    return (T, B, D, H), draw_from(oracle.seeds), draw_from(st.lists(clamp, min_size=1, max_size=4))


def case(spec, shape, seed):
    T, B, D, H = shape
    return random_params(spec, D, H, seed), draw(seed, T, B, D), random_state(spec, B, H, seed)


def recorded(trace):
    return {**trace.states, **trace.gates}


def assert_runs_agree(trace, states, gates):
    assert recorded(trace).keys() == {**states, **gates}.keys()
    for name, value in {**states, **gates}.items():
        assert_close(recorded(trace)[name], value)


@every_variant
@given(data=st.data())
@quick
def test_clamped_runs_and_their_gradients_equal_the_equations(spec, data):
    shape, seed, clamps = data.draw(clamped(spec))
    params, x, state0 = case(spec, shape, seed)
    hold = holding(clamps)
    assert_runs_agree(
        unroll(spec, params, x, state0, clamps), *oracle.run(spec, params, x, state0, hold=hold)
    )
    weights = draw(seed + 9, shape[0], shape[1], shape[3])
    loss = oracle.some_loss(weights.numpy())
    d_params, d_states = oracle.gradients(spec, params, x, state0, loss, hold=hold)
    grads = bptt(spec, params, x, oracle.some_loss(weights), state0, clamps)
    for got, want in ((grads.d_params, d_params), (grads.d_states, d_states)):
        assert got.keys() == want.keys()
        for name, value in want.items():
            assert_close(got[name], value)
    held, _ = oracle.run(spec, params, x, state0, hold=hold)
    assert_close(grads.loss, loss(held["h"][1:]))


@every_variant
def test_one_unit_of_anything_can_be_held_at_one_step_at_any_value(spec):
    params, x, state0 = case(spec, (6, 3, 2, 4), 3)
    free = unroll(spec, params, x, state0)
    for name in known(spec):
        for value in (0.0, 1.0, -7, 1e6):
            clamp = [Clamp(name, value, (1, 3), (4,))]
            trace = unroll(spec, params, x, state0, clamp)
            with np.errstate(over="ignore"):  # e^1000000 is inf, and the gate shut
                assert_runs_agree(trace, *oracle.run(spec, params, x, state0, hold=holding(clamp)))
            at = recorded(trace)[name][4 if name in spec.state_names else 3]
            assert (at[:, [1, 3]] == value).all()
            for key, whole in recorded(trace).items():  # steps before, to the bit
                before = 4 if key in spec.state_names else 3
                assert torch.equal(whole[:before], recorded(free)[key][:before])
            assert not torch.equal(trace.states["h"][4:], free.states["h"][4:])


@every_variant
@pytest.mark.parametrize("clamps", [(), "no unit", "no step"])
def test_what_holds_nothing_changes_no_bit(spec, clamps):
    params, x, state0 = case(spec, (40, 2, 2, 3), 3)
    if clamps:
        clamps = [Clamp("h", 2.0, **{"no unit": {"units": ()}, "no step": {"steps": ()}}[clamps])]
    free, trace = unroll(spec, params, x, state0), unroll(spec, params, x, state0, clamps)
    loss = lambda h: h.square().sum()
    plain, grads = bptt(spec, params, x, loss, state0), bptt(spec, params, x, loss, state0, clamps)
    for got, want in (
        (recorded(trace), recorded(free)),
        (grads.d_states, plain.d_states),
        (grads.d_params, plain.d_params),
    ):
        assert all(torch.equal(got[name], value) for name, value in want.items())


@pytest.mark.parametrize("first", [1, 30, 32, 33, 64, 65, 98])
@every_variant
def test_long_runs_hold_at_the_steps_asked_for(spec, first):
    params, x, state0 = case(spec, (100, 2, 2, 3), 5)
    params["W_hh"] = params["W_hh"] / 4  # contracting, or rounding grows with the state
    held = tuple(range(first, min(first + 5, 101)))
    for name in known(spec):
        clamp = [Clamp(name, 0.7, (0, 2), held)]
        trace = unroll(spec, params, x, state0, clamp)
        assert_runs_agree(trace, *oracle.run(spec, params, x, state0, hold=holding(clamp)))
        free = unroll(spec, params, x, state0)
        assert torch.equal(trace.states["h"][:first], free.states["h"][:first])
        assert not torch.equal(trace.states["h"][first], free.states["h"][first])


def test_a_large_batch_whose_input_is_projected_in_parts_holds_alike():
    params, x, state0 = case(LSTM, (70, 1500, 1, 3), 5)  # 32 steps' projections exceed 4 MB
    params["W_hh"] = params["W_hh"] / 4
    clamp = [Clamp("f", 0.2, (1,), (20, 40, 69)), Clamp("h", -0.5, (0,), (33, 65))]
    trace = unroll(LSTM, params, x, state0, clamp)
    assert_runs_agree(trace, *oracle.run(LSTM, params, x, state0, hold=holding(clamp)))


@every_variant
def test_a_later_clamp_outranks_an_earlier_where_both_hold(spec):
    params, x, state0 = case(spec, (5, 2, 2, 4), 7)
    everywhere, some = Clamp("h", 0.25), Clamp("h", -0.75, (1, 2), (2, 4))
    h = unroll(spec, params, x, state0, [everywhere, some]).states["h"]
    want = torch.full_like(h[1:], 0.25)
    for step in (2, 4):
        want[step - 1, :, 1:3] = -0.75
    assert torch.equal(h[1:], want)
    assert torch.equal(h[0], state0["h"])
    assert (unroll(spec, params, x, state0, [some, everywhere]).states["h"][1:] == 0.25).all()


def test_an_lstm_that_forgets_nothing_and_writes_nothing_keeps_its_cell_state_to_the_bit():
    params, x, state0 = case(LSTM, (80, 3, 2, 4), 1)
    keep = [Clamp("f", 1.0), Clamp("i", 0.0)]
    trace = unroll(LSTM, params, x, state0, keep)
    assert torch.equal(trace.states["c"], state0["c"].expand(81, 3, 4))
    assert trace.states["h"].std() > 0.1
    shut = unroll(LSTM, params, x, state0, [Clamp("o", 0.0)])
    assert not shut.states["h"][1:].any()
    assert shut.states["c"].std() > 0.1


def test_through_an_lstm_that_only_keeps_the_gradient_is_a_sum_over_what_is_shown():
    T, v = 40, 0.3
    params, x, state0 = case(LSTM, (T, 2, 3, 4), 1)
    weights = draw(2, T, 2, 4)
    grads = bptt(
        LSTM,
        params,
        x,
        lambda h: (weights * h).sum(),
        state0,
        [Clamp("f", 1.0), Clamp("i", 0.0), Clamp("o", v)],
    )
    # c_t = c_0 and h_t = v tanh c_0, so dL/dc_t = v (1 - tanh² c_0) Σ_{k ≥ t} w_k.
    shown = v * (1 - state0["c"].tanh().square()) * weights.flip(0).cumsum(0).flip(0)
    assert_close(grads.d_states["c"], torch.cat([shown[:1], shown]))
    assert_close(grads.d_states["h"], torch.cat([0 * weights[:1], weights]))
    assert not any(d.any() for d in grads.d_params.values())
    assert grads.loss == pytest.approx((weights * v * state0["c"].tanh()).sum().item(), rel=1e-12)


@pytest.mark.parametrize("spec", [s for s in VARIANTS if s.name == "gru"], ids=name_of)
def test_a_gru_whose_update_gate_only_keeps_is_a_constant(spec):
    params, x, state0 = case(spec, (40, 2, 3, 4), 1)
    weights = draw(2, 40, 2, 4)
    clamp = [Clamp("z", 1.0 if spec.option("z") == "keeps" else 0.0)]
    assert torch.equal(unroll(spec, params, x, state0, clamp).states["h"], state0["h"].expand(41, 2, 4))
    grads = bptt(spec, params, x, lambda h: (weights * h).sum(), state0, clamp)
    onwards = weights.flip(0).cumsum(0).flip(0)
    assert_close(grads.d_states["h"], torch.cat([onwards[:1], onwards]))
    assert not any(d.any() for d in grads.d_params.values())


@every_variant
def test_nothing_flows_back_through_what_is_held(spec):
    params, x, state0 = case(spec, (9, 2, 3, 4), 1)
    wall = [Clamp(name, 0.4, None, (5,)) for name in spec.state_names]
    grads = bptt(spec, params, x, lambda h: h[-1].square().sum(), state0, wall)
    for d in grads.d_states.values():
        assert not d[:5].any()
        assert d[5:8].flatten(1).any(1).all()
    later = bptt(
        spec, params, x[5:], lambda h: h[-1].square().sum(), dict.fromkeys(state0, 0.4 + 0 * state0["h"])
    )
    for name, d in later.d_params.items():
        assert_close(grads.d_params[name], d)
    for name, d in later.d_states.items():
        assert_close(grads.d_states[name][5:], d)


@pytest.mark.parametrize("cut", [(0,), (2, 4), (3, 1, 0)])
@every_variant
def test_a_lesioned_network_is_the_smaller_one_without_those_units(spec, cut):
    T, B, D, H = 40, 3, 2, 5
    params, x, state0 = case(spec, (T, B, D, H), 1)
    left = [unit for unit in range(H) if unit not in cut]
    for value in state0.values():
        value[:, list(cut)] = 0
    rows = [block * H + unit for block in range(len(spec.blocks)) for unit in left]
    smaller = {name: value[rows] for name, value in params.items()}
    smaller["W_hh"] = smaller["W_hh"][:, left]
    if spec.name == "rnn":
        params["W_hh"], smaller["W_hh"] = params["W_hh"] / 4, smaller["W_hh"] / 4
    whole = unroll(spec, params, x, state0, lesion(spec, cut))
    part = unroll(spec, smaller, x, {name: value[:, left] for name, value in state0.items()})
    assert {clamp.name for clamp in lesion(spec, cut)} == set(spec.state_names)
    for name, value in recorded(part).items():
        assert_close(recorded(whole)[name][..., left], value)
    for name in spec.state_names:
        assert not whole.states[name][..., list(cut)].any()
    loss = lambda h: h[-1].square().sum() + h[T // 2].sin().sum()
    grads = bptt(spec, params, x, lambda h: loss(h[..., left]), state0, lesion(spec, cut))
    fewer = bptt(spec, smaller, x, loss, {name: value[:, left] for name, value in state0.items()})
    for name, d in fewer.d_states.items():
        assert_close(grads.d_states[name][..., left], d)
    assert_close(grads.d_params["W_hh"][rows][:, left], fewer.d_params["W_hh"])
    assert_close(grads.d_params["W_ih"][rows], fewer.d_params["W_ih"])


def test_nothing_given_is_changed_and_nothing_returned_is_attached():
    params, x, state0 = case(LSTM, (5, 2, 2, 3), 1)
    learned = {name: torch.nn.Parameter(value.clone()) for name, value in params.items()}
    clamp = [Clamp("f", 0.5, (1,)), Clamp("c", 0.1, None, (3,))]
    trace = unroll(LSTM, learned, x, state0, clamp)
    grads = bptt(LSTM, learned, x, lambda h: h.sum(), state0, clamp)
    assert not any(v.requires_grad or v.is_inference() for v in recorded(trace).values())
    assert not any(d.requires_grad for d in (*grads.d_states.values(), *grads.d_params.values()))
    assert all(torch.equal(learned[name], value) for name, value in params.items())
    assert all(value.grad is None for value in learned.values())
    assert_runs_agree(trace, *oracle.run(LSTM, params, x, state0, hold=holding(clamp)))


def test_float32_runs_hold_in_float32():
    params, x = random_params(GRU, 2, 3, 0, torch.float32), draw(1, 6, 2, 2, dtype=torch.float32)
    clamp = [Clamp("z", 0.1, (0,), (2, 3))]
    trace = unroll(GRU, params, x, clamp=clamp)
    assert {value.dtype for value in recorded(trace).values()} == {torch.float32}
    states, _ = oracle.run(GRU, params, x, hold=holding(clamp))
    assert_close(trace.states["h"], states["h"], 1e-5)
    assert (trace.gates["z"][1:3, :, 0] == np.float32(0.1)).all()


NUMBERS = "allowed: a number from -1.79769e+308 to 1.79769e+308"
REFUSED = [
    (LSTM, Clamp("z", 1.0), "clamp names 'z'; lstm has i, f, g, o, h, c"),
    (GRU, Clamp("h_prev", 1.0), "clamp names 'h_prev'; gru has r, z, n, h"),
    (CELLS["rnn"], Clamp("a", 1.0), "clamp names 'a'; rnn has h"),
    (LSTM, Clamp("f", math.nan), f"clamp of f is nan; {NUMBERS}"),
    (LSTM, Clamp("c", -math.inf), f"clamp of c is -inf; {NUMBERS}"),
    (LSTM, Clamp("c", "1"), f"clamp of c is '1'; {NUMBERS}"),
    (LSTM, Clamp("c", 10**310), f"clamp of c is {10**310}; {NUMBERS}"),
    (LSTM, Clamp("f", 1.0, (0, 3)), "unit of a clamp is 3; allowed: a whole number from 0 to 2"),
    (LSTM, Clamp("f", 1.0, (-1,)), "unit of a clamp is -1; allowed: a whole number from 0 to 2"),
    (LSTM, Clamp("f", 1.0, (True,)), "unit of a clamp is True; allowed: a whole number from 0 to 2"),
    (LSTM, Clamp("f", 1.0, (1.5,)), "unit of a clamp is 1.5; allowed: a whole number from 0 to 2"),
    (GRU, Clamp("z", 1.0, None, (0,)), "step of a clamp is 0; allowed: a whole number from 1 to 4"),
    (GRU, Clamp("z", 1.0, (1,), (4, 5)), "step of a clamp is 5; allowed: a whole number from 1 to 4"),
]


@pytest.mark.parametrize(("spec", "clamp", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_clamps_that_cannot_be_are_named(spec, clamp, message):
    params, x = random_params(spec, 2, 3, 0), draw(1, 4, 2, 2)
    clamps, loss = [Clamp("h", 0.5), clamp], lambda h: h.sum()
    trace, grads = unroll(spec, params, x), bptt(spec, params, x, loss)
    for call in (
        lambda: unroll(spec, params, x, clamp=clamps),
        lambda: bptt(spec, params, x, loss, clamp=clamps),
        lambda: wires(spec, params, trace, grads, clamps),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole sentence is compared below
            call()
        assert str(caught.value) == message

"""The records: frozen, plain, picklable, no larger than what they record, and honest about NaN and Inf."""

import dataclasses
import io
import math
import pickle

import pytest
import torch

from rnnviz.engine import CELLS, bptt, jacobians, unroll
from tests.engine.oracle import VARIANTS, assert_close, draw, name_of, random_params, random_state

D, H, B, T = 2, 3, 2, 5
IDENTITY = CELLS["rnn"].with_options(activation="identity")


def records(spec):
    params, x = random_params(spec, D, H, 0), draw(1, T, B, D)
    trace = unroll(spec, params, x)
    return trace, bptt(spec, params, x, lambda h: h.sum()), jacobians(spec, params, trace)


def tensors(value):
    """Every tensor in a record, however deep."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors(part)
    elif dataclasses.is_dataclass(value):
        yield from tensors(vars(value))


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_records_are_frozen_plain_and_picklable(spec):
    for record in records(spec):
        field = dataclasses.fields(record)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field, None)
        assert not any(value.requires_grad or value.is_inference() for value in tensors(record))
        again = pickle.loads(pickle.dumps(record))
        assert type(again) is type(record)
        for a, b in zip(tensors(again), tensors(record), strict=True):
            assert torch.equal(a, b)
        stream = io.BytesIO()
        torch.save(record, stream)


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_records_share_no_memory_with_what_was_given(spec):
    params, x, state0 = random_params(spec, D, H, 0), draw(1, T, B, D), random_state(spec, B, H, 2)
    trace = unroll(spec, params, x, state0)
    grads = bptt(spec, params, x, lambda h: h.square().sum(), state0)
    jac = jacobians(spec, params, trace)
    found = [*tensors(trace), *tensors(grads), *tensors(jac)]
    kept = [value.clone() for value in found]
    for value in (x, *params.values(), *state0.values()):
        value.fill_(math.nan)
    assert all(torch.equal(a, b) for a, b in zip(found, kept, strict=True))


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@pytest.mark.parametrize(("T", "B", "H"), [(1, 1, 1), (7, 3, 5)])
def test_a_trace_keeps_what_it_records_and_no_more(spec, T, B, H):
    for dtype, width in ((torch.float32, 4), (torch.float64, 8)):
        trace = unroll(spec, random_params(spec, D, H, 0, dtype), draw(1, T, B, D, dtype=dtype))
        numbers = (T + 1) * B * H * len(spec.states) + T * B * H * len(spec.gates)
        assert trace.nbytes == width * numbers
        assert trace.T == T


def test_a_slice_of_the_input_is_not_kept_whole():
    trace = unroll(IDENTITY, random_params(IDENTITY, D, H, 0), draw(1, 100, B, D)[:T])
    assert trace.x.untyped_storage().nbytes() == 8 * T * B * D


def test_the_first_overflow_is_named_with_its_step():
    params = {
        "W_ih": torch.ones(1, 1),
        "W_hh": torch.full((1, 1), 1e20),
        "b_ih": torch.zeros(1),
        "b_hh": torch.zeros(1),
    }
    x = torch.zeros(4, 1, 1)
    x[0] = 1.0  # h = 1, 1e20, inf: float32 ends at 3.4e38
    trace = unroll(IDENTITY, params, x)
    assert trace.states["h"][:, 0, 0].isfinite().tolist() == [True, True, True, False, False]
    assert trace.first_nonfinite() == ("h", 3)


@pytest.mark.parametrize(("cell", "gate"), [("lstm", "g"), ("lstm", "i"), ("gru", "z"), ("gru", "n")])
def test_at_one_step_the_gate_is_named_before_the_state(cell, gate):
    spec = CELLS[cell]
    params = random_params(spec, D, H, 0)
    block = spec.blocks.index(gate)
    params["W_ih"][block * H, 0] = math.inf
    x = draw(1, T, B, D)
    x[:2, :, 0] = 1.0  # σ(inf) and tanh(inf) are finite; 0·inf at step 3 is not
    x[2, 1, 0] = 0.0
    assert unroll(spec, params, x).first_nonfinite() == (gate, 3)


def test_finite_runs_have_no_first_nonfinite():
    assert all(records(spec)[0].first_nonfinite() is None for spec in VARIANTS)


def test_an_exploded_gradient_has_an_infinite_norm():
    params = {"W_ih": torch.ones(1, 1), "W_hh": torch.full((1, 1), 1e20), "b_ih": torch.zeros(1)}
    grads = bptt(IDENTITY, {**params, "b_hh": torch.zeros(1)}, torch.zeros(3, 1, 1), lambda h: h[-1].sum())
    assert_close(grads.norms("h")[2:], [1e20, 1.0], 1e-6)
    assert grads.norms("h")[:2].tolist() == [math.inf, math.inf]


def test_a_gradient_of_zero_has_norm_zero():
    grads = bptt(IDENTITY, random_params(IDENTITY, D, H, 0), draw(1, T, B, D), lambda h: h[1].sum())
    assert grads.norms("h")[3:].tolist() == [0.0] * 3
    assert grads.log_norms("h")[3:].tolist() == [-math.inf] * 3
    assert grads.norms("h")[:3].min() > 0

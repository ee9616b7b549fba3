"""Bad input is refused in a sentence that names the field, its value and what is allowed."""

import math

import pytest
import torch

from rnnviz.engine import CELLS, bptt, jacobians, lyapunov, unroll
from tests.engine.oracle import draw, random_params

LSTM = CELLS["lstm"]  # H = 3, D = 2
PARAMS = random_params(LSTM, 2, 3, 0)
X = draw(1, 4, 2, 2)


def spoiled(t, b, d, value):
    x = X.clone()
    x[t, b, d] = value
    return x


CASES = [
    ({"x": X[0]}, "x has shape (2, 2); allowed: (T, B, D), each at least 1"),
    ({"x": X[:0]}, "x has shape (0, 2, 2); allowed: (T, B, D)"),
    ({"x": X[:, :0]}, "x has shape (4, 0, 2); allowed: (T, B, D)"),
    ({"x": X[..., :1]}, "x has 1 features; W_ih takes 2"),
    ({"x": X.float()}, "x is torch.float32; the parameters are torch.float64"),
    ({"x": X.long()}, "x is torch.int64; the parameters are torch.float64"),
    ({"x": spoiled(2, 1, 0, math.nan)}, "x[t=2, b=1, d=0] is nan; allowed: finite numbers"),
    ({"x": spoiled(3, 0, 1, -math.inf)}, "x[t=3, b=0, d=1] is -inf; allowed: finite numbers"),
    ({"state0": {"m": X}}, "state0 names 'm'; lstm has h, c"),
    ({"state0": {"h": torch.zeros(2, 4).double()}}, "state0['h'] has shape (2, 4); needed: (2, 3)"),
    ({"state0": {"c": torch.zeros(2, 3)}}, "state0['c'] is torch.float32; x is torch.float64"),
    (
        {"state0": {"c": torch.full((2, 3), math.inf).double()}},
        "state0['c'][b=0, h=0] is inf; allowed: finite numbers",
    ),
    ({"params": {}}, "params lacks W_ih, W_hh, b_ih, b_hh; lstm needs"),
    ({"params": {**PARAMS, "W_hh": X}}, "W_ih and W_hh have 2 and 3 axes; allowed: 2 each"),
    (
        {"params": {**PARAMS, "W_hh": PARAMS["W_hh"][:9]}},
        "W_hh has shape (9, 3); lstm with H=3 needs (12, 3)",
    ),
    (
        {"params": {**PARAMS, "W_ih": PARAMS["W_ih"].T}},
        "W_ih has shape (2, 12); lstm with H=3 needs (12, 12)",
    ),
    ({"params": {**PARAMS, "b_hh": X}}, "b_hh has shape (4, 2, 2); lstm with H=3 needs (12,)"),
    ({"params": {**PARAMS, "b_ih": PARAMS["b_ih"].float()}}, "b_ih is torch.float32; allowed: all float32"),
    ({"params": {k: v.half() for k, v in PARAMS.items()}}, "W_ih is torch.float16; allowed: all float32"),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[message.split(";")[0] for _, message in CASES])
@pytest.mark.parametrize(
    "call",
    [
        unroll,
        lambda spec, params, x, state0: bptt(spec, params, x, lambda h: h.sum(), state0),
        lambda spec, params, x, state0: lyapunov(spec, params, x, 1, state0),
    ],
    ids=["unroll", "bptt", "lyapunov"],
)
def test_bad_input_is_named(call, changes, message):
    arguments = {"params": PARAMS, "x": X, "state0": None, **changes}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 # the whole sentence is compared below
        call(LSTM, **arguments)
    assert str(caught.value).startswith(message)


def test_jacobians_check_their_initial_state():
    with pytest.raises(ValueError, match="state0 names 'm'; lstm has h, c"):
        jacobians(LSTM, PARAMS, unroll(LSTM, PARAMS, X), {"m": X})


def test_a_loss_must_be_a_scalar():
    with pytest.raises(ValueError, match=r"loss returned shape \(2, 3\); allowed: a scalar"):
        bptt(LSTM, PARAMS, X, lambda h: h[-1])

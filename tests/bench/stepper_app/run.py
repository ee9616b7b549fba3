"""The run that the stepper is measured with, and the numbers in it."""

import json
import struct
from functools import lru_cache, partial
from math import prod

import torch

from rnnviz.charts.stepper import Run, pack
from rnnviz.engine import CELLS, bptt, init_params, unroll, wires
from rnnviz.experiment import loss_on
from rnnviz.signals import noise

LSTM = CELLS["lstm"]


@lru_cache
def packed(T: int, H: int) -> bytes:
    """An LSTM's run over noise, forward and backward, as a page hands it to the stepper."""
    with torch.no_grad():
        x = noise(T, 4).unsqueeze(1)
        params = init_params(LSTM, 1, H, seed=4, forget_bias=1.0)
        trace = unroll(LSTM, params, x)
    gradients = bptt(LSTM, params, x, partial(loss_on, "last"))
    caption, loss = f"LSTM · H = {H} · noise", "the last step"
    return pack(
        Run(LSTM, params, trace, gradients, wires(LSTM, params, trace, gradients), (), (), caption, loss),
        {"t": 1, "unit": 1},
    )


def header(run: bytes) -> dict:
    """What a packed run says of itself."""
    (size,) = struct.unpack_from("<I", run)
    return json.loads(run[4 : 4 + size])


def values(run: bytes) -> int:
    """How many different numbers a packed run carries: equal arrays lie in one place."""
    return sum({offset: prod(shape) for _, shape, offset in header(run)["arrays"].values()}.values())

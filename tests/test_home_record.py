"""The run that home shows before torch is loaded: it is fresh, it is torch.nn's, and a page shows it too."""

import json
import struct

import numpy as np
import pytest
import torch
from torch import nn

from rnnviz import home_record
from rnnviz.ui.pages import CELL, PAGES
from tests.charts.payload import Payload, assert_laid_out
from tests.pages.visit import check_whole, sent, visit

TEXT, H = "the clouds are in the sky", 12


@pytest.fixture(scope="module")
def kept():
    return Payload(home_record.PATH.read_bytes())


def assert_same_header(got, want):
    """Equal, numbers to nine digits: limits and the flow's ends are formed of float64s that a libm rounds."""
    assert type(got) is type(want)
    if isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            assert_same_header(got[key], want[key])
    elif isinstance(want, list):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            assert_same_header(one, other)
    elif isinstance(want, float):
        assert got == pytest.approx(want, rel=1e-9, abs=0)
    else:
        assert got == want


def test_the_record_is_laid_out_as_the_browser_reads_it(kept):
    assert_laid_out(kept)
    assert {values.dtype.str for values in kept.arrays.values()} == {"<f4"}
    (size,) = struct.unpack("<I", kept.data[:4])
    assert json.loads(kept.data[4 : 4 + size]) == kept.head


def test_the_record_is_up_to_date(kept):
    # Not compared byte for byte: exp, tanh, the eigenvalues behind the spectral radius and the order in which
    # a BLAS sums are not the same to the last bit on every machine, and a float64 that moves by one bit can
    # move the float32 it is rounded to. On the machine that wrote the file the bytes are the same.
    fresh = Payload(home_record.record())
    assert_same_header(kept.head, fresh.head)
    for name, values in fresh.arrays.items():
        np.testing.assert_allclose(kept.arrays[name], values, rtol=1e-6, atol=1e-6, err_msg=name)


def test_two_records_of_one_machine_are_the_same_bytes():
    assert home_record.record() == home_record.record()


def test_the_header_says_what_is_shown_and_that_it_plays(kept):
    head = kept.head
    assert (head["cell"], head["T"], head["H"], head["D"]) == ("LSTM", len(TEXT), H, len(set(TEXT)))
    assert "".join(head["symbols"]) == TEXT
    assert head["features"] == sorted(set(TEXT))
    assert head["start"] == {"t": 1, "unit": 3, "playing": True, "silent": True, "compact": True}
    assert head["loss"] == "the last step"
    for words in (TEXT, "LSTM", "forget bias 1", "H = 12", "radius 1.5", "seed 4"):
        assert words in head["caption"]
    assert head["delta"] == {}
    assert len(kept.data) < 100_000  # it is sent before anything else is there


def module_of():
    """``torch.nn``'s own layer: its draw, each block of U scaled to radius 1.5, forget bias 1."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = nn.LSTM(len(set(TEXT)), H, dtype=torch.float64)
    with torch.no_grad():
        for block in module.weight_hh_l0.chunk(4):
            block *= 1.5 / np.abs(np.linalg.eigvals(block.numpy())).max()
        module.bias_ih_l0[H : 2 * H], module.bias_hh_l0[H : 2 * H] = 1.0, 0.0
    return module


def test_its_numbers_are_those_of_torch_nn(kept):
    module, alphabet = module_of(), sorted(set(TEXT))
    for kind in ("ih", "hh"):
        for ours, theirs in (("W", "weight"), ("b", "bias")):
            want = getattr(module, f"{theirs}_{kind}_l0").detach().numpy()
            np.testing.assert_allclose(kept.arrays[f"{ours}_{kind}"], want, atol=1e-6)
    x = torch.eye(len(alphabet), dtype=torch.float64)[[alphabet.index(letter) for letter in TEXT]]
    assert torch.equal(torch.tensor(kept.arrays["x"]).double(), x)
    h, c = (torch.zeros(1, 1, H, dtype=torch.float64, requires_grad=True) for _ in "hc")
    states = [(h, c)]
    for t in range(len(TEXT)):
        with torch.no_grad():
            # Each gate apart, by torch.nn's own weights in torch.nn's order.
            a = module.weight_ih_l0 @ x[t] + module.bias_ih_l0
            a = (a + module.weight_hh_l0 @ states[-1][0][0, 0] + module.bias_hh_l0).chunk(4)
        gates = dict(zip("ifgo", (a[0].sigmoid(), a[1].sigmoid(), a[2].tanh(), a[3].sigmoid()), strict=True))
        for name, value in gates.items():
            np.testing.assert_allclose(kept.arrays[name][t], value, atol=1e-6)
        states.append(module(x[t : t + 1, None], states[-1])[1])
    flat = [value for pair in states for value in pair]
    asked = torch.autograd.grad(states[-1][0].sum() / H**0.5, flat, materialize_grads=True)
    for t, (h, c) in enumerate(states):
        d_h, d_c = asked[2 * t : 2 * t + 2]
        if t:  # the layer hands c out apart from h; in total h_t = o tanh c_t is a way to the loss as well
            d_c = d_c + d_h * torch.tensor(kept.arrays["o"][t - 1]) * (1 - c.tanh().square())
        for name, value in {"h": h, "c": c, "d:h": d_h, "d:c": d_c}.items():
            np.testing.assert_allclose(kept.arrays[name][t], value.detach()[0, 0], atol=1e-6, err_msg=name)


def test_the_first_link_of_home_leads_to_the_same_run():
    at = visit(CELL, cell_init="Spectral radius", cell_radius=1.5)
    check_whole(at)
    page, home = sent(at), Payload(home_record.record())
    assert page.data[page.start :] == home.data[home.start :]
    assert {**page.head, "start": None} == {**home.head, "start": None}
    assert sent(visit(PAGES[0])).data == home_record.PATH.read_bytes()

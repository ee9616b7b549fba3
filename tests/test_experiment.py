"""What a page shows: its words, its loss and its weights."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from rnnviz.engine import SCHEMES, bptt, init_params
from rnnviz.experiment import Input, Model, caption_of, loss_on
from rnnviz.signals import signal
from tests.engine.oracle import IN_TORCH, VARIANTS, name_of, torch_module

GATED = [spec for spec in VARIANTS if any(gate.memory for gate in spec.gates)]


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
@pytest.mark.parametrize("H", [1, 2, 32])
def test_the_gradient_starts_with_length_one_at_the_step_that_is_read(spec, H):
    model = Model(spec.name, spec.options, H, 3)
    x = Input("noise", 7).signal().x
    gradients = bptt(model.spec, model.params(1), x, partial(loss_on, "last"))
    np.testing.assert_allclose(
        gradients.d_states["h"][-1, 0].numpy(), np.full(H, 1 / math.sqrt(H)), rtol=1e-15
    )
    assert gradients.norms("h")[-1].item() == pytest.approx(1, abs=1e-14)


def test_the_loss_is_the_mean_direction_of_what_it_reads():
    h = torch.arange(24, dtype=torch.float64).reshape(3, 2, 4)
    assert loss_on("last", h).item() == pytest.approx(sum(range(16, 24)) / 2)
    assert loss_on("all", h).item() == pytest.approx(sum(range(24)) / 2)
    assert loss_on("all", h.float()).dtype == torch.float32
    every = sum(loss_on("last", h[: t + 1]) for t in range(3))
    assert loss_on("all", h).item() == pytest.approx(every.item())


@pytest.mark.parametrize("spec", IN_TORCH, ids=name_of)
@pytest.mark.parametrize("kind", ["last", "all"])
def test_gradients_of_the_loss_are_those_of_torch_nn(spec, kind):
    model = Model(spec.name, spec.options, 5, 3)
    x = Input("noise", 6).signal().x
    params = model.params(1)
    got = bptt(model.spec, params, x, partial(loss_on, kind)).d_params
    module = torch_module(spec, params)
    h, _ = module(x)
    ((h[-1] if kind == "last" else h).sum() / math.sqrt(5)).backward()
    for name in ("W_ih", "W_hh", "b_ih", "b_hh"):
        want = getattr(module, f"{name.replace('W', 'weight').replace('b_', 'bias_')}_l0").grad
        torch.testing.assert_close(got[name], want, rtol=1e-12, atol=1e-13)


OPTIONS = {
    "scaled": {"radius": 1.2},
    "orthogonal": {"gain": 0.9},
    "identity": {"std": 0.1},
    "chrono": {"t_max": 50},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("spec", GATED, ids=name_of)
def test_a_models_parameters_are_those_of_its_scheme_and_seed(spec, scheme):
    options = OPTIONS.get(scheme, {})
    model = Model(spec.name, spec.options, 4, 9, scheme, tuple(options.items()), 0.5)
    bias = {"forget_bias": 0.5} if spec.name == "lstm" else {}
    want = init_params(spec, 3, 4, seed=9, scheme=scheme, **options, **bias)
    got = model.params(3)
    assert set(got) == set(want)
    for name in want:
        assert torch.equal(got[name], want[name]), name
    assert not torch.equal(got["W_ih"], Model(spec.name, spec.options, 4, 8, scheme).params(3)["W_ih"])


@pytest.mark.parametrize("spec", VARIANTS, ids=name_of)
def test_only_a_forget_gate_has_a_forget_bias(spec):
    model = Model(spec.name, spec.options, 3, forget_bias=1.25)
    assert model.spec.options == spec.options
    params = model.params(2)
    if spec.name == "lstm":
        assert model.own_forget_bias == 1.25
        forget = slice(3, 6)  # PyTorch's order is i f g o
        assert torch.equal(params["b_ih"][forget] + params["b_hh"][forget], torch.full((3,), 1.25).double())
    else:
        assert model.own_forget_bias is None
        assert "forget" not in caption_of([model])
        without = Model(spec.name, spec.options, 3).params(2)
        assert all(torch.equal(params[name], without[name]) for name in params)
    assert Model(spec.name, spec.options, 3).own_forget_bias is None


def test_captions_name_every_model_once_and_shared_weights_once():
    shared = [
        Model("rnn", (("activation", "relu"),), 8, 5, "scaled", (("radius", 1.5),), 1.0),
        Model("lstm", (), 8, 5, "scaled", (("radius", 1.5),), 1.0),
        Model("gru", (("reset", "before"), ("z", "takes")), 8, 5, "scaled", (("radius", 1.5),), 1.0),
    ]
    assert caption_of(shared) == (
        "RNN (relu); LSTM, forget bias 1; GRU (before, takes) · H = 8 · weights: scaled radius 1.5, seed 5"
    )
    other = Model("rnn", (("activation", "tanh"),), 8, 5, "torch")
    assert caption_of([*shared[1:], other]) == (
        "LSTM, forget bias 1; GRU (before, takes) · H = 8 · weights: scaled radius 1.5, seed 5"
        " · RNN (tanh) · H = 8 · weights: torch, seed 5"
    )
    assert caption_of([]) == ""


def test_captions_tell_apart_whatever_gives_other_numbers():
    models = [
        Model("lstm"),
        Model("lstm", hidden_size=13),
        Model("lstm", seed=1),
        Model("lstm", scheme="glorot"),
        Model("lstm", scheme="scaled", scheme_options=(("radius", 1.05),)),
        Model("lstm", scheme="scaled", scheme_options=(("radius", 1.1),)),
        Model("lstm", forget_bias=0.0),
        Model("lstm", forget_bias=0.25),
        *(Model(spec.name, spec.options) for spec in VARIANTS if spec.name != "lstm"),
    ]
    assert len({caption_of([model]) for model in models}) == len(models)


def test_an_input_is_the_signal_of_its_fields():
    fields = {"text": "abc", "numbers": (1.0, 2.0, 4.0), "period": 3.5, "seed": 6}
    for kind in ("text", "numbers", "sunspots", "impulse", "step", "sine", "noise"):
        got, want = Input(kind, 5, **fields).signal(), signal(kind, 5, **fields)
        assert torch.equal(got.x, want.x)
        assert (got.symbols, got.caption, got.code) == (want.symbols, want.caption, want.code)
    with pytest.raises(ValueError, match="allowed"):
        Input("noise", 1).signal()

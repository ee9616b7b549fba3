"""What each scheme promises of the numbers it draws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.engine import CELLS, SCHEMES, init_params
from tests.engine.oracle import MODULES, VARIANTS, assert_close, name_of, quick, seeds, small

gains = st.sampled_from([0.0, 0.2, 1.0, 3.0, 10.0])


def blocks(spec, params, name):
    return dict(zip(spec.blocks, params[name].chunk(len(spec.blocks)), strict=True))


def no_biases(params):
    return not params["b_ih"].any() and not params["b_hh"].any()


def within_glorot(spec, W_ih):
    return all(block.abs().max() <= math.sqrt(6 / sum(block.shape)) for block in W_ih.chunk(len(spec.blocks)))


@pytest.mark.parametrize("cell", MODULES)
@given(small, small, st.integers(0, 2**63 - 1))
@quick
def test_torch_draws_what_torch_nn_draws(cell, D, H, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = MODULES[cell](D, H, dtype=torch.float64)
    params = init_params(CELLS[cell], D, H, seed)
    assert torch.equal(params["W_ih"], module.weight_ih_l0)
    assert torch.equal(params["W_hh"], module.weight_hh_l0)
    assert torch.equal(params["b_ih"], module.bias_ih_l0)
    assert torch.equal(params["b_hh"], module.bias_hh_l0)


def test_torch_has_the_spectrum_of_uniform_numbers():
    W = init_params(CELLS["rnn"], 1, 400, seed=0)["W_hh"].numpy()
    assert np.abs(np.linalg.eigvals(W)).max() == pytest.approx(1 / math.sqrt(3), rel=0.1)
    assert np.linalg.norm(W, 2) == pytest.approx(2 / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize("spec", CELLS.values(), ids=name_of)
@given(small, small, seeds, gains)
@quick
def test_scaled_has_the_radius_and_nothing_else_changed(spec, D, H, seed, radius):
    params = init_params(spec, D, H, seed, "scaled", radius=radius)
    plain = init_params(spec, D, H, seed)
    for name, block in blocks(spec, params, "W_hh").items():
        assert np.abs(np.linalg.eigvals(block.numpy())).max() == pytest.approx(radius, rel=1e-10)
        original = blocks(spec, plain, "W_hh")[name]
        assert_close(block * original.abs().max(), original * block.abs().max(), 1e-11)
    assert all(torch.equal(params[name], plain[name]) for name in ("W_ih", "b_ih", "b_hh"))


@pytest.mark.parametrize("spec", CELLS.values(), ids=name_of)
@given(small, small, seeds, gains)
@quick
def test_orthogonal_is_orthogonal_times_gain(spec, D, H, seed, gain):
    params = init_params(spec, D, H, seed, "orthogonal", gain=gain)
    for block in blocks(spec, params, "W_hh").values():
        assert_close(block @ block.T, gain**2 * np.eye(H))
    assert no_biases(params)
    assert within_glorot(spec, params["W_ih"])
    assert params["W_ih"].any()


@pytest.mark.parametrize("spec", CELLS.values(), ids=name_of)
@given(small, small, seeds, gains)
@quick
def test_identity_is_the_identity_times_gain(spec, D, H, seed, gain):
    params = init_params(spec, D, H, seed, "identity", gain=gain)
    assert all(torch.equal(W, gain * torch.eye(H).double()) for W in blocks(spec, params, "W_hh").values())
    assert no_biases(params)


@pytest.mark.parametrize("std", [0.001, 0.5])
def test_identity_has_normal_input_weights(std):
    W = init_params(CELLS["rnn"], 100, 100, 0, "identity", std=std)["W_ih"]
    assert W.mean().item() == pytest.approx(0, abs=0.03 * std)
    assert W.std().item() == pytest.approx(std, rel=0.03)
    assert (W.abs() < std).double().mean().item() == pytest.approx(0.6827, abs=0.02)


@pytest.mark.parametrize("spec", CELLS.values(), ids=name_of)
def test_glorot_has_its_variance_in_every_block(spec):
    D, H = 50, 100
    params = init_params(spec, D, H, 0, "glorot")
    for name, fans in (("W_ih", D + H), ("W_hh", 2 * H)):
        for block in blocks(spec, params, name).values():
            assert block.var().item() == pytest.approx(2 / fans, rel=0.05)
            assert math.sqrt(6 / fans) * 0.99 < block.abs().max() <= math.sqrt(6 / fans)
    assert no_biases(params)


@pytest.mark.parametrize(
    ("spec", "keeps", "writes"),
    [
        (CELLS["lstm"], "f", "i"),
        (CELLS["gru"], "z", None),
        (CELLS["gru"].with_options(z="takes"), None, "z"),
    ],
    ids=["lstm", "gru z keeps", "gru z takes"],
)
@pytest.mark.parametrize("t_max", [2.0, 10.0, 784.0])
def test_chrono_signs_and_range(spec, keeps, writes, t_max):
    H = 500
    params = init_params(spec, 2, H, 3, "chrono", t_max=t_max)
    plain = init_params(spec, 2, H, 3)
    b_ih, b_hh = blocks(spec, params, "b_ih"), blocks(spec, params, "b_hh")
    horizon = b_ih[keeps].exp() if keeps else (-b_ih[writes]).exp()
    assert horizon.min() >= 1 - 1e-12
    assert horizon.max() <= (t_max - 1) * (1 + 1e-12)
    assert horizon.mean().item() == pytest.approx(t_max / 2, rel=0.1)
    if keeps and writes:
        assert torch.equal(b_ih[writes], -b_ih[keeps])
    for name in spec.blocks:
        if name in (keeps, writes):
            assert not b_hh[name].any()
        else:
            assert torch.equal(b_ih[name], blocks(spec, plain, "b_ih")[name])
            assert torch.equal(b_hh[name], blocks(spec, plain, "b_hh")[name])
    assert torch.equal(params["W_ih"], plain["W_ih"])
    assert torch.equal(params["W_hh"], plain["W_hh"])


def test_the_gates_that_keep_memory_do():
    # chrono reads GateSpec.memory: open the gate wide, and see whether the old state stays.
    for spec in VARIANTS:
        for gate in spec.gates:
            if gate.memory:
                params = {
                    "W_ih": torch.zeros(len(spec.blocks), 1),
                    "W_hh": torch.zeros(len(spec.blocks), 1),
                    "b_ih": torch.tensor([30.0 * gate.memory if k == gate.name else 0 for k in spec.blocks]),
                    "b_hh": torch.zeros(len(spec.blocks)),
                }
                last = spec.state_names[-1]
                before = {name: torch.full((1, 1), 0.5) for name in spec.state_names}
                after, gates = spec.step(spec.project(torch.zeros(1, 1), params), before, params)
                kept = 0.5 if gate.memory > 0 or last == "h" else 0.25  # a shut i leaves f = 1/2 as it is
                assert after[last].item() == pytest.approx(kept)
                assert gates[gate.name].item() == pytest.approx(float(gate.memory > 0))


def test_every_scheme_draws_for_every_cell_that_it_allows():
    for spec in VARIANTS:
        for scheme in SCHEMES:
            if scheme == "chrono" and not any(gate.memory for gate in spec.gates):
                with pytest.raises(ValueError, match="scheme is 'chrono'; rnn has no gate that keeps memory"):
                    init_params(spec, 2, 3, 0, scheme)
            else:
                params = init_params(spec, 2, 3, 0, scheme)
                assert all(value.isfinite().all() and not value.requires_grad for value in params.values())

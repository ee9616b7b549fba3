"""The pictures of “Remedies”: shares and clipped gradients are those of torch.nn and its utilities."""

import math

import numpy as np
import pytest
import torch

from rnnviz.charts.clipping import clipped_entries, ranks_drawn
from rnnviz.charts.log_lines import DASHES
from rnnviz.charts.remedies import Share, contributions
from rnnviz.charts.theme import REMEDY
from rnnviz.engine import CELLS
from rnnviz.experiment import Input, Model
from rnnviz.ui import flow_remedies, flow_remedies_cached
from tests.charts.test_gradient_flow import assert_drawable, points, rows, said
from tests.engine.oracle import torch_module

T, H = 12, 5
NOISE = Input("noise", T, seed=2)
X = NOISE.signal().x


def model_of(name, radius=1.2, H=H):
    options = tuple((option, values[0]) for option, values in CELLS[name].choices)
    return Model(name, options, H, 3, "scaled", (("radius", radius),), 1.0)


def loss_of(h, loss):
    return (h[-1] if loss == "last" else h).sum() / math.sqrt(h.shape[-1])


def nn_shares(model, loss, window=None, biases=None):
    """‖(∂L/∂W_hh)_t‖ of torch.nn's layer, run a step at a time with weights of its own each."""
    state, outputs, weights = None, [], []
    for t in range(T):
        module = torch_module(model.spec, {**model.params(1), **(biases or {})})
        if state is not None and window and t % window == 0:
            state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        out, state = module(X[t : t + 1], state)
        outputs.append(out)
        weights.append(module.weight_hh_l0)
    found = torch.autograd.grad(loss_of(torch.cat(outputs), loss), weights, materialize_grads=True)
    return np.array([g.norm().item() for g in found])


@pytest.mark.parametrize("loss", ["last", "all"])
@pytest.mark.parametrize("name", CELLS)
def test_shares_are_those_of_torch_nn(name, loss):
    model = model_of(name)
    for window in (None, 1, 5, T):
        got = np.exp(flow_remedies_cached.shares(model, NOISE, loss, window))
        np.testing.assert_allclose(got, nn_shares(model, loss, window), rtol=1e-10, atol=1e-300)
    cut = flow_remedies_cached.shares(model, NOISE, "last", 5)
    assert np.isneginf(cut[:10]).all()
    assert np.isfinite(cut[10:]).all()


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_chrono_changes_the_gate_biases_alone(name):
    model = model_of(name)
    got = np.exp(flow_remedies_cached.chrono_shares(model, NOISE, "last", 50.0))
    # U(±1/√H) for all four arrays, then log U[1, 49] for the gate that keeps, from one generator.
    drawn = torch.Generator().manual_seed(3)
    G = len(model.spec.blocks)
    for size in (G * H, G * H * H, G * H, G * H):
        torch.empty(size, dtype=torch.float64).uniform_(generator=drawn)
    bias = torch.empty(H, dtype=torch.float64).uniform_(1.0, 49.0, generator=drawn).log()
    biases = {key: model.params(1)[key].clone() for key in ("b_ih", "b_hh")}
    for gate in model.spec.gates:
        if gate.memory:
            k = model.spec.blocks.index(gate.name)
            biases["b_ih"][k * H : (k + 1) * H] = gate.memory * bias
            biases["b_hh"][k * H : (k + 1) * H] = 0
    np.testing.assert_allclose(got, nn_shares(model, "last", biases=biases), rtol=1e-10)


@pytest.mark.parametrize("theta", [0.001, 0.03, 0.3, 1000.0])
@pytest.mark.parametrize("name", CELLS)
def test_clipping_is_that_of_torch(name, theta):
    model = model_of(name)

    def gradients():
        module = torch_module(model.spec, model.params(1))
        loss_of(module(X)[0], "all").backward()
        return module

    def whole(module):
        return torch.cat([p.grad.flatten() for p in module.parameters()])

    plain, by_norm, by_value = gradients(), gradients(), gradients()
    before = torch.nn.utils.clip_grad_norm_(by_norm.parameters(), theta).item()
    torch.nn.utils.clip_grad_value_(by_value.parameters(), theta)
    found = flow_remedies_cached.clipped(model, NOISE, "all", theta)
    assert found.norms["plain"] == pytest.approx(before, rel=1e-12)
    for way, module in (("plain", plain), ("norm", by_norm), ("value", by_value)):
        sizes = module.weight_hh_l0.grad.abs().flatten().sort(descending=True).values
        np.testing.assert_allclose(found.sizes[way], sizes, rtol=1e-10, atol=1e-16)
        assert found.norms[way] == pytest.approx(whole(module).norm().item(), rel=1e-10)
        if way != "plain":
            cosine = torch.nn.functional.cosine_similarity(whole(plain), whole(module), dim=0)
            assert found.cosines[way] == pytest.approx(cosine.item(), abs=1e-12)
    assert found.scale == pytest.approx(min(1.0, theta / (before + 1e-6)), rel=1e-12)


def test_clipping_shifts_and_does_not_tilt():
    model = model_of("rnn", radius=0.6)
    clipped = flow_remedies_cached.clipped(model, NOISE, "last", 0.01)
    runs = flow_remedies.runs_of(model, T, 5, None, 0.01)
    plain, norm, *_ = flow_remedies.shares_of(NOISE, "last", runs, clipped)
    assert (plain.remedy, norm.remedy) == ("plain", "norm")
    np.testing.assert_allclose(norm.logs[1:] - plain.logs[1:], math.log(clipped.scale), rtol=1e-12)
    assert clipped.scale < 0.1
    words = flow_remedies.answer(plain.logs, clipped, 0.01, "yes")
    ratio = nn_shares(model, "last")
    said = f"{ratio[1] / ratio[-1]:.2e}".replace("e-0", "e-")
    assert words.count(said) == 2, (words, said)
    assert words.startswith("You expected yes. It is **no**.")


def test_the_answer_fits_the_case():
    logs = np.array([-np.inf, -3.0, 0.0])
    small = flow_remedies_cached.Clipped({}, {"plain": 0.5, "norm": 0.5}, {"norm": 1.0, "value": 1.0}, 1.0)
    words = flow_remedies.answer(logs, small, 1.0, "no")
    assert "as you expected" in words
    assert "not above θ = 1" in words
    assert "step 2 adds 0.0498 times" in words
    assert "exactly 0" in flow_remedies.answer(np.full(3, -np.inf), small, 1.0, "")
    for value, called in ((math.inf, "∞"), (math.nan, "not a number")):
        broken = flow_remedies_cached.Clipped({}, {"plain": value}, {}, math.nan)
        assert called in flow_remedies.answer(logs, broken, 1.0, "")


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_compared_with_what_it_can_be_given(name):
    model = model_of(name)
    remedies = [run.remedy for _, run in flow_remedies.runs_of(model, T, 5, 4.0, None)]
    gated = name != "rnn"
    assert remedies == ["plain", "window", *(["forget", "chrono"] if gated else ["residual", "forget"])]
    own = [run.remedy for _, run in flow_remedies.runs_of(model, T, 5, 1.0, None)]
    assert "forget" not in own, "no different from what it is"
    assert set(remedies) <= set(REMEDY) == set(DASHES)


@pytest.mark.parametrize(
    "logs",
    [
        [-np.inf, 0.0, 1.0],
        [-np.inf] * 3,
        [-1000.0, -50.0, 0.0],
        [0.0, 50.0, 800.0],
        [np.nan, 0.0, 1.0],
        [0.0, 1.0],
    ],
    ids=str,
)
def test_no_share_is_dropped(logs):
    logs = np.array(logs)
    shares = [Share("plain", "as it is", logs), Share("window", "window 1", np.full(len(logs), -np.inf))]
    figure = contributions(shares, "RNN", "seed 3")
    assert_drawable(figure)
    for share in shares:
        own, words = points(figure, remedy=share.remedy), said(figure, share.name)
        zeros = [r["x"] for r in rows(figure, "zero") if r["remedy"] == share.remedy]
        sides = [r["x"] for r in rows(figure, "below", "above") if r["remedy"] == share.remedy]
        assert [r["x"] for r in own] == list(range(len(logs))) == sorted(words)
        for row, log in zip(own, share.logs[::-1].tolist(), strict=True):
            power = log / math.log(10)
            assert (row["x"] in zeros) == (log == -np.inf)
            assert (row["x"] in sides) == (abs(power) > 38 and log != -np.inf)
            if log == -np.inf:
                assert (row["place"], words[row["x"]]) == (None, "exactly 0")
            elif np.isnan(log):
                assert (row["place"], words[row["x"]]) == (None, "not a number")
            else:
                assert row["place"] == pytest.approx(min(max(power, -38), 38))
    lane = {r["label"] for r in rows(figure, "lane")}
    assert lane == {"exactly 0"}
    below = [r["place"] for r in rows(figure, "zero")]
    above = [r["place"] for r in points(figure) if r["place"] is not None]
    assert not above or max(below) < min(above)
    np.testing.assert_allclose(figure.table["log10_norm"] * math.log(10), [*logs, *shares[1].logs])


def test_the_curves_over_ranks():
    sizes = {
        "plain": np.array([4.0, 2.0, 1.0, 0.0]),
        "norm": np.array([0.4, 0.2, 0.1, 0.0]),
        "value": np.array([1.5, 1.5, 1.0, 0.0]),
    }
    figure = clipped_entries(sizes, 1.5, "RNN", "said", "seed 3")
    assert_drawable(figure)
    assert "2 of 4 entries above θ" in figure.caption
    (theta,) = rows(figure, "theta")
    assert theta["place"] == pytest.approx(math.log10(1.5))
    for way, values in sizes.items():
        own = points(figure, remedy=way)
        np.testing.assert_allclose([r["x"] for r in own], np.log10([1, 2, 3, 4]))
        np.testing.assert_allclose([10 ** r["place"] for r in own[:3]], values[:3])
        assert own[3]["place"] is None
        assert [r["x"] for r in rows(figure, "zero") if r["remedy"] == way] == [own[3]["x"]]
        name = {"plain": "unclipped", "norm": "by norm", "value": "by value"}[way]
        *numbers, zero = said(figure, name).values()
        assert [float(number) for number in numbers] == values[:3].tolist()
        assert zero == "exactly 0"
    far = clipped_entries(sizes, 1000.0, "RNN", "said", "seed 3")
    assert rows(far, "theta") == []
    assert "far above every entry" in far.caption
    for odd in (np.zeros(4), np.array([np.inf, 1.0, 0.5, np.nan]), np.full(4, np.nan)):
        assert_drawable(clipped_entries(dict.fromkeys(sizes, odd), 1.0, "RNN", "said", "seed 3"))
    assert_drawable(clipped_entries(dict.fromkeys(sizes, np.ones(1)), 1.0, "RNN", "said", "seed 3"))


def test_ranks_are_few_and_hold_both_ends():
    for N in (1, 2, 160, 161, 4096, 16384):
        ranks = ranks_drawn(N)
        assert ranks[0] == 1
        assert ranks[-1] == N
        assert len(ranks) <= 160
        assert (np.diff(ranks) > 0).all()
